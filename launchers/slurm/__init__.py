"""Jobs on a cluster: submitted as arrays, and not waited for."""
