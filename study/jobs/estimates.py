"""What earlier jobs tell of a new one without its model: which heads the model has, and how long its rows take.

First the jobs of the same setting; else those of the same model on other data, whose examples may be longer or shorter.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from study.record.parts import read_provenance
from study.record.setting import SETTING_FILE, DamagedSettingError, Setting, SettingError, read_setting
from study.record.tables import Table
from study.record.units import HeadLayout


def stored_layout(setting: Setting, results: Path) -> HeadLayout | None:
    """The model's heads as an earlier job of this setting found them; None where none has said them whole.

    Raises:
        SettingError: when the file is of another outcome schema.
    """
    try:
        return read_setting(setting.folder(results)).layout
    except DamagedSettingError:
        return None


def layout_elsewhere(setting: Setting, results: Path) -> HeadLayout | None:
    """The model's heads as a job of the same model on other data found them; None where there is none."""
    return next((read_setting(folder).layout for folder in _siblings(setting, results)), None)


def seconds_a_row(setting: Setting, results: Path, table: Table) -> float | None:
    """What the stored rows of a table took, each: those of this setting, else those of the same model on other data.

    Returns:
        None where there are none.
    """
    own = table.parts(setting.folder(results))
    parts = own or [part for folder in _siblings(setting, results) for part in table.parts(folder)]
    known = [read_provenance(part) for part in parts]
    rows = sum(part["rows"] for part in known)
    return sum(part["seconds"] for part in known) / rows if rows else None


def _siblings(setting: Setting, results: Path) -> Iterator[Path]:
    """The folders of the same model on other data; those that cannot be read are not this job's business."""
    for file in sorted((results / setting.model).glob(f"*/*/{SETTING_FILE}")):
        if file.parent != setting.folder(results):
            with contextlib.suppress(SettingError):
                if read_setting(file.parent).subject_id == setting.subject_id:
                    yield file.parent
