"""Files of audits: sealed JSON, `audits/<id>.json` in the folder of a setting, one for each round."""

from pathlib import Path

from study.record.cascade.audit import Audit
from study.record.errors import StudyError
from study.record.files import read_sealed, write_sealed
from study.record.setting import ANEW

FOLDER = "audits"


class AuditError(StudyError):
    """A file of an audit that cannot be read."""


def write_audit(audit: Audit, folder: Path) -> Path:
    """Keep an audit in a setting's folder; one of the same id gives way.

    Raises:
        WriteError: when the folder cannot be written.
    """
    path = folder / FOLDER / f"{audit.id}.json"
    write_sealed(path, {**audit.to_json(), "setting": folder.name})
    return path


def read_audit(path: Path, setting: str = "") -> Audit:
    """One audit.

    Args:
        path: its file.
        setting: id of the setting in whose folder it lies; empty where the file may lie anywhere.

    Raises:
        AuditError: for a file that is none, or that of another audit or setting.
    """
    try:
        stored = read_sealed(path)
        audit = Audit.from_json(stored)
        if setting and (audit.id, stored["setting"]) != (path.stem, setting):
            raise ValueError("it is that of another audit or setting")
        return audit
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise AuditError(f"{path} is not a whole audit ({error}): {ANEW}") from error


def read_audits(folder: Path) -> tuple[list[Audit], list[str]]:
    """Every audit of a setting's folder, by view, share and round; and what is wrong with the files that are none."""
    audits, wrong = [], []
    for path in sorted((folder / FOLDER).glob("*.json")):
        try:
            audits.append(read_audit(path, folder.name))
        except AuditError as error:
            wrong.append(str(error))
    audits.sort(key=lambda audit: (audit.examples, audit.shards, audit.share, sorted(audit.masks), audit.round))
    return audits, wrong
