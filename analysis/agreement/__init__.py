"""Agreement of kept sets: are the same heads kept by another seed, on another task, and more often than by chance?

A rater is whoever says of every head whether it is kept: the pruning of a model of one seed, on one task.
"""

from analysis.agreement.kept_sets import KeptSets
from analysis.agreement.pruned import Stop, kept_sets
from analysis.agreement.tables import Agreement, agreement

__all__ = ["Agreement", "KeptSets", "Stop", "agreement", "kept_sets"]
