"""Measuring the tasks of a model that was taught several: each one's score, and whether earlier ones are as before."""
