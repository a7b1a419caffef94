"""Trainings of a results folder, for a notebook: those with gates, and those of later tasks."""
