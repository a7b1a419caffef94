"""Heads that are free for a later task: as many as a share or a margin says, of those that can go, by any order."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from study.config import compose, to_study
from study.jobs.chosen_heads.free_heads import FreeHeads
from study.measures.ablation import Base
from study.record.curves import Curve
from study.record.errors import InputError
from study.record.metrics.accuracy import Accuracy
from study.record.training.tasks import FREE_FILE, TaskChain, TaskRecord, first_chain, read_free
from study.record.units import AttentionKind, HeadLayout, parse_unit
from study.subjects.huggingface.classifier_folder import HubClassifier
from study.subjects.model import ModelConfig
from study.training.classifier_options import FineTuning

LAYOUT = HeadLayout({AttentionKind.ENCODER_SELF: (4, 4)})
"""The heads of the tiny model."""


def overrides(place: Path, *more: str) -> list[str]:
    """A later task for the tiny model, whose heads are ranked on its own pairs."""
    pairs = f"{place}/pairs.tsv"
    return [
        "model=hf_finetuned", "model.name=mine", f"model.training.start={place}/model",
        f"model.training.train.path={pairs}", f"model.training.dev.path={pairs}", "model.training.epochs=1",
        "model.training.keep=[]", "model.training.batch_size=16", "model.training.max_length=32", "data=nli_file",
        f"data.path={pairs}", f"results={place}/results", "device=cpu", "measure=train",
        "model.training.reuse=free_heads", "model.training.reuse.data=nli_file",
        f"model.training.reuse.data.path={pairs}", "model.training.free=0.5", "model.training.reuse.limit=60", *more,
    ]  # fmt: skip


@pytest.fixture(autouse=True)
def start(place: Path, monkeypatch: pytest.MonkeyPatch) -> ModelConfig:
    """The tiny model, as what every training here starts from."""
    model = HubClassifier(name="", path=f"{place}/model", max_length=32, truncate=True)
    monkeypatch.setattr(FineTuning, "start_model", lambda _: model)
    return model


def heads(place: Path, *more: str) -> FreeHeads:
    study = to_study(compose(*overrides(place, *(f"model.training.reuse.{each}" for each in more))))
    study.model.training.check()
    return FreeHeads(study, study.model.training)


def cost_of(free: FreeHeads) -> tuple[HeadLayout, Callable[[Sequence[str]], float]]:
    """The layout, and what any heads off cost: percent right with all less percent right without, counted by hand."""
    evaluator = free.start.job(Base()).evaluator

    def right(mask: np.ndarray) -> float:
        rows = evaluator.outcomes(mask[None])
        return 100 * sum(rows["correct"].to_list()) / rows.height

    layout = evaluator.layout
    return layout, lambda off: right(layout.full()) - right(layout.without(map(parse_unit, off)))


def chain_of(layout: HeadLayout, on: str, taught: Sequence[int]) -> TaskChain:
    """The tasks of a model of two, of which the later one runs with some heads, and some of these are its own."""
    chain = first_chain(list(map(str, layout.heads)), "first", "classification")
    own = tuple(str(layout.heads[i]) for i in taught)
    return TaskChain(chain.heads, (*chain.tasks, TaskRecord("second", "classification", (), "", on, own)))


@pytest.mark.parametrize("order", ["importance", "random", "oracle"])
def test_the_heads_that_go_first_are_free_and_what_they_cost_is_told(place: Path, order: str) -> None:
    free = heads(place, f"order={order}")
    free.write(place / "training")
    record = read_free(place / "training" / FREE_FILE)
    layout, cost = cost_of(free)
    curve, _ = free.start.curve(free.pruning(layout), free.check_heads)
    assert record.freed == curve.sequence[: len(layout) // 2]
    assert (record.training, record.curve, record.task) == (free.training.id, curve.id, "model")
    assert record.on == layout.key(layout.without(map(parse_unit, record.freed)))
    assert record.candidates == record.heads == tuple(map(str, layout.heads))
    assert record.cost == pytest.approx(cost(record.freed))
    before = sorted((place / "results").rglob("*.parquet"))
    free.write(place / "training")
    heads(place, f"order={order}", "most_needed=true" if order != "random" else "seed=42").record()
    if order == "random":
        assert sorted((place / "results").rglob("*.parquet")) == before, "the seed of the training is that of the order"


def test_the_most_needed_heads_are_the_last_of_the_order(place: Path) -> None:
    least, most = heads(place).record(), heads(place, "most_needed=true").record()
    assert set(least.freed) | set(most.freed) == set(least.heads)
    assert not set(least.freed) & set(most.freed)


@pytest.mark.parametrize(("order", "margin"), [("importance", 5), ("importance", 20), ("oracle", 2)])
def test_a_margin_frees_as_many_heads_as_a_reading_of_the_curve_says(place: Path, order: str, margin: float) -> None:
    free = heads(place, f"order={order}", "free=null", f"margin={margin}", "steps=every")
    layout, cost = cost_of(free)
    sequence = free.start.curve(free.pruning(layout), free.check_heads)[0].sequence
    number = max(count for count in range(len(layout) + 1) if cost(sequence[:count]) <= margin + 1e-9)
    if not number:
        with pytest.raises(InputError, match=f"no head is free within reuse.margin={margin}"):
            free.record()
        return
    record = free.record()
    assert record.freed == sequence[:number]
    assert record.cost is not None
    assert record.cost <= margin


@pytest.mark.parametrize(
    ("scores", "number"),
    [
        ([80, 79.5, 70], 2),
        ([80, 79, 78.9], 2),
        ([80, 70, 79.2], 4),
        ([80, 81, 60], 2),
        ([80, 70, 75], "where 4 heads go, 5.00 points"),
    ],
)
def test_a_margin_takes_the_largest_point_whose_cost_is_within_it(
    place: Path, scores: list[float], number: int | str
) -> None:
    free = heads(place, "free=null", "margin=1")
    masks = ("11111111", "00111111", "00001111")
    curve = Curve("importance", {}, (), 8, (0, 2, 4), masks, 10, tuple(map(str, LAYOUT.heads)))
    stored = SimpleNamespace(scores=lambda _: np.array(scores, dtype=float))
    evaluator = SimpleNamespace(layout=LAYOUT, metric=Accuracy(), stored=lambda: stored)
    job: Any = SimpleNamespace(run=lambda: None, evaluator=evaluator)
    if isinstance(number, str):
        with pytest.raises(InputError, match=f"no head is free within reuse.margin=1 points.*{number}"):
            free.number_within_margin(curve, job)
    else:
        assert free.number_within_margin(curve, job) == number


@pytest.mark.parametrize(("cost", "said"), [(0.2, "costs it 0.20"), (-0.2, "gains it 0.20"), (0.0, "costs it 0.00")])
def test_what_a_mask_gains_is_no_cost(place: Path, cost: float, said: str) -> None:
    job: Any = SimpleNamespace(evaluator=SimpleNamespace(metric=Accuracy()), view=range(1500))
    assert heads(place)._cost_words(cost, job) == f", which {said} points on 1,500 examples of pairs"


def test_words_tell_the_choice_where_it_is_not_usual(place: Path) -> None:
    usual = "free heads 0.5 by importance on pairs"
    assert heads(place, "limit=1000").reuse.words() == usual
    assert heads(place).reuse.words() == f"{usual} (limit=60)"
    own = heads(place, "order=random", "seed=3").reuse.words()
    assert own == "free heads 0.5 by random seed 3", "which examples there are is nothing to a random order"
    assert heads(place, "limit=1000", "order.reverse=true").reuse.words() == f"{usual} (reverse=True)"


@pytest.mark.parametrize("order", ["importance", "random", "oracle", "reestimated", "file"])
def test_only_heads_of_the_latest_task_go_whatever_the_order(
    place: Path, start: ModelConfig, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    more = [f"order={order}"]
    layout = LAYOUT
    if order == "file":
        (place / "order.txt").write_text("\n".join(map(str, layout.heads[::-1])))
        more.append(f"order.file={place}/order.txt")
    on = "0" + "1" * (len(layout) - 1)
    own = [0, 1, 3, len(layout) - 1]
    monkeypatch.setattr(type(start), "task_chain", lambda _: chain_of(layout, on, own))
    can_go = [str(layout.heads[i]) for i in own[1:]]
    share = 2 / len(layout)
    record = heads(place, *more, f"free={share}").record()
    assert list(record.candidates) == can_go
    assert len(record.freed) == 2
    assert set(record.freed) < set(can_go)
    assert (record.task, record.before) == ("second", on)
    off = {i for i, unit in enumerate(record.on) if unit == "0"}
    assert off == {0, *(layout.index(parse_unit(head)) for head in record.freed)}
    if order == "file":
        assert record.freed == tuple(can_go[:0:-1])


def test_more_heads_than_the_latest_task_has_are_refused_with_the_share_that_is_left(
    place: Path, start: ModelConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = LAYOUT
    monkeypatch.setattr(type(start), "task_chain", lambda _: chain_of(layout, "1" * len(layout), [0, 1, 3]))
    with pytest.raises(InputError, match=r"3 can be freed: those of task 'second'\. At most") as refused:
        heads(place, "free=1").check_heads(layout)
    allowed = float(str(refused.value).rpartition("=")[2])
    assert heads(place, f"free={allowed}").reuse.number(layout) <= 3
    monkeypatch.setattr(type(start), "task_chain", lambda _: chain_of(layout, "0" * len(layout), []))
    with pytest.raises(InputError, match="no head of model can be freed: its latest task 'second' runs with none"):
        heads(place).check_heads(layout)


def test_a_start_that_was_not_trained_here_needs_data_for_its_order(place: Path) -> None:
    free = heads(place)
    free.reuse.data = None
    with pytest.raises(InputError, match=r"was not trained here.*model.training.reuse.data=NAME"):
        free.check()


def test_a_start_that_has_not_learned_its_task_is_refused(place: Path) -> None:
    lines = (place / "pairs.tsv").read_text().splitlines()
    label = lines[1].rpartition("\t")[2]
    same = [lines[0], *("\t".join([*line.split("\t")[:3], label]) for line in lines[1:])]
    (place / "pairs.tsv").write_text("\n".join(same) + "\n")
    with pytest.raises(InputError, match=r"has not learned its task: it is right on .* most frequent answer alone"):
        heads(place).record()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["most_needed=true", "order=random"], "reuse.most_needed=true"),
        (["most_needed=true", "free=null", "margin=1"], "reuse.most_needed=true"),
        (["order=file"], "needs measure.file=PATH"),
        (["order=gates"], "gates"),
        (["order=random", "order.seeds=5"], "reuse.order.seeds has no effect here: a training has one mask"),
        (["order.data=other"], "reuse.order.data has no effect here: reuse.data=NAME"),
        (["margin=1"], "give one"),
        (["free=0.001"], "less than one head"),
        (["seed=1"], "reuse.seed=1 is the seed of a random order"),
    ],
)
def test_free_heads_that_cannot_be_are_refused_before_anything_is_computed(
    place: Path, more: list[str], said: str
) -> None:
    files = sorted((place / "results").rglob("*"))

    def ask() -> None:
        free = heads(place, *more)
        free.check()
        free.check_heads(LAYOUT)

    with pytest.raises(InputError, match=said):
        ask()
    assert sorted((place / "results").rglob("*")) == files


def test_the_limits_of_the_options_and_of_the_data_are_one(place: Path) -> None:
    ids = [heads(place, f"data.limit={limit}").training.id for limit in (6, 7, 60, 70)]
    assert len(set(ids)) == 3, "past the limit of the order its data may have any"
