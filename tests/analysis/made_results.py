"""Results folders made by hand, through the store that a study writes with; every effect in them is known or seeded."""

from pathlib import Path

import numpy as np
import polars as pl

from study.data.examples import Examples
from study.heads import AttentionKind, HeadLayout, mask_key
from study.setting import Setting
from study.statistics import Bleu, MetricName, metric
from study.store import Store

CLASSIFIER = HeadLayout({AttentionKind.ENCODER_SELF: (4, 4, 4, 4)})
TRANSLATOR = HeadLayout(dict.fromkeys(AttentionKind, (4, 4, 4)))
WORDS = tuple("a small red house stands near the old river and two dogs run over green fields".split(" "))  # noqa: SIM905


def every_mask(layout: HeadLayout) -> dict[str, np.ndarray]:
    """Base, one head off, all but one, no head in a layer; by key."""
    masks = [layout.full()]
    masks += [layout.without([head]) for head in layout.heads]
    masks += [layout.all_but(head) for head in layout.heads]
    masks += [layout.without_layer(layer) for layer in layout.layers]
    return {mask_key(mask): mask for mask in masks}


def head_weights(layout: HeadLayout, rng: np.random.Generator) -> np.ndarray:
    """How much each head matters: a few much, most hardly; harm is positive."""
    return rng.gamma(0.35, 0.06, len(layout)) - 0.004


def classification_rows(mask: np.ndarray, weights: np.ndarray, difficulty: np.ndarray) -> dict[str, object]:
    """An example is right while the heads that are off weigh less than it can bear."""
    margin = difficulty - weights[~mask].sum()
    return {
        "correct": (margin > 0).astype(np.int64),
        "count": np.ones(len(difficulty), dtype=np.int64),
        "margin": np.abs(margin),
    }


def translation_rows(
    mask: np.ndarray, weights: np.ndarray, references: tuple[str, ...], rng: np.random.Generator
) -> dict[str, object]:
    """References with words dropped or exchanged, more where heavier heads are off."""
    noise = min(0.1 + max(0.0, float(weights[~mask].sum())), 0.9)
    hypotheses = [
        " ".join(str(rng.choice(WORDS)) if rng.random() < noise else word for word in reference.split())
        for reference in references
    ]
    statistics = Bleu().of_sentences(hypotheses, references)
    return {
        **dict(zip(Bleu.statistics, statistics.T, strict=True)),
        "margin": rng.random(len(references)),
        "hypothesis": hypotheses,
    }


def examples_of(data: str, count: int, rng: np.random.Generator) -> Examples:
    """Sentences of random words; references are the sources."""
    texts = [" ".join(rng.choice(WORDS, rng.integers(6, 14))) for _ in range(count)]
    return Examples(
        ids=tuple(f"{data}-{i}" for i in range(count)),
        texts=tuple((text,) for text in texts),
        targets=tuple(texts),
        columns={"group": tuple(str(i // 3) for i in range(count))},
    )


def fill(
    results: Path,
    name: MetricName,
    *,
    model: str,
    data: str,
    layout: HeadLayout | None = None,
    seed: int = 0,
    count: int = 30,
    weights: np.ndarray | None = None,
    weights_file: str = "w1",
    masks: dict[str, np.ndarray] | None = None,
) -> Store:
    """Make a setting with the outcomes of `masks` (all of every measure); the same seed makes the same rows."""
    rng = np.random.default_rng(seed)
    layout = layout or (CLASSIFIER if name == MetricName.ACCURACY else TRANSLATOR)
    examples = examples_of(data, count, rng)
    setting = Setting(
        model, data, name, {"weights": weights_file}, {"sha256": examples.digest()}, metric(name).signature
    )
    store = Store(results, setting, layout, examples)
    weights = head_weights(layout, rng) if weights is None else weights
    difficulty = rng.normal(0.5, 0.5, count)
    frames = []
    for key, mask in (masks or every_mask(layout)).items():
        if name == MetricName.ACCURACY:
            columns = classification_rows(mask, weights, difficulty)
        else:
            columns = translation_rows(mask, weights, examples.targets, rng)
        frames.append(pl.DataFrame({"mask": [key] * count, "example": examples.ids, **columns}))
    store.write(pl.concat(frames), {"device": "cpu", "versions": {"torch": "2.0", "transformers": "5.0"}})
    return store
