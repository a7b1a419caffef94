"""The commands of `python -m launchers` that do more than show."""
