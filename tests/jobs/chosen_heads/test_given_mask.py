"""Heads that a training is given: by every order, made by ordinary jobs on the model that it starts from, and once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from study.config import compose, to_study
from study.gates.options import GivenMask
from study.jobs.chosen_heads.given_mask import GivenHeads
from study.jobs.measuring import MeasuringJob
from study.jobs.task import StudyTask
from study.jobs.training import TrainingJob
from study.record.curves import Curve, read_curves
from study.record.errors import InputError
from study.record.files import file_digest
from study.record.training.gates import GATES_FILE, GatesRecord, read_gates, write_gates
from study.record.units import AttentionKind, HeadLayout, parse_mask
from study.subjects.huggingface.declared_heads import declared_heads
from study.tracking.run import serves_trainings

LAYOUT = HeadLayout({AttentionKind.ENCODER_SELF: (2, 2), AttentionKind.CROSS: (4,)})


def overrides(place: Path, *more: str) -> list[str]:
    """A fine-tuning of the tiny model with its own outputs, with two of its heads."""
    pairs = f"{place}/pairs.tsv"
    return [
        "model=hf_finetuned", "model.name=mine", f"model.training.start={place}/model", "model.training.new_head=false",
        f"model.training.train.path={pairs}", f"model.training.dev.path={pairs}", "model.training.epochs=1",
        "model.training.keep=[]", "model.training.batch_size=16", "model.training.max_length=32", "data=nli_file",
        f"data.path={pairs}", f"results={place}/results", "device=cpu", "measure=train", "model.training.gates=kept",
        "model.training.gates.keep=2", "model.training.gates.limit=20", *more,
    ]  # fmt: skip


def heads(place: Path, *more: str) -> GivenHeads:
    study = to_study(compose(*overrides(place, *more)))
    return GivenHeads(study, study.model.training)


def rows(place: Path) -> dict[str, float]:
    return {file.name: file.stat().st_mtime for file in (place / "results").rglob("*.parquet")}


@pytest.mark.parametrize("order", ["importance", "ablation", "random", "oracle", "reestimated"])
def test_the_heads_that_stay_are_the_last_of_the_order_that_is_stored(place: Path, order: str) -> None:
    given, folder = heads(place, f"model.training.gates.order={order}"), place / "training"
    given.write(folder)
    record, stored = read_gates(folder / GATES_FILE), rows(place)
    curve, layout = given.curve()
    setting = next((place / "results").glob("model/pairs/*/setting.json"), None)
    assert (setting is None) == (order == "random"), "an order that asks for no rows computes none"
    assert setting is None or read_curves(setting.parent)[0] == [curve]
    assert setting is None or serves_trainings(setting.parent)
    assert (record.options["curve"], record.training, record.step) == (curve.id, given.training.id, 0)
    mask = parse_mask(record.kept, layout)
    assert {str(layout.heads[i]) for i in np.flatnonzero(mask[: len(layout)])} == set(curve.sequence[-2:])
    given.write(folder)
    heads(place, f"model.training.gates.order={order}", "model.training.gates.keep=1").write(place / "other")
    assert rows(place) == stored, "nothing is computed twice"


def test_seeds_of_trainings_have_random_heads_of_their_own_unless_one_is_named(place: Path) -> None:
    random = "model.training.gates.order=random"
    by_seed = [heads(place, random, f"model.training.seed={seed}") for seed in (1, 2)]
    named = [heads(place, random, f"model.training.seed={seed}", "model.training.gates.seed=1") for seed in (1, 2)]
    first, second, *same = [given.curve()[0].sequence for given in (*by_seed, *named)]
    assert first != second
    assert same == [first, first]
    assert by_seed[0].gates.words() == by_seed[1].gates.words() == "kept by random 2"
    assert named[0].gates.words() == "kept by random 2 seed 1"


def test_numbers_by_kind_leave_the_last_of_each_kind_and_all_of_the_others() -> None:
    order = [LAYOUT.heads[i] for i in (4, 0, 5, 3, 6, 1, 2, 7)]
    curve = Curve("file", {}, (), 8, (0,), ("",), 0, tuple(map(str, order)))

    def stay(**options: object) -> list[int]:
        given = object.__new__(GivenHeads)
        given.gates = GivenMask(**options)
        return np.flatnonzero(LAYOUT.without(given.removed(curve, LAYOUT))).tolist()

    study = to_study(compose("model=hf_finetuned", "model.training.gates=kept", *_rest("keep_of={cross:1}")))
    numbers = study.model.training.gates.keep_of
    assert stay(keep=3) == [1, 2, 7]
    assert stay(keep=0) == []
    assert stay(keep_of=numbers) == [0, 1, 2, 3, 7]
    assert stay(keep_of=replace(numbers, encoder_self=2, cross=2)) == [1, 2, 6, 7]


def _rest(gates: str) -> list[str]:
    paths = [f"model.training.{data}.path=x.tsv" for data in ("train", "dev")]
    return [*paths, "model.name=x", "model.training.start=x", "data=toy_matched", f"model.training.gates.{gates}"]


def test_gates_that_were_learned_elsewhere_say_themselves_which_heads_stay(place: Path) -> None:
    """Voita's control: the mask that gates have found, on other weights."""
    job = MeasuringJob(to_study(compose(*overrides(place, "model.training.gates.order=random"))))
    layout = MeasuringJob(replace(job.study, model=job.study.model.training.start_model())).subject().layout
    kept = "01" * (len(layout) // 2)
    alphas = tuple(float(unit == "1") - 0.5 for unit in kept)
    learned = GatesRecord("hard_concrete", {}, "elsewhere", 50, tuple(map(str, layout.heads)), kept, alphas)
    write_gates(learned, place / "learned.json")
    by_file = ["model.training.gates.order=gates", f"model.training.gates.order.gates={place}/learned.json"]
    given = heads(place, *by_file, "model.training.gates.keep=null", "model.training.scratch=true")
    given.write(place / "training")
    assert read_gates(place / "training" / GATES_FILE).kept == kept
    assert given.gates.words() == f"kept by gates (gates={file_digest(place / 'learned.json')[:8]})"
    known = given.training.id
    write_gates(replace(learned, kept="1" + kept[1:]), place / "learned.json")
    assert heads(place, *by_file, "model.training.gates.keep=null", "model.training.scratch=true").training.id != known
    write_gates(replace(learned, kept="101"), place / "learned.json")
    other = compose(*overrides(place, *by_file, "model.training.gates.keep=null"))
    with pytest.raises(InputError, match="'101' is no mask of this model"):
        StudyTask()(other)


def test_an_order_is_made_on_no_more_than_either_limit_allows(place: Path) -> None:
    """Examples past the limit of the training data are none that the training learns from."""

    def made_on(*more: str) -> int:
        return heads(place, *more).curve()[0].examples

    own = ["model.training.gates.data=nli_file", f"model.training.gates.data.path={place}/pairs.tsv"]
    assert made_on("model.training.train.limit=5") == 5
    assert made_on("model.training.train.limit=30", "model.training.gates.limit=7") == 7
    assert made_on(*own, "model.training.gates.data.limit=6") == 6
    limits = [heads(place, *own, f"model.training.gates.data.limit={limit}").training.id for limit in (6, 7, 20, 30)]
    assert len(set(limits)) == 3, "past the limit of the order its data may have any"


def test_what_decides_the_heads_is_known_before_they_are_found(place: Path) -> None:
    file = place / "order.txt"
    file.write_text("a")

    def known(*more: str) -> str:
        return heads(place, *more).training.id

    kept = "model.training.gates."
    ways = [(), (f"{kept}keep=1",), (f"{kept}order=random",), (f"{kept}order=oracle",),
            (f"{kept}order=random", f"{kept}seed=1"), (f"{kept}limit=10",), (f"{kept}order.reverse=true",),
            (f"{kept}order=file", f"{kept}order.file={file}"), ("model.training.scratch=true",),
            ("model.training.held_out=.5",)]  # fmt: skip
    ids = [known(*way) for way in ways]
    assert len(set(ids)) == len(ids)
    words = {heads(place, *way).gates.words() for way in ways[:8]}
    assert len(words) == 8, "what pages say tells gates apart, too"
    assert {f"kept by file 2 (file={file_digest(file)[:8]})", "kept by importance 2 (reverse=True, limit=20)"} <= words
    for order, idle in (("random", "limit=10"), ("random", "steps=every"), ("importance", "steps=every"),
                        ("oracle", "steps=every")):  # fmt: skip
        assert known(f"{kept}order={order}") == known(f"{kept}order={order}", f"{kept}{idle}"), f"{order}, {idle}"
    assert known(f"{kept}order=reestimated") != known(f"{kept}order=reestimated", f"{kept}steps=every")
    file.write_text("b")
    assert known(*ways[7]) not in ids, "another order in a file of the same name"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["keep=99"], "gates.keep=99, and the model has"),
        (["keep=null"], "gates.keep says how many heads are kept"),
        (["keep_of.cross=1"], "give one"),
        (["keep=null", "keep_of.cross=1"], "gates.keep_of has cross: the model has heads of encoder_self"),
        (["order.data=other"], "gates.order.data has no effect here: gates.data=NAME"),
        (["order=random", "order.seeds=5"], "gates.order.seeds has no effect here: a training has one mask"),
        (["order=file"], "needs measure.file=PATH"),
        (["order=file", "order.file=nowhere.txt"], "cannot read the order in nowhere.txt"),
        (["limit=0"], "gates.limit=0"),
        (["seed=1"], "gates.seed=1 is the seed of a random order, and gates.order=importance has none"),
    ],
)
def test_heads_that_cannot_be_given_are_refused_before_anything_is_computed(
    place: Path, more: list[str], said: str
) -> None:
    task, config = StudyTask(), compose(*overrides(place, *(f"model.training.gates.{each}" for each in more)))

    def ask() -> None:
        task.check(config)
        task.rehearse(config)

    with pytest.raises(InputError, match=said):
        ask()
    assert not list((place / "results").rglob("*.parquet"))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["model.training.new_head=true"], "new output layer, and nothing tells which of its heads matter"),
        (["model.training.held_out=1"], "training.held_out=1: expected a share"),
    ],
)
def test_trainings_whose_heads_nothing_tells_are_refused(place: Path, more: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        StudyTask().check(compose(*overrides(place, *more)))


def test_heads_that_do_not_stay_do_not_learn_and_all_others_do(place: Path) -> None:
    """A head that is off passes no gradient: without decay its weights are those of the start, to the bit."""
    folder = place / "trained"
    more = ["model.training.weight_decay=0", "model.training.learning_rate=1e-3", f"model.training.folder={folder}"]
    StudyTask()(compose(*overrides(place, *more)))
    given, kept = (read_gates(path) for path in (folder / GATES_FILE, folder / "epoch-1" / GATES_FILE))
    assert (kept.kept, kept.method, kept.log_alpha) == (given.kept, "kept", None)
    assert kept.step > given.step == 0
    start, end = (load_file(path / "model.safetensors") for path in (place / "model", folder / "epoch-1"))
    projections = sorted(name for name in start if name.endswith("attention.output.dense.weight"))
    layout = HeadLayout({AttentionKind.ENCODER_SELF: [len(given.heads) // len(projections)] * len(projections)})
    moved = [
        bool(columns.any())
        for name, heads in zip(projections, layout.counts[AttentionKind.ENCODER_SELF], strict=True)
        for columns in (start[name] != end[name]).any(0).chunk(heads)
    ]
    assert moved == parse_mask(given.kept, layout).tolist()
    assert sum(moved) == 2


def test_more_heads_than_the_config_declares_are_refused_before_the_model_is_loaded(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MeasuringJob, "subject", lambda _: pytest.fail("it was loaded"))
    study = to_study(compose(*overrides(place, "model.training.gates.keep=9")))
    with pytest.raises(InputError, match="gates.keep=9, and the model has 8 heads"):
        TrainingJob(study).check()


@pytest.mark.parametrize(
    ("config", "heads"),
    [
        ('{"num_hidden_layers": 6, "num_attention_heads": 12}', 72),
        ('{"n_layer": 2, "n_head": 3}', 6),
        ('{"encoder_layers": 2, "decoder_layers": 2, "num_hidden_layers": 2, "num_attention_heads": 4}', None),
        ('{"num_hidden_layers": 6, "num_attention_heads": 12, "pruned_heads": {"1": [2]}}', None),
        ('{"num_hidden_layers": 6}', None),
        ("[", None),
    ],
)
def test_a_config_declares_heads_or_leaves_it_to_the_model(tmp_path: Path, config: str, heads: int | None) -> None:
    (tmp_path / "config.json").write_text(config)
    assert declared_heads(tmp_path) == heads
