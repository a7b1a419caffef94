"""Which method teaches a later task, by its options."""

from study.reuse.options import AllWeights, BiasesAndNorms, FreeHeads, LaterTask, LowRank, OutputLayer
from study.training.second_task.method import (
    AllWeightsMethod,
    BiasesAndNormsMethod,
    FreeHeadsMethod,
    Method,
    OutputLayerMethod,
)


def make_method(reuse: LaterTask) -> Method:
    """The method of these options."""
    if isinstance(reuse, LowRank):
        from study.training.second_task.low_rank import LowRankMethod  # takes peft, an extra

        return LowRankMethod(reuse)
    if isinstance(reuse, FreeHeads):
        return FreeHeadsMethod(reuse)
    plain = {OutputLayer: OutputLayerMethod, BiasesAndNorms: BiasesAndNormsMethod, AllWeights: AllWeightsMethod}
    return plain[type(reuse)]()
