"""The measure `pruning` as jobs through the store: what each order asks for, against brute force."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures.jobs import NUM_PAIRS, overrides, write_pairs

from study.config import compose, to_study
from study.jobs.measuring import MeasuringJob
from study.jobs.task import StudyTask
from study.record.curves import Curve, read_curves
from study.record.errors import InputError
from study.record.importance import importance
from study.record.loss import Loss
from study.record.orders import least_first
from study.record.units import Head

TASK = StudyTask()
SMALL = 24
"""Examples, where many masks are computed."""


def job(place: Path, *more: str) -> dict[str, object]:
    return TASK(compose(*overrides(place, *more)))


def curves(place: Path, results: str = "results") -> list[Curve]:
    return [
        curve for path in sorted((place / results).glob("*/*/*/setting.json")) for curve in read_curves(path.parent)[0]
    ]


def evaluator_of(place: Path, *more: str):
    return MeasuringJob(to_study(compose(*overrides(place, *more)))).evaluator


def test_an_order_by_importance_is_that_of_the_stored_gradients(place: Path) -> None:
    config = compose(*overrides(place, "measure=pruning"))
    with pytest.raises(InputError, match=r"needs what `measure=importance` stores .* run the same command with"):
        TASK(config)
    assert TASK.remaining(config) == 8 * NUM_PAIRS, "points that are not known yet are counted"
    job(place, "measure=importance")
    assert TASK.remaining(config) == 8 * NUM_PAIRS + 1, "and so is the curve itself"
    assert TASK(config)["computed"] == 8 * NUM_PAIRS
    assert TASK.remaining(config) == 0
    (curve,) = curves(place)
    evaluator = evaluator_of(place)
    layout = evaluator.layout
    order = least_first(importance(evaluator.gradients(layout.full()[None]), layout), layout.heads)
    assert curve.sequence == tuple(map(str, order))
    assert curve.removed == tuple(range(9))
    assert curve.masks[3] == layout.key(layout.without(order[:3]))
    assert curve.examples == NUM_PAIRS


def test_a_plan_without_the_order_counts_its_points_and_says_what_is_missing(place: Path, caplog) -> None:
    caplog.set_level("INFO")
    done = job(place, "measure=pruning", "plan=true")
    assert (done["masks"], done["missing"]) == (9, 9 * NUM_PAIRS)
    assert "needs what `measure=importance` stores" in caplog.text
    assert done["needs"] == "measure=importance"


def test_curves_share_masks_with_every_other_measure(place: Path) -> None:
    job(place, "measure=importance")
    job(place, "measure=ablation")
    job(place, "measure=all_but_one")
    assert job(place, "measure=pruning")["computed"] == 7 * NUM_PAIRS, "the full mask and one head off are stored"
    before = sorted((place / "results").rglob("part-*"))
    job(place, "measure=pruning", "measure.steps=code_mt")
    assert sorted((place / "results").rglob("part-*")) == before
    assert len(curves(place)) == 2


def test_an_order_by_ablation_is_that_of_the_effects(place: Path) -> None:
    with pytest.raises(InputError, match="`measure=ablation`"):
        job(place, "measure=pruning", "measure.order=ablation")
    job(place, "measure=ablation")
    for order in ("ablation", "ablation_loss"):
        job(place, "measure=pruning", f"measure.order={order}")
    job(place, "measure=pruning", "measure.order=ablation", "measure.reverse=true")
    found = {(curve.order, curve.options["reverse"]): curve.sequence for curve in curves(place)}
    evaluator = evaluator_of(place)
    layout = evaluator.layout
    rows = evaluator.outcomes(layout.each_off())
    by_mask = {mask: frame for (mask,), frame in rows.group_by("mask")}
    frames = {str(head): by_mask[layout.key(layout.without([head]))] for head in layout.heads}
    scores = [frames[head]["correct"].sum() for head in found["ablation", False]]
    assert scores == sorted(scores, reverse=True)
    losses = [frames[head]["loss"].mean() for head in found["ablation_loss", False]]
    assert losses == sorted(losses)
    assert found["ablation", True] == found["ablation", False][::-1]


def test_an_order_is_of_the_gradients_of_its_own_loss(place: Path) -> None:
    smoothed = ["measure.loss=label_smoothed", "measure.epsilon=0.4"]
    few = f"data.limit={SMALL}"
    job(place, "measure=importance", few)
    needs = r"run the same command with measure=importance.* measure.loss=label_smoothed measure.epsilon=0.4 first"
    for order in ("importance", "ablation_loss"):
        with pytest.raises(InputError, match=needs):
            job(place, "measure=pruning", f"measure.order={order}", few, *smoothed)
    job(place, "measure=importance", "measure.each_head_off=true", few, *smoothed)
    for order in ("importance", "ablation_loss"):
        job(place, "measure=pruning", f"measure.order={order}", few, *smoothed)
    found = {curve.order: curve for curve in curves(place)}
    assert {curve.options["loss"] for curve in found.values()} == {"label_smoothed_0.4"}
    evaluator = evaluator_of(place, few)
    layout, loss = evaluator.layout, Loss(0.4)
    values = importance(evaluator.gradients(layout.full()[None], loss), layout)
    assert found["importance"].sequence == tuple(map(str, least_first(values, layout.heads)))
    rows = evaluator.gradients(layout.each_off(), loss)
    means = dict(rows.group_by("mask").agg(pl.col("loss").mean()).iter_rows())
    losses = [means[layout.key(layout.without([Head.parse(head)]))] for head in found["ablation_loss"].sequence]
    assert losses == sorted(losses)


def test_an_order_may_come_from_other_data(place: Path) -> None:
    lines = (place / "pairs.tsv").read_text().splitlines()
    cells = [line.split("\t") for line in lines[1:61]]
    write_pairs(place / "train.tsv", [text for row in cells for text in row[1:3]], [row[3] for row in cells])
    with pytest.raises(InputError, match=r"on data 'train'.*measure=importance data=train first"):
        job(place, "measure=pruning", "measure.order_data=train")
    job(place, "measure=importance", f"data.path={place / 'train.tsv'}")
    job(place, "measure=pruning", "measure.order_data=train")
    (curve,) = curves(place)
    assert curve.options["data"] == "train"
    assert curve.examples == 60
    own = evaluator_of(place, f"data.path={place / 'train.tsv'}")
    values = importance(own.gradients(own.layout.full()[None]), own.layout)
    assert curve.sequence == tuple(map(str, least_first(values, own.layout.heads)))


def test_random_orders_are_seeded(place: Path) -> None:
    for _ in range(2):
        job(place, "measure=pruning", "measure.order=random", "measure.seeds=3", f"data.limit={SMALL}")
    found = curves(place)
    assert [curve.options["seed"] for curve in found] == [0, 1, 2]
    assert len({curve.sequence for curve in found}) == 3


def test_an_order_in_a_file_and_a_head_kept_in_each_layer(place: Path) -> None:
    addresses = [f"encoder_self.{layer}.{index}" for layer in (0, 1) for index in range(4)]
    (place / "order.txt").write_text("\n".join(addresses))
    more = ["measure=pruning", "measure.order=file", f"measure.file={place / 'order.txt'}", f"data.limit={SMALL}"]
    job(place, *more, "measure.allow_empty_layers=false")
    (curve,) = curves(place)
    assert curve.sequence == tuple(address for address in addresses if not address.endswith(".3"))
    assert curve.removed[-1] == 6
    assert "0000" not in (curve.masks[-1][:4], curve.masks[-1][4:])
    (place / "order.txt").write_text("\n".join(addresses[1:]))
    with pytest.raises(InputError, match="does not name encoder_self.0.0"):
        job(place, *more)
    with pytest.raises(InputError, match="needs measure.file=PATH"):
        job(place, "measure=pruning", "measure.order=file")


@pytest.mark.parametrize("allow_empty_layers", [True, False])
def test_the_oracle_is_greedy(place: Path, allow_empty_layers: bool) -> None:
    more = ["measure=pruning", "measure.order=oracle", f"data.limit={SMALL}"]
    config = compose(*overrides(place, *more, f"measure.allow_empty_layers={allow_empty_layers}"))
    job(place, "measure=base", f"data.limit={SMALL}")
    if allow_empty_layers:
        assert TASK.remaining(config) == 8 * 9 / 2 * SMALL
        assert TASK(compose(*overrides(place, *more, "plan=true")))["masks"] == 1 + 8 * 9 // 2
    TASK(config)
    assert TASK.remaining(config) == 0
    assert TASK(config)["computed"] == 0
    (curve,) = curves(place)
    evaluator = evaluator_of(place, f"data.limit={SMALL}")
    layout, order = evaluator.layout, list(map(Head.parse, curve.sequence))
    gone: list[Head] = []
    for head in order:

        def right(candidate: Head, gone: tuple[Head, ...] = tuple(gone)) -> int:
            return evaluator.outcomes(layout.without([*gone, candidate])[None])["correct"].sum()

        alone = [h for h in layout.heads if sum((g.layer == h.layer) for g in gone) == 3]
        others = [h for h in layout.heads if h not in gone and (allow_empty_layers or h not in alone)]
        assert right(head) == max(map(right, others))
        gone.append(head)
    assert len(order) == (8 if allow_empty_layers else 6)


def test_reestimated_importance_is_that_under_the_mask_of_the_step_before(place: Path) -> None:
    more = ["measure=pruning", "measure.order=reestimated", f"data.limit={SMALL}"]
    plan = TASK(compose(*overrides(place, *more, "plan=true")))
    assert plan["missing"] == (9 + 8) * SMALL, "a gradient before each of eight steps, an outcome at each point"
    config = compose(*overrides(place, *more))
    TASK(config)
    assert TASK.remaining(config) == 0
    (curve,) = curves(place)
    evaluator = evaluator_of(place, f"data.limit={SMALL}")
    layout, order = evaluator.layout, list(map(Head.parse, curve.sequence))
    for place_, head in enumerate(order):
        mask = layout.without(order[:place_])
        sizes = np.abs(evaluator.gradients(mask[None])["gradient"].to_numpy().astype(float)).mean(axis=0) * mask
        layers = sizes.reshape(2, 4)
        normalised = layers / np.maximum(np.linalg.norm(layers, axis=1, keepdims=True), 1e-300)
        left = [layout.index(h) for h in layout.heads if h not in order[:place_]]
        assert normalised.ravel()[layout.index(head)] == pytest.approx(normalised.ravel()[left].min(), rel=1e-5)


def test_points_of_a_curve_are_nested(place: Path) -> None:
    job(place, "measure=pruning", "measure.order=random", "measure.seeds=1", f"data.limit={SMALL}")
    (curve,) = curves(place)
    off = [{i for i, on in enumerate(mask) if on == "0"} for mask in curve.masks]
    assert all(a < b for a, b in pairwise(off))
    assert [len(heads) for heads in off] == list(curve.removed)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["measure.kinds=[CROSS]"], "has no cross attention"),
        (["measure.order=random", "measure.seeds=0"], "measure.seeds=0"),
        (["measure.order=oracle", "shards=2", "shard=0"], "run it without shards"),
    ],
)
def test_bad_input_is_refused_in_words(place: Path, more: list[str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        job(place, "measure=pruning", *more)


def test_a_damaged_curve_is_named(place: Path) -> None:
    job(place, "measure=pruning", "measure.order=random", "measure.seeds=1", f"data.limit={SMALL}")
    (path,) = (place / "results").rglob("curves/*.json")
    path.write_text(json.dumps({"order": "random"}))
    _, [wrong] = read_curves(path.parent.parent)
    assert f"{path} is not a whole pruning curve" in wrong
    job(place, "measure=pruning", "measure.order=random", "measure.seeds=1", f"data.limit={SMALL}")
    assert len(curves(place)) == 1, "the next run writes it anew"


def test_shards_make_one_curve_by_one_order(place: Path) -> None:
    for measure in ("importance", "pruning"):
        for shard in (0, 1):
            job(place, f"measure={measure}", "shards=2", f"shard={shard}")
    assert len(curves(place)) == 1
    assert TASK.remaining(compose(*overrides(place, "measure=pruning"))) == 0
