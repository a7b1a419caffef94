"""The gates that a training's options name, for the heads of a model."""

from study.gates.hard_concrete import HardConcreteGates
from study.gates.head_gates import HeadGates
from study.gates.options import HardConcrete, LearnedGates, Subset
from study.gates.subset import SubsetGates
from study.record.units import HeadLayout, select_heads


def learned_gates(options: LearnedGates, layout: HeadLayout, seed: int) -> HeadGates:
    """Gates before the first update.

    Args:
        options: what kind they are, and of which heads.
        layout: the model's heads.
        seed: seed of all that is random in them.

    Raises:
        InputError: for kinds that the model has not, and for a number of heads that cannot be kept.
    """
    options.check_heads(layout)
    heads = tuple(select_heads(layout, options.scope))
    if isinstance(options, HardConcrete):
        return HardConcreteGates(options, heads, seed)
    assert isinstance(options, Subset), f"no way to make {options.name}"
    return SubsetGates(options, heads, seed)
