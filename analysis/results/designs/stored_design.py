"""Stored designs: sets of masks with a meaning, and the outcomes of these masks on the examples they share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from analysis.replacements import with_draws
from analysis.results.domain import Domain, usual_masks
from study.record.designs import Design, DesignKind, read_designs, standard_designs
from study.record.designs.files import FOLDER
from study.record.designs.names import LOSE
from study.record.scores import with_statistics, with_weights
from study.record.store import read_examples, read_parts
from study.record.units import HeadLayout


@dataclass(frozen=True, eq=False)
class StoredDesign:
    """A design and the outcomes of its masks.

    Attributes:
        design: the masks that have outcomes; of coalitions the first ones, as far as none lacks any.
        domain: the outcomes of these masks, of the full one and of single units, on the examples that these masks have
            in common; of steps on the examples that chose, of the sets that came of them on others.
        asked: how many masks the design has.
        chose: how many examples chose which masks there are.
    """

    design: Design
    domain: Domain
    asked: int
    chose: int

    @property
    def keys(self) -> list[str]:
        """The names of its masks."""
        return self.design.keys(self.domain.layout)


def stored_designs(folder: Path, layout: HeadLayout) -> tuple[list[Design], list[str]]:
    """The designs that a setting's folder has files of, and what is wrong with others; costs nothing without any."""
    if not (folder / FOLDER).is_dir():
        return [], []
    designs, wrong = read_designs(folder, layout)
    return designs[len(standard_designs(layout)) :], wrong


def masks_of_designs(designs: Sequence[Design], layout: HeadLayout) -> set[str]:
    """Keys of the masks that are in these designs and mean nothing without them."""
    return {key for design in designs for key in design.keys(layout)} - set(usual_masks(layout))


def design_domains(domain: Domain, limit: int | None = None) -> list[StoredDesign]:
    """The designs of a domain's folder with their outcomes; those of which there are none yet are left out.

    Args:
        domain: what is stored of single units.
        limit: examples that are read, as those of the domain.

    Raises:
        StoreError: when a part cannot be read.
    """
    designs, _ = stored_designs(domain.folder, domain.layout)
    if not designs:
        return []
    examples = with_draws(read_examples(domain.folder), domain.replacement.draws, limit)
    rows = read_parts(domain.folder, within=domain.setting.tolerance, layout=domain.layout).rows
    rows = rows.filter(pl.col("example").is_in(examples["example"].implode()))
    found = (_designed(design, domain, rows, examples) for design in designs)
    return [one for one in found if one is not None]


def _designed(design: Design, domain: Domain, rows: pl.DataFrame, examples: pl.DataFrame) -> StoredDesign | None:
    layout = domain.layout
    keys = design.keys(layout)
    own = _examples(design, keys, rows, layout.full_key)
    wanted = pl.Series([*dict.fromkeys([*keys, *usual_masks(layout)])])
    rows = rows.filter(pl.col("example").is_in(own.implode()) & pl.col("mask").is_in(wanted.implode()))
    counts = dict(rows.group_by("mask").len().iter_rows())
    whole = {mask for mask, count in counts.items() if count == own.len()} if own.len() else set()
    kept = _whole(design, [key in whole for key in keys])
    if not kept or layout.full_key not in whole:
        return None
    some = examples.filter(pl.col("example").is_in(own.implode()))
    rows = with_weights(rows.filter(pl.col("mask").is_in(pl.Series([*whole]).implode())), some)
    return StoredDesign(
        design=replace(design, on=design.on[kept], names=tuple(design.names[i] for i in kept if design.names)),
        domain=replace(
            domain, examples=some, rows=with_statistics(rows, some, domain.metric), curves=(), kept=(), left_out=()
        ),
        asked=len(design),
        chose=int(examples["example"].is_in(pl.Series(design.examples, dtype=pl.String).implode()).sum()),
    )


def _examples(design: Design, keys: Sequence[str], rows: pl.DataFrame, full: str) -> pl.Series:
    """The examples that a design is scored on: those on which the most of its masks can be, times how many they are.

    Masks are shared between designs, and may have been measured on more examples than this one needs, or on fewer.
    Steps are scored on the examples that chose them, and the sets that a search ends with on others, which the set it
    chose, the first, must have.
    """
    base = rows.filter(mask=full)["example"]
    if LOSE in design.options:
        chose = base.is_in(pl.Series(design.examples, dtype=pl.String).implode())
        if design.kind is DesignKind.STEP:
            return base.filter(chose)
        base = base.filter(~chose)
        base = base.filter(base.is_in(rows.filter(mask=keys[0])["example"].implode()))
    own = rows.filter(pl.col("mask").is_in(pl.Series([*keys]).implode()) & pl.col("example").is_in(base.implode()))
    alike = own.group_by("mask").agg(pl.col("example").hash().sum().alias("same"))
    found, most = base.clear(), 0
    for mask in alike.sort("mask").unique("same", keep="first")["mask"]:
        examples = own.filter(mask=mask)["example"]
        counts = own.filter(pl.col("example").is_in(examples.implode())).group_by("mask").len()
        whole = set(counts.filter(len=examples.len())["mask"])
        used = len(_whole(design, [key in whole for key in keys])) * examples.len()
        if used > most:
            found, most = examples, used
    return found


def _whole(design: Design, whole: Sequence[bool]) -> list[int]:
    """The masks of a design that have all outcomes: of coalitions those before the first that has not."""
    if design.kind is not DesignKind.COALITION:
        return [number for number, is_whole in enumerate(whole) if is_whole]
    return list(range(whole.index(False) if False in whole else len(whole)))
