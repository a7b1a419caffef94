"""Correlation of single-head effects between the domains of a subject: does the same head matter elsewhere?

The paper's figure 2, with what a reader must know to believe it: two estimands with intervals, the noise ceiling, what
r would be if nothing were there, and which heads carry it.
"""

from analysis.correlation.domain_effects import DomainEffects
from analysis.correlation.options import CorrelationOptions
from analysis.correlation.tables import Correlations, correlate

__all__ = ["CorrelationOptions", "Correlations", "DomainEffects", "correlate"]
