"""Numbers and names as people read them: on the page, in figures and on the terminal."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from study.record.metrics import METRICS
from study.record.units import AttentionKind, AttentionLayer, Group, Head, Mlp, Unit, UnitLevel

NULL_NAMES = {
    "sign_flips": "outcomes with and without heads swapped",
    "heads": "heads permuted",
    "heads_within_kinds": "heads permuted within their attention kind",
    "heads_within_layers": "heads permuted within their layer",
}
"""What is drawn under each null of a correlation (`analysis.correlation.null_distributions`)."""


DECIMALS = {kind.unit: kind.digits for kind in METRICS.values()}


def decimals(unit: str | None) -> int:
    """How many decimals an effect in this unit, or a score that it is a difference of, is shown with."""
    return DECIMALS.get(unit or "", 2)


def signed(effect: float, digits: int = 2) -> str:
    """A difference with its sign: `+0.12`, `−0.53`; what rounds to nothing has none."""
    text = f"{effect:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def difference_between(difference: float, low: float | None, high: float | None, unit: str) -> str:
    """`−1.20 (−1.90 to −0.50)`: a difference of scores with its interval, where it has one."""
    digits = decimals(unit)
    between = "" if low is None or high is None else f" ({signed(low, digits)} to {signed(high, digits)})"
    return signed(difference, digits) + between


def score(value: float, name: str) -> str:
    """A score by its metric's name, with its unit: `36.05 BLEU`, `83.68 %`."""
    return f"{decimal(value, METRICS[name].digits)} {METRICS[name].score_unit}"


def score_axis(name: str) -> str:
    """What stands beside an axis of scores, by their metric's name: `BLEU`, `accuracy (%)`."""
    return METRICS[name].axis


def decimal(value: float | None, digits: int = 2) -> str:
    """A number without a plus; `–` for none; what rounds to nothing has no sign."""
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    return (text.lstrip("-") if float(text) == 0 else text).replace("-", "−")


def labelled(named: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Names by id, from pairs of both: the name alone where it is unique, else with the id."""
    pairs = list(named)
    counts = Counter(name for name, _ in pairs)
    return {id_: name if counts[name] == 1 else f"{name} ({id_})" for name, id_ in pairs}


def slug(text: str) -> str:
    """Text as part of a file name; all that models and data sets may be called stays as it is."""
    return re.sub(r"[^\w.+-]+", "-", text).strip("-")


def after_correction(name: str | None) -> str:
    """How p values became significant, by the name of the correction."""
    return "without correction over the heads" if name == "none" else "after correction over the heads"


def shortened(text: str | None, letters: int) -> str | None:
    """A text in one line of so many letters, its end left out where it is longer; None for no text."""
    line = " ".join((text or "").split())
    return (line if len(line) <= letters else f"{line[: letters - 2].rstrip()} …") or None


def unit_at(row: Mapping[str, Any]) -> Unit:
    """The unit of a row: a head, or what its column `level` says; the number of a group is in `head` or `index`.

    Where `level` is a number it is that of intervals, and the row is of a head.
    """
    level = row.get("level")
    match UnitLevel(level) if isinstance(level, str) else UnitLevel.head:
        case UnitLevel.head:
            return Head.from_row(row)
        case UnitLevel.group:
            index = row["index"] if "index" in row else row["head"]
            return Group(AttentionKind(row["kind"]), row["layer"], index)
        case UnitLevel.layer:
            return AttentionLayer(AttentionKind(row["kind"]), row["layer"])
        case UnitLevel.mlp:
            return Mlp(row["layer"])


def address(row: Mapping[str, Any]) -> str:
    """A head, or the unit of a row, as files and commands name it, counted from 0: `cross.2.1`."""
    return str(unit_at(row))


def head_name(row: Mapping[str, Any], several: bool = False) -> str:
    """`L2H1`, the head as people name it, counted from 0; its address where there are several kinds of attention."""
    return address(row) if several else f"L{row['layer']}H{row['head']}"


def unit_name(row: Mapping[str, Any], several: bool = False) -> str:
    """`L2H1`, `L2G0`, `L2`, `MLP 2`: what a row is of as people name it, from 0; its address where kinds differ."""
    match unit_at(row):
        case Mlp(layer):
            return f"MLP {layer}"
        case unit if several:
            return str(unit)
        case Head(_, layer, index):
            return f"L{layer}H{index}"
        case Group(_, layer, index):
            return f"L{layer}G{index}"
        case AttentionLayer(layer=layer):
            return f"L{layer}"


def layer_name(row: Mapping[str, Any], several: bool = False) -> str:
    """`L2`, the layer as people name it, counted from 0; `cross.2` where there are several kinds of attention."""
    return f"{row['kind']}.{row['layer']}" if several else f"L{row['layer']}"


def p_value(value: float) -> str:
    """`= .012`, or `< .001`: a p value is never 0."""
    return "< .001" if value < 0.001 else f"= {value:.3f}".replace("0.", ".", 1)


def unsure(row: Mapping[str, Any]) -> str:
    """What is added to an effect of detectable size that is not significant: `, not significant (corrected p = .120)`.

    The detectable effect is found four times in five, and the largest of many effects has chance on its side.
    """
    if row["significant"] is not False or row["detectable"] is None or abs(row["effect"]) < row["detectable"]:
        return ""
    corrected = "" if row["correction"] == "none" else "corrected "
    return f", not significant ({corrected}p {p_value(row['p_corrected'])})"


def base_score(row: Mapping[str, Any], glue: str = " ") -> str:
    """`83.68 % (81.20 to 85.13)`: a row's base score and, where there is one, its interval."""
    between = ends(row["low"], row["high"], METRICS[row["metric"]].digits).strip()
    return score(row["base_score"], row["metric"]) + (between and glue + between)


def effect(row: Mapping[str, Any], name: str = "effect") -> str:
    """`−0.53`: an effect of a row that names its unit, or another difference of scores."""
    return signed(row[name], decimals(row["unit"]))


def interval(row: Mapping[str, Any], side: str = "", unit: str | None = None) -> str:
    """` (−0.80 to −0.21)` from the columns low and high, or low_a and high_a ...; nothing where there are none.

    The unit is that of the row where it names one.
    """
    low, high = (row.get(f"{name}_{side}" if side else name) for name in ("low", "high"))
    digits = decimals(row.get("unit", unit))
    return "" if low is None or high is None else f" ({signed(low, digits)} to {signed(high, digits)})"


def ends(low: float | None, high: float | None, digits: int = 2) -> str:
    """` (0.41 to 0.77)`: the interval of a number that has no sign of its own; nothing where there is none."""
    return "" if low is None or high is None else f" ({decimal(low, digits)} to {decimal(high, digits)})"


def common_power(values: Iterable[float | None]) -> int:
    """The power of ten in which small numbers are shown: 0, or −3, −6 ... so that the largest of them is .1 or more."""
    largest = max((abs(value) for value in values if value), default=1.0)
    return min(0, 3 * math.floor((math.log10(largest) + 1) / 3))


def power_of_ten(power: int) -> str:
    """What stands before a unit that numbers are shown in: `10⁻⁶ `; nothing for the unit itself."""
    return f"10{str(power).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))} " if power else ""
