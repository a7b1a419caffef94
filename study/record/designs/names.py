"""Names that a measure gives to sets and to options of designs, and by which what is stored is read."""

LOSE = "lose"
"""The option of a search for a sufficient set: the margin, in the unit of the score."""

CONFIRM = "confirmed"
"""The option of a screening: how many units get a mask of their own afterwards."""

KEPT = "kept"
"""The option of independent masks: the probability with which each unit is on."""

CHOSEN = "chosen"
"""The set that a search ends with, among those that are judged."""

SCREENED, RANDOM, IMPORTANT = "screened", "random", "important"
"""What the single units that a screening measures afterwards were chosen by."""
