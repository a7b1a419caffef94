"""What stands in a masked unit's place: the choice, the reference examples that it is taken from, and the numbers."""
