"""Agreement along an axis: do the same heads matter whatever the seed, the epoch, the precision, the family?

Cells (`analysis.results.cells`) that differ in one axis alone are compared head by head. Along every axis but the data
they were measured on the same examples, whose noise is taken out (`analysis.correlation.shared_examples`).
"""

from analysis.along.comparability import Match
from analysis.along.tables import Along, along

__all__ = ["Along", "Match", "along"]
