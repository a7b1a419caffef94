"""What each token that a model reads stands for: special tokens, punctuation, its place in the text."""
