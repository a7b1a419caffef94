"""Sections about several models or data sets at once: agreement, what an effect belongs to, models compared."""
