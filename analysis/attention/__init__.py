"""What heads look at: statistics of each head with intervals, offsets, and how far heads are from each other."""
