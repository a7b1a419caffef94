"""A sweep: how its jobs are composed, what a launcher may ask of them, and where they stand on disk."""
