"""A later task taught to a trained model, whose redundant heads it may have; the earlier task keeps the others."""
