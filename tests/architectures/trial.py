"""A trial: one tiny classifier, every head of it off in turn, by `study` as a user runs it and by the oracle."""

import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from fixtures.cases import LABELS
from omegaconf import DictConfig

from study.certification.certify import CertificationError
from study.config import compose, to_study
from study.jobs.measuring import MeasuringJob
from study.jobs.task import StudyTask
from study.observing.patterns import PatternError
from study.observing.proof import prove_patterns
from study.record.errors import InputError
from study.record.parts import read_provenance
from study.record.units import AttentionKind, Head, HeadLayout
from study.subjects.subject import Subject

from .oracle import Answer, Oracle, Place
from .tiny import LONGEST, save, tiny
from .ways import WAYS

TOLERANCE = 1e-4
"""Largest difference of a loss that rounding may explain, as a share of the loss where that is more than 1."""

NUM_EXAMPLES = 6


@dataclass(frozen=True)
class Outcome:
    """How a trial ended.

    Attributes:
        heads: as the log tells them, `8 encoder_self`; empty where refused.
        engine: its name; empty where refused.
        patterns: how its attention patterns are seen, or why they cannot be told; empty where refused.
        refusal: the words of the refusal; empty where it was studied.
        faults: what was computed and is not right, in words.
        warnings: what the log warned of.
    """

    heads: str = ""
    engine: str = ""
    patterns: str = ""
    refusal: str = ""
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def try_architecture(kind: str, folder: Path, ways: Sequence[str] = tuple(WAYS)) -> dict[str, Outcome]:
    """The outcome of every way that a tiny model of this `model_type` can be run.

    Args:
        kind: the `model_type`.
        folder: an empty one, to work in.
        ways: which ones, of `WAYS`.

    Raises:
        ImportError: where transformers cannot make the model without a package that is not here.
    """
    model = tiny(kind)
    save(model, folder / "model")
    texts, gold = _write_pairs(folder / "pairs.tsv")
    oracles: dict[str | None, Oracle | None] = {}
    outcomes = {}
    for number, name in enumerate(ways):
        way, place = WAYS[name], folder / str(number)
        if not way.fits(model):
            continue
        shutil.copytree(folder / "model", place / "model")
        shutil.copy(folder / "pairs.tsv", place)
        way.take(place / "model", kind)
        with torch.compiler.set_stance("force_eager"):  # compiling flex attention takes a minute for each length
            if way.attention not in oracles:
                oracles[way.attention] = _oracle(place / "model", texts, gold)
            outcomes[name] = _try(place, oracles[way.attention])
    return outcomes


def _oracle(folder: Path, texts: Sequence[tuple[str, str]], gold: Sequence[int]) -> Oracle | None:
    """The oracle; None where plain transformers itself cannot run the model so."""
    try:
        return Oracle(folder, texts, gold)
    except Exception:  # noqa: BLE001  # each architecture has errors of its own
        return None


def _try(place: Path, oracle: Oracle | None) -> Outcome:
    """What `study` makes of `model` and `pairs.tsv` in a folder."""
    with _heard() as records:
        try:
            StudyTask()(_config(place))
        except (InputError, CertificationError) as error:
            return Outcome(refusal=str(error).replace(str(place), "FOLDER"))
    parts = list((place / "results").rglob("part-*.parquet"))
    (setting,) = (place / "results").rglob("setting.json")
    layout = HeadLayout.from_json(json.loads(setting.read_text()))
    return Outcome(
        heads=str(layout),
        engine=read_provenance(parts[0])["engine"],
        patterns=sight(MeasuringJob(to_study(_config(place))).subject()),
        faults=tuple(_faults(pl.concat([pl.read_parquet(part) for part in parts]), layout, oracle)),
        warnings=tuple(r.getMessage().replace(str(place), "FOLDER") for r in records if r.levelno >= logging.WARNING),
    )


def _config(place: Path) -> DictConfig:
    return compose(
        "model=hf_classifier",
        f"model.path={place / 'model'}",
        f"model.max_length={LONGEST}",
        "data=nli_file",
        f"data.path={place / 'pairs.tsv'}",
        "measure=ablation",
        f"results={place / 'results'}",
        "device=cpu",
    )


def sight(subject: Subject) -> str:
    """How the attention patterns of a model are seen and proved, or why they cannot be told."""
    try:
        return str(prove_patterns(subject))
    except PatternError as error:
        return f"refused: {str(error).splitlines()[-1].strip(' -')}"


@contextmanager
def _heard() -> Iterator[list[logging.LogRecord]]:
    """What `study` logs within the block."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append
    log = logging.getLogger("study")
    log.addHandler(handler)
    try:
        yield records
    finally:
        log.removeHandler(handler)


def _write_pairs(path: Path) -> tuple[list[tuple[str, str]], list[int]]:
    """Write a file of pairs of many lengths; their texts and gold labels."""
    generator = np.random.default_rng(0)
    texts, gold = [], [i % len(LABELS) for i in range(NUM_EXAMPLES)]
    for length in generator.permutation(np.linspace(2, LONGEST - 3, NUM_EXAMPLES).astype(int)):
        words = [f"w{i}" for i in generator.integers(0, 60, length)]
        first = int(generator.integers(1, length))
        texts.append((" ".join(words[:first]), " ".join(words[first:])))
    rows = [f"{i}\t{a}\t{b}\t{LABELS[g]}" for i, ((a, b), g) in enumerate(zip(texts, gold, strict=True))]
    path.write_text("\n".join(["id\tpremise\thypothesis\tlabel", *rows]) + "\n")
    return texts, gold


def _faults(stored: pl.DataFrame, layout: HeadLayout, oracle: Oracle | None) -> Iterator[str]:
    """Where stored outcomes are not the oracle's."""
    if oracle is None:
        yield "it was studied, but plain transformers cannot run it"
        return
    places = _places(layout)
    for place in oracle.without.keys() - places.values():
        yield f"{place} is left out"
    yield from _differences("every head on", stored, layout.full_key, oracle.base)
    for head, place in places.items():
        if place in oracle.without:
            yield from _differences(f"{head} off", stored, layout.key(layout.without([head])), oracle.without[place])
        else:
            yield f"{head} is no head"


def _places(layout: HeadLayout) -> dict[Head, Place]:
    """The oracle's place of each head: it counts no layers without heads, and names no direction."""
    layers = {kind: [layer for k, layer in layout.layers if k == kind] for kind in layout.counts}
    one_kind = len(layout.counts) == 1
    return {
        head: Place(
            AttentionKind.ENCODER_SELF if one_kind else head.kind, layers[head.kind].index(head.layer), head.index
        )
        for head in layout.heads
    }


def _differences(what: str, stored: pl.DataFrame, mask: str, answer: Answer) -> Iterator[str]:
    rows = stored.filter(pl.col("mask") == mask).sort(pl.col("example").cast(int))
    expected = np.array(answer.losses)
    difference = (np.abs(rows["loss"].to_numpy() - expected) / np.maximum(1, expected)).max()
    predictions = rows["prediction"].to_numpy() != np.array(answer.predictions)
    wrong = int((predictions & (np.array(answer.margins) > TOLERANCE)).sum())
    if not difference <= TOLERANCE or wrong:
        yield f"{what}: a loss differs by {difference:.2g}, {wrong} of {rows.height} predictions differ"
