"""The command line of `study`: its commands, its help, what there is to choose, and what is misspelt."""
