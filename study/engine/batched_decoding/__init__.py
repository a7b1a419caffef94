"""Translators: all masks in one beam search."""
