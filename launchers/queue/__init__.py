"""What is known of jobs that were handed out: by SLURM's queue, and by what is on disk."""
