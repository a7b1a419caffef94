"""Measures of groups, layers and MLPs: their masks, and every order, by brute force on scores known in closed form."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from study.engine.pairs import TableRequest
from study.measures.ablation import Ablation, AllButOne, NoHead
from study.measures.importance import Importance
from study.measures.measure import Measure
from study.measures.orders import (
    AblationLossOrder,
    AblationOrder,
    FileOrder,
    ImportanceOrder,
    OracleOrder,
    RandomOrder,
    ReestimatedOrder,
)
from study.measures.pruning import Pruning
from study.record.curves import read_curves, write_curve
from study.record.errors import InputError
from study.record.importance import Estimator, Normalisation
from study.record.loss import PLAIN
from study.record.metrics import metric
from study.record.orders import Steps
from study.record.scores import StoredRows
from study.record.tables import GRADIENTS, OUTCOMES
from study.record.units import AttentionKind, HeadLayout, Mlp, Unit, UnitLevel, parse_mask

DECODER = AttentionKind.DECODER_SELF
LAYOUT = HeadLayout({DECODER: (4, 6)}, groups={DECODER: (2, 3)}, mlps=(0, 1))
PLAIN_LAYOUT = HeadLayout({AttentionKind.ENCODER_SELF: (2, 2), DECODER: (2, 2)})
EXAMPLES = 12
WORTH = np.random.default_rng(5).normal(size=(EXAMPLES, LAYOUT.width))
"""What the loss of each example rises by without each column of a mask, two and two of which hide behind each other."""


def losses(mask: np.ndarray) -> np.ndarray:
    """Nats an example: a column costs what it is worth, and twice as much where its neighbour is off too."""
    off = ~mask
    return WORTH @ off + (WORTH @ (off & np.roll(off, 1)))


def gradients(mask: np.ndarray) -> np.ndarray:
    """Made up, other ones under each mask: what an order does with them is tested, not what they are."""
    return WORTH * (1 + np.flatnonzero(mask).sum() % 5) + mask.sum()


class Known:
    """An evaluator of losses in closed form: it keeps what it is asked for, and says what is stored."""

    def __init__(self) -> None:
        self.layout, self.examples = LAYOUT, [str(i) for i in range(EXAMPLES)]
        self.whole = self.examples
        self.setting = SimpleNamespace(data="known")
        self.rows: dict[str, pl.DataFrame] = {}
        self.gradient_rows: dict[str, pl.DataFrame] = {}
        self.curves = []

    def _row(self, mask: np.ndarray, **columns) -> pl.DataFrame:
        key = pl.Series("mask", [LAYOUT.key(mask)] * EXAMPLES)
        return pl.DataFrame({"mask": key, "example": self.examples, "loss": losses(mask), **columns})

    def require(self, requests: list[TableRequest]) -> None:
        (outcomes,) = requests
        assert outcomes.table == OUTCOMES
        for mask in outcomes.masks:
            points = np.round(1000 * -losses(mask)).astype(int)
            self.rows[LAYOUT.key(mask)] = self._row(mask, correct=points, count=np.ones(EXAMPLES, int))

    def gradients(self, masks: np.ndarray, loss: object) -> None:
        tokens = dict.fromkeys(("source_tokens", "target_tokens"), np.ones(EXAMPLES, int))
        for mask in masks:
            given = gradients(mask)
            columns = {"gradient": given, "token_gradient": abs(given), **tokens}
            self.gradient_rows[LAYOUT.key(mask)] = self._row(mask, **columns)

    def stored(self, loss: object) -> StoredRows:
        outcomes, given = (
            pl.concat(rows.values()) if rows else pl.DataFrame(schema={"mask": pl.String, "example": pl.String})
            for rows in (self.rows, self.gradient_rows)
        )
        stored = {OUTCOMES: outcomes, GRADIENTS: given}
        return StoredRows(
            "known", LAYOUT, metric("accuracy"), self.examples, PLAIN, outcomes.columns, stored.__getitem__
        )

    def keep(self, curve) -> None:
        self.curves.append(curve)


def curves(measure: Measure, *before: Measure) -> list:
    """The curves of a measure, once others have run."""
    evaluator = Known()
    for each in (*before, measure):
        evaluator.require([TableRequest(OUTCOMES, LAYOUT.full()[None])])
        each.check(LAYOUT)
        each.run(evaluator)  # type: ignore[arg-type]
    return evaluator.curves


def columns(unit: Unit) -> list[int]:
    """The columns of a unit, found without the layout's own way."""
    if isinstance(unit, Mlp):
        return [10 + unit.layer]
    return [LAYOUT.heads.index(head) for head in LAYOUT.members(unit)]


def mask_without(units: list[Unit]) -> np.ndarray:
    mask = np.ones(12, dtype=bool)
    mask[[i for unit in units for i in columns(unit)]] = False
    return mask


def score(units: list[Unit]) -> int:
    return int(np.round(1000 * -losses(mask_without(units))).sum())


def layers(units: tuple[Unit, ...]) -> Iterator[list[Unit]]:
    for layer in dict.fromkeys(unit.layer for unit in units):
        yield [unit for unit in units if unit.layer == layer]


@pytest.mark.parametrize("level", UnitLevel)
def test_ablation_turns_each_unit_off(level: UnitLevel) -> None:
    masks = Ablation(unit=level).masks(LAYOUT)
    assert len(masks) == {"head": 10, "group": 5, "layer": 2, "mlp": 2}[level]
    for unit, mask in zip(LAYOUT.units(level), masks, strict=True):
        assert (mask == mask_without([unit])).all()
    assert LAYOUT.key(masks[-1]) == {
        "head": "1111111110", "group": "1111111100", "layer": "1111000000", "mlp": "111111111110"
    }[level]  # fmt: skip


@pytest.mark.parametrize("level", [UnitLevel.head, UnitLevel.group])
def test_all_but_one_leaves_one_of_a_layer(level: UnitLevel) -> None:
    masks = iter(AllButOne(unit=level).masks(LAYOUT))
    for layer in layers(LAYOUT.units(level)):
        for unit in layer:
            assert (next(masks) == mask_without([other for other in layer if other != unit])).all()
    assert not list(masks)


def test_an_ablation_of_layers_is_what_no_head_asks_for() -> None:
    assert (Ablation(unit=UnitLevel.layer).masks(LAYOUT) == NoHead().masks(LAYOUT)).all()
    some = [AttentionKind.ENCODER_SELF]
    one, other = (
        measure.masks(PLAIN_LAYOUT) for measure in (Ablation(unit=UnitLevel.layer, kinds=some), NoHead(kinds=some))
    )
    assert (one == other).all()
    assert len(one) == 2


def test_importance_turns_off_units_only_where_asked() -> None:
    evaluator = Known()
    request = Importance(unit=UnitLevel.group, each_head_off=True).request(evaluator)  # type: ignore[arg-type]
    assert request.gradients is not None
    expected = [LAYOUT.full(), *(mask_without([unit]) for unit in LAYOUT.key_groups)]
    assert (request.gradients == np.stack(expected)).all()
    assert len(Importance().request(evaluator).gradients) == 1  # type: ignore[arg-type]
    assert set(Importance().idle()) >= {"kinds", "unit"}
    assert not {"kinds", "unit"} & set(Importance(each_head_off=True).idle())


@pytest.mark.parametrize("level", UnitLevel)
def test_every_order_removes_units_whole(level: UnitLevel, tmp_path: Path) -> None:
    units = list(LAYOUT.units(level))
    gradient = gradients(LAYOUT.full())
    importances = [abs(gradient[:, columns(unit)].sum(axis=1)).mean() for unit in units]
    given = dict(zip(units, importances, strict=True))
    (tmp_path / "order.txt").write_text("\n".join(map(str, units[::-1])))
    greedy: list[Unit] = []
    while len(greedy) < len(units):
        greedy.append(max((unit for unit in units if unit not in greedy), key=lambda unit: score([*greedy, unit])))
    again: list[Unit] = []
    while len(again) < len(units):
        now = gradients(mask_without(again))
        left = [unit for unit in units if unit not in again]
        again.append(min(left, key=lambda unit: abs(now[:, columns(unit)].sum(axis=1)).mean()))
    ablation = Ablation(unit=level)
    none = Normalisation.none
    expected = [
        (ImportanceOrder(normalisation=none), Importance(), sorted(units, key=lambda unit: given[unit])),
        (AblationOrder(), ablation, sorted(units, key=lambda unit: -score([unit]))),
        (AblationLossOrder(), ablation, sorted(units, key=lambda unit: losses(mask_without([unit])).mean())),
        (FileOrder(file=str(tmp_path / "order.txt")), ablation, units[::-1]),
        (OracleOrder(), ablation, greedy),
        (ReestimatedOrder(normalisation=none), ablation, again),
    ]
    for order, before, sequence in expected:
        (curve,) = curves(Pruning(order=order, unit=level, steps=Steps.every), before)
        assert curve.sequence == tuple(map(str, sequence)), order.name
        assert (curve.unit, curve.heads, curve.removed) == (level, len(units), tuple(range(len(units) + 1)))
        for count, key in enumerate(curve.masks):
            assert (parse_mask(key, LAYOUT) == mask_without(sequence[:count])).all()
        write_curve(curve, tmp_path)
    randoms = curves(Pruning(order=RandomOrder(seeds=4), unit=level))
    assert {frozenset(curve.sequence) for curve in randoms} == {frozenset(map(str, units))}
    for curve in randoms:
        write_curve(curve, tmp_path)
    stored, wrong = read_curves(tmp_path)
    assert (len(stored), wrong) == (10, [])
    files = [json.loads(path.read_text()) for path in (tmp_path / "curves").iterdir()]
    assert {file.get("unit") for file in files} == {None if level is UnitLevel.head else level}


def test_a_group_is_kept_in_each_layer() -> None:
    order = RandomOrder(seeds=1)
    (curve,) = curves(Pruning(order=order, unit=UnitLevel.group, steps=Steps.every, allow_empty_layers=False))
    assert (curve.heads, curve.removed[-1]) == (5, 3)
    left = {unit.layer for unit in LAYOUT.key_groups if str(unit) not in curve.sequence}
    assert left == {0, 1}


def test_an_order_says_which_job_stores_what_it_needs() -> None:
    def needs(order, level: UnitLevel) -> str:
        evaluator = Known()
        measure = Pruning(order=order, unit=level)
        return measure.request(evaluator).needs  # type: ignore[arg-type]

    assert "`measure=ablation measure.unit=group`" in needs(AblationOrder(), UnitLevel.group)
    assert "`measure=ablation`" in needs(AblationOrder(), UnitLevel.head)
    assert "`measure=importance`" in needs(ImportanceOrder(), UnitLevel.group), "of heads and of groups alike"


@pytest.mark.parametrize(
    ("measure", "layout", "why"),
    [
        (Ablation(unit=UnitLevel.group), PLAIN_LAYOUT, "unit=group: no two heads .* a group is a head; it has 4 enc"),
        (Ablation(unit=UnitLevel.mlp), PLAIN_LAYOUT, "no MLP that can be masked"),
        (Ablation(unit=UnitLevel.mlp, kinds=[DECODER]), LAYOUT, "an MLP belongs to no attention"),
        (AllButOne(unit=UnitLevel.mlp), LAYOUT, r"measure\.unit=mlp a layer has one"),
        (AllButOne(unit=UnitLevel.layer), LAYOUT, r"measure\.unit=layer a layer has one"),
        (Pruning(order=RandomOrder(), unit=UnitLevel.group), PLAIN_LAYOUT, "a group is a head"),
        (Pruning(order=RandomOrder(), unit=UnitLevel.mlp, allow_empty_layers=False), LAYOUT, "nothing would go"),
        (
            Pruning(order=ImportanceOrder(estimator=Estimator.released_code), unit=UnitLevel.group),
            LAYOUT,
            "estimator=released_code is of single heads",
        ),
        (
            Pruning(order=ReestimatedOrder(normalisation=Normalisation.layer_max), unit=UnitLevel.mlp),
            LAYOUT,
            "normalisation=layer_max compares the units of a layer",
        ),
        (Ablation(kinds=[AttentionKind.CROSS], unit=UnitLevel.group), LAYOUT, "this model has no cross attention"),
    ],
)
def test_what_cannot_be_is_refused_in_words(measure: Measure, layout: HeadLayout, why: str) -> None:
    with pytest.raises(InputError, match=why):
        measure.check(layout)


def test_a_layout_stored_before_groups_were_known_does_not_do() -> None:
    old = HeadLayout(LAYOUT.counts)
    for level in (UnitLevel.group, UnitLevel.mlp):
        assert not Ablation(unit=level).suits(old)
        assert Ablation(unit=level).suits(LAYOUT)
    assert Ablation().suits(old)
    assert Ablation(unit=UnitLevel.layer).suits(old)
    assert NoHead().suits(old)


def test_a_run_of_heads_has_the_options_that_it_had() -> None:
    for measure in (Ablation(), AllButOne(), Importance(), Pruning(order=RandomOrder())):
        usual = measure.usual()
        asked = {name for name, value in measure.options().items() if usual[name] != value}
        assert "unit" not in asked
        assert usual["unit"] == UnitLevel.head
