"""A later task, taught to a part of a model that has one or more already; all else is still, to the last bit."""
