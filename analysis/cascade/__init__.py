"""Decisions of a cascade: how many were drafted, and how many of these may be wrong, by audits of random samples."""

from analysis.cascade.domain_bounds import DomainBounds, MaskBound, domain_bounds
from analysis.cascade.tables import Cascade, cascade

__all__ = ["Cascade", "DomainBounds", "MaskBound", "cascade", "domain_bounds"]
