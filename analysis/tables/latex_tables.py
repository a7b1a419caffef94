"""The tables of a paper, as sheets that `analysis.tables.latex` typesets: scores, heads, correlations, pruning curves.

Layers and heads count from 0. Every sheet says under it how its numbers were made.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from analysis.attention_kinds import kind_label, kind_name
from analysis.compute import Analysis
from analysis.curves.order_names import units_removed
from analysis.effects.head_effects import ALL_KINDS, Measure, strongest_head
from analysis.formatting import (
    after_correction,
    decimal,
    decimals,
    head_name,
    labelled,
    score,
    signed,
    slug,
    unit_name,
)
from analysis.tables import paper_tables
from analysis.tables.along_sheets import along_sheets
from analysis.tables.latex import Sheet
from study.record.metrics import METRICS
from study.record.units import ADDRESS, UnitLevel

NONE = "–"

Row = Mapping[str, Any]


def sheets(analysis: Analysis) -> dict[str, list[Sheet]]:
    """The sheets of each subject, by the name of its folder; those of agreement along an axis in one of their own."""
    found = {
        slug(f"{domains[0].model}-{subject_id}"): list(_subject_sheets(analysis, subject_id))
        for subject_id, domains in analysis.subjects.items()
    }
    return found if analysis.along is None else found | {"along": list(along_sheets(analysis.along))}


def _subject_sheets(analysis: Analysis, subject_id: str) -> Iterator[Sheet]:
    labels = labelled((domain.data, domain.setting_id) for domain in analysis.subjects[subject_id])
    tables = (analysis.base, analysis.effects, analysis.curves)
    base, effects, curves = (table.filter(subject_id=subject_id) for table in tables)
    yield _base(base, effects, labels)
    if effects.filter(measure=Measure.ABLATION).height:
        yield _heads(effects, labels)
    units = analysis.units.filter(subject_id=subject_id)
    if units.filter(pl.col("level") != UnitLevel.layer).height:  # layers alone are in tables 2 and 3
        for own in units.partition_by("level", maintain_order=True):
            yield _units(own, labels)
    cuts = paper_tables.paper_tables(effects)
    for setting, label in labels.items():
        first, note = cuts["table1"].filter(setting_id=setting), _made(effects.filter(setting_id=setting))
        if first.height:
            yield _table_1(first, label, note)
        for name in ("table2", "table3"):
            layers = cuts[name].filter(setting_id=setting)
            if layers.height:
                yield _layers(layers, label, name, note)
    for found in (analysis.correlations, *analysis.larger.values()):
        yield from _correlation(found.correlation.filter(subject_id=subject_id), labels, found.level)
    if curves.height:
        yield _curves(curves, labels)


def _base(base: pl.DataFrame, effects: pl.DataFrame, labels: Mapping[str, str]) -> Sheet:
    rows = []
    for row in base.rows(named=True):
        head = strongest_head(effects.filter(setting_id=row["setting_id"]))
        paper = NONE if row["paper_base_score"] is None else score(row["paper_base_score"], row["metric"])
        known = (
            f"{row['n']:,}",
            score(row["base_score"], row["metric"]),
            _between(row["low"], row["high"], METRICS[row["metric"]].digits),
        )
        rows.append(
            (
                labels[row["setting_id"]],
                *known,
                paper,
                NONE if head is None else decimal(head["detectable"], decimals(head["unit"])),
            )
        )
    note = f"Signature: {', '.join(base['signature'].unique())}. "
    note += f"Detectable: size of a single head's effect that is found with probability .8. {_made(base)}"
    columns = ("domain", "examples", "score", "interval", "paper", "detectable")
    return Sheet("base", "Scores with every head.", columns, rows, note=note)


def _heads(effects: pl.DataFrame, labels: Mapping[str, str]) -> Sheet:
    ablation = effects.filter(measure=Measure.ABLATION)
    heads = ablation.select(*ADDRESS).unique(maintain_order=True).rows()
    found = {(row["setting_id"], row["kind"], row["layer"], row["head"]): row for row in ablation.rows(named=True)}
    rows = [
        (
            kind_label(kind),
            head_name({"layer": layer, "head": head}),
            *(cell for setting in labels for cell in _with_interval(found.get((setting, kind, layer, head)))),
        )
        for kind, layer, head in heads
    ]
    groups = (("", 2), *((label, 2) for label in labels.values()))
    return Sheet(
        "heads",
        f"Effect of removing each head, in {effects['unit'][0]}.",
        ("attention", "head", *(("effect", "interval") * len(labels))),
        rows,
        groups,
        f"{_counted(False)} {_made(effects)}",
    )


def _units(units: pl.DataFrame, labels: Mapping[str, str]) -> Sheet:
    """The units of one level: the effect of each, and beside it what its heads come to, where they have any."""
    level, several = UnitLevel(units["level"][0]), units["kind"].n_unique() > 1
    found = {(row["setting_id"], row["address"]): row for row in units.rows(named=True)}
    summed = units["sum"].count() > 0
    head = ("effect", "interval", *(("sum of heads", "difference", "interval") if summed else ()))
    rows = []
    for row in units.unique("address", keep="first", maintain_order=True).rows(named=True):
        cells = (found.get((setting, row["address"])) for setting in labels)
        rows.append((unit_name(row, several), *(cell for each in cells for cell in _unit_cells(each, summed))))
    over = _made(units).replace("over the heads", f"over the {level.plural}")
    note = f"Layers and {'heads' if level is UnitLevel.layer else level.plural} count from 0. {over}"
    if summed:
        note += " Difference: the effect of the whole less the sum of the effects of its heads, on the same resamples."
    caption = f"Effect of removing each {'MLP' if level is UnitLevel.mlp else level} as a whole, in {units['unit'][0]}."
    groups = (("", 1), *((label, len(head)) for label in labels.values()))
    return Sheet(level.plural.lower(), caption, (str(level), *(head * len(labels))), rows, groups, note)


def _unit_cells(row: Row | None, summed: bool) -> list[str]:
    if row is None:
        return [NONE] * (5 if summed else 2)
    cells = [_starred(row), _between(row["low"], row["high"])]
    if summed:
        between = _between(row["excess_low"], row["excess_high"])
        cells += [
            NONE if row["sum"] is None else signed(row["sum"]),
            _starred(row, "excess", "excess_significant"),
            between,
        ]
    return cells


def _table_1(table: pl.DataFrame, label: str, note: str) -> Sheet:
    columns = table["head"].unique().sort().to_list()
    cells = {(row["layer"], row["head"]): row for row in table.rows(named=True)}
    theirs = bool(table["paper_effect"].is_not_null().any())
    rows = []
    for layer in table["layer"].unique().sort():
        ours = [cells.get((layer, head)) for head in columns]
        rows.append((str(layer), *map(_starred, ours)))
        if theirs:
            rows.append(("paper", *(_starred(row, "paper_effect", "paper_p01") for row in ours)))
    caption = f"Effect of removing each head of the encoder's self-attention on {label}, in {table['unit'][0]}."
    note = f"{_counted(theirs)} {note}{' Below, the numbers of the paper; * p < .01 there.' if theirs else ''}"
    return Sheet(f"table1-{slug(label)}", caption, ("layer", *map(str, columns)), rows, note=note)


def _layers(table: pl.DataFrame, label: str, name: str, note: str) -> Sheet:
    kinds = table["kind"].unique(maintain_order=True).to_list()
    cells = {(row["layer"], row["kind"]): row for row in table.rows(named=True)}
    theirs = bool(table["paper_effect"].is_not_null().any())
    head = ("best", "one head", "no head", *(("paper",) if theirs else ()))
    rows = [
        (str(layer), *(cell for kind in kinds for cell in _one_layer(cells.get((layer, kind)), theirs)))
        for layer in table["layer"].unique().sort()
    ]
    groups = (("", 1), *((kind_name(kind), len(head)) for kind in kinds))
    caption = f"Effect of removing all heads of a layer but the best, or all, on {label}, in {table['unit'][0]}."
    note = f"{_counted(theirs)} {note} The best head is picked on these examples, which flatters it."
    return Sheet(f"{name}-{slug(label)}", caption, ("layer", *(head * len(kinds))), rows, groups, note)


def _one_layer(row: Row | None, theirs: bool) -> list[str]:
    if row is None:
        return [NONE] * (4 if theirs else 3)
    best = NONE if row["best_head"] is None else str(row["best_head"])
    ours = [best, _starred(row), _starred(row, "no_head_effect", "no_head_significant")]
    return [*ours, _starred(row, "paper_effect", "paper_p01")] if theirs else ours


def _correlation(table: pl.DataFrame, labels: Mapping[str, str], level: UnitLevel) -> Iterator[Sheet]:
    if table.is_empty():
        return
    rows = [
        (
            f"{labels[row['setting_a']]}, {labels[row['setting_b']]}",
            kind_label(row["kind"]),
            str(row["heads"]),
            decimal(row["pearson"]),
            _between(row["pearson_low"], row["pearson_high"]),
            decimal(row["true"]),
            _between(row["true_low"], row["true_high"]),
            decimal(row["ceiling"]),
            decimal(row["spearman"]),
        )
        for row in table.rows(named=True)
    ]
    units = level.plural
    head = ("domains", "attention", units, "r", "interval", "true r", "interval", "ceiling", "Spearman ρ")
    sure = f"{100 * table['level'][0]:g} %"
    note = f"r of the effects as measured, and of the true effects; {sure} intervals by a jackknife over groups."
    name = "correlation" if level is UnitLevel.head else f"correlation-{units}"
    yield Sheet(name, f"Correlation of the effects of {units} between domains.", head, rows, note=note)


def _curves(table: pl.DataFrame, labels: Mapping[str, str]) -> Sheet:
    rows = [
        (
            labels[row["setting_id"]],
            UnitLevel(row["level"]).plural if row["kinds"] == ALL_KINDS else kind_label(row["kinds"]),
            row["curve"],
            str(row["curves"]),
            decimal(row["area"], METRICS[row["metric"]].digits),
            _between(row["area_low"], row["area_high"], METRICS[row["metric"]].digits),
            f"{100 * row['share']:.0f} %",
            NONE if row["share_low"] is None else f"{100 * row['share_low']:.0f} to {100 * row['share_high']:.0f} %",
        )
        for row in table.rows(named=True)
    ]
    first = table.row(0, named=True)
    note = (
        f"Share: the largest that goes before the score is more than {first['within']:g} below that with every head. "
        f"{100 * (1 - first['alpha']):g} % intervals; {first['resamples']:,} resamples, seed {first['seed']}."
    )
    head = ("domain", "of", "order", "curves", "mean score", "interval", "share", "interval")
    units = units_removed(table)
    return Sheet("curves", f"{units[0].upper()}{units[1:]} removed a share at a time.", head, rows, note=note)


def _counted(theirs: bool) -> str:
    """How layers and heads count, and how in the paper where its numbers stand beside."""
    return f"Layers and heads count from 0{'; the paper counts from 1' if theirs else ''}."


def _with_interval(row: Row | None) -> tuple[str, str]:
    return (NONE, NONE) if row is None else (_starred(row), _between(row["low"], row["high"], decimals(row["unit"])))


def _starred(row: Row | None, effect: str = "effect", star: str = "significant") -> str:
    if row is None or row[effect] is None:
        return NONE
    return f"{signed(row[effect], decimals(row['unit']))}{'*' if row[star] else ''}"


def _between(low: float | None, high: float | None, digits: int = 2) -> str:
    return NONE if low is None else f"{decimal(low, digits)} to {decimal(high, digits)}"


def _made(table: pl.DataFrame) -> str:
    """How the intervals of effects or base scores were made, of the domains that have any, and what a star says."""
    known = table.filter(pl.col("low").is_not_null()).unique("setting_id", maintain_order=True).rows(named=True)
    if not known:
        return ""
    row = known[0]
    sizes = ", ".join(f"{row['groups']:,} {row['group']}s of {row['n']:,} examples" for row in known)
    level = f"{100 * (1 - row['alpha']):g} % intervals"
    drawn = "" if row["resamples"] is None else f"; {row['resamples']:,} resamples, seed {row['seed']}"
    star = f" * significant {after_correction(row['correction'])}." if "correction" in table.columns else ""
    return f"{level}; {sizes}{drawn}.{star}"
