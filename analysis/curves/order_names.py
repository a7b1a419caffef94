"""The names of the orders in which pruning curves remove heads, and which of them is the paper's."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from analysis.effects.head_effects import ALL_KINDS
from analysis.results.domain import Domain
from study.record.curves import Curve
from study.record.importance import Estimator
from study.record.units import UnitLevel

IMPORTANCE = "importance"
"""The paper's order, with nothing unusual about it."""

USUAL = {"estimator": "paper", "normalisation": "layer_l2", "average": "examples", "loss": "plain", "steps": "paper"}
"""Options that a name does not mention."""


def is_papers(curve: Curve) -> bool:
    """Whether the order is the paper's, by importance, with nothing unusual but perhaps the data it was made on."""
    return order_name(curve, str(curve.options.get("data", ""))) == IMPORTANCE


def papers_order(domain: Domain) -> str | None:
    """The name of the paper's order among the curves of a domain; one that was made on other data, if there is one.

    An order that was made on the examples of its curve is flattered.
    """
    names = dict.fromkeys(order_name(curve, domain.data) for curve in domain.curves if is_papers(curve))
    return min(names, key=lambda name: name == IMPORTANCE, default=None)


def curve_kinds(curve: Curve) -> str:
    """The kinds of units that a curve removes, as a table has them: attention kinds, or MLPs, which are of none."""
    return "mlp" if curve.unit is UnitLevel.mlp else "+".join(curve.kinds) or ALL_KINDS


def units_removed(curves: pl.DataFrame) -> str:
    """What curves remove, two or more of them, by their column `level`: `heads`, `heads or groups`."""
    levels = set(curves["level"])
    return " or ".join(level.plural for level in UnitLevel if level in levels)


def order_name(curve: Curve, data: str) -> str:
    """The order of a curve and what is unusual about it, units other than heads too; all random seeds have one name."""
    options: Mapping[str, Any] = curve.options
    usual = USUAL | {"normalisation": str(Estimator.paper.normalisation(curve.unit))}
    unusual = [] if curve.unit is UnitLevel.head else [curve.unit.plural]
    unusual += [f"{name} {options[name]}" for name, value in usual.items() if options.get(name, value) != value]
    unusual += [f"from {options['data']}"] if options.get("data", data) != data else []
    unusual += [str(options["file"])] if "file" in options else []
    unusual += [f"a {curve.unit.noun} kept in each layer"] if not options.get("allow_empty_layers", True) else []
    name = curve.order.replace("_", " ") + (", reversed" if options.get("reverse") else "")
    return f"{name} ({', '.join(unusual)})" if unusual else name
