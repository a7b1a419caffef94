"""Weights of models, read for forward passes of the engines' own."""
