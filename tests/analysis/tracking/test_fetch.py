"""Bringing outcomes back: verified, merged, and never over what is here."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from fixtures.jobs import make_place, overrides
from fixtures.wandb.stand_in import StandIn
from fixtures.wandb.stand_in_reads import hexadecimal

from analysis.__main__ import main
from analysis.tracking.fetch import _about, _adopt, _verify
from analysis.tracking.wandb_artifacts import outcomes_content
from analysis.tracking.wandb_project import WandbError
from study.config import compose
from study.jobs.task import StudyTask
from study.record.factors import Factors
from study.record.files import unsealed, whole_file
from study.record.parts import StoreError, every_part
from study.record.setting import SETTING_FILE, read_setting, write_setting
from study.record.store import EXAMPLES_FILE, read_parts

pytestmark = pytest.mark.usefixtures("undrawn")

PLACE = "lab/heads"


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The results of two labs that study the same setting by other measures."""
    place = make_place(tmp_path_factory.mktemp("labs"))
    for name, measure in (("lab_a", "ablation"), ("lab_b", "no_head")):
        StudyTask()(compose(*overrides(place, f"measure={measure}", f"results={place / name}")))
    return [place / "lab_a", place / "lab_b"]


def setting_of(results: Path) -> Path:
    (path,) = results.glob("*/*/*/setting.json")
    return path.parent


def test_what_two_labs_have_pushed_comes_together(labs: list[Path], server: StandIn, tmp_path: Path, capsys) -> None:
    for lab in labs:
        assert main(["push", str(lab), "--wandb", PLACE, "--resamples", "200"]) == 0
    both = tmp_path / "both"
    assert main(["fetch", PLACE, str(both)]) == 0
    assert "of 1 settings fetched" in capsys.readouterr().out
    first, second, fetched = map(setting_of, (*labs, both))
    assert fetched.relative_to(both) == first.relative_to(labs[0])
    for name in {part.name for folder in (first, second) for part in every_part(folder)}:
        source = first if (first / name).is_file() else second
        assert (fetched / name).read_bytes() == (source / name).read_bytes()
    assert read_parts(fetched).rows["mask"].n_unique() == 1 + 8 + 2
    assert {path.name for path in (fetched / "runs").iterdir()} == {
        path.name for folder in (first, second) for path in (folder / "runs").iterdir()
    }
    before = len(server.bodies)
    assert main(["fetch", PLACE, str(both)]) == 0
    assert "0 files of 0 settings fetched" in capsys.readouterr().out
    assert not any(body.startswith(b"/blob/") for body in server.bodies[before:]), "nothing is fetched twice"


def draft_of(results: Path, tmp_path: Path) -> tuple[Path, dict]:
    """What a download would hold, and the metadata of its artifact."""
    draft = tmp_path / "draft"
    download(setting_of(results), draft)
    content = outcomes_content(draft)
    return draft, {"files": content.hashes, **content.about}


def download(source: Path, draft: Path) -> None:
    """Copy what a push sends of a setting's folder."""
    for name in outcomes_content(source).hashes:
        (draft / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, draft / name)


def test_a_file_that_is_not_what_was_pushed_is_refused(labs: list[Path], tmp_path: Path) -> None:
    draft, about = draft_of(labs[0], tmp_path)
    _verify(draft, about, "outcomes")
    part = every_part(draft)[0]
    content = bytearray(part.read_bytes())
    content[100] ^= 1
    part.write_bytes(content)
    with pytest.raises(WandbError, match=f"{part.name} differ from their hashes"):
        _verify(draft, about, "outcomes")


def test_the_places_that_others_give_a_setting_are_added(labs: list[Path], tmp_path: Path) -> None:
    draft, _ = draft_of(labs[0], tmp_path)
    shutil.copytree(draft, tmp_path / "here")
    place = Factors("other", "pairs", "float32", seed=7)
    (draft / SETTING_FILE).unlink()
    write_setting(replace(read_setting(tmp_path / "here"), factors=(place,)), draft)
    _adopt(draft, tmp_path / "here", [])
    assert place in read_setting(tmp_path / "here").factors
    assert len(read_setting(tmp_path / "here").factors) == 2


def test_files_more_or_fewer_than_were_pushed_are_refused(labs: list[Path], tmp_path: Path) -> None:
    draft, about = draft_of(labs[0], tmp_path)
    (draft / "more.json").write_text("{}")
    with pytest.raises(WandbError, match=r"more\.json"):
        _verify(draft, about, "outcomes")
    (draft / "more.json").unlink()
    (draft / "examples.parquet").unlink()
    with pytest.raises(WandbError, match=r"examples\.parquet"):
        _verify(draft, about, "outcomes")


def test_a_setting_under_the_id_of_another_is_refused(labs: list[Path], tmp_path: Path) -> None:
    draft, _ = draft_of(labs[0], tmp_path)
    setting = unsealed(json.loads((draft / SETTING_FILE).read_text()))
    setting["identity"]["subject"]["max_length"] = 7
    (draft / SETTING_FILE).write_text(json.dumps(setting))
    content = outcomes_content(draft)
    with pytest.raises(WandbError, match="is not the one of its id"):
        _verify(draft, {"files": content.hashes, **content.about, "setting": setting["id"]}, "outcomes")


@pytest.mark.parametrize("name", ["../../evil.parquet", "/etc/evil.json", ".hidden.json", "runs/../../evil.json"])
def test_an_artifact_cannot_name_files_elsewhere(name: str) -> None:
    about = {"model": "m", "data": "d", "setting": "s", "files": {SETTING_FILE: "0", name: "0"}}
    with pytest.raises(WandbError, match="names files that no push sends"):
        _about(about, "outcomes")


@pytest.mark.parametrize("key", ["model", "data", "setting"])
def test_an_artifact_cannot_name_folders_elsewhere(key: str) -> None:
    about = {"model": "m", "data": "d", "setting": "s", "files": {SETTING_FILE: "0"}, key: ".."}
    with pytest.raises(WandbError, match="names files that no push sends"):
        _about(about, "outcomes")


def test_an_artifact_of_someone_else_is_refused() -> None:
    with pytest.raises(WandbError, match="was not made by a push"):
        _about({}, "theirs")


def pushed(source: Path) -> SimpleNamespace:
    """The version of an artifact that holds a setting's folder."""
    content = outcomes_content(source)
    metadata = {"files": content.hashes, **content.about}
    return SimpleNamespace(name=source.name, metadata=metadata, download=lambda root, **_: download(source, Path(root)))


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_rows_that_contradict_those_here_are_left_out_and_the_rest_is_fetched(
    labs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    """A lab has pushed a part whose integers are others at a wide margin; another one what agrees."""
    wrong = tmp_path / "wrong"
    shutil.copytree(setting_of(labs[0]), wrong)
    part = every_part(wrong)[0]
    rows = pl.read_parquet(part)
    part.unlink()
    rows = rows.with_columns(correct=1 - pl.col("correct"), margin=pl.lit(9.0, rows.schema["margin"]))
    rows.write_parquet(wrong / f"part-2026-{part.stem.rsplit('-', 1)[1]}.parquet")
    monkeypatch.setattr("analysis.tracking.fetch.versions", lambda _: [pushed(wrong), pushed(setting_of(labs[1]))])
    here = tmp_path / "here"
    shutil.copytree(labs[0], here)
    for _ in range(2):
        assert main(["fetch", PLACE, str(here)]) == 2
        said = capsys.readouterr().err
        assert "artifact wrong is left out" in said
        assert f"{setting_of(here)}: part-" in said
        expected = {name: kept for lab in labs for name, kept in files_of(setting_of(lab)).items()}
        assert files_of(setting_of(here)).keys() == expected.keys()
        assert read_parts(setting_of(here)).rows["mask"].n_unique() == 1 + 8 + 2


def test_gradients_that_contradict_those_here_are_left_out(labs: list[Path], tmp_path: Path) -> None:
    draft, _ = draft_of(labs[0], tmp_path)
    folder = tmp_path / "folder"
    shutil.copytree(draft, folder)
    rows = pl.DataFrame({"mask": ["1" * 8], "example": ["0"], "gradient": [0.5]})
    rows.write_parquet(folder / "gradients-1-a.parquet")
    rows.with_columns(gradient=-pl.col("gradient")).write_parquet(draft / "gradients-2-b.parquet")
    with pytest.raises(StoreError, match="gradients-2-b.parquet and gradients-1-a.parquet disagree"):
        _adopt(draft, folder, ["gradients-2-b.parquet"])
    assert not (folder / "gradients-2-b.parquet").exists()


def test_the_setting_is_written_last(labs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft, about = draft_of(labs[0], tmp_path)
    written = []

    @contextmanager
    def noted(path: Path) -> Iterator[Path]:
        written.append(path.name)
        with whole_file(path) as copy:
            yield copy

    monkeypatch.setattr("analysis.tracking.fetch.whole_file", noted)
    assert _adopt(draft, tmp_path / "folder", list(about["files"])) == len(about["files"]) == len(written)
    assert written[-1] == SETTING_FILE


def test_what_is_here_stands(labs: list[Path], tmp_path: Path) -> None:
    """Also where a fetched file of the same name is another."""
    draft, _ = draft_of(labs[0], tmp_path)
    folder, name = tmp_path / "folder", every_part(draft)[0].name
    shutil.copytree(draft, folder)
    here = (folder / name).read_bytes()
    (draft / name).write_bytes(b"not what is here")
    (folder / EXAMPLES_FILE).unlink()
    assert _adopt(draft, folder, [EXAMPLES_FILE]) == 1
    assert (folder / name).read_bytes() == here


def test_fetch_of_nothing_says_so(server: StandIn, tmp_path: Path, capsys) -> None:
    assert main(["fetch", PLACE, str(tmp_path)]) == 2
    assert "W&B (lab/heads)" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_said(server: StandIn, tmp_path: Path, capsys) -> None:
    (tmp_path / "file").write_text("")
    assert main(["fetch", PLACE, str(tmp_path / "file")]) == 2
    assert f"cannot write to {tmp_path / 'file'}" in capsys.readouterr().err


def test_without_a_key_fetch_says_what_it_needs(tmp_path: Path, capsys) -> None:
    assert main(["fetch", PLACE, str(tmp_path)]) == 2
    assert "needs a key: `wandb login`" in capsys.readouterr().err


def test_what_was_changed_on_the_way_is_refused_and_nothing_of_it_is_kept(
    labs: list[Path], server: StandIn, tmp_path: Path, capsys
) -> None:
    """From push to fetch through the server: a file that is another, and a hash that is another."""
    assert main(["push", str(labs[0]), "--wandb", PLACE, "--resamples", "200"]) == 0
    (made,) = [artifact for artifact in server.artifacts.values() if artifact.type == "outcomes"]
    part = next(name for name in made.manifest["contents"] if name.startswith("part-"))
    place = f"blob/{hexadecimal(made.manifest['contents'][part]['digest'])}"
    whole, fetched = server.blobs[place], tmp_path / "fetched"
    server.blobs[place] = whole[:100] + bytes([whole[100] ^ 1]) + whole[101:]
    assert main(["fetch", PLACE, str(fetched)]) == 2
    assert f"is not what was pushed: {part} differ from their hashes" in capsys.readouterr().err
    server.blobs[place] = whole
    known, made.metadata["files"][part] = made.metadata["files"][part], "0" * 64
    assert main(["fetch", PLACE, str(fetched)]) == 2
    assert f"is not what was pushed: {part} differ from their hashes" in capsys.readouterr().err
    assert not [path for path in fetched.rglob("*") if path.is_file()]
    made.metadata["files"][part] = known
    assert main(["fetch", PLACE, str(fetched)]) == 0
    assert read_parts(setting_of(fetched)).rows.height == read_parts(setting_of(labs[0])).rows.height
