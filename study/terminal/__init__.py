"""What people see while something runs: one console for log lines and progress bars."""
