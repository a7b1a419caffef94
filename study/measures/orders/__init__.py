"""Orders of removal, a file each."""
