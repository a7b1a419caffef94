"""Grids of effects with known components, measured on groups of examples that the seeds of a domain share."""

from dataclasses import dataclass, replace

import numpy as np

from analysis.components.intervals import decompose, share
from analysis.components.moments import Component
from analysis.components.noisy_grid import NoisyGrid
from analysis.components.reml_intervals import decompose_by_reml, within


@dataclass(frozen=True)
class Truth:
    """What effects are drawn from.

    Attributes:
        domains, seeds, layers, per_layer, groups: sizes.
        sd: standard deviation of each component.
        shared: standard deviation of an effect's noise that all seeds of a domain share.
        own: standard deviation of an effect's noise that each seed has to itself.
        common: how much of the noise all heads share (the base score's).
        grows: whether the noise of an effect grows with its size, as that of flipped answers does.
    """

    domains: int = 3
    seeds: int = 5
    layers: int = 6
    per_layer: int = 6
    groups: int = 150
    sd: tuple[float, float, float, float, float] = (0.5, 0.7, 0.4, 0.5, 0.4)
    shared: float = 0.5
    own: float = 0.5
    common: float = 0.5
    grows: bool = False

    @property
    def heads(self) -> int:
        return self.layers * self.per_layer


@dataclass(frozen=True)
class Fixed:
    """The heads and domains that are studied: their effects, whatever the seed."""

    truth: Truth
    mean: np.ndarray  # domains heads
    layer: np.ndarray

    @classmethod
    def draw(cls, truth: Truth, rng: np.random.Generator) -> "Fixed":
        layer = np.repeat(np.arange(truth.layers), truth.per_layer)
        mean = rng.normal(scale=truth.sd[0], size=truth.layers)[layer] + rng.normal(scale=truth.sd[1], size=truth.heads)
        return cls(truth, mean + rng.normal(scale=truth.sd[2], size=(truth.domains, truth.heads)), layer)

    @property
    def components(self) -> dict[Component, float]:
        """The components of these heads on these domains; over seeds those that seeds are drawn from."""
        truth, mean = self.truth, self.mean - self.mean.mean(axis=1, keepdims=True)
        gram = mean @ mean.T / (truth.heads - 1)
        member = self.layer == np.arange(truth.layers)[:, None]
        within = self.mean - (self.mean @ member.T / truth.per_layer)[:, self.layer]
        gram_within = within @ within.T / (truth.heads - truth.layers)
        apart = ~np.eye(truth.domains, dtype=bool)
        head = gram[apart].mean() if truth.domains > 1 else gram.item()
        inside = gram_within[apart].mean() if truth.domains > 1 else gram_within.item()
        if truth.domains == 1:
            own = {Component.SEED: truth.sd[3] ** 2 + truth.sd[4] ** 2}
        else:
            own = {
                Component.DOMAIN: np.trace(gram) / truth.domains - head,
                Component.SEED: truth.sd[3] ** 2,
                Component.CELL: truth.sd[4] ** 2,
            }
        return {Component.LAYER: head - inside, Component.HEAD: inside, **own}

    def grid(self, rng: np.random.Generator) -> NoisyGrid:
        """These heads and domains under new seeds, measured on new examples."""
        truth = self.truth
        seeds = rng.normal(scale=truth.sd[3], size=(truth.seeds, truth.heads))
        cells = rng.normal(scale=truth.sd[4], size=(truth.domains, truth.seeds, truth.heads))
        true = self.mean[:, None] + seeds + cells
        effects, without = [], []
        for own in true:
            size = 0.05 + np.abs(own) if truth.grows else 1.0
            groups = own + np.sqrt(truth.groups) * size * noise(truth, rng)
            effects.append(groups.mean(axis=0))
            without.append((groups.sum(axis=0) - groups) / (truth.groups - 1))
        return NoisyGrid(np.stack(effects), without, self.layer)


def noise(truth: Truth, rng: np.random.Generator) -> np.ndarray:
    """Noise of single groups: groups, seeds, heads; skewed, and in part common to all heads."""
    shape = (truth.groups, truth.seeds, truth.heads)
    shared = truth.shared * _skewed(rng, (truth.groups, 1, truth.heads))
    own = truth.own * _skewed(rng, shape)
    return shared + own + truth.common * _skewed(rng, (truth.groups, truth.seeds, 1))


def _skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.exponential(size=shape) - 1


def coverage(
    truth: Truth, runs: int, rng: np.random.Generator, level: float = 0.95, *, by_reml: bool = False
) -> dict[str, tuple[float, float]]:
    """How often the interval of each component holds the truth, and its mean width; of shares where there are any.

    Of some heads alone a part may be below 0; for REML, which has no such variance, it is then 0.
    """
    held: dict[str, list[bool]] = {}
    widths: dict[str, list[float]] = {}
    for _ in range(runs):
        fixed = Fixed.draw(truth, rng)
        grid, true = fixed.grid(rng), fixed.components
        found = decompose(grid, level)
        divided, shown = sum(true.values()) > 0 and found.divided, found
        if by_reml:
            shown = decompose_by_reml(grid, level)
        numbers = {str(name): (lambda own, name=name: own[name], value) for name, value in true.items()}
        if divided:
            numbers |= {f"share of {name}": (share(name), value / sum(true.values())) for name, value in true.items()}
        for name, (number, value) in numbers.items():
            estimate = shown.estimate(number)
            if by_reml:
                estimate, value = within(estimate, 1.0 if name.startswith("share") else np.inf), max(value, 0.0)
            held.setdefault(name, []).append(estimate.low <= value <= estimate.high)
            widths.setdefault(name, []).append(estimate.high - estimate.low)
    return {name: (float(np.mean(own)), float(np.mean(widths[name]))) for name, own in held.items()}


def without_heads(truth: Truth) -> Truth:
    """No effect belongs to a head: all is noise, much of it shared by the seeds."""
    return replace(truth, sd=(0.0,) * 5)
