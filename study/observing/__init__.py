"""What the attention of a certified subject looks at: its patterns, and the statistics of them."""
