"""Jobs on this machine: one after the other, or several at a time."""
