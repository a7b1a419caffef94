"""Clusters: heads that look at the same tokens lie close to each other in the plane (Clark et al. 2019, section 6).

The distance of two heads is the Jensen-Shannon divergence of their weights, the mean over query tokens (Clark et al.
take the sum, which is the same picture), or its square root, which is a metric. The plane is found by metric
multidimensional scaling: SMACOF, from the classical solution and from seeded random ones, the best of which stands.
Stress says how far distances in the plane are from the true ones: the root of their summed squared differences by the
summed squared distances (Kruskal's stress 1); 0 is perfect, .2 is poor.

Whether heads of a layer lie closer together than heads of different layers is tested by giving heads the layer labels
of others at random.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from analysis.attention.statistics import layer_numbers
from analysis.results.readings import READING, Reading
from study.record.tables.attention import as_matrix, head_pairs
from study.record.units import ADDRESS, AttentionKind

Distances = Float[np.ndarray, "heads heads"]

STARTS, MOST_STEPS, CLOSE = 4, 500, 1e-7
"""Random starts, steps of each, and the relative change of stress at which it ends."""

FEWEST = 4
"""Heads of a kind that a plane is drawn of."""


class Form(StrEnum):
    """What two heads are apart."""

    divergence = "divergence"
    """The Jensen-Shannon divergence, nats."""
    root = "root"
    """The square root of it, which is a metric."""


@dataclass(frozen=True, eq=False)
class Plane:
    """Heads in two dimensions.

    Attributes:
        points: where each stands.
        stress: Kruskal's stress 1.
    """

    points: Float[np.ndarray, "heads 2"]
    stress: float


@dataclass(frozen=True)
class LayerTest:
    """How far apart heads of one layer are, against heads of different layers.

    Attributes:
        within: mean distance of two heads of one layer.
        between: mean distance of two heads of different layers.
        p: chance of a difference at least as large when labels of layers are given at random, one-sided.
        resamples: how many times.
    """

    within: float
    between: float
    p: float
    resamples: int


def mean_divergence(reading: Reading, groups: str) -> Distances | None:
    """The divergence between every two heads, nats a query token; NaN between kinds. None where it was not measured.

    Two heads of one kind have the same queries; with windows that differ, the fewer of both count.
    """
    if reading.divergence.is_empty():
        return None
    sums, count = reading.divergence_sums(groups).columns, len(reading.layout)
    one, other = head_pairs(count)
    queries = sums["queries"].sum(axis=0)
    mean = sums["divergence"].sum(axis=0) / np.minimum(queries[one], queries[other])
    return as_matrix(np.maximum(mean, 0), count)


def plane(distances: Distances, seed: int) -> Plane:
    """Metric multidimensional scaling into two dimensions."""
    from sklearn.manifold import smacof  # takes seconds to import

    solutions = []
    starts = [_classical(distances), *(None,) * STARTS]
    for at, start in enumerate(starts):
        found = smacof(
            distances,
            n_components=2,
            init=start,
            n_init=1,
            max_iter=MOST_STEPS,
            eps=CLOSE,
            random_state=np.random.RandomState([seed, at]),
            normalized_stress=False,  # type: ignore[reportArgumentType]
        )
        points = np.asarray(found[0])
        solutions.append(Plane(_turned(points), _stress(distances, points)))
    return min(solutions, key=lambda found: found.stress)


def layer_test(
    distances: Distances, layers: Int[np.ndarray, " heads"], rng: np.random.Generator, resamples: int
) -> LayerTest | None:
    """Within-layer against between-layer distance; None where all heads, or no two, are of one layer."""
    one, other = np.triu_indices(len(layers), 1)
    same = layers[one] == layers[other]
    if same.all() or not same.any():
        return None
    total, pairs = distances[one, other].sum(), len(one)
    one, other = one[same], other[same]

    def difference(order: Int[np.ndarray, "resamples heads"]) -> Float[np.ndarray, " resamples"]:
        near = distances[order[:, one], order[:, other]].sum(axis=1)
        return (total - near) / (pairs - len(one)) - near / len(one)

    observed = float(difference(np.arange(len(layers))[None])[0])
    at_once = max(1, 4_000_000 // len(one))
    larger = 0
    for start in range(0, resamples, at_once):
        orders = rng.permuted(np.tile(np.arange(len(layers)), (min(at_once, resamples - start), 1)), axis=1)
        larger += int((difference(orders) >= observed - 1e-12).sum())
    within = float(distances[one, other].mean())
    return LayerTest(within, within + observed, (1 + larger) / (1 + resamples), resamples)


CLUSTER_ROWS = (
    dict.fromkeys(READING, pl.String)
    | ADDRESS
    | {"distance": pl.String}
    | dict.fromkeys(["x", "y", "stress", "within", "between", "p"], pl.Float64)
    | {"resamples": pl.Int64, "seed": pl.Int64}
)


def clusters_table(reading: Reading, groups: str, seed: int, resamples: int) -> pl.DataFrame:
    """Heads of each kind in the plane, by the divergence and by its root.

    Returns:
        Columns of the reading; kind, layer, head; distance (`divergence` or `root`); x, y: in its unit, turned so that
        x varies most; stress; within, between: mean distances of heads of one layer and of different ones; p:
        one-sided, of labels of layers given at random; resamples, seed. No rows where no divergence was measured.
    """
    distances = mean_divergence(reading, groups)
    frames = [pl.DataFrame(schema=CLUSTER_ROWS)]
    if distances is not None:
        frames += _planes(reading, distances, seed, resamples)
    return pl.concat(frames)


def _planes(reading: Reading, distances: Distances, seed: int, resamples: int) -> Iterator[pl.DataFrame]:
    heads, layers = reading.layout.heads, layer_numbers(reading.layout)
    for kind in AttentionKind:
        at = np.array([i for i, head in enumerate(heads) if head.kind is kind], dtype=np.int64)
        if len(at) < FEWEST:
            continue
        for form in Form:
            own = distances[np.ix_(at, at)]
            own = np.sqrt(own) if form is Form.root else own
            found = plane(own, seed)
            tested = layer_test(own, layers[at], np.random.default_rng([seed, kind.rank]), resamples)
            frame = pl.DataFrame([heads[i].row for i in at], schema=ADDRESS)
            told = {**reading.names, "distance": str(form), "stress": found.stress, "seed": seed}
            told |= {} if tested is None else vars(tested)
            told |= dict.fromkeys(set(CLUSTER_ROWS) - set(told) - {*ADDRESS, "x", "y"})
            frame = frame.with_columns(**{name: pl.lit(value) for name, value in told.items()})
            x, y = found.points.T
            yield frame.with_columns(x=pl.Series(x), y=pl.Series(y)).select(*CLUSTER_ROWS).cast(CLUSTER_ROWS)  # type: ignore[arg-type]


def _classical(distances: Distances) -> Float[np.ndarray, "heads 2"]:
    """The classical solution (Torgerson 1952): the two leading axes of the doubly centred squared distances."""
    centre = np.eye(len(distances)) - 1 / len(distances)
    values, vectors = np.linalg.eigh(-centre @ np.square(distances) @ centre / 2)
    return vectors[:, -2:] * np.sqrt(np.maximum(values[-2:], 0))


def _turned(points: Float[np.ndarray, "heads 2"]) -> Float[np.ndarray, "heads 2"]:
    """Points about their mean, turned so that the first axis varies most, the point farthest out to the right."""
    centred = points - points.mean(axis=0)
    turned = centred @ np.linalg.svd(centred, full_matrices=False)[2].T
    farthest = np.abs(turned).argmax(axis=0)
    return turned * np.where(turned[farthest, [0, 1]] < 0, -1, 1)


def _stress(distances: Distances, points: Float[np.ndarray, "heads 2"]) -> float:
    drawn = np.sqrt(np.square(points[:, None] - points).sum(axis=-1))
    return float(np.sqrt(np.square(distances - drawn).sum() / max(np.square(distances).sum(), np.finfo(float).tiny)))
