"""Designs, tables of masks and audits in a push and a fetch: what rows point to comes with them."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from fixtures.wandb.stand_in import StandIn

from analysis.__main__ import main
from analysis.tracking.fetch import FILE
from analysis.tracking.wandb_artifacts import is_part, outcomes_content
from study.record.cascade import Audit, MaskSample
from study.record.cascade.audit_files import write_audit
from study.record.designs import Design, DesignKind, read_designs, write_design
from study.record.designs.coalitions import kernel_coalitions
from study.record.examples import Examples
from study.record.packed.mask_table import TABLES
from study.record.parts import every_part
from study.record.setting import Setting
from study.record.store import Store, read_parts
from study.record.units import AttentionKind, HeadLayout, UnitLevel

pytestmark = pytest.mark.usefixtures("undrawn")

LAYOUT = HeadLayout({AttentionKind.ENCODER_SELF: (2, 2)})
SETTING = Setting("m", "d", "accuracy", {"labels": ["no", "yes"]}, {"digest": "0", "count": 3}, "accuracy|percent")
IDS = ("a", "b", "c")
KEYS = ["".join(row) for row in product("01", repeat=4)]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A setting whose rows of four masks and more are packed."""
    monkeypatch.setattr("study.record.store.MANY", 4)
    return Store(tmp_path / "lab" / "m" / "d", SETTING, LAYOUT, Examples(IDS, tuple((i,) for i in IDS), ("yes",) * 3))


def fill(store: Store, keys: Sequence[str], coalitions: int) -> None:
    every = pl.DataFrame({"mask": keys}).join(pl.DataFrame({"example": IDS}), how="cross")
    store.write(every.with_columns(correct=1, count=1, margin=pl.lit(0.5, pl.Float32)), {}, together=keys)
    on = kernel_coalitions(4, coalitions, 0)
    options = {"sampling": "kernel"}
    write_design(
        Design(DesignKind.COALITION, UnitLevel.head, tuple(map(str, LAYOUT.heads)), on, options, 0), store.folder
    )


def pushed(source: Path, kept: Path) -> SimpleNamespace:
    """The version of an artifact that holds a setting's folder as it is now."""
    content = outcomes_content(source)
    for name, path in content.files.items():
        (kept / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, kept / name)
    fetched = []

    def download(root: str, **_: object) -> None:
        fetched.append(root)
        shutil.copytree(kept, root, dirs_exist_ok=True)

    about = {"files": content.hashes, **content.about}
    return SimpleNamespace(name=kept.name, metadata=about, download=download, fetched=fetched)


def test_packed_rows_and_designs_that_grow_come_with_a_fetch(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: StandIn
) -> None:
    here, versions = tmp_path / "here", []
    monkeypatch.setattr("analysis.tracking.fetch.versions", lambda _: versions)
    fetched = here / "m" / "d" / store.folder.name
    for keys, coalitions in ((KEYS[:6], 4), (KEYS[6:], 8)):
        fill(store, keys, coalitions)
        versions.append(pushed(store.folder, tmp_path / f"version-{coalitions}"))
        assert main(["fetch", "lab/heads", str(here)]) == 0
        assert read_parts(fetched).rows.sort("mask", "example").equals(store.read().rows.sort("mask", "example"))
        assert [len(one) for one in read_designs(fetched, LAYOUT)[0] if one.options.get("sampling")] == [coalitions + 2]
    assert main(["fetch", "lab/heads", str(here)]) == 0
    assert [len(version.fetched) for version in versions] == [1, 1], "nothing is fetched twice"


def test_audits_are_sent_once_they_are_finished(store: Store) -> None:
    fill(store, KEYS[:6], 4)
    under_way = Audit(1, 0, 0, 1, 3, 0.1, 0.95, 0.025, {KEYS[1]: MaskSample(3, 1)}, {KEYS[1]: (2,)})
    path = write_audit(under_way, store.folder)
    assert not [name for name in outcomes_content(store.folder).files if name.startswith("audits/")]
    write_audit(replace(under_way, passed=True), store.folder)
    name = f"audits/{path.name}"
    assert outcomes_content(store.folder).files[name] == path
    assert FILE.fullmatch(name), "a fetch takes it"


def test_masks_are_sent_and_are_no_rows(store: Store) -> None:
    fill(store, KEYS[:6], 4)
    files = outcomes_content(store.folder).files
    assert {path.name for path in store.folder.glob(TABLES)} <= set(files)
    assert {name for name in files if is_part(name)} == {part.name for part in every_part(store.folder)}
    assert [name for name in files if name.startswith("designs/")]
