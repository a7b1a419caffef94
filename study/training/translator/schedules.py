"""Schedules of a translator's learning rate by name, as fairseq computes them; no tensor here."""

from enum import StrEnum

FIRST_RATE = 1e-7
"""Learning rate of the first update where there is a warm-up."""


class Schedule(StrEnum):
    """Course of the learning rate after the warm-up; names are what is written on the command line."""

    inverse_sqrt = "inverse_sqrt"
    """It falls with the inverse square root of the updates."""
    linear = "linear"
    """It falls linearly, to 0 at the end of the training."""
    constant = "constant"
    """It stays at its peak."""

    def rate(self, update: int, *, peak: float, warmup: int, updates: int) -> float:
        """The learning rate of an update.

        Args:
            update: how many updates came before it.
            peak: highest learning rate.
            warmup: updates over which it rises linearly from 1e-7; with 0 it begins at its peak.
            updates: updates of the whole training, more than `warmup`.
        """
        if update < warmup:
            return FIRST_RATE + (peak - FIRST_RATE) * update / warmup
        if self is Schedule.inverse_sqrt:
            return peak * (max(warmup, 1) / max(update, 1)) ** 0.5
        return peak * (updates - update) / (updates - warmup) if self is Schedule.linear else peak
