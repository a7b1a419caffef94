"""Metrics of texts: how likely a text is, by byte, word or token."""
