"""A job, from its configuration to what it stores, plans and says."""
