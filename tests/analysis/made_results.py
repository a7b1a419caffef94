"""Results folders made by hand, through the store that a study writes with; every effect in them is known or seeded."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from analysis import Domain, read_domain, rescored
from study.record.curves import Curve, write_curve
from study.record.examples import Examples
from study.record.heads import AttentionKind, Head, HeadLayout, mask_key, parse_mask
from study.record.metrics.statistics import Bleu, MetricName, metric
from study.record.orders import Steps, counts, curve_masks
from study.record.setting import Moment, Setting
from study.record.store import Store

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


USUAL = {"estimator": "paper", "normalisation": "layer_l2", "average": "examples", "steps": "paper", "reverse": False}


def curve_of(
    heads: Sequence[Head],
    *,
    order: str = "importance",
    kinds: tuple[str, ...] = (),
    layout: HeadLayout = CLASSIFIER,
    **options,
) -> Curve:
    """The curve that removes these heads one after the other, in the paper's steps."""
    heads = list(heads)
    removed = counts(Steps.paper, len(heads))
    masks = tuple(mask_key(mask) for mask in curve_masks(heads, removed, layout))
    options = {**(USUAL if order == "importance" else {"steps": "paper"}), **options}
    return Curve(order, options, kinds, len(heads), tuple(removed), masks, 30, tuple(map(str, heads)))


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


def examples_of(data: str, count: int, rng: np.random.Generator, genres: int = 0) -> Examples:
    """Sentences of random words; references are the sources. Groups of three, each of one genre where there are any."""
    texts = [" ".join(rng.choice(WORDS, rng.integers(6, 14))) for _ in range(count)]
    columns = {"group": tuple(str(i // 3) for i in range(count))}
    if genres:
        columns["genre"] = tuple(f"genre{i // 3 % genres}" for i in range(count))
    return Examples(
        ids=tuple(f"{data}-{i}" for i in range(count)),
        texts=tuple((text,) for text in texts),
        targets=tuple(texts),
        columns=columns,
    )


def domain_of(make: Callable[..., Store], name: MetricName, **options) -> Domain:
    """The domain of a setting made so, scored by this metric."""
    return rescored(read_domain(make(name, **options).folder), name)


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
    curves: Sequence[Curve] = (),
    genres: int = 0,
    example_weights: tuple[float, ...] | None = None,
    subject: Mapping[str, object] | None = None,
    moment: Moment | None = None,
) -> Store:
    """Make a setting with the outcomes of `masks` (all of every measure) and of curves.

    The same seed makes the same rows; those for chrF are BLEU's, as nothing else is stored.
    """
    name = MetricName.BLEU if name is MetricName.CHRF else name
    rng = np.random.default_rng(seed)
    layout = layout or (CLASSIFIER if name == MetricName.ACCURACY else TRANSLATOR)
    examples = replace(examples_of(data, count, rng, genres), weights=example_weights)
    about = {"weights": weights_file, **(subject or {})}
    setting = Setting(model, data, name, about, {"sha256": examples.digest()}, metric(name).signature, moment)
    store = Store(results, setting, layout, examples)
    weights = head_weights(layout, rng) if weights is None else weights
    difficulty = rng.normal(0.5, 0.5, count)
    frames = []
    masks = dict(masks or every_mask(layout))
    masks |= {key: parse_mask(key, layout) for curve in curves for key in curve.masks}
    for key, mask in masks.items():
        if name == MetricName.ACCURACY:
            columns = classification_rows(mask, weights, difficulty)
        else:
            columns = translation_rows(mask, weights, examples.targets, rng)
        frames.append(pl.DataFrame({"mask": [key] * count, "example": examples.ids, **columns}))
    store.write(pl.concat(frames), {"device": "cpu", "versions": {"torch": "2.0", "transformers": "5.0"}})
    for curve in curves:
        write_curve(curve, store.folder)
    return store
