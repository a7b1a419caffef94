"""A stored study whose files are damaged at random: nothing but words, no wrong number, and the named cure works.

Each damage is one of those that disks, copies and people do to one file, or to two. Then the analysis either says what
it said before, or less and names the file; and the same command either goes on or names the file and a cure, after
which all is as it was.
"""

import random
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures.jobs import make_place, overrides
from omegaconf import DictConfig

from analysis.results.domain import Domain
from analysis.results.read import Results, read_results
from study.config import compose
from study.jobs.task import StudyTask
from study.record.errors import StudyError
from study.record.training.history import Record, write_history
from study.tracking.run import Run, write_run

DATA = ("pairs", "other")
MEASURES = ("importance", "pruning")
NUM_EXAMPLES = 12


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with a model, two data sets, and the results of every measure on both; and the course of a training."""
    place = make_place(tmp_path_factory.mktemp("damage"))
    lines = (place / "pairs.tsv").read_text().splitlines()
    for name, first in zip(DATA, (1, 40), strict=True):
        (place / f"{name}.tsv").write_text("\n".join([lines[0], *lines[first : first + NUM_EXAMPLES]]) + "\n")
    study(place, place / "results")
    folder = place / "results" / "trainings" / "trained-0"
    write_run(Run("1", "", "trained", "pairs", "train", 0, {}, summary={"epochs": 1}), folder)
    write_history(folder, [Record(0, 0.0, 1e-5, None, 1.1, 33.3, 0.0), Record(50, 0.5, 1e-5, 1.0, 1.0, 41.0, 2.5)])
    return place


def study(place: Path, results: Path, names: Collection[str] = DATA) -> None:
    """The commands that made the results: each measure on each data set, or on some."""
    for data in names:
        for measure in MEASURES:
            config = composed(place, data, measure).copy()
            config.results = str(results)
            StudyTask()(config)


@cache
def composed(place: Path, data: str, measure: str) -> DictConfig:
    mine = [f"data.path={place / data}.tsv", f"measure={measure}", "model.check_labels=false"]
    return compose(*overrides(place, *mine))


def cut(path: Path, rng: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: rng.randrange(1, path.stat().st_size)])


def empty(path: Path, rng: random.Random) -> None:
    path.write_bytes(b"")


def delete(path: Path, rng: random.Random) -> None:
    path.unlink()


def flip(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def duplicate(path: Path, rng: random.Random) -> None:
    shutil.copy(path, path.with_name(f"{path.stem}-again{path.suffix}"))


def make_folder(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.mkdir()


DAMAGE: tuple[Callable[[Path, random.Random], None], ...] = (cut, empty, delete, flip, duplicate, make_folder)


def damaged(results: Path, rng: random.Random) -> tuple[str, list[Path]]:
    """Damage files of a results folder; what was done, and to which."""
    files = sorted(path for path in results.rglob("*") if path.is_file())
    kind = rng.choice([*DAMAGE, "swap"])
    path = rng.choice(files)
    if not callable(kind):
        other = rng.choice([file for file in files if file != path])
        one, two = path.read_bytes(), other.read_bytes()
        path.write_bytes(two)
        other.write_bytes(one)
        return kind, [path, other]
    kind(path, rng)
    return kind.__name__, [path]


def numbers(domain: Domain) -> Iterator[tuple[str, pl.DataFrame]]:
    """All that the analysis takes from a setting, as tables with a key."""
    yield "outcomes", domain.rows.sort("mask", "example")
    yield "examples", domain.examples.sort("example")
    for loss, rows in domain.gradients.items():
        yield str(loss), rows.sort("mask", "example")


def same(found: pl.DataFrame, whole: pl.DataFrame, *, all_of_it: bool) -> bool:
    """Whether rows are those of the undisturbed study, but for the last bits of what was computed again."""
    keys = [name for name in ("mask", "example") if name in whole.columns]
    if found.columns != whole.columns or (all_of_it and found.height != whole.height):
        return False
    expected = found.select(keys).join(whole, on=keys, how="left", maintain_order="left")
    for name, dtype in whole.schema.items():
        if isinstance(dtype, pl.Array) or dtype.is_float():
            if not np.allclose(found[name].to_numpy(), expected[name].to_numpy(), atol=1e-4):
                return False
        elif not found[name].equals(expected[name]):
            return False
    return True


def agrees(found: Results, whole: Results, *, all_of_it: bool) -> bool:
    """Whether every number is that of the undisturbed study, and none is missing where all are asked for."""
    if all_of_it and (len(found.domains), found.trainings.height) != (len(whole.domains), whole.trainings.height):
        return False
    undisturbed = {domain.setting_id: domain for domain in whole.domains}
    for domain in found.domains:
        before = undisturbed[domain.setting_id]
        tables = dict(numbers(before))
        if not all(same(rows, tables[name], all_of_it=all_of_it) for name, rows in numbers(domain)):
            return False
        if not set(map(repr, domain.curves)) <= set(map(repr, before.curves)):
            return False
        if (domain.layout, domain.factors, domain.labels) != (before.layout, before.factors, before.labels):
            return False
        if all_of_it and (len(domain.curves), set(domain.gradients)) != (len(before.curves), set(before.gradients)):
            return False
    return same_trainings(found.trainings, whole.trainings)


def same_trainings(found: pl.DataFrame, whole: pl.DataFrame) -> bool:
    return found.join(whole, on=found.columns, how="anti", nulls_equal=True).is_empty()


def said(results: Results) -> str:
    return "\n".join([*results.left_out, *(line for domain in results.domains for line in domain.left_out)])


def check_analysis(results: Path, kind: str, victims: list[Path], whole: Results) -> None:
    try:
        found = read_results(results)
    except StudyError as error:
        require_named(victims, str(error))
        return
    assert agrees(found, whole, all_of_it=False)
    if not agrees(found, whole, all_of_it=True) and kind != "delete":
        require_named(victims, said(found))


def check_study(place: Path, results: Path, victims: list[Path], whole: Results) -> None:
    """The same commands, the cure of each message taken, until they work."""
    names = {path.relative_to(results).parts[1] for path in victims} & set(DATA)
    for _ in range(3):
        words = refusal(place, results, names)
        if not words:
            break
        require_named(victims, words)
        _, cure = words.split("rm ", 1)
        subprocess.run(f"rm {cure}", shell=True, check=True)
    assert not words, "the cures did not work"
    assert agrees(read_results(results), whole, all_of_it=not any("trainings" in path.parts for path in victims))


def refusal(place: Path, results: Path, names: Collection[str]) -> str:
    try:
        study(place, results, names)
    except StudyError as error:
        return str(error)
    return ""


def require_named(victims: list[Path], words: str) -> None:
    assert any(path.stem in words for path in victims), words


def fuzz(stored: Path, tmp_path: Path, seeds: range) -> None:
    whole = read_results(stored / "results")
    for seed in seeds:
        results, rng = tmp_path / str(seed), random.Random(seed)
        shutil.copytree(stored / "results", results)
        kind, victims = damaged(results, rng)
        try:
            check_analysis(results, kind, victims, whole)
            check_study(stored, results, victims, whole)
        except BaseException as error:
            error.add_note(f"seed {seed}: {kind} {[str(path.relative_to(results)) for path in victims]}")
            raise
        shutil.rmtree(results)


def test_no_damage_is_taken_for_a_number_and_every_cure_works(stored: Path, tmp_path: Path) -> None:
    fuzz(stored, tmp_path, range(60))


@pytest.mark.exhaustive
def test_thousands_of_damages(stored: Path, tmp_path: Path) -> None:
    fuzz(stored, tmp_path, range(100, 3100))
