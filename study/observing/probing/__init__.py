"""An attention-only probe: the maps that it reads, how it scores, how it is trained, and the heads that it finds."""
