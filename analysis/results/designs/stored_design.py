"""Stored designs: sets of masks with a meaning, and the outcomes of these masks on the examples they share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from analysis.replacements import with_draws
from analysis.results.domain import Domain, usual_masks
from study.record.designs import Design, DesignKind, read_designs, standard_designs
from study.record.designs.files import FOLDER
from study.record.designs.names import LOSE
from study.record.examples import WEIGHT
from study.record.metrics import METRICS
from study.record.reading.ledger import Ledger
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
    every = read_examples(domain.folder)
    examples = with_draws(every, domain.replacement.draws, limit)
    within, layout = domain.setting.tolerance, domain.layout
    is_summed = _is_summed(domain, examples)
    many = [design for design in designs if is_summed and design.kind in SUMMED]
    keys = {key for design in designs if design not in many for key in design.keys(layout)}
    wanted = pl.col("mask").is_in(pl.Series([*keys, *usual_masks(layout)]).implode())
    rows = read_parts(domain.folder, within=within, layout=layout, wanted=wanted).rows
    rows = rows.filter(pl.col("example").is_in(examples["example"].implode()))
    ledger = Ledger(domain.folder, examples["example"].to_list(), layout, every["example"], within=within)
    found = []
    for design in designs:
        if design in many:
            ledger.update()
            own, kept = _shared(design, ledger, layout)
        else:
            own, kept = _common(design, rows, layout)
        found.append(_designed(design, domain, rows, examples, own, kept, is_summed=design in many))
    return [one for one in found if one is not None]


SUMMED = (DesignKind.COALITION, DesignKind.PAIR)
"""Designs of very many masks, whose rows are not kept."""


def _is_summed(domain: Domain, examples: pl.DataFrame) -> bool:
    """Whether sums say all of these outcomes, by whatever metric they are scored."""
    by = [kind for kind in METRICS.values() if domain.metric.task in kind.tasks]
    return WEIGHT not in examples.columns and all(kind.is_additive for kind in by)


def _designed(
    design: Design,
    domain: Domain,
    rows: pl.DataFrame,
    examples: pl.DataFrame,
    own: pl.Series,
    kept: Sequence[int],
    *,
    is_summed: bool,
) -> StoredDesign | None:
    """A design on some examples, with those of its masks that have them all; None where there is none."""
    layout = domain.layout
    wanted = pl.Series([*dict.fromkeys([*([] if is_summed else design.keys(layout)), *usual_masks(layout)])])
    rows = rows.filter(pl.col("example").is_in(own.implode()) & pl.col("mask").is_in(wanted.implode()))
    whole = _complete(rows, own)
    if not kept or layout.full_key not in whole:
        return None
    some = examples.filter(pl.col("example").is_in(own.implode()))
    rows = with_weights(rows.filter(pl.col("mask").is_in(pl.Series([*whole]).implode())), some)
    rows = with_statistics(rows, some, domain.metric)
    return StoredDesign(
        design=replace(design, on=design.on[kept], names=tuple(design.names[i] for i in kept if design.names)),
        domain=replace(domain, examples=some, rows=rows, curves=(), kept=(), left_out=(), is_summed=is_summed),
        asked=len(design),
        chose=int(examples["example"].is_in(pl.Series(design.examples, dtype=pl.String).implode()).sum()),
    )


def _complete(rows: pl.DataFrame, examples: pl.Series) -> set[str]:
    """The masks that have a row of each of some examples, of which the rows are; none of no example."""
    return set(rows.group_by("mask").len().filter(len=examples.len())["mask"]) if examples.len() else set()


def _shared(design: Design, ledger: Ledger, layout: HeadLayout) -> tuple[pl.Series, list[int]]:
    """As `_common`, of a design whose rows are not there, by what is stored of each mask."""
    masks, place = np.unique(design.keys(layout), return_inverse=True)
    full, there = ledger.has([layout.full_key])[0], ledger.has(masks.tolist())
    there &= full
    found, most, kept = np.zeros_like(full), 0, list[int]()
    for pattern in np.unique(np.packbits(there, axis=1), axis=0):
        examples = np.unpackbits(pattern, count=len(full)).astype(bool)
        whole = _whole(design, there[:, examples].all(axis=1)[place].tolist())
        if (used := len(whole) * int(examples.sum())) > most:
            found, most, kept = examples, used, whole
    return pl.Series(np.array(ledger.examples)[found], dtype=pl.String), kept


def _common(design: Design, rows: pl.DataFrame, layout: HeadLayout) -> tuple[pl.Series, list[int]]:
    """The examples that a design is scored on, and its masks that have all of them, by number.

    The examples are those on which the most of its masks can be scored, times how many they are. Masks are shared
    between designs, and may have been measured on more examples than this one needs, or on fewer. Steps are scored on
    the examples that chose them, and the sets that a search ends with on others, which the set it chose, the first,
    must have.
    """
    keys = design.keys(layout)
    own = _examples(design, keys, rows, layout.full_key)
    there = rows.filter(pl.col("example").is_in(own.implode()) & pl.col("mask").is_in(pl.Series(keys).implode()))
    whole = _complete(there, own)
    return own, _whole(design, [key in whole for key in keys])


def _examples(design: Design, keys: Sequence[str], rows: pl.DataFrame, full: str) -> pl.Series:
    """The examples of `_common`."""
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
