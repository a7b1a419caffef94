"""Reading more rows than memory holds: part by part, sums alone are kept."""
