"""How sure one can be of an effect: what is resampled, intervals, tests, corrections, equivalence.

`infer` says it all of the masks of a domain, `base_interval` of its base score; `Inference` has the options. Why the
defaults are what they are: design/statistics.md.
"""

from analysis.inference.base_interval import base_interval
from analysis.inference.effect_inference import COLUMNS, infer
from analysis.inference.options import Inference, Interval
from analysis.results.sample import Sample

__all__ = ["COLUMNS", "Inference", "Interval", "Sample", "base_interval", "infer"]
