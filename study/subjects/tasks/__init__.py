"""Models that were taught several tasks: one folder, of which each task is a subject."""
