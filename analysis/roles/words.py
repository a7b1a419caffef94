"""What roles of heads come to, in sentences that stand on the page and on the terminal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from analysis.formatting import decimal, decimals, ends, p_value, signed
from analysis.inference.multiplicity import holm
from analysis.results.readings import READING, Reading
from analysis.roles.outcomes import IMPORTANCE, LOSS, SCORE
from analysis.roles.roles_left import all_present
from analysis.roles.rules import ROLES
from analysis.roles.syntactic import syntactic_title
from analysis.roles.tables import HeadAttention
from study.record.errors import listed
from study.record.units import ADDRESS

Row = Mapping[str, Any]

NO_CAUSE = (
    "This compares heads as they are. It does not show that a head matters because of its role: heads differ in more "
    "than that."
)

OUTCOMES = {SCORE: "by the score", LOSS: "by the loss", IMPORTANCE: "by importance"}

VOITA_KEPT, VOITA_HEADS = 17, 48
"""Encoder heads with which Voita et al. (2019) still find every role."""

FAMILY = ("setting_id", "reading_id", "special", "outcome")
"""What one family of tests is of."""


def role_title(name: str, role: str | None = None) -> str:
    """What people call heads of a role."""
    return syntactic_title(name) or TITLES.get(name, role or name.replace("_", " "))


TITLES = {role.name: role.title for role in ROLES}


def roles_words(found: HeadAttention, reading: Reading) -> str:
    """`41 of 72 heads have a role (3 with random weights): separator 12 (0), previous-token 4 (3)`."""
    control, heads = found.control_of(reading), len(reading.layout)
    own, random = (heads_with_a_role(found, one) for one in (reading, control))
    said = f"{own or 'None'} of {heads} heads of {reading.label} {'have' if own > 1 else 'has'} a role"
    said += f" ({random or 'none'} with random weights)" if control else ""
    counts = found.counts.filter(**reading.names)
    counts = counts.filter((pl.col("decided") > 0) | (pl.col("control_decided").fill_null(0) > 0))
    if counts.is_empty():
        return f"{said}."
    counts = counts.sort("decided", "control_decided", descending=True, nulls_last=True, maintain_order=True)
    rows = counts.select("role", "decided", "control_decided").iter_rows()
    parts = [f"{role_title(role)} {count}" + ("" if chance is None else f" ({chance})") for role, count, chance in rows]
    return f"{said}: {', '.join(parts)}. A head may have several."


def heads_with_a_role(found: HeadAttention, reading: Reading | None, roles: Sequence[str] | None = None) -> int:
    """How many heads of a reading have a role, or one of these; 0 of none."""
    if reading is None:
        return 0
    having = found.assigned.filter("decided", **reading.names)
    return having.filter(pl.col("role").is_in(roles) if roles is not None else True).n_unique([*ADDRESS])


def effect_words(effects: pl.DataFrame) -> Iterator[str]:
    """A sentence for each outcome of one domain and reading: which roles differ from other heads of their layers."""
    for _, own in effects.group_by(*FAMILY, maintain_order=True):
        first = own.row(0, named=True)
        tested, by = own.drop_nulls("p"), OUTCOMES[first["outcome"]]
        where = f"On {first['domain']}, {by}, roles from {_source(first)}"
        if tested.is_empty():
            yield f"{where}: no role can be compared, as no layer has heads with it and heads without it."
            continue
        sure = tested.filter("significant")
        if sure.height:
            said = listed([_difference(row) for row in sure.rows(named=True)], most=sure.height)
            yield f"{where}: {said} than the other heads of their layers."
        else:
            least = p_value(float(tested["p_corrected"].min())).removeprefix("= ")  # type: ignore[arg-type]
            yield (
                f"{where}: of {tested.height} roles none has heads that differ beyond chance from the other heads of "
                f"their layers (smallest corrected p {least})."
            )


def _source(row: Row) -> str:
    """Which examples assigned the roles."""
    if row["halved"]:
        return f"one half of the groups of {row['reading']} and effects from all other groups"
    return f"{row['reading']}, with which it shares no example"


def _difference(row: Row) -> str:
    more, size = "more" if row["difference"] < 0 else "less", abs(row["difference"])
    digits = decimals(row["unit"])
    low, high = sorted((abs(row["low"]), abs(row["high"]))) if _one_sided(row) else (None, None)
    between = ends(low, high, digits)
    title = role_title(row["role"])
    who = f"the {title} head costs" if row["heads"] == 1 else f"the {row['heads']} {title} heads cost"
    each = "" if row["heads"] == 1 else " each"
    return f"{who} {decimal(size, digits)} {row['unit']}{each}{between} {more}"


def _one_sided(row: Row) -> bool:
    return row["low"] is not None and row["low"] * row["high"] > 0


def correlation_words(correlations: pl.DataFrame, labels: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each outcome of one domain and reading: which statistics go with it within layers."""
    overall = correlations.filter(kind="all")
    for _, own in overall.group_by(*FAMILY, maintain_order=True):
        first, tested = own.row(0, named=True), own.drop_nulls("p")
        if tested.is_empty():
            continue
        where = f"On {first['domain']}, {OUTCOMES[first['outcome']]}"
        sure = tested.filter("significant").sort(pl.col("within").abs(), descending=True, maintain_order=True)
        if sure.height:
            parts = [f"{labels[row['statistic']]} (r = {signed(row['within'])})" for row in sure.rows(named=True)]
            count = f"{sure.height} of {tested.height} statistics"
            yield f"{where}: within layers, {count} go with what heads are worth: {', '.join(parts)}."
        else:
            none = f"none of {tested.height} statistics"
            yield f"{where}: within layers {none} goes with what heads are worth beyond chance."


def left_words(left: pl.DataFrame, alpha: float) -> Iterator[str]:
    """For each order, with how many heads every role is still there, beside Voita's 17 of 48; and who goes later."""
    for row in all_present(left.filter(pl.col("members") > 0)).rows(named=True):
        share, voita = 100 * row["kept"] / row["heads"], 100 * VOITA_KEPT / VOITA_HEADS
        own = left.filter(**{name: row[name] for name in ("setting_id", "reading_id", "special", "kinds", "curve")})
        first = role_title(row["first_gone"])
        yield (
            f"On {row['domain']}, by {row['curve']}, each of {row['roles']} roles still has a head with {row['kept']} "
            f"of {row['heads']} heads kept ({share:.0f} %; Voita et al. 2019: {VOITA_KEPT} of {VOITA_HEADS}, "
            f"{voita:.0f} %); the first to have none left is {first}.{_sooner_or_later(own, alpha)}"
        )


def anew_words(left: pl.DataFrame) -> Iterator[str]:
    """For each mask of an order under which attention was looked at again, the roles that heads have there."""
    order = ("setting_id", "reading_id", "special", "kinds", "curve", "kept")
    for _, own in left.drop_nulls("anew").group_by(*order, maintain_order=True):
        row, whole = own.row(0, named=True), own.filter(pl.col("members") > 0)
        gone, new = whole.filter(anew=0), own.filter(pl.col("members") == 0)
        said = (
            f"Looked at again on {row['reading']} with {row['kept']} of {row['heads']} heads kept by {row['curve']}, "
            f"{whole.height - gone.height} of {whole.height} roles have a head"
        )
        said += (
            f"; none has {listed([role_title(name) for name in gone['role']], most=gone.height)}" if len(gone) else ""
        )
        said += f"; new: {listed([role_title(name) for name in new['role']], most=new.height)}" if len(new) else ""
        parts = (f"{role_title(role)} {anew} ({members})" for role, anew, members in _largest(whole))
        yield f"{said}. Heads now, and of the whole model in brackets: {', '.join(parts)}."


def _largest(roles: pl.DataFrame) -> Iterator[tuple[str, int, int]]:
    """The roles that have heads anew, those of most heads first: role, anew, members."""
    some = roles.filter(pl.col("anew") > 0).sort("anew", "members", descending=True, maintain_order=True)
    yield from some.select("role", "anew", "members").iter_rows()


def _sooner_or_later(left: pl.DataFrame, alpha: float) -> str:
    """Roles whose heads go later, and sooner, than others beyond chance, corrected by Holm over the roles."""
    roles = left.select("role", "later", "p").drop_nulls().unique(maintain_order=True)
    sure = roles.filter(pl.Series(holm(roles["p"].to_numpy()) <= alpha))
    if sure.is_empty():
        return " No role’s heads go later or sooner than other heads beyond chance."
    parts = []
    for word, own in (("later", sure.filter(pl.col("later") > 0.5)), ("sooner", sure.filter(pl.col("later") < 0.5))):
        names = [role_title(name) for name in own["role"]]
        parts += [f"{listed(names, most=len(names))} heads go {word}"] if names else []
    said = " and ".join(parts)
    return f" Beyond chance, {said} than other heads."


def cluster_words(clusters: pl.DataFrame, alpha: float) -> Iterator[str]:
    """For each kind of attention, whether heads of a layer look at the same tokens."""
    for _, own in clusters.filter(distance="divergence").group_by(*READING, "kind", maintain_order=True):
        row = own.row(0, named=True)
        if row["p"] is None:
            continue
        closer = "closer together than" if row["p"] <= alpha else "not closer together, beyond chance, than"
        yield (
            f"{row['subject']} on {row['domain']}: heads of one layer lie {closer} heads of different layers, "
            f"{decimal(row['within'], 3)} against {decimal(row['between'], 3)} nats of divergence "
            f"(p {p_value(row['p'])}, one-sided, layer labels permuted {row['resamples']:,} times)."
        )


def roles_of_heads(assigned: pl.DataFrame) -> dict[tuple[str, int, int], tuple[str, ...]]:
    """The roles of each head of one reading that has any, by its address, in the order of the rules."""
    found: dict[tuple[str, int, int], list[str]] = {}
    for kind, layer, head, role in assigned.filter("decided").select("kind", "layer", "head", "role").iter_rows():
        found.setdefault((kind, layer, head), []).append(role)
    return {address: tuple(roles) for address, roles in found.items()}


def named(heads: Sequence[str], most: int = 8) -> str:
    """Names of heads, the first ones of many: `L2H3, L4H1 and 5 more`."""
    rest = len(heads) - most
    return ", ".join(heads) if rest <= 0 else f"{', '.join(heads[:most])} and {rest} more"
