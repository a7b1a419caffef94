"""The report: `python -m analysis` of large studies, from stored outcomes to the page, against the time it may take."""

from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from analysis.__main__ import main
from benchmarks.engine.sweeps import single_heads_off
from benchmarks.measure import Way, clocked, in_turns, processor_seconds
from benchmarks.program.page import LAYOUT
from benchmarks.sizes import Sizes
from benchmarks.table import Row
from study.record.examples import Examples
from study.record.metrics import Bleu, Metric, metric
from study.record.setting import Setting
from study.record.store import Store
from study.record.units import AttentionKind, HeadLayout

SECONDS = 60.0
"""Within which a report should be there, on two cores that do nothing else."""

ENCODER = HeadLayout({AttentionKind.ENCODER_SELF: (12,) * 12})
LABELS = ("contradiction", "entailment", "neutral")
WORDS, VOCABULARY = 20, 5000
PARTS = 12
"""Parts of a setting, as a job of some minutes writes."""

Columns = dict[str, np.ndarray | list[str]]


@dataclass(frozen=True)
class Study:
    """A made study of one model.

    Attributes:
        work: what its domains are, in words.
        layout: the heads of the model, each of which was removed alone.
        metric: what its outcomes are scored by.
        domains: how many data sets there are.
        examples: how many examples each of them has.
        rows: outcomes of a mask that changes a share of the examples.
        group: examples that share a premise or a document.
    """

    work: str
    layout: HeadLayout
    metric: Metric
    domains: int
    examples: int
    rows: Callable[[Examples, float, np.random.Generator], Columns]
    group: int = 1

    def write(self, results: Path, masks: int) -> None:
        """Store the outcomes of the full mask and of so many heads."""
        share = 0.3 * np.random.default_rng(0).random(masks)
        for domain in range(self.domains):
            rng = np.random.default_rng(domain + 1)
            examples = self._texts(f"domain{domain}", rng)
            about = {"weights": "made", "labels": list(LABELS)}, {"sha256": examples.digest}
            setting = Setting("made", f"domain{domain}", self.metric.name, *about, self.metric.signature)
            store = Store(results, setting, self.layout, examples)
            frames = []
            for mask, changed in zip(single_heads_off(self.layout)[: masks + 1], (0.0, *share), strict=True):
                own = self.rows(examples, changed, rng)
                key = pl.DataFrame({"mask": [self.layout.key(mask)] * len(examples), "example": examples.ids})
                frames.append(
                    key.with_columns(margin=rng.random(len(examples)), **{k: pl.Series(v) for k, v in own.items()})
                )
            every = pl.concat(frames)
            for part in every.iter_slices(-(-every.height // PARTS)):
                store.write(part, {})

    def _texts(self, data: str, rng: np.random.Generator) -> Examples:
        texts = [" ".join(f"word{word}" for word in rng.integers(VOCABULARY, size=WORDS)) for _ in range(self.examples)]
        labelled = self.metric.name != Bleu.name
        targets = [LABELS[i] for i in rng.integers(3, size=self.examples)] if labelled else texts
        group = tuple(str(i // self.group) for i in range(self.examples))
        ids = tuple(f"{data}-{i}" for i in range(self.examples))
        return Examples(
            ids, tuple((text,) for text in texts), tuple(targets), {"group": group} if self.group > 1 else {}
        )


def report(sizes: Sizes) -> Iterator[Row]:
    """Translations of three attention kinds on four domains, and a classifier on eight data sets in groups of three."""
    translator = Study("sentences, BLEU", LAYOUT, Bleu(), sizes.domains, sizes.stored_sentences, _translated)
    labelled = round(sizes.stored_sentences * 9815 / 3000)
    classifier = Study("labels, accuracy", ENCODER, metric("accuracy"), 2 * sizes.domains, labelled, _labelled, group=3)
    for study in (translator, classifier):
        masks = min(sizes.stored_masks, len(study.layout))
        with TemporaryDirectory() as folder:
            results = Path(folder) / "results"
            study.write(results, masks)
            start = processor_seconds()
            whole = in_turns({"report": Way([clocked(partial(_reported, results))])}, 1)["report"]
            processor = processor_seconds() - start
            alone = clocked(partial(_reported, results, "--data", "domain0"), processor_seconds)()
        per_domain = processor / study.domains
        yield Row(
            part="report",
            work=f"report of {masks} heads × {study.domains} domains × {study.examples:,} {study.work}",
            against=f"the {SECONDS:g} seconds that it may take on two quiet cores",
            ours=whole.seconds,
            theirs=SECONDS,
            target=1,
            memory=whole.memory,
            note=f"{processor:.0f} processor seconds, {per_domain:.1f} a domain; of one domain alone {alone:.1f}",
            figures={"processor": processor, "one_domain": alone},
        )


def _reported(results: Path, *options: str) -> None:
    """The whole command, its words thrown away."""
    with redirect_stdout(StringIO()):
        assert main([str(results), "--out", str(results.parent / "out"), *options]) == 0


def _labelled(examples: Examples, changed: float, rng: np.random.Generator) -> Columns:
    """Predictions right for most examples, and another one for a share of them."""
    gold = np.array([LABELS.index(target) for target in examples.targets])
    base = np.where(np.random.default_rng(len(gold)).random(len(gold)) < 0.85, gold, (gold + 1) % 3)
    other = rng.random(len(gold)) < changed / 4
    predicted = np.where(other, rng.integers(3, size=len(gold)), base)
    ones = np.ones(len(gold), dtype=np.int64)
    return {"correct": (predicted == gold).astype(np.int64), "count": ones, "prediction": predicted}


def _translated(examples: Examples, changed: float, rng: np.random.Generator) -> Columns:
    """Translations, of which a mask changes a share: other words, some more or fewer than in the reference."""
    count, own = len(examples), np.random.default_rng(len(examples))
    other = rng.random(count) < changed
    length = WORDS + np.where(other, rng.integers(-2, 3, count), 0)
    found: Columns = {"hypothesis_length": length, "reference_length": np.full(count, WORDS)}
    for order, share in enumerate((0.7, 0.45, 0.3, 0.2), start=1):
        usual = own.binomial(WORDS + 1 - order, share, count)
        found[f"correct_{order}"] = np.where(other, rng.binomial(WORDS - 1 - order, share, count), usual)
        found[f"total_{order}"] = length + 1 - order
    texts = [f"{text} {rng.integers(1000)}" if new else text for text, new in zip(examples.targets, other, strict=True)]
    return found | {"hypothesis": texts, "hypothesis_score": -rng.random(count)}
