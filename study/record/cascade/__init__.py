"""What a cascade of precisions leaves behind: stages, the thresholds under which drafts stand, and audits of them.

A decision is taken at the first stage whose margin is above its threshold. All but the last are drafts: they stand only
as long as no part has a threshold that they do not pass, and no exact row is there.
"""

from study.record.cascade.audit import Audit, MaskSample, PartialRequest
from study.record.cascade.stage import Stage
from study.record.cascade.thresholds import Thresholds

__all__ = ["Audit", "MaskSample", "PartialRequest", "Stage", "Thresholds"]
