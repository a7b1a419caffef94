"""Files of audits: documents, `audits/<id>.json` in the folder of a setting, one for each round."""

from pathlib import Path

from study.record.cascade.audit import Audit
from study.record.documents import Documents
from study.record.errors import StudyError

FOLDER = "audits"


class AuditError(StudyError):
    """A file of an audit that cannot be read."""


AUDITS = Documents(FOLDER, "audit", AuditError, Audit.from_json)


def write_audit(audit: Audit, folder: Path) -> Path:
    """Keep an audit in a setting's folder; one of the same id gives way.

    Raises:
        WriteError: when the folder cannot be written.
    """
    return AUDITS.write(audit, folder)


def read_audit(path: Path, setting: str = "") -> Audit:
    """One audit.

    Args:
        path: its file.
        setting: id of the setting in whose folder it lies; empty where the file may lie anywhere.

    Raises:
        AuditError: for a file that is none, or that of another audit or setting.
    """
    return AUDITS.read(path, setting)


def read_audits(folder: Path) -> tuple[list[Audit], list[str]]:
    """Every audit of a setting's folder, by view, share and round; and what is wrong with the files that are none."""
    audits, wrong = AUDITS.read_all(folder)
    audits.sort(key=lambda audit: (audit.examples, audit.shards, audit.share, sorted(audit.masks), audit.round))
    return audits, wrong
