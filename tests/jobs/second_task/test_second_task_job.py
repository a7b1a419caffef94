"""A second task from its training to what is measured of both tasks: by every method, on a tiny model."""

import shutil
from pathlib import Path
from unittest.mock import ANY

import pytest
from fixtures.second_tasks.later import mood_pairs
from safetensors.torch import load_file, save_file

from study.config import compose
from study.jobs.cache import JobCache
from study.jobs.second_task.proof import NotKeptError
from study.jobs.task import StudyTask
from study.record.errors import InputError, MissingPackageError
from study.record.metrics import metric
from study.record.scores import mask_scores, with_statistics
from study.record.setting import read_setting
from study.record.store import read_examples, read_parts
from study.record.training.tasks import FREE_FILE, TASKS_FILE, TaskResult, read_free, read_results, read_tasks

METHODS = ["free_heads", "output_layer", "lora", "all_weights"]
"""Biases and norms go the way of the output layer alone."""


def overrides(place: Path, *more: str) -> list[str]:
    """A second task of two labels for the tiny model, whose own pairs rank its heads."""
    mood = mood_pairs(place / "mood.tsv").path
    return [
        "model=hf_then", "model.name=mine", f"model.training.start={place}/model", "model.training.reuse.earlier=nli",
        "model.training.reuse.task=mood", f"model.training.train.path={mood}", f"model.training.dev.path={mood}",
        "model.training.epochs=1", "model.training.batch_size=8", "model.training.learning_rate=1e-2",
        "model.training.max_length=32", "model.max_length=32", f"model.training.folder={place}/trained",
        "model.training.reuse.data=nli_file", f"model.training.reuse.data.path={place}/pairs.tsv",
        f"results={place}/results", "device=cpu", "data=nli_file", *more,
    ]  # fmt: skip


def later(place: Path, *more: str) -> list[str]:
    return overrides(place, f"data.path={place}/mood.tsv", *more)


def earlier(place: Path, *more: str) -> list[str]:
    return overrides(place, f"data.path={place}/pairs.tsv", "model.task_name=nli", "measure=second_task", *more)


@pytest.fixture(scope="module")
def taught_once(place_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place like any, in which the task was taught to free heads; not to be changed."""
    place = shutil.copytree(place_once, tmp_path_factory.mktemp("taught"), dirs_exist_ok=True)
    StudyTask()(compose(*later(place, "measure=train")))
    return place


@pytest.fixture
def taught(taught_once: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(taught_once, tmp_path / "taught")


def scores(place: Path, model: str, setting: str) -> dict[str, float]:
    """The score of every mask of a stored setting, from its files alone."""
    (folder,) = (place / "results" / model).glob(f"*/{setting}")
    scoring = metric(read_setting(folder).metric, read_setting(folder).answers)
    rows = with_statistics(read_parts(folder).rows, read_examples(folder), scoring)
    return dict(mask_scores(rows, scoring).select("mask", "score").iter_rows())


def results(place: Path) -> dict[str, tuple[Path, TaskResult]]:
    folders = sorted((place / "results" / "mine").glob("*/*"))
    return {result.task.name: (folder, result) for folder in folders for result in read_results(folder)}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_teaches_a_second_task_and_both_are_measured(place: Path, method: str) -> None:
    task, reuse = StudyTask(), f"model.training.reuse={method}"
    for job in (
        later(place, reuse, "measure=train"),
        later(place, reuse, "measure=second_task"),
        earlier(place, reuse),
    ):
        task(compose(*job))
        assert task.remaining(compose(*job)) == 0
    kept = next((place / "results" / "trainings").iterdir())
    chain, freed = read_tasks(kept / TASKS_FILE), None
    if method in ("free_heads", "lora"):
        freed = read_free(kept / FREE_FILE).freed
        assert (place / "trained" / FREE_FILE).read_bytes() == (kept / FREE_FILE).read_bytes()
    assert chain.latest.freed == freed
    assert (kept / FREE_FILE).exists() == (freed is not None)
    full = "1" * len(chain.heads)
    (_, mood), (now, nli) = results(place)["mood"], results(place)["nli"]
    assert (mood.latest.name, mood.start, mood.proof) == ("mood", None, None)
    assert nli.chain == mood.chain == tuple(one.training for one in chain.tasks)
    assert nli.task == chain.task("nli")
    before = scores(place, "model", nli.start or "")
    after = scores(place, "mine", now.name)
    off = freed or () if method == "free_heads" else ()
    masked = "".join("0" if head in off else "1" for head in chain.heads)
    assert nli.task.on == masked
    if method == "all_weights":
        assert nli.proof is None
        return
    assert nli.proof is not None
    assert (nli.proof.masked, nli.proof.mask, nli.proof.unlike) == (nli.start, masked, 0)
    assert after[full] == before[masked]


def move_a_bias(place: Path) -> None:
    """Change a frozen weight in the folder of the trained model."""
    file = place / "trained/epoch-1/model.safetensors"
    tensors = load_file(file)
    name = next(name for name in tensors if name.endswith("intermediate.dense.bias"))
    tensors[name][0] += 0.5
    save_file(tensors, file, metadata={"format": "pt"})


def test_a_weight_that_was_changed_in_the_folder_is_told_by_its_digest(taught: Path) -> None:
    move_a_bias(taught)
    with pytest.raises(InputError, match="the weights of task 'nli' are not those"):
        StudyTask(JobCache())(compose(*earlier(taught)))
    assert not results(taught)


def test_a_task_that_is_not_kept_is_refused_and_its_record_says_so(
    taught: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, job = StudyTask(JobCache()), compose(*earlier(taught))
    monkeypatch.setattr("study.subjects.tasks.load.Digests.digest", lambda *_: ANY)
    move_a_bias(taught)
    for _ in range(2):  # again too: the record that is there does not make it done
        with pytest.raises(NotKeptError, match="mine on pairs is not what its model was before"):
            task(job)
        assert task.remaining(job)
    proof = results(taught)["nli"][1].proof
    assert proof is not None
    assert proof.contradicting == proof.unlike > 0


def test_a_proof_of_fewer_examples_does_not_stand_for_one_of_more(taught: Path) -> None:
    task, all_, some = StudyTask(JobCache()), compose(*earlier(taught)), compose(*earlier(taught, "data.limit=5"))
    task(some)
    few = results(taught)["nli"][1].proof
    assert few is not None
    assert few.rows == 5
    task(compose(*earlier(taught, "measure=ablation")))
    assert task.remaining(all_)
    task(all_)
    whole = results(taught)["nli"][1].proof
    task(some)
    assert whole is not None
    assert whole.rows > 5
    assert results(taught)["nli"][1].proof == whole
    assert task.remaining(some) == task.remaining(all_) == 0


def test_a_share_of_the_examples_proves_nothing(place: Path) -> None:
    with pytest.raises(InputError, match="measure=second_task compares all examples of a task at once"):
        StudyTask().check(compose(*earlier(place, "shards=2")))


def test_a_model_of_one_task_is_no_second_task(place: Path) -> None:
    job = compose("model=hf_classifier", f"model.path={place}/model", "data=nli_file", f"data.path={place}/pairs.tsv",
                  f"results={place}/results", "device=cpu", "measure=second_task")  # fmt: skip
    with pytest.raises(InputError, match="measure=second_task is of a model that was taught a later task here"):
        StudyTask().check(job)


def test_low_rank_updates_without_peft_are_refused_before_anything_is_done(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.reuse.options.find_spec", lambda _: None)
    with pytest.raises(MissingPackageError, match=r"reuse=lora needs peft: pip install 'sixteen-heads\[lora\]'"):
        StudyTask().check(compose(*later(place, "model.training.reuse=lora", "measure=train")))


@pytest.mark.parametrize(
    ("reuse", "said"),
    [
        ("free_heads", "3 of 8 heads of model are freed"),
        ("lora", "as many numbers move as 3 of 8 heads of model have"),
        ("output_layer", ""),
    ],
)
def test_a_plan_says_what_becomes_of_which_heads_and_how_long_choosing_takes(
    place: Path, caplog: pytest.LogCaptureFixture, reuse: str, said: str
) -> None:
    caplog.set_level("INFO")
    planned = StudyTask()(compose(*later(place, f"model.training.reuse={reuse}", "measure=train", "plan=true")))
    choice = f"before its first step: {said}, by importance on at most 1,000 examples of data 'pairs'; expected: "
    assert (choice in caplog.text) == bool(said)
    assert ("before its first step" in caplog.text) == bool(said)
    assert "importance of model on pairs: " in caplog.text or not said
    assert "with measure=importance first" not in caplog.text, "it runs what the order is made of itself"
    assert planned["expected"] == "not known before it has begun", "how long its steps take is not"
    assert not (place / "trained").exists()
    assert not (place / "results").exists()
