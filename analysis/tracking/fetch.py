"""Fetch: bring the outcomes that others have pushed into a results folder, each file verified by its sha256.

Every version of a setting is taken, as labs that share a setting push the parts that each has computed; a file that is
here already is not fetched again, and stands as it is: what is added must agree with it. A design alone grows, where
others have asked for more of its masks.
"""

import logging
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import wandb

from analysis.tracking.timeouts import USUAL_WAIT, storage_timeout
from analysis.tracking.wandb_artifacts import OUTCOMES, is_part, masks_of_design
from analysis.tracking.wandb_project import WandbError, WandbProject
from study.record.designs.files import FOLDER as DESIGNS
from study.record.designs.files import DesignError, read_design, write_design
from study.record.files import file_digest, made_folder, whole_file
from study.record.packed.mask_table import TABLES
from study.record.parts import StoreError, every_part
from study.record.setting import SETTING_FILE, differences, read_setting, write_setting
from study.record.store import EXAMPLES_FILE, read_parts
from study.record.tables import stored_tables

log = logging.getLogger(__name__)

FILE = re.compile(r"(?:audits/|curves/|designs/|probes/|runs/)?[\w-][\w.-]*\.(?:json|parquet)")
NAME = re.compile(r"[\w+-][\w.+-]*")


def fetch_outcomes(project: WandbProject, results: Path, wait: float = USUAL_WAIT) -> str:
    """Bring all outcomes of a project into a results folder, in the time of `storage_timeout`; what was done, in words.

    Raises:
        InputError: when the folder cannot be made.
        WandbError: when W&B refuses or is not there, or a file is not what its hash says: nothing of it is kept.
        StoreError: when rows of a version contradict those that are here; names the files. Nothing of it is kept, while
            all else is.
    """
    made_folder(results)
    settings, written, known, contradictions = set[str](), 0, 0, list[str]()
    for version in versions(project):
        about = _about(version.metadata, version.name)
        folder = results / about["model"] / about["data"] / about["setting"]
        missing = [name for name in about["files"] if _is_missing(folder / name, about.get("designs", {}).get(name, 0))]
        known += len(about["files"]) - len(missing)
        if missing:
            with tempfile.TemporaryDirectory(dir=results, prefix=".fetch-") as draft:
                log.info("fetching %s, %d new files", version.name, len(missing))
                with project.as_study_errors(), storage_timeout(wait):
                    version.download(root=draft, skip_cache=True)
                _verify(Path(draft), about, version.name)
                try:
                    written += _adopt(Path(draft), folder, missing)
                except StoreError as error:
                    contradictions.append(f"artifact {version.name} is left out. {error}")
                    continue
            settings.add(about["setting"])
    if contradictions:
        raise StoreError("\n  ".join(["all was fetched but what contradicts the rows that are here:", *contradictions]))
    return f"{results}: {written} files of {len(settings)} settings fetched, {known} were here already"


def versions(project: WandbProject) -> Iterator[wandb.Artifact]:
    """Every version of every setting's outcomes, the oldest first."""
    with project.as_study_errors():
        collections = list(project.api.artifact_type(OUTCOMES, str(project)).collections())
        for collection in collections:
            yield from reversed(list(collection.artifacts()))


def _about(about: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The metadata of a version, whose names become paths here.

    Raises:
        WandbError: when it is not ours.
    """
    try:
        names = [about["model"], about["data"], about["setting"]]
        files: Mapping[str, str] = about["files"]
        good = all(map(NAME.fullmatch, names)) and all(map(FILE.fullmatch, files))
    except (KeyError, TypeError) as error:
        raise WandbError(f"artifact {name} says nothing of its setting: it was not made by a push") from error
    if not good or SETTING_FILE not in files:
        raise WandbError(f"artifact {name} names files that no push sends: {', '.join([*names, *files])}")
    return about


def _verify(draft: Path, about: Mapping[str, Any], name: str) -> None:
    """Every file is what its hash says, and the setting is the one that its id says.

    Raises:
        WandbError: otherwise.
    """
    found = {str(path.relative_to(draft)): file_digest(path) for path in draft.rglob("*") if path.is_file()}
    wrong = sorted(file for file in {*found, *about["files"]} if found.get(file) != about["files"].get(file))
    if wrong:
        raise WandbError(f"artifact {name} is not what was pushed: {', '.join(wrong)} differ from their hashes")
    if read_setting(draft).id != about["setting"]:
        raise WandbError(f"artifact {name}: its setting is not the one of its id {about['setting']}")


def _adopt(draft: Path, folder: Path, missing: list[str]) -> int:
    """Copy what is not here, once its rows are seen to agree with those that are; how many files.

    Raises:
        WandbError: when another setting is here.
        StoreError: when rows do not agree.
    """
    fetched = read_setting(draft)
    if (folder / SETTING_FILE).is_file():
        unlike = differences(fetched.identity, read_setting(folder).identity)
        if unlike:
            raise WandbError("\n  ".join([f"{folder} holds another setting than what was fetched:", *unlike]))
    _agree(draft, folder)
    for name in sorted(missing, key=_turn):
        if Path(name).parent.name == DESIGNS:
            _adopt_design(draft / name, folder)
            continue
        with whole_file(folder / name) as copy:
            copy.write_bytes((draft / name).read_bytes())
    write_setting(fetched, folder)  # others may have it at other places
    return len(missing)


def _is_missing(path: Path, masks: int) -> bool:
    """Whether a file is not here, or a design with fewer masks than were pushed."""
    return not path.is_file() or (masks > 0 and masks_of_design(path) < masks)


def _turn(name: str) -> tuple[bool, bool]:
    """Parts come after the masks that they point to; last what says that the folder is a setting."""
    return name == SETTING_FILE, is_part(name)


def _adopt_design(path: Path, folder: Path) -> None:
    """Keep a design, unless another of its id is here already that it does not go on from.

    Raises:
        WandbError: when it is no design of the setting.
    """
    try:
        design = read_design(path, folder.name)
    except DesignError as error:
        raise WandbError(f"what was fetched cannot be used: {error}") from error
    here = folder / DESIGNS / path.name
    if masks_of_design(here) and not design.begins_with(read_design(here)):
        log.warning("%s stands as it is: what was fetched under its name is another design", here)
        return
    write_design(design, folder)


def _agree(draft: Path, folder: Path) -> None:
    """Rows that were computed twice agree; the parts that are here are shown in the draft too.

    Raises:
        StoreError: names the parts that do not.
    """
    for part in (*folder.glob(TABLES), *every_part(folder)):
        (draft / part.name).unlink(missing_ok=True)  # what is here stands
        (draft / part.name).symlink_to(part.resolve())
    examples = pl.read_parquet(draft / EXAMPLES_FILE)["example"]  # the draft has not the setting's name
    try:
        for table in stored_tables(draft):
            read_parts(draft, table, within=read_setting(draft).tolerance, examples=examples)
    except StoreError as error:
        raise StoreError(str(error).replace(str(draft), str(folder))) from error
