"""Probe: which word depends on which, found from all heads at once, trained on some treebanks and scored on another."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from study.data.syntax.treebanks import read_treebanks
from study.engine.pairs import TableRequest
from study.engine.probes import ProbeRequest, keep_probe
from study.measures.measure import MaskRequest, Measure
from study.record.errors import InputError, listed
from study.record.examples import Examples
from study.record.files import name_of
from study.record.syntax import Tree
from study.record.syntax.attachment import attached
from study.record.syntax.probe import ProbeTraining, read_probe
from study.record.tables import ProbedHeads
from study.record.units import stack

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator

MOST_SEEN = 0.1
"""Share of the scored sentences that training may have seen: short ones, such as greetings, stand in many treebanks."""

MOST_UNLIKE = 0.1
"""Share of the scored words that may have a relation which is in no tree of the training."""


@dataclass(kw_only=True)
class ProbeMeasure(Measure):
    """The attention-only probe of Clark et al. (2019, section 5), trained on treebanks and scored on the data.

    Attributes:
        train: the treebanks that it is trained on, CoNLL-U files.
        learning_rates: step sizes of Adam that are tried; the first is the paper's. Random weights need larger ones, as
            all of their attention is much alike.
        epochs: times that the sentences are gone through at most: rate and epoch with the smallest loss on held-out
            ones are taken.
        held_out: share of the training sentences that only decide this, whole documents.
        seed: seed of the share that is held out, and of the order of sentences.
    """

    masks_units: ClassVar[bool] = False
    reads: ClassVar[bool] = True

    name: str = "probe"
    train: list[Path] = field(default_factory=list)
    learning_rates: list[float] = field(default_factory=lambda: [0.002, 0.02, 0.2])
    epochs: int = 10
    held_out: float = 0.1
    seed: int = 0

    def check_examples(self, examples: Examples) -> None:
        """Refuse data without trees, treebanks that do not fit it, and options that make no sense."""
        super().check_examples(examples)
        if not self.train:
            raise InputError("measure=probe is trained before it is scored: measure.train=[FILE,FILE] names treebanks")
        if self.epochs < 1 or self.seed < 0:
            raise InputError("measure.epochs must be at least 1, and measure.seed at least 0")
        if not 0 < self.held_out < 1:
            raise InputError("measure.held_out must be a share between 0 and 1")
        if not self.learning_rates or not all(0 < rate < math.inf for rate in self.learning_rates):
            raise InputError("measure.learning_rates must be at least one number, each above 0")
        if examples.trees is None:
            raise InputError("measure=probe compares with trees, which this data has not: data=ud_file has them")
        known, _ = read_treebanks(self.train)
        if len(set(known.columns["group"])) < 2:
            raise InputError("measure.held_out takes whole documents, and measure.train has one: add a treebank")
        self._refuse_seen(examples, known)
        self._refuse_unlike(examples.trees, known.trees or ())

    def _refuse_seen(self, examples: Examples, known: Examples) -> None:
        texts = {text[0] for text in known.texts}
        seen = sum(text[0] in texts for text in examples.texts)
        if seen > MOST_SEEN * len(examples):
            raise InputError(
                f"{seen:,} of the {len(examples):,} sentences of the data are in {self._files} too: a probe is "
                f"scored on sentences that it was not trained on"
            )

    def _refuse_unlike(self, trees: Sequence[Tree], known: Sequence[Tree]) -> None:
        """Refuse trees of another scheme than those of the training (Stanford's pobj beside UD's obl)."""
        there = {_base(relation) for tree in known for relation in tree.relations}
        scored = [_base(relation) for tree in trees for relation in tree.relations]
        unlike = [relation for relation in scored if relation not in there]
        if len(unlike) > MOST_UNLIKE * len(scored):
            raise InputError(
                f"{listed(sorted(set(unlike)))} are relations of {len(unlike):,} of the {len(scored):,} words of the "
                f"data, and no relations of {self._files}: the trees seem to follow different schemes"
            )

    @property
    def _files(self) -> str:
        return listed([path.name for path in self.train])

    def _probe(self) -> ProbeRequest:
        """The probe that it needs."""
        examples, digest = read_treebanks(self.train)
        training = ProbeTraining(
            files=tuple(map(name_of, self.train)),
            digest=digest,
            sentences=len(examples),
            learning_rates=tuple(self.learning_rates),
            epochs=self.epochs,
            held_out=self.held_out,
            seed=self.seed,
        )
        return ProbeRequest(training, examples)

    def request(self, evaluator: "Evaluator") -> MaskRequest:
        """What the probe finds with every head of the model on; and the probe, where it is not there yet."""
        wanted, layout = self._probe(), evaluator.layout
        probe = read_probe(wanted.training.id, evaluator.store.folder)
        rows = TableRequest(ProbedHeads(wanted.training.id, probe), layout.full()[None])
        return MaskRequest(stack([], layout), others=(rows,), probe=None if probe else wanted)

    def run(self, evaluator: "Evaluator") -> None:
        """Train the probe where there is none, then score it."""
        request = self.request(evaluator)
        if request.probe is not None:
            keep_probe(evaluator, request.probe)
        super().run(evaluator)

    def findings(self, evaluator: "Evaluator") -> dict[str, Any]:
        """The unlabelled attachment score, percent, of the sentences of this job that training has not seen."""
        probe = read_probe(self._probe().training.id, evaluator.store.folder)
        if probe is None or evaluator.examples.trees is None:
            return {}
        heads = dict(evaluator.store.read(ProbedHeads(probe.training.id)).rows.select("example", "head").iter_rows())
        trees = dict(zip(evaluator.examples.ids, evaluator.examples.trees, strict=True))
        scored = [name for name in trees if name in heads and name not in probe.seen]
        right, words = attached([heads[name] for name in scored], [trees[name] for name in scored])
        return {"uas": 100 * right / words, "words": words} if words else {}


def _base(relation: str) -> str:
    """A relation without its subtype: `nsubj` of `nsubj:pass`."""
    return relation.partition(":")[0]
