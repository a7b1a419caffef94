"""The training of a probe: Adam, a sentence a step; what is held out decides at which rate, and until which epoch.

With the same seed the same numbers come out on one machine. Maps are read once where there is room for all of them,
else again in every epoch, a few hundred sentences at a time: that changes the time, and no number beyond rounding in
half precision.

Shapes: H heads, W words of a sentence.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import psutil
import torch
from jaxtyping import Bool, Float, Int

from study.observing.probing.scores import (
    ProbeTensors,
    head_scores,
    scores_of_sums,
    sentence_loss,
    single_choices,
)
from study.observing.probing.word_links import EXTRA, WordLinks, read_heads, read_links
from study.record.syntax import Tree
from study.record.syntax.probe import ProbeEpoch, ProbeTraining, SyntaxProbe
from study.record.syntax.tree import PUNCTUATION
from study.subjects.subject import Subject, TokenRow
from study.terminal.progress import progress

AT_ONCE = 256
"""Sentences whose maps are read together."""

MEMORY_SHARE = 0.25
"""Share of the free memory that kept maps may take."""

FARTHEST = 10
"""Offsets from -10 to 10 are tried."""

HELD_OUT, ORDER = 1, 2
"""Streams of random numbers of the seed."""

SAMPLE = 64
"""Sentences that are read to tell how long all of them will take."""


@dataclass(frozen=True)
class Sentence:
    """A sentence with its tree.

    Attributes:
        links: what the probe reads of it.
        heads: number of the word that each depends on, 0 for the root.
        counts: which words count as right or wrong: all but punctuation.
    """

    links: WordLinks
    heads: Int[np.ndarray, " W"]
    counts: Bool[np.ndarray, " W"]


@dataclass
class Treebank:
    """Sentences with their trees, whose maps are kept where there is room for them.

    Attributes:
        subject: what reads them.
        rows: the sentences, with texts and words.
        trees: their trees.
        advance: called with the number of sentences that come next; None: nobody waits.
        room: bytes that kept maps may take.
    """

    subject: Subject
    rows: Sequence[TokenRow]
    trees: Sequence[Tree]
    advance: Callable[[int], None] | None = None
    room: float = field(default_factory=lambda: MEMORY_SHARE * psutil.virtual_memory().available)
    _kept: dict[int, WordLinks] = field(default_factory=dict)

    @property
    def is_kept(self) -> bool:
        """Whether maps are read once."""
        squares = sum((len(tree) + EXTRA) ** 2 for tree in self.trees)
        return len(read_heads(self.subject.layout)) * squares * np.dtype(np.float16).itemsize <= self.room

    def read(self, order: Sequence[int]) -> Iterator[Sentence]:
        """Some of the sentences, by their positions, in this order."""
        for start in range(0, len(order), AT_ONCE):
            chosen = list(order[start : start + AT_ONCE])
            lacking = [i for i in chosen if i not in self._kept]
            new = dict(zip(lacking, read_links(self.subject, [self.rows[i] for i in lacking]), strict=True))
            if self.advance is not None:
                self.advance(len(chosen))
            if self.is_kept:
                self._kept |= new
            for i in chosen:
                tree = self.trees[i]
                counts = np.array([relation != PUNCTUATION for relation in tree.relations])
                yield Sentence(new.get(i) or self._kept[i], np.array(tree.heads), counts)


def train_probe(
    subject: Subject,
    rows: Sequence[TokenRow],
    trees: Sequence[Tree],
    groups: Sequence[str],
    training: ProbeTraining,
) -> SyntaxProbe:
    """Train a probe.

    Args:
        subject: a certified model.
        rows: the sentences, with texts and words.
        trees: the tree of each.
        groups: the document of each, or what else makes sentences dependent.
        training: how it is trained.

    Raises:
        PatternError: when the patterns of this model cannot be told.
        InputError: when the pieces of a text do not spell its words.
    """
    treebank, held = Treebank(subject, rows, trees), held_out(groups, training)
    total = training.epochs * len(rows) + int(held.sum())  # in the end, once more: what each head is needed for
    with progress(f"probe of {subject.loaded}", total, "sentences") as treebank.advance:
        return _trained(treebank, np.flatnonzero(~held), np.flatnonzero(held).tolist(), training)


def _trained(
    treebank: Treebank, learnt: Int[np.ndarray, " n"], kept: Sequence[int], training: ProbeTraining
) -> SyntaxProbe:
    """The probe that learns from some of the sentences; others decide at which rate, and until when."""
    heads, trees = read_heads(treebank.subject.layout), treebank.trees
    singles, race = SingleHeads(len(heads)), Race(training.learning_rates, len(heads))
    rng = np.random.default_rng([training.seed, ORDER])
    for number in range(training.epochs):
        order = rng.permutation(learnt).tolist()
        race.learn(treebank.read(order), [singles] if number == 0 else [])
        race.judge(treebank.read(kept))
    single, to_head = singles.best
    rate = race.best_rate
    course = tuple(race.courses[rate])
    return SyntaxProbe(
        training=training,
        heads=tuple(map(str, heads)),
        weights=race.best.to_weights(),
        learning_rate=training.learning_rates[rate],
        course=course,
        epoch=1 + int(np.argmin([epoch.held_out_loss for epoch in course])),
        held_out_sentences=len(kept),
        held_out_words=sum(relation != PUNCTUATION for i in kept for relation in trees[i].relations),
        loss_without=tuple(_losses_without(race.best, treebank.read(kept)).tolist()),
        offset=best_offset([trees[i] for i in learnt.tolist()]),
        single_head=str(heads[single]),
        single_to_head=to_head,
    )


class Race:
    """Probes that are trained side by side, each at its own rate, on the same sentences in the same order.

    Attributes:
        courses: every epoch so far, by rate.
        best: the probe of the smallest loss on held-out sentences so far.
    """

    def __init__(self, rates: Sequence[float], num_heads: int) -> None:
        """Begin with blank probes."""
        self._probes = [ProbeTensors.blank(num_heads) for _ in rates]
        each = [[probe.heads.requires_grad_(), probe.root.requires_grad_()] for probe in self._probes]
        groups = [{"params": own, "lr": rate} for own, rate in zip(each, rates, strict=True)]
        self._optimiser = torch.optim.Adam(groups)
        self._losses: list[float] = []
        self._least = np.inf
        self.courses: list[list[ProbeEpoch]] = [[] for _ in rates]
        self.best = self._probes[0]

    @property
    def _together(self) -> ProbeTensors:
        return ProbeTensors(
            *(torch.stack([getattr(probe, name) for probe in self._probes]) for name in ("heads", "root"))
        )

    def learn(self, sentences: Iterable[Sentence], counters: "Sequence[SingleHeads]" = ()) -> None:
        """Go through sentences once, a step each."""
        total, words = np.zeros(len(self._probes)), 0
        for sentence in sentences:
            losses = sentence_loss(head_scores(self._together, sentence.links), torch.from_numpy(sentence.heads))
            self._optimiser.zero_grad()
            losses.sum().backward()
            self._optimiser.step()
            total, words = total + losses.detach().numpy(), words + len(sentence.heads)
            for counter in counters:
                counter.count(sentence)
        self._losses = (total / words).tolist()

    @torch.no_grad()
    def judge(self, sentences: Iterable[Sentence]) -> None:
        """End an epoch: score held-out sentences, and keep the best probe."""
        total, words, right = np.zeros(len(self._probes)), 0, np.zeros(len(self._probes), dtype=np.int64)
        for sentence in sentences:
            scores, heads = head_scores(self._together, sentence.links), torch.from_numpy(sentence.heads)
            total, words = total + sentence_loss(scores, heads).numpy(), words + len(heads)
            right += ((scores.argmax(-1) == heads).numpy() & sentence.counts).sum(-1)
        for at, course in enumerate(self.courses):
            course.append(ProbeEpoch(self._losses[at], float(total[at] / words), int(right[at])))
        first = int(total.argmin())
        if total[first] / words < self._least:
            self._least, own = total[first] / words, self._probes[first]
            self.best = ProbeTensors(own.heads.detach().clone(), own.root.detach().clone())

    @property
    def best_rate(self) -> int:
        """The position of the rate of the best probe."""
        return int(np.argmin([min(epoch.held_out_loss for epoch in course) for course in self.courses]))


def seconds_of_training(
    subject: Subject, rows: Sequence[TokenRow], trees: Sequence[Tree], training: ProbeTraining
) -> float:
    """How long a training will take, by reading a few of its sentences and going through them."""
    chosen = np.unique(np.linspace(0, len(rows) - 1, SAMPLE).round().astype(int)).tolist()
    treebank, race = Treebank(subject, rows, trees), Race(training.learning_rates, len(read_heads(subject.layout)))
    begin = time.perf_counter()
    sentences = list(treebank.read(chosen))
    reading = time.perf_counter() - begin
    race.learn(sentences)
    learning = time.perf_counter() - begin - reading
    share = sum(row.cost for row in rows) / sum(rows[i].cost for i in chosen)
    return share * (reading * (1 if treebank.is_kept else training.epochs) + learning * training.epochs)


def held_out(groups: Sequence[str], training: ProbeTraining) -> Bool[np.ndarray, " sentences"]:
    """Which sentences are held out: whole groups, drawn by the seed, until their share is reached; never the last."""
    names, place, sizes = np.unique(np.array(groups), return_inverse=True, return_counts=True)
    drawn = np.random.default_rng([training.seed, HELD_OUT]).permutation(len(names))
    before = np.cumsum(sizes[drawn]) - sizes[drawn]
    taken = drawn[:-1][before[:-1] < training.held_out * len(groups)]
    return np.isin(place, taken)


@torch.no_grad()
def _losses_without(probe: ProbeTensors, sentences: Iterator[Sentence]) -> Float[np.ndarray, " H"]:
    """By head, the mean loss of a word when its weights are 0, nats."""
    totals, words = np.zeros(probe.heads.shape[1]), 0
    for sentence in sentences:
        maps, heads = torch.from_numpy(sentence.links.maps).float(), torch.from_numpy(sentence.heads)
        own = probe.heads[0, :, None, None] * maps + probe.heads[1, :, None, None] * maps.mT
        scores_HWW = scores_of_sums(own.sum(0) - own, probe.root, has_ends=sentence.links.has_ends)
        totals += sentence_loss(scores_HWW, heads).numpy()
        words += len(heads)
    return totals / words


class SingleHeads:
    """Counts how often each head finds the head of a word by itself, in both directions."""

    def __init__(self, num_heads: int) -> None:
        """Nothing is counted yet."""
        self._right = np.zeros((2, num_heads), dtype=np.int64)

    def count(self, sentence: Sentence) -> None:
        """Count a sentence; the root, which they cannot find, is never right."""
        found = single_choices(sentence.links)
        self._right += ((found == sentence.heads) & (sentence.heads > 0) & sentence.counts).sum(-1)

    @property
    def best(self) -> tuple[int, bool]:
        """The position of the head that is right most often, and whether that is by attention to the head of a word."""
        direction, head = np.unravel_index(self._right.argmax(), self._right.shape)
        return int(head), bool(direction == 0)


def best_offset(trees: Sequence[Tree]) -> int:
    """The position of the head less that of the word that is right most often, punctuation aside."""
    offsets = [
        head - number
        for tree in trees
        for number, (head, relation) in enumerate(zip(tree.heads, tree.relations, strict=True), start=1)
        if head and relation != PUNCTUATION and abs(head - number) <= FARTHEST
    ]
    values, counts = np.unique(offsets, return_counts=True)
    return int(values[counts.argmax()]) if len(values) else 1
