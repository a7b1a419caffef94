"""Cells: stored settings on named axes (data, seed, epoch ...), and grids of cells that differ in some axes alone.

A domain stands where its setting's factors say (`study.record.factors`). Equal weights are one subject, so what any of
its settings says of the training holds for all of them: the end of a training is its last epoch on every data set.

A task is what a data set tests: MNLI's two dev sets are two data sets of one task. Along tasks each has one data set
and its own metric; the models are one, or were fine-tuned for their tasks from the same weights.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from itertools import combinations, product

from analysis.results.domain import Domain
from analysis.results.read import Results
from study.record.errors import InputError, listed
from study.record.factors import AXES, NO_GATES, NO_REUSE, ZERO, Factors, Value, merge
from study.record.setting import FLOAT32
from study.record.units import HeadLayout, UnitLevel

MOST_NAMED = 4
"""Values on an axis that a sentence names."""

DATA = "data"
"""The axis along which cells have different examples; along every other one they share them."""

TASK = "task"
"""The axis along which cells have different data and may have different metrics."""

PRECISION = "precision"
"""The axis along which cells differ in how numbers were computed."""

REPLACEMENT = "replacement"
"""The axis along which cells differ in what stands in the place of a masked unit."""

GATES = "gates"
"""The axis along which cells differ in the gates of their training."""

REUSE = "reuse"
"""The axis along which cells differ in how a later task was taught to their model."""

USUAL = frozenset({(PRECISION, FLOAT32), (REPLACEMENT, ZERO), (GATES, NO_GATES), (REUSE, NO_REUSE)})
"""What is not told of a cell where all cells have it: float32, zero where something is masked, no gates, one task."""

METRIC = "metric"
"""Held beside the axes, but along tasks: scores of two metrics are not compared."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One domain at one place on the axes.

    Attributes:
        domain: its outcomes.
        place: where it stands.
    """

    domain: Domain
    place: Factors

    def at(self, axis: str) -> Value:
        """Its value on an axis."""
        return self.place.at(axis)

    def label(self, axes: Iterable[str]) -> str:
        """Its values on some axes in words: `toy_matched, seed 3`."""
        return ", ".join(value_name(axis, self.at(axis)) for axis in axes)


@dataclass(frozen=True, eq=False)
class Grid:
    """Cells that differ in some axes alone; there is one for every combination of their values.

    Attributes:
        axes: names of these axes, in the order asked for.
        held: the value on every other axis (`held_axes`), in the order of `AXES`, and the metric; empty where each task
            has its own.
        cells: by their values on `axes`, ordered by the first axis, then by the next.
        beside: label of the metric, where others stand beside it that the name must tell it from; else empty.
        usual: axes and values that need not be told, as every cell of the results folder stands there.
        level: the units whose effects are compared: heads, groups, layers or MLPs.
    """

    axes: tuple[str, ...]
    held: Mapping[str, Value]
    cells: Mapping[tuple[Value, ...], Cell]
    beside: str = ""
    usual: frozenset[tuple[str, Value]] = USUAL
    level: UnitLevel = UnitLevel.head

    @property
    def name(self) -> str:
        """What is held, in words, as far as it is known and not the usual: `toy_classifier, toy_matched, epoch 4`."""
        return self.words({axis: value for axis, value in self.held.items() if axis != METRIC})

    def words(self, values: Mapping[str, Value]) -> str:
        """Values on some axes in words, but those that are not known, or usual and so of every cell.

        Returns:
            `toy_matched, epoch 4`, `toy_matched, replacement mean`; last the metric, where there are several.
        """
        told = (
            (axis, value) for axis, value in values.items() if value is not None and (axis, value) not in self.usual
        )
        words = [f"{axis} {value}" if axis == REPLACEMENT else value_name(axis, value) for axis, value in told]
        return ", ".join(filter(None, [*words, self.beside]))

    @property
    def metric(self) -> str:
        """Name of the metric, or along tasks of every one."""
        return ", ".join(dict.fromkeys(cell.domain.metric.name for cell in self.cells.values()))

    @property
    def scored_by(self) -> str:
        """As `metric`, in words: `accuracy and BLEU`."""
        return " and ".join(dict.fromkeys(cell.domain.metric.label for cell in self.cells.values()))

    @property
    def layout(self) -> HeadLayout:
        """The heads that all cells have."""
        return reduce(HeadLayout.knowing, (cell.domain.layout for cell in self.cells.values()))

    def values(self, axis: str) -> tuple[Value, ...]:
        """The values of its cells on one of its axes, in order."""
        return tuple(dict.fromkeys(cell.at(axis) for cell in self.cells.values()))

    def lines(self, axis: str) -> list[tuple[Cell, ...]]:
        """Its cells in lines along one of its axes: those of a line differ in that axis alone."""
        lines: dict[tuple[Value, ...], list[Cell]] = {}
        for cell in self.cells.values():
            lines.setdefault(tuple(cell.at(other) for other in self.axes if other != axis), []).append(cell)
        return [tuple(line) for line in lines.values()]

    @cached_property
    def starts(self) -> frozenset[str | None]:
        """Digests of the weights that its cells were trained from; None among them: of some it is not known."""
        return frozenset(cell.place.initial for cell in self.cells.values())


@dataclass(frozen=True)
class Grids:
    """The grids of a results folder, and which cells stand in none, with the reason."""

    grids: tuple[Grid, ...]
    left_out: tuple[str, ...]


def value_name(axis: str, value: Value) -> str:
    """A value on an axis in words: `toy_matched`, `seed 3`, `epoch 0.5`, `no seed`."""
    if value is None or (axis, value) == (GATES, NO_GATES):
        return f"no {axis}"
    if (axis, value) == (REUSE, NO_REUSE):
        return "one task"
    if isinstance(value, str):  # a precision says how careful it is: `cascade|sample:100|safety:2`
        return value.replace("|", ", ").replace(":", " ") if axis == PRECISION else value
    return f"{axis} {value:g}" if isinstance(value, float) else f"{axis} {value}"


def check_axes(axes: Sequence[str]) -> None:
    """Refuse names that are no axes.

    Raises:
        InputError: says which there are.
    """
    unknown = [axis for axis in axes if axis not in AXES]
    if unknown or not axes:
        raise InputError(f"there is no axis '{', '.join(unknown)}': there are {', '.join(AXES)}")
    if len(set(axes)) < len(axes):
        raise InputError(f"an axis is named twice: {', '.join(axes)}")
    if {DATA, TASK} <= set(axes):
        raise InputError("a data set is of one task: cells differ along data, or along task, and not along both")


def held_axes(axes: Sequence[str]) -> list[str]:
    """The axes whose values are held along some: all others, but that a data set says which task it is of."""
    free = {*axes, DATA if TASK in axes else TASK}
    return [axis for axis in AXES if axis not in free]


def beside_others(every: Iterable[Cell]) -> dict[str, str]:
    """The label of each metric of some cells by its name; empty where it is the only one, and need not be told."""
    labels = {cell.domain.metric.name: cell.domain.metric.label for cell in every}
    return labels if len(labels) > 1 else dict.fromkeys(labels, "")


def usual(every: Sequence[Cell]) -> frozenset[tuple[str, Value]]:
    """What of `USUAL` all cells have."""
    return frozenset((axis, value) for axis, value in USUAL if all(cell.at(axis) == value for cell in every))


def cells(results: Results) -> list[Cell]:
    """Every setting of a results folder at each of its places, once."""
    places: dict[str, list[Factors]] = {}
    for domain in results.domains:
        places.setdefault(domain.subject_id, []).extend(replace(place, data="", task=None) for place in domain.factors)
    distinct = {domain.setting_id: domain for domain in reversed(results.distinct)}  # the first of a setting stays
    return [
        Cell(domain, replace(place, data=domain.data, task=_task(domain)))
        for domain in reversed(distinct.values())
        for place in merge(places[domain.subject_id])
    ]


def _task(domain: Domain) -> str | None:
    return next((place.task for place in domain.factors if place.task), None)


def one_lineage(measured: Iterable[Cell]) -> list[Cell]:
    """Cells with one family for all models that were fine-tuned from the same weights, each for a task of its own.

    A model that was itself measured on several tasks keeps its family.
    """
    measured = list(measured)
    tasks: dict[str, set[Value]] = {}
    for cell in measured:
        tasks.setdefault(cell.place.family, set()).add(cell.at(TASK))
    return [
        replace(cell, place=replace(cell.place, family=f"fine-tuned from {cell.place.initial}"))
        if cell.place.initial and len(tasks[cell.place.family]) == 1
        else cell
        for cell in measured
    ]


def several_metrics(measured: Iterable[Cell]) -> bool:
    """Whether some data set is scored by several metrics, each of which is then compared with itself alone."""
    metrics: dict[str, set[str]] = {}
    for cell in measured:
        metrics.setdefault(cell.domain.data, set()).add(cell.domain.metric.name)
    return any(len(names) > 1 for names in metrics.values())


def grids(results: Results, axes: Sequence[str], level: UnitLevel = UnitLevel.head) -> Grids:
    """All grids of a results folder along some axes; cells with one value on one of the axes make none.

    Args:
        results: what was read.
        axes: names of the axes, each of which must have two values or more in a grid.
        level: the units whose effects are compared; cells where none was removed by itself are left out.

    Returns:
        The grids, and sentences on those that cannot be compared while others can.

    Raises:
        InputError: when there is no such axis, or no grid; says what is missing.
    """
    check_axes(axes)
    groups: dict[tuple[Value, ...], list[Cell]] = {}
    every = cells(results)
    measured = [cell for cell in every if cell.domain.single_units(level)]
    measured = one_lineage(measured) if TASK in axes else measured
    held, beside, common = held_axes(axes), beside_others(measured), usual(measured)
    free = TASK in axes and not several_metrics(measured)
    for cell in measured:
        metric = "" if free else cell.domain.metric.name
        groups.setdefault((*map(cell.at, held), metric), []).append(cell)
    found, refused, single = [], [], set(axes)
    for values in sorted(groups, key=_order):
        members = groups[values]
        at = dict(zip((*held, METRIC), values, strict=True))
        grid = replace(_grid(members, axes, at, beside.get(str(values[-1]), "")), usual=common, level=level)
        few = {axis for axis in axes if len(grid.values(axis)) < 2}
        single &= few
        if few:
            continue
        why = _refusal(members, grid)
        if why:
            refused.append(f"{grid.name}: {why}")
        else:
            found.append(grid)
    compared = {cell.place.family for grid in found for cell in grid.cells.values()}
    others = list(_by_other_units([cell for cell in every if cell.place.family not in compared], axes, level))
    if not found:
        lines = refused or [
            f"no two cells differ in {axis} alone. {_known(measured, axis, level)}{_lacking(every, axis, level)}"
            for axis in axes
            if not single or axis in single
        ]
        raise InputError("\n  ".join([f"nothing can be compared along {','.join(axes)}:", *lines, *others]))
    return Grids(tuple(found), (*refused, *others))


def _lacking(every: Sequence[Cell], axis: str, level: UnitLevel) -> str:
    """What to run where models differ along an axis, and units were removed one at a time of fewer than two of them."""
    apart = {cell.at(axis): cell for cell in every if not cell.domain.single_units(level)}
    measured = len(apart) < len(every)
    if axis == DATA or len(apart) + measured < 2:
        return ""
    names = listed([value_name(axis, value) for value in apart], MOST_NAMED)
    unit = "" if level is UnitLevel.head else f" measure.unit={level}"
    return (
        f". Of {names} no {level.noun} was removed by itself, which this needs: run the jobs that made them with "
        f"measure=ablation{unit} besides"
    )


def _by_other_units(apart: Iterable[Cell], axes: Sequence[str], level: UnitLevel) -> Iterator[str]:
    """A sentence for each model that differs along the axes only where units of another level were removed."""
    families: dict[str, list[Cell]] = {}
    for cell in apart:
        families.setdefault(cell.place.family, []).append(cell)
    for family, own in families.items():
        differ = [other for other in UnitLevel if _differ([one for one in own if one.domain.single_units(other)], axes)]
        if differ and level not in differ:
            units = differ[0]
            yield f"{family} is not compared by {level.plural}; --unit {units} compares it by {units.plural}"


def _differ(removed: Sequence[Cell], axes: Sequence[str]) -> bool:
    """Whether cells have several values on every axis."""
    return all(len({cell.at(axis) for cell in removed}) > 1 for axis in axes)


def _grid(members: Sequence[Cell], axes: Sequence[str], held: Mapping[str, Value], beside: str) -> Grid:
    at = {tuple(map(cell.at, axes)): cell for cell in members}
    return Grid(tuple(axes), held, {place: at[place] for place in sorted(at, key=_order)}, beside)


def _order(place: tuple[Value, ...]) -> list[tuple[bool, float | int, str]]:
    """Sorts values of any kind: none first, numbers by size, names by the alphabet after zero and no gates."""
    return [
        (value is not None, value if isinstance(value, int | float) else 0.0, value if isinstance(value, str) else "")
        for value in ("" if value in (ZERO, NO_GATES, NO_REUSE) else value for value in place)
    ]


def _refusal(members: Sequence[Cell], grid: Grid) -> str | None:
    """Why cells make no grid: two at one place, one missing, other heads, equal weights; None if they do."""
    if len(members) > len(grid.cells):
        return _doubled(members, grid)
    missing = [place for place in product(*map(grid.values, grid.axes)) if place not in grid.cells]
    if missing:
        names = ["(" + ", ".join(map(value_name, grid.axes, place)) + ")" for place in missing]
        return f"nothing is stored of {listed(names)}"
    first, *others = grid.cells.values()
    other = next((cell for cell in others if cell.domain.layout.counts != first.domain.layout.counts), None)
    if other is not None:
        layouts = ((cell.label(grid.axes), cell.domain.layout) for cell in (first, other))
        one, two = (f"{name} has {len(layout)} heads ({layout})" for name, layout in layouts)
        return f"the heads are not the same: {one}, {two}"
    for a, b in combinations(grid.cells.values(), 2):
        if a.domain.setting_id == b.domain.setting_id:
            return f"{a.label(grid.axes)} and {b.label(grid.axes)} have equal weights: they are one model, not two"
    return None


def _doubled(members: Sequence[Cell], grid: Grid) -> str:
    at: dict[tuple[Value, ...], Cell] = {}
    for cell in members:
        other = at.setdefault(tuple(map(cell.at, grid.axes)), cell)
        if other is not cell and other.domain.data != cell.domain.data:
            names = listed(list(dict.fromkeys(each.domain.data for each in members if each.at(TASK) == cell.at(TASK))))
            return f"task {cell.at(TASK)} has several data sets, {names}: choose one of each task with --data"
        if other is not cell:
            ids = f"{other.domain.setting_id} and {cell.domain.setting_id}"
            return (
                f"two settings stand at {cell.label(grid.axes)}, {ids}, which differ in what is no axis: "
                f"move the folder of one away, or choose with --model and --data"
            )
    raise AssertionError("no place is doubled")


def _known(measured: Sequence[Cell], axis: str, level: UnitLevel) -> str:
    """Which values there are on an axis, by family: `There are seed 0 (toy_classifier)`."""
    if not measured:
        option = "" if level is UnitLevel.head else f" measure.unit={level}"
        return f"No setting has the effect of a single {level.noun}: measure=ablation{option} measures it"
    families: dict[Value, list[str]] = {}
    for cell in measured:
        families.setdefault(cell.at(axis), []).append(cell.place.family)
    known = "; ".join(
        f"{value_name(axis, value)} ({listed(list(dict.fromkeys(own)))})" for value, own in families.items()
    )
    more = (
        ": study the same with replacement=mean, or another" if axis == REPLACEMENT and list(families) == [ZERO] else ""
    )
    return f"There {'is' if len(families) == 1 else 'are'} {known}{more}"
