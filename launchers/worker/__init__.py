"""Where jobs run: a worker with its pack, and each job in a process of its own."""
