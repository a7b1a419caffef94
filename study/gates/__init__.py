"""Gates of heads in a training: learned ones, by which it finds heads to do without, and ones that are given."""
