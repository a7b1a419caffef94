"""What language models decide: which continuation is the likeliest, by every metric that can be told from their sums.

Metrics divide the sums of log-likelihoods by lengths of their own. A difference of two quotients is multiplied by the
mean length of the example's continuations, so that all margins are nats of whole continuations, and one threshold will
do; an example is left to a draft only where every metric is decided.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
import torch
from jaxtyping import Float

from study.engine.blocks import in_batches
from study.engine.cascade.answers import Answers, Comparison, Decider, with_margins
from study.engine.cascade.tangent import Tangent
from study.engine.engine import Engine
from study.engine.pairs import Pairs
from study.record.metrics import CHOOSING
from study.record.metrics.choices.alternatives import rectangle
from study.record.metrics.choices.choice_accuracy import LikeliestByLength, LikeliestChoice
from study.subjects.language_model.passes import language_rows, requests_of_rows
from study.subjects.language_model.requests import LanguageRow
from study.subjects.language_model.subject import LanguageModel
from study.subjects.subject import TokenRow

NOT_KNOWN = -1
"""How many tokens of a continuation are the likeliest, of a draft to first order: it tells nothing of it."""


class ChoiceDecider(Decider):
    """Continuations by their sums of log-likelihoods."""

    backward_passes = 1.0

    def __init__(self, subject: LanguageModel, tokens: int) -> None:
        """Look at a language model.

        Args:
            subject: the language model.
            tokens: tokens of examples whose tangents are taken together.
        """
        self._subject, self._tokens = subject, tokens

    def tangents(self, rows: Sequence[TokenRow]) -> list[Tangent]:
        """See `Decider`. Each request is a row of its own, so that one backward pass gives the slopes of all sums."""
        own = language_rows(rows)
        found: dict[int, Tangent] = {}
        for batch in in_batches([row.cost for row in own], self._tokens):
            some = [own[i] for i in batch.tolist()]
            found |= dict(zip(batch.tolist(), self._differentiated(some), strict=True))
        return [found[i] for i in range(len(rows))]

    def _differentiated(self, rows: Sequence[LanguageRow]) -> list[Tangent]:
        subject, (requests, places) = self._subject, requests_of_rows(rows)
        full = np.ones((len(requests), subject.layout.width), dtype=bool)
        with torch.enable_grad(), subject.standing([rows[i] for i in places.tolist()]):
            xi = subject.as_xi(full).requires_grad_()
            with subject.gate.masked(xi):
                sums = subject.sums(requests)
            (slopes,) = torch.autograd.grad(sums.sum(), xi)
        ends = np.cumsum([len(row.requests) for row in rows])[:-1]
        values, slopes = sums.detach().double().cpu().numpy(), slopes.float().cpu().numpy()
        return list(map(Tangent, np.split(values, ends), np.split(slopes, ends)))

    def drafted(self, tangents: Sequence[Tangent], rows: Sequence[TokenRow], pairs: Pairs) -> Answers:
        """See `Decider`."""
        own = language_rows(pairs.rows(rows))
        under = [tangent.under(pairs.masks) for tangent in tangents]
        sums = [under[example][mask] for mask, example in zip(pairs.mask.tolist(), pairs.example.tolist(), strict=True)]
        flat = np.concatenate(sums)
        columns = self._subject.columns(flat, np.full(len(flat), NOT_KNOWN), own)
        return with_margins(Answers(columns, _compared(pl.DataFrame(columns), own)))

    def answers(self, engine: Engine, rows: Sequence[TokenRow], pairs: Pairs) -> Answers:
        """See `Decider`."""
        columns = engine.outcomes(rows, pairs)
        return Answers(columns, _compared(pl.DataFrame(columns), language_rows(pairs.rows(rows))))


def _compared(outcomes: pl.DataFrame, rows: Sequence[LanguageRow]) -> list[Comparison]:
    """What choices are compared by, for each metric that can be told from these outcomes."""
    lengths = pl.DataFrame([dict(row.lengths) for row in rows], infer_schema_length=None)
    known = outcomes.hstack(lengths.select(name for name in lengths.columns if name not in outcomes.columns))
    return [
        Comparison(metric.values(known), _unit(metric, known))
        for metric in CHOOSING
        if {*metric.reads, *metric.example_columns} - {"target"} <= set(known.columns)
    ]


def _unit(metric: LikeliestChoice, known: pl.DataFrame) -> Float[np.ndarray, " P"]:
    """The mean length of the continuations of each example; 1 where sums are not divided."""
    if not isinstance(metric, LikeliestByLength):
        return np.ones(known.height)
    lengths = rectangle(known[metric.length], np.nan)
    return np.nanmean(lengths, axis=1)
