"""The table of relations for a paper: the best head of each beside the best fixed offset."""

from analysis.formatting import decimal, p_value, signed, slug
from analysis.syntax import Syntax
from analysis.syntax.relation_sums import Direction
from analysis.syntax.words import DIRECTIONS, WHOLES, chosen_heads, chosen_offsets
from analysis.tables.latex import Sheet
from study.record.units import Head


def syntax_sheets(found: Syntax) -> list[Sheet]:
    """One table for each reading with trees."""
    readings = found.best["setting_id"].unique(maintain_order=True)
    return [_sheet(found, setting) for setting in readings]


def _sheet(found: Syntax, setting: str) -> Sheet:
    best = found.best.filter(setting_id=setting)
    several = len({Head.parse(address).kind for address in best["first_head"]}) > 1
    rows = [
        (
            row["relation"].replace("_", " ") if row["relation"] in WHOLES else row["relation"],
            DIRECTIONS[Direction(row["direction"])],
            str(row["cases"]),
            chosen_heads(row, several),
            decimal(row["accuracy"], 1),
            _between(row["low"], row["high"]),
            chosen_offsets(row),
            decimal(row["baseline"], 1),
            signed(row["difference"], 1),
            _between(row["difference_low"], row["difference_high"]),
            p_value(row["p_corrected"]).removeprefix("= "),
        )
        for row in best.rows(named=True)
    ]
    head = (
        "",
        "attention",
        "words",
        "head",
        "accuracy",
        "interval",
        "offset",
        "accuracy",
        "difference",
        "interval",
        "p",
    )
    note = (
        f"Accuracy in percent, differences in points; heads and offsets are chosen on one half of the groups of "
        f"examples and scored on the other, both ways; {100 * (1 - found.alpha):g} % intervals by a jackknife over "
        f"{best['groups'].max():,} groups at most; p is one-sided and corrected by max-T over these rows."
    )
    label = found.label(setting)
    return Sheet(f"syntax-{slug(f'{label}-{setting}')}", f"Single heads as parsers: {label}.", head, rows, note=note)


def _between(low: float | None, high: float | None) -> str:
    return "–" if low is None else f"{decimal(low, 1)} to {decimal(high, 1)}"
