"""Where the heads of a model are, and the gate that turns them off."""
