"""Decoders: all masks in one forward pass through transformers' own layers, whatever the architecture."""
