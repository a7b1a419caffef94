"""From stored outcomes to effects, correlations, figures and a page; without a model, without torch."""

from analysis.compute import Analysis, analyse
from analysis.correlation import CorrelationOptions, DomainEffects, correlate
from analysis.curves.training_dynamics import dynamics
from analysis.effects.head_effects import effects, head_effects
from analysis.inference import Inference, Sample
from analysis.report import write_report
from analysis.results.domain import Domain
from analysis.results.read import Results, Selection, read_domain, read_results, scored_by
from analysis.results.rescoring import rescored

__all__ = [
    "Analysis",
    "CorrelationOptions",
    "Domain",
    "DomainEffects",
    "Inference",
    "Results",
    "Sample",
    "Selection",
    "analyse",
    "correlate",
    "dynamics",
    "effects",
    "head_effects",
    "read_domain",
    "read_results",
    "rescored",
    "scored_by",
    "write_report",
]
