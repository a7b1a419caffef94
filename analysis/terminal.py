"""What an analysis says on the terminal: base scores and heads, correlations, pruning curves."""

from collections.abc import Sequence
from typing import Any

import polars as pl
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analysis.along import Along
from analysis.along.tables import LINE
from analysis.along.words import correlation_words, head_words, line_name, matched_words, plural, selective_words
from analysis.attention_kinds import kind_label
from analysis.cascade import Cascade
from analysis.components.tables import divided, shown_in
from analysis.compute import Analysis
from analysis.curves.order_names import units_removed
from analysis.effects.head_effects import ALL_KINDS, Measure, strongest_head
from analysis.formatting import (
    address,
    after_correction,
    base_score,
    decimal,
    decimals,
    difference_between,
    effect,
    ends,
    interval,
    labelled,
    score,
    signed,
    unsure,
)
from analysis.gates import Gates
from analysis.gates.kept_heads import HARD_CONCRETE
from analysis.influence.groups import deciding
from analysis.page.views import subject_labels
from analysis.roles import HeadAttention
from analysis.roles.words import NO_CAUSE, anew_words, cluster_words, effect_words, left_words, roles_words
from analysis.second_tasks import SecondTasks
from analysis.second_tasks.words import reference
from analysis.sets import Sets
from analysis.syntax.probe_scores import Probes
from analysis.syntax.probe_words import probe_sentence
from study.record.metrics import METRICS
from study.record.units import UnitLevel

TEXT = 80
"""Letters of an example's text that a line shows."""

MOST_PAIRS = 6
"""Pairs of a subject (four domains) that stand below each other; more are a matrix."""

MOST_METHODS = 12
"""Pairs of methods at equal heads that a table has on the terminal."""

MOST_COLUMNS = 6
"""Domains whose matrix fits into 80 letters; of more each has one line."""


def plain_table(title: str, first: str, *numbers: str) -> Table:
    """A table whose first column is text and whose others are numbers."""
    table = Table(title=escape(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def print_summary(analysis: Analysis, console: Console) -> None:
    """Print all of a single subject, or a line for each domain of several; checkpoints are counted alone."""
    checkpoints = [each for each, domains in analysis.subjects.items() if domains[0].checkpoint is not None]
    others = [each for each in analysis.subjects if each not in checkpoints]
    if len(others or checkpoints) == 1:
        _print_subject(analysis, (others or checkpoints)[0], console)
        return
    if not analysis.subjects:
        if analysis.gates is None and analysis.second_tasks is None:
            console.print(
                "Checkpoints of trainings alone, not all of whose heads were removed one at a time: see the page."
            )
        return
    console.print(overview_table(analysis, others or checkpoints))
    if others and checkpoints:
        console.print(f"Besides {len(checkpoints)} checkpoints of trainings, on the page.")
    console.print(
        "Correlations, curves and heads that decide: --model NAME prints them of one model, the page has all."
    )


def print_along(found: Along, alpha: float, console: Console) -> None:
    """Print what the cells of every line come to: r between every two, and how many heads matter in all of them."""
    units = found.level.plural
    keys = pl.concat([found.pairs.select(*LINE), found.matched.select(*LINE)]).unique(maintain_order=True)
    for key in keys.rows(named=True):
        pairs, heads, matched = (table.filter(**key) for table in (found.pairs, found.heads, found.matched))
        title = f"Along {key['axis']}: {line_name(key['family'], key['held'])}"
        if pairs.height:
            console.print(along_table(pairs, title, units))
            console.print(correlation_words(pairs, key["axis"], units))
        if heads.height:
            console.print(head_words(heads, key["axis"], alpha, units))
        for line in selective_words(found.selective.filter(**key), units, found.level):
            console.print(escape(line))
        if matched.height:
            console.print(f"[bold]{escape(title)}[/bold]\n{matched_words(matched, key['axis'], units)}")
    for note in found.notes:
        console.print(escape(f"Mind: {note}."))


def print_attention(found: HeadAttention, console: Console) -> None:
    """Print which roles heads have, whether they matter, and what pruning leaves of them."""
    for reading in found.readings:
        if not reading.untrained:
            console.print(escape(roles_words(found, reading)))
    for line in (*effect_words(found.effects), *left_words(found.left, found.alpha), *anew_words(found.left)):
        console.print(escape(line))
    if found.effects.height:
        console.print(NO_CAUSE)
    for line in (*cluster_words(found.clusters, found.alpha), *(f"Not compared: {note}." for note in found.notes)):
        console.print(escape(line))


def print_gates(found: Gates | None, console: Console) -> None:
    """Print what trainings score with the heads that they keep, by method, and what makes that unfair."""
    if found is None:
        return
    for comparison in found.comparisons:
        curves, pairs = (table.filter(comparison=comparison.name) for table in (found.curves, found.differences))
        console.print(gates_table(curves))
        if 0 < pairs.height <= MOST_METHODS:
            console.print(methods_table(pairs))
        elif pairs.height:
            console.print(f"{pairs.height} differences of methods at equal heads: on the page, and in its tables.")
    for line in (*found.sentences, *(f"Mind: {line}." for line in found.warnings)):
        console.print(escape(line))


def print_second_tasks(found: SecondTasks, console: Console) -> None:
    """Print what later tasks reach by each method, what earlier ones lose, and whether these were kept."""
    for comparison in found.comparisons:
        own = found.curves.filter(comparison=comparison.name)
        if own.height:
            console.print(later_tasks_table(own, found.earlier.filter(comparison=comparison.name)))
    for line in found.failures:
        console.print(f"[bold red]A proof has failed:[/bold red] {escape(line)}.")
    for line in (*found.sentences, *(f"Mind: {line}." for line in found.warnings)):
        console.print(escape(line))


def later_tasks_table(curves: pl.DataFrame, earlier: pl.DataFrame) -> Table:
    """A row for each method, updates and number of free heads: the later task's score, what the earlier ones lose."""
    first = curves.row(0, named=True)
    tasks = earlier.select("task", "data").unique(maintain_order=True).rows()
    title = (
        f"{first['comparison']}: scores, {first['unit']} over {reference(first['output_parameters'])}, and what is lost"
    )
    names = [task if task == data else f"{task}, {data}" for task, data in tasks]
    table = plain_table(title, "taught", "free", "seeds", "score", "gain", *names)
    several = curves["updates"].n_unique() > 1
    for row in curves.rows(named=True):
        own = earlier.filter(method=row["method"], updates=row["updates"], freed=row["freed"])
        lost = {(one["task"], one["data"]): _signed(one["change"], one["unit"]) for one in own.rows(named=True)}
        after = f", {row['updates']:,} updates" if several else ""
        free = f"{row['freed']:g}" if row["by_heads"] else "–"
        reached = decimal(row["score"], METRICS[row["metric"]].digits)
        numbers = (free, str(row["seeds"]), reached, _signed(row["gain"], row["unit"]))
        table.add_row(escape(row["method"] + after), *numbers, *(lost.get(task, "–") for task in tasks))
    return table


def _signed(number: float | None, unit: str) -> str:
    return "–" if number is None else signed(number, decimals(unit))


def gates_table(curves: pl.DataFrame) -> Table:
    """Heads kept against score: a row for each method, updates and lambda or number of heads; means over seeds."""
    first = curves.row(0, named=True)
    unit, digits = first["unit"], METRICS[first["metric"]].digits
    title = f"{first['comparison']}: scores with the heads kept, of {first['heads']}; differences in {unit}"
    table = plain_table(title, "method", "kept", "seeds", "score", "from un-pruned")
    table.columns[4].no_wrap = True
    several = curves["updates"].n_unique() > 1
    for row in curves.rows(named=True):
        after = f", {row['updates']:,} updates" if several and row["updates"] is not None else ""
        amount = f", {row['amount']}" if row["gates"] == HARD_CONCRETE else ""
        kept = decimal(row["kept"], 0 if row["fewest"] == row["most"] else 1)
        less = (row["difference"], row["difference_low"], row["difference_high"])
        between = "–" if less[0] is None else difference_between(*less, unit)
        name, score_with = escape(row["method"] + amount + after), decimal(row["score"], digits)
        table.add_row(name, kept, str(row["seeds"]), score_with, between)
    return table


def methods_table(pairs: pl.DataFrame) -> Table:
    """Every two methods at equal heads: the mean difference, and its interval over seeds, of few over examples."""
    first = pairs.row(0, named=True)
    title = f"Methods at equal heads, {first['unit']}; intervals over seeds or examples"
    table = plain_table(title, "method", "with", "seeds")
    table.add_column("difference", justify="right", no_wrap=True)
    table.add_column("over")
    several = pairs["updates"].n_unique() > 1
    for row in pairs.rows(named=True):
        over = "examples" if row["seeds_low"] is None else "seeds"
        ends = (row["low"], row["high"]) if over == "examples" else (row["seeds_low"], row["seeds_high"])
        after = f", {row['updates']:,} updates" if several and row["updates"] is not None else ""
        name = escape(f"{row['method_a']} less {row['method_b']}{after}")
        between = difference_between(row["difference"], *ends, row["unit"])
        table.add_row(name, row["at"], str(row["seeds"]), between, over)
    return table


def print_sets(found: Sets | None, console: Console) -> None:
    """Print which pairs are redundant or complementary, and the largest Shapley values."""
    if found is None:
        return
    for line in (*found.sentences, *(f"Mind: {line}." for line in found.warnings)):
        console.print(escape(line))


def print_cascade(found: Cascade | None, console: Console) -> None:
    """Print how many decisions were drafted, and what audits say of them."""
    for line in () if found is None else found.sentences:
        console.print(escape(f"{line}."))


def print_probes(found: Probes | None, console: Console) -> None:
    """Print how many words probes of attention attach to the right head."""
    if found is not None:
        for reading in found.shown:
            console.print(escape(probe_sentence(found, reading)))


def along_table(pairs: pl.DataFrame, title: str, units: str = UnitLevel.head.plural) -> Table:
    """Every two cells of a line, or where there are many a matrix of true r, or a line for each cell."""
    overall = pairs.filter(pl.col("kind") == ALL_KINDS)
    if overall.height > MOST_PAIRS:
        true = overall.select(domain_a="cell_a", domain_b="cell_b", pearson="true")
        cells = pl.concat([true["domain_a"], true["domain_b"]]).n_unique()
        return (_matrix if cells <= MOST_COLUMNS else _line_a_domain)(true, title, "true r")
    table = plain_table(title, plural(pairs["axis"][0]), units, "true r", "measured r")
    table.columns[2].no_wrap = table.columns[3].no_wrap = True
    several = pairs.height > overall.height
    for row in pairs.rows(named=True):
        kind = f", {'every kind' if row['kind'] == ALL_KINDS else row['kind']}" if several else ""
        true = with_interval(row, "true") if row["true"] is not None else "not estimable"
        table.add_row(
            escape(f"{row['cell_a']} / {row['cell_b']}{kind}"), str(row["heads"]), true, with_interval(row, "pearson")
        )
    return table


def overview_table(analysis: Analysis, subject_ids: Sequence[str]) -> Table:
    """One row a domain of several subjects: base score, strongest head (address from 0), how many are significant."""
    table = plain_table("Heads one at a time", "model", "base score", "effect")
    for column in table.columns[1:]:
        column.no_wrap = True
    table.add_column("strongest head", no_wrap=True)
    table.add_column("significant", no_wrap=True)
    labels = subject_labels(analysis)
    for subject_id in subject_ids:
        for row in analysis.base.filter(subject_id=subject_id).rows(named=True):
            ablation = analysis.effects.filter(setting_id=row["setting_id"], measure=Measure.ABLATION)
            head, effect = _strongest(ablation)
            name, base = f"{labels[subject_id]} on {row['domain']}", score(row["base_score"], row["metric"])
            significant = f"{ablation['significant'].sum()} of {ablation.height}" if ablation.height else "–"
            table.add_row(escape(name), base, effect, head, significant)
    return table


def _strongest(effects: pl.DataFrame) -> tuple[str, str]:
    """Address and effect of the strongest head; dashes where none was removed."""
    head = strongest_head(effects)
    return (address(head), effect(head)) if head else ("–", "–")


def _print_subject(analysis: Analysis, subject_id: str, console: Console) -> None:
    console.print(summary_table(analysis, subject_id))
    ablation = analysis.effects.filter(measure=Measure.ABLATION, subject_id=subject_id)
    for domain in ablation.partition_by("setting_id", maintain_order=True):
        console.print(escape(how_sure(domain)))
    units = analysis.units.filter(subject_id=subject_id)
    if units.filter(pl.col("level") != UnitLevel.layer).height:  # a model that has groups or MLPs
        for own in units.partition_by("setting_id", "level", maintain_order=True):
            console.print(escape(units_in_words(own)))
    for found in (analysis.correlations, *analysis.larger.values()):
        own = found.correlation.filter(subject_id=subject_id)
        if own.height:
            console.print(correlation_table(own, f"Correlation of {found.level.noun} effects", found.level.plural))
    labels = labelled((domain.data, domain.setting_id) for domain in analysis.subjects[subject_id])
    for line in deciding(analysis.influence, labels, address, TEXT):
        console.print(escape(line))
    curves = analysis.curves.filter(subject_id=subject_id)
    if curves.height:
        console.print(curve_table(curves))


def summary_table(analysis: Analysis, subject_id: str) -> Table:
    """One row a domain of the subject: examples, base score, masks, strongest head (address from 0)."""
    first = analysis.subjects[subject_id][0]
    table = plain_table(f"{first.subject}: {first.layout}; effects in {first.metric.unit}", "domain", "examples")
    table.add_column("base score", justify="right", no_wrap=True)
    table.add_column("masks", justify="right")
    table.add_column("strongest head", no_wrap=True)
    table.add_column("effect", justify="right")
    for row in analysis.base.filter(subject_id=subject_id).rows(named=True):
        strongest = _strongest(analysis.effects.filter(setting_id=row["setting_id"]))
        table.add_row(escape(row["domain"]), f"{row['n']:,}", base_score(row, "\n"), f"{row['masks']:,}", *strongest)
    return table


def how_sure(ablation: pl.DataFrame) -> str:
    """How many heads of one domain have a significant effect, and the effect that there is 80 % power to detect."""
    row = ablation.row(0, named=True)
    if row["reason"]:
        return f"{row['domain']}: nothing is said of significance, {row['reason']}"
    found = f"{row['domain']}: {ablation['significant'].sum()} of {ablation.height} heads significant"
    found += f" (alpha {row['alpha']:g}, {row['test']}, {row['correction']})"
    if row["detectable"] is None:
        return found
    power = f"80 % power to detect a true effect of {decimal(row['detectable'], decimals(row['unit']))} {row['unit']}"
    largest = strongest_head(ablation)
    said = f"; the strongest is {effect(largest)}{unsure(largest)}" if largest and unsure(largest) else ""
    return f"{found}; {power} {after_correction(row['correction'])}{said}"


def units_in_words(units: pl.DataFrame) -> str:
    """How many units of one level have a significant effect on a domain, the largest one, and whether heads add up."""
    largest = units.sort(pl.col("effect").abs(), descending=True, maintain_order=True).row(0, named=True)
    level, sure = UnitLevel(largest["level"]), units["significant"].sum()
    said = (
        f"{largest['domain']}: {sure} of {units.height} {level.plural} significant; the strongest is "
        f"{largest['address']}, {effect(largest)} {largest['unit']}{interval(largest)}"
    )
    if largest["sum"] is None:
        return said
    more = units["excess_significant"].sum()
    differ = f"{more} differ from the sum of their" if more > 1 else f"{more or 'none'} differs from the sum of its"
    return f"{said}, its heads one by one {effect(largest, 'sum')}; {differ} heads"


def correlation_table(
    correlations: pl.DataFrame, title: str = "Correlation of head effects", units: str = UnitLevel.head.plural
) -> Table:
    """The correlations of one subject: every pair, or a matrix of r, or a line a domain where there are many.

    Args:
        correlations: the rows of the subject.
        title: what stands above.
        units: what the effects are of, two or more of them.
    """
    overall = correlations.filter(pl.col("kind") == ALL_KINDS)
    if overall.height <= MOST_PAIRS:
        return _rows(correlations, title, units)
    few = pl.concat([overall["domain_a"], overall["domain_b"]]).n_unique() <= MOST_COLUMNS
    return _matrix(overall, title) if few else _line_a_domain(overall, title)


def curve_table(curves: pl.DataFrame) -> Table:
    """What each pruning curve of one subject comes to: mean score along it and the share of units that can go."""
    lost = f"{curves['within'][0]:g} {METRICS[curves['metric'][0]].unit}"
    title = f"Pruning curves: mean score, share of {units_removed(curves)} that can go for {lost}"
    table = plain_table(title, "domain", "of", "mean score", "can go")
    table.columns[2].no_wrap = table.columns[3].no_wrap = True
    table.add_column("order", overflow="fold")
    for row in curves.rows(named=True):
        digits = METRICS[row["metric"]].digits
        area, share = decimal(row["area"], digits), f"{row['share']:.0%}"
        if row["area_low"] is not None:
            area += f" [{decimal(row['area_low'], digits)}, {decimal(row['area_high'], digits)}]"
            share += f" [{row['share_low']:.0%}, {row['share_high']:.0%}]"
        seeds = f" × {row['curves']}" if row["curves"] > 1 else ""
        kinds = UnitLevel(row["level"]).plural if row["kinds"] == ALL_KINDS else kind_label(row["kinds"])
        table.add_row(*map(escape, (str(row["domain"]), kinds, area, share, f"{row['curve']}{seeds}")))
    return table


def components_table(components: pl.DataFrame) -> Table:
    """The variance components of one grid: variance and share with their intervals, and the variance by REML."""
    first = components.row(0, named=True)
    unit, by = shown_in(components)
    table = plain_table(f"{first['grid']}: variance of effects ({unit})", "belongs to")
    table.columns[0].no_wrap = True
    for name in ("variance", "share", "by REML"):
        table.add_column(name, justify="right")
    for row in components.rows(named=True):
        own = divided(row, by)
        variance = f"{decimal(own['variance'], 3)}{ends(own['low'], own['high'], 3)}"
        likely = f"{decimal(own['reml'], 3)}{ends(own['reml_low'], own['reml_high'], 3)}"
        table.add_row(row["belongs_to"], variance, _share(row), likely)
    table.add_row("sampling noise", decimal(divided(first, by)["noise_variance"], 3), "taken out", "")
    return table


def _share(row: dict[str, Any]) -> str:
    if row["share"] is None:
        return "–"
    low, high = (None if row[f"share_{end}"] is None else 100 * row[f"share_{end}"] for end in ("low", "high"))
    return f"{decimal(100 * row['share'], 0)} %{ends(low, high, 0)}"


def _rows(correlations: pl.DataFrame, title: str, units: str) -> Table:
    """One row a pair and attention kind: r with its interval, true r, share of the ceiling, Spearman; or why not."""
    table = plain_table(title, "domains", units, "Pearson r", "true r", "share", "Spearman")
    table.add_column("of")
    for row in correlations.rows(named=True):
        kind = "every kind" if row["kind"] == ALL_KINDS else row["kind"]
        table.add_row(
            escape(f"{row['domain_a']} / {row['domain_b']}"),
            str(row["heads"]),
            with_interval(row, "pearson"),
            with_interval(row, "true"),
            decimal(row["share"]),
            decimal(row["spearman"]),
            escape(row["reason"] or kind),
        )
    return table


def _matrix(overall: pl.DataFrame, title: str, r: str = "Pearson's r") -> Table:
    names = list(dict.fromkeys([*overall["domain_a"], *overall["domain_b"]]))
    cells = {(a, b): r for a, b, r in overall.select("domain_a", "domain_b", "pearson").iter_rows()}
    table = plain_table(f"{title} ({r})", "", *map(str, range(1, len(names) + 1)))
    for i, name in enumerate(names):
        found = (cells.get((name, other), cells.get((other, name))) for other in names)
        table.add_row(escape(f"{i + 1} {name}"), *("" if j == i else decimal(r) for j, r in enumerate(found)))
    return table


def _line_a_domain(overall: pl.DataFrame, title: str, r: str = "Pearson's r") -> Table:
    """Each domain's mean r with the others, and the lowest and highest; the names of which are in the tables."""
    sides = [overall.select(pl.col(f"domain_{side}").alias("domain"), "pearson") for side in "ab"]
    domains = pl.concat(sides).group_by("domain", maintain_order=True)
    found = domains.agg(
        pl.col("pearson").mean().alias("mean"), pl.min("pearson").alias("low"), pl.max("pearson").alias("high")
    )
    table = plain_table(f"{title}: {r} of each with the others", "domain", "mean", "lowest", "highest")
    for name, *values in found.sort("domain").iter_rows():
        table.add_row(escape(name), *map(decimal, values))
    return table


def with_interval(row: dict[str, Any], name: str, ends: str | None = None) -> str:
    """A correlation as `0.62 [0.45, 0.75]`, with as much of it as there is.

    Args:
        row: a row of the table of correlations.
        name: its column.
        ends: what the columns of the interval's ends begin with; None for the name.
    """
    low, high = (row[f"{ends or name}_{end}"] for end in ("low", "high"))
    interval = "" if low is None else f" [{decimal(low)}, {decimal(high)}]"
    return escape(decimal(row[name]) + interval)
