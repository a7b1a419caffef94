"""Permutations within layers: what roles and statistics would come to if heads of a layer were alike.

Every question is a column over heads, centred within layers (a role: 1 for its heads; a statistic: its values), and its
answer the sum of the column times the effects. Effects change places within each attention layer, for all columns at
once, so that the largest of all answers under the permutations corrects for their number (max-T). Where there are few
heads, every permutation is made once, and p is exact.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from jaxtyping import Float, Int

from analysis.inference.multiplicity import max_t
from analysis.inference.significance import p_of_draws

Columns = Float[np.ndarray, "heads columns"]

NO_SPREAD = 1e-12
"""Relative size below which a column, or the effects, do not vary within any layer."""


@dataclass(frozen=True, eq=False)
class Family:
    """The answers of several columns, tested together.

    Attributes:
        p: chance of an answer at least as large, two-sided, of each column; NaN where it does not vary within layers.
        p_corrected: corrected over the columns by max-T.
        exact: whether every permutation was made.
        resamples: how many were made.
    """

    p: Float[np.ndarray, " columns"]
    p_corrected: Float[np.ndarray, " columns"]
    exact: bool
    resamples: int


def within_layers(
    values: Float[np.ndarray, "*any heads"], layers: Int[np.ndarray, " heads"]
) -> Float[np.ndarray, "*any heads"]:
    """Values less the mean over the heads of their layer."""
    member = (layers[:, None] == np.unique(layers)).astype(np.float64)
    return values - values @ (member / member.sum(axis=0)) @ member.T


def permutation_family(
    columns: Columns,
    effects: Float[np.ndarray, " heads"],
    layers: Int[np.ndarray, " heads"],
    rng: np.random.Generator,
    resamples: int,
) -> Family:
    """Whether columns and effects go together within layers, by permutation.

    Args:
        columns: one for each role or statistic.
        effects: one for each head.
        layers: number of the attention layer of each head.
        rng: random numbers of the permutations.
        resamples: permutations that are drawn, unless there are no more than these.
    """
    centred = within_layers(columns.T, layers)
    own = within_layers(effects, layers)
    unit = _deviations(centred, own, layers)
    sizes = np.linalg.norm(centred, axis=1) * np.linalg.norm(own)
    varies = (unit > NO_SPREAD * np.maximum(sizes, np.finfo(float).tiny)) & (sizes > 0)
    p, corrected = np.full(len(centred), np.nan), np.full(len(centred), np.nan)
    orders, exact = _orders(layers, rng, resamples)
    if varies.any():
        scaled = centred[varies] / unit[varies, None]  # each in its own standard deviations
        null = np.concatenate([own[some] @ scaled.T for some in orders])
        observed = scaled @ own
        p[varies] = p_of_draws(null, observed)
        corrected[varies] = max_t(null, observed, np.ones(len(observed)))
        resamples = len(null)
    return Family(p, corrected, exact, resamples)


def _deviations(
    centred: Float[np.ndarray, "columns heads"], own: Float[np.ndarray, " heads"], layers: Int[np.ndarray, " heads"]
) -> Float[np.ndarray, " columns"]:
    """The standard deviation of each answer over all permutations, exactly.

    Of a layer of n heads the variance of sum x_i y_pi(i) is sum x^2 sum y^2 / (n - 1), both about their means.
    """
    member = (layers[:, None] == np.unique(layers)).astype(np.float64)
    freedom = np.maximum(member.sum(axis=0) - 1, 1)
    return np.sqrt((np.square(centred) @ member) @ ((np.square(own) @ member) / freedom))


def _orders(
    layers: Int[np.ndarray, " heads"], rng: np.random.Generator, resamples: int
) -> tuple[Iterator[Int[np.ndarray, "orders heads"]], bool]:
    """Orders in which each head keeps its layer, but for the one that changes nothing; and whether these are all."""
    places = [np.flatnonzero(layers == layer) for layer in np.unique(layers)]
    every = math.prod(math.factorial(len(own)) for own in places)
    if every <= resamples:
        return iter([_every_order(places, len(layers))]), True
    return _random_orders(places, len(layers), rng, resamples), False


def _every_order(places: list[np.ndarray], heads: int) -> Int[np.ndarray, "orders heads"]:
    orders = []
    for arranged in product(*(permutations(own) for own in places)):
        order = np.empty(heads, dtype=np.int64)
        for own, new in zip(places, arranged, strict=True):
            order[own] = new
        orders.append(order)
    return np.array(orders[1:], dtype=np.int64).reshape(-1, heads)  # the first one changes nothing


def _random_orders(
    places: list[np.ndarray], heads: int, rng: np.random.Generator, resamples: int
) -> Iterator[Int[np.ndarray, "orders heads"]]:
    at_once = 1_000
    for start in range(0, resamples, at_once):
        orders = np.empty((min(at_once, resamples - start), heads), dtype=np.int64)
        for own in places:
            orders[:, own] = own[np.argsort(rng.random((len(orders), len(own))), axis=1)]
        yield orders
