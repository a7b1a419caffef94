"""What a training leaves behind besides weights: its course, and what its gates have become."""
