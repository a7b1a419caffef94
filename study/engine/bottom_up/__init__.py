"""Classifiers: all masks in one forward pass that grows layer by layer."""
