"""A grid of effects with their noise: every head on every domain by every seed, and without each group of examples.

Shapes: `domains` and `seeds` = the two axes, `heads` = heads that all cells have, `groups` = groups of examples of a
domain (premises, documents), which all of its seeds share.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from analysis.correlation.coefficients import centred


@dataclass(frozen=True, eq=False)
class NoisyGrid:
    """The effects of heads in every cell of a grid.

    Domains have no examples in common; the seeds of a domain have all of them, so that their noise is correlated.

    Attributes:
        effects: effects of the heads, in the metric's unit.
        without: for each domain, the effects on all of its examples but those of one group, for every group.
        layers: the number of each head's layer.
    """

    effects: Float[np.ndarray, "domains seeds heads"]
    without: Sequence[Float[np.ndarray, "_ seeds heads"]]
    layers: Int[np.ndarray, " heads"]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Domains, seeds, heads."""
        return self.effects.shape  # type: ignore[return-value]

    @property
    def groups(self) -> list[int]:
        """Groups of examples of each domain."""
        return [len(own) for own in self.without]

    @cached_property
    def centred(self) -> "NoisyGrid":
        """The grid less the mean over heads of each cell: what all heads share is not theirs."""
        return replace(self, effects=centred(self.effects), without=[centred(own) for own in self.without])

    @cached_property
    def within_layers(self) -> "NoisyGrid":
        """The grid less the mean over the heads of each layer, in each cell."""
        names, layer = np.unique(self.layers, return_inverse=True)
        member = (layer == np.arange(len(names))[:, None]).astype(float)
        means = member.T @ (member / member.sum(axis=1, keepdims=True))
        return replace(self, effects=self.effects - self.effects @ means, without=[w - w @ means for w in self.without])

    def without_seed(self, seed: int) -> "NoisyGrid":
        """The grid of all seeds but one."""
        left = np.delete(np.arange(self.shape[1]), seed)
        return replace(self, effects=self.effects[:, left], without=[own[:, left] for own in self.without])

    def covariance(self, domain: int) -> Float[np.ndarray, "effects effects"]:
        """The sampling covariance of all effects on a domain, seeds by heads, by a jackknife over its groups."""
        own = self.without[domain].reshape(len(self.without[domain]), -1)
        deviation = own - own.mean(axis=0)
        return (len(own) - 1) / len(own) * deviation.T @ deviation
