"""How much is measured: the default takes less than twenty minutes on two cores, the quick one a few seconds."""

from dataclasses import dataclass, replace

SLOW_MASKS = 8
"""Masks on which a slow loop is timed; its time is then scaled to all of them."""


@dataclass(frozen=True)
class Shape:
    """Sizes of a BERT."""

    layers: int
    heads: int
    width: int
    inner: int
    words: int = 30522


@dataclass(frozen=True)
class DecoderShape:
    """Sizes of a Llama."""

    layers: int
    heads: int
    groups: int
    width: int
    inner: int
    words: int


@dataclass(frozen=True)
class Sizes:
    """What is measured.

    Attributes:
        examples: examples of the small classifier; other parts take a share of them.
        sentences: sentences to translate.
        repeats: rounds in which everything is timed once; medians are shown.
        small: shape of the classifier where no trained one is at hand.
        large: shape of the large classifier.
        slow_masks: masks on which a slow loop is timed.
        stored_masks: masks in the store.
        stored_sentences: sentences in the store.
        domains: domains of a report; of a classifier twice as many.
        packed_masks: masks whose rows are packed, enough for them to be.
        resamples: resamples of their scores.
        gpu_examples: examples on a GPU.
        launched: jobs that a launcher starts.
        very_many: jobs that a launcher hands out, none of which is started.
        decoder: shape of the language model where no trained one is at hand; SmolLM2-135M's.
        choices: questions with four continuations for a language model.
        pairs: minimal pairs for it.
        text_tokens: tokens of a text for it.
    """

    examples: int = 256
    sentences: int = 100
    repeats: int = 3
    small: Shape = Shape(6, 12, 384, 1536)
    large: Shape = Shape(12, 12, 768, 3072)
    slow_masks: int = SLOW_MASKS
    stored_masks: int = 288
    stored_sentences: int = 3000
    domains: int = 4
    packed_masks: int = 5000
    resamples: int = 10_000
    gpu_examples: int = 9815
    launched: int = 24
    very_many: int = 10_000
    decoder: DecoderShape = DecoderShape(30, 9, 3, 576, 1536, 49152)
    choices: int = 2
    pairs: int = 8
    text_tokens: int = 128

    def less_often(self) -> "Sizes":
        """These sizes with a round less, for what takes long."""
        return replace(self, repeats=max(1, self.repeats - 1))

    def share(self, divisor: int) -> int:
        """A part of the examples, and at least four."""
        return max(4, self.examples // divisor)


TINY = Shape(2, 4, 32, 64, words=200)
QUICK = Sizes(
    examples=8,
    sentences=6,
    repeats=1,
    small=TINY,
    large=TINY,
    slow_masks=2,
    stored_masks=4,
    stored_sentences=50,
    domains=1,
    packed_masks=50,
    resamples=200,
    gpu_examples=32,
    launched=3,
    very_many=30,
    decoder=DecoderShape(2, 4, 2, 32, 48, 200),
    pairs=2,
    text_tokens=16,
)
