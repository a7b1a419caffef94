"""Artifacts: files under a name, with the sha256 of each, so that equal content is known as such anywhere.

model, data --> outcomes --> effects --> report
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import Any

import wandb

from study.record.cascade.audit_files import FOLDER as AUDITS
from study.record.cascade.audit_files import AuditError, read_audit
from study.record.curves import FOLDER as CURVES
from study.record.designs.files import FOLDER as DESIGNS
from study.record.designs.files import DesignError, read_design
from study.record.files import file_digest, short_hash
from study.record.packed.mask_table import TABLES
from study.record.parts import every_part
from study.record.setting import SETTING_FILE, read_setting
from study.record.store import EXAMPLES_FILE
from study.record.syntax.probe import FOLDER as PROBES
from study.tracking.run import RUNS

OUTCOMES = "outcomes"
LONGEST = 100
"""Letters of a readable name."""


@dataclass(frozen=True)
class Content:
    """What an artifact holds.

    Attributes:
        type: `model`, `data`, `outcomes`, `effects` or `report`.
        names: names of what it is about; with the type, they make its own.
        files: paths on this machine by their name in the artifact.
        about: more to know of it, as JSON values.
    """

    type: str
    names: tuple[str, ...]
    files: Mapping[str, Path]
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name, of letters, digits and . _ - alone, as W&B wants it."""
        readable, last = "-".join(self.names[:-1]), self.names[-1]
        return re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{self.type}-{readable}"[:LONGEST]) + f"-{last}"

    @cached_property
    def hashes(self) -> dict[str, str]:
        """sha256 of every file."""
        return {name: file_digest(path) for name, path in sorted(self.files.items())}

    @cached_property
    def digest(self) -> str:
        """The digest of all files and their names."""
        return short_hash(self.hashes)

    @cached_property
    def lasting_digest(self) -> str:
        """The digest of what does not grow: of outcomes, to which every job adds, the setting's id and its examples."""
        growing = self.type == OUTCOMES
        return short_hash([*self.names, self.hashes.get(EXAMPLES_FILE)]) if growing else self.digest

    def artifact(self) -> wandb.Artifact:
        """For W&B, which sends no file and makes no version where this content is known there."""
        known = {"content": self.digest, "files": self.hashes, **self.about}
        made = wandb.Artifact(self.name, self.type, metadata=known)
        for name, path in self.files.items():
            made.add_file(str(path), name=name, policy="immutable")
        return made


def is_part(name: str) -> bool:
    """Whether a file of outcomes holds rows."""
    return name.endswith(".parquet") and name != EXAMPLES_FILE and not fnmatch(name, TABLES)


def masks_of_design(path: Path) -> int:
    """How many masks a design in a file has, which grow with what was asked for; 0 where there is none."""
    try:
        return len(read_design(path))
    except DesignError:
        return 0


def _is_finished(path: Path) -> bool:
    """Whether a file of an audit says what came of it; one that is under way changes."""
    try:
        return read_audit(path).passed is not None
    except AuditError:
        return False


def outcomes_content(folder: Path) -> Content:
    """All that is stored of a setting: rows and their masks, designs, examples, curves, audits, probes and runs."""
    kept = [folder / SETTING_FILE, folder / EXAMPLES_FILE, *folder.glob(TABLES), *every_part(folder)]
    kept += [path for part in (AUDITS, CURVES, DESIGNS, PROBES, RUNS) for path in (folder / part).glob("*.json")]
    kept = [path for path in kept if path.parent.name != AUDITS or _is_finished(path)]
    names = {str(path.relative_to(folder)): path for path in kept if path.is_file()}
    setting = read_setting(folder)
    designs = {name: masks_of_design(path) for name, path in names.items() if path.parent.name == DESIGNS}
    about = {"model": setting.model, "data": setting.data, "setting": setting.id, "subject": setting.subject_id}
    about |= {"designs": designs} if designs else {}
    return Content(OUTCOMES, (setting.model, setting.data, setting.id), names, about)


def data_content(folder: Path) -> Content:
    """The examples of a setting."""
    setting = read_setting(folder)
    digest = short_hash(setting.examples)
    return Content("data", (setting.data, digest), {EXAMPLES_FILE: folder / EXAMPLES_FILE})


def model_content(folder: Path, weights: Path | None, drafts: Path) -> Content:
    """The subject of a setting: what identifies it, and its files where they are to be sent.

    Args:
        folder: folder of the setting.
        weights: folder of the model; None for its identity alone.
        drafts: folder to write to.
    """
    setting = read_setting(folder)
    known = {"subject": setting.subject_id, "identity": setting.subject}
    path = drafts / f"{setting.subject_id}.json"
    path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    files = {} if weights is None else {str(p.relative_to(weights)): p for p in sorted(weights.rglob("*"))}
    files = {name: p for name, p in files.items() if p.is_file()}
    return Content("model", (setting.model, setting.subject_id), {"subject.json": path, **files})
