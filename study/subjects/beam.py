"""Beam search as fairseq does it, on any encoder-decoder of transformers, many sentences at once.

A hypothesis starts with the start token and grows by one token a step. Of its continuations a sentence keeps the K
best that do not end it. A continuation that ends is a finished hypothesis if it is among the K best of all
continuations. The search of a sentence is over when K hypotheses are finished, or at its greatest length, where every
hypothesis must end. The best is the one with the highest sum of log-probabilities / length^lenpen, `</s>` counted.
(fairseq's `SequenceGenerator` with `BeamSearch`, as of 2023: min_len 1, no early stop but this one.)

The *margin* of a sentence is the smallest gap, over all steps, between something that was chosen and what would have
been chosen in its place: how close the search was to another course.

Shapes: R all rows, B rows that still search, W beams (1 at the first step, then K), N = B x W, V words, S source
tokens, T tokens so far, M = 2K + 1 candidates: K kept ones, at most K ends, and the best dropped one.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional
from transformers import DynamicCache, EncoderDecoderCache, PreTrainedModel

from study.gate import Gate

BLOCK = 64
"""Words whose maximum is compared first: the best M words of V are in the M blocks of highest maximum."""


@dataclass(frozen=True)
class Rule:
    """How to search.

    Attributes:
        beam: K, hypotheses kept a step and finished at the end.
        lenpen: exponent of the length by which a hypothesis's log-probability is divided.
        start: token before the first.
        end: token that finishes a hypothesis, `</s>`.
        pad: token that is never chosen.
    """

    beam: int
    lenpen: float
    start: int
    end: int
    pad: int


@dataclass(frozen=True)
class Found:
    """What the search found for each row.

    Attributes:
        tokens: best hypothesis, `</s>` left out, filled up with padding.
        lengths: tokens of each, `</s>` left out.
        scores: log-probability / length^lenpen, in nats.
        margins: see above, in nats; infinite where there was no alternative.
    """

    tokens: Int[Tensor, "rows tokens"]
    lengths: Int[Tensor, " rows"]
    scores: Float[Tensor, " rows"]
    margins: Float[Tensor, " rows"]


class Stepper(Protocol):
    """A decoder that goes on by one token for every hypothesis."""

    def step(self, token_N: Int[Tensor, " hypotheses"]) -> Float[Tensor, "hypotheses words"]:
        """Log-probabilities of the next token of each hypothesis, this being its last."""
        ...

    def select(self, origin_N: Int[Tensor, " hypotheses"], *, rows_changed: bool) -> None:
        """Go on with these hypotheses of the last step; `rows_changed`: also the rows are others than before."""
        ...


class CachedDecoder:
    """The decoder of a transformers model under a gate, with a key-value cache."""

    def __init__(
        self,
        module: PreTrainedModel,
        gate: Gate,
        xi_RH: Float[Tensor, "rows heads"],
        encoded_RSD: Float[Tensor, "rows source d"],
        source_RS: Int[Tensor, "rows source"],
    ) -> None:
        """Start with one hypothesis a row.

        Args:
            module: the model.
            gate: masks its heads.
            xi_RH: what the gate multiplies by, for each row.
            encoded_RSD: output of the encoder.
            source_RS: 1 for a source token, 0 for padding.
        """
        self._module, self._gate = module, gate
        self._xi_NH, self._encoded_NSD, self._source_NS = xi_RH, encoded_RSD, source_RS
        self._cache = EncoderDecoderCache(DynamicCache(), DynamicCache())

    def step(self, token_N: Int[Tensor, " hypotheses"]) -> Float[Tensor, "hypotheses words"]:
        """See `Stepper`."""
        with self._gate.masked(self._xi_NH):
            output = self._module(
                encoder_outputs=(self._encoded_NSD,),
                attention_mask=self._source_NS,
                decoder_input_ids=token_N[:, None],
                past_key_values=self._cache,
                use_cache=True,
            )
        return output.logits[:, -1].log_softmax(-1)

    def select(self, origin_N: Int[Tensor, " hypotheses"], *, rows_changed: bool) -> None:
        """See `Stepper`. What belongs to a row, and not to a hypothesis, is moved only when rows are others."""
        self._cache.self_attention_cache.reorder_cache(origin_N)
        if rows_changed:
            self._cache.cross_attention_cache.reorder_cache(origin_N)
            self._xi_NH = self._xi_NH[origin_N]
            self._encoded_NSD = self._encoded_NSD[origin_N]
            self._source_NS = self._source_NS[origin_N]


@dataclass
class Candidates:
    """The M best continuations of each row, best first: log-probability, last token, the beam that it continues."""

    score_BM: Float[Tensor, "rows candidates"]
    token_BM: Int[Tensor, "rows candidates"]
    beam_BM: Int[Tensor, "rows candidates"]
    ends_BM: Bool[Tensor, "rows candidates"]


def search(decoder: Stepper, rule: Rule, limit_R: Int[Tensor, " rows"]) -> Found:
    """The best hypothesis of every row.

    Args:
        decoder: at its start, one hypothesis a row.
        rule: how to search.
        limit_R: most tokens of each row's hypotheses, `</s>` left out; at least 1.
    """
    finished = Finished(limit_R, rule)
    row_B = torch.arange(len(limit_R), device=limit_R.device)
    token_BWT = torch.full((len(row_B), 1, 1), rule.start, device=limit_R.device)
    score_BW = torch.zeros((len(row_B), 1), device=limit_R.device)
    first_limit = int(limit_R.min())
    for step in range(int(limit_R.max()) + 1):
        logprob_NV = decoder.step(token_BWT[:, :, -1].flatten())
        logprob_NV[:, rule.pad] = -torch.inf
        if step == 0:
            logprob_NV[:, rule.end] = -torch.inf
        if step >= first_limit:
            _only_end(logprob_NV, (limit_R[row_B] <= step).repeat_interleave(token_BWT.shape[1]), rule.end)
        found = _candidates(logprob_NV, score_BW, rule)
        finished.take(found, row_B, token_BWT, step)
        going_B = finished.still_searching(row_B, step).nonzero().squeeze(1)
        if len(going_B) == 0:
            break
        rows_changed = step == 0 or len(going_B) < len(row_B)
        kept_BK = _kept(found, rule.beam)[going_B]
        beam_BK = found.beam_BM[going_B].gather(1, kept_BK)
        decoder.select((going_B[:, None] * token_BWT.shape[1] + beam_BK).flatten(), rows_changed=rows_changed)
        history_BKT = token_BWT[going_B[:, None], beam_BK]
        token_BWT = torch.cat([history_BKT, found.token_BM[going_B].gather(1, kept_BK)[..., None]], dim=2)
        score_BW = found.score_BM[going_B].gather(1, kept_BK)
        row_B = row_B[going_B]
    return finished.best()


def _only_end(logprob_NV: Float[Tensor, "n words"], must_N: Bool[Tensor, " n"], end: int) -> None:
    """Forbid everything but the end where it must come."""
    end_N = logprob_NV[:, end].clone()
    logprob_NV.masked_fill_(must_N[:, None], -torch.inf)
    logprob_NV[:, end] = end_N


def _candidates(logprob_NV: Float[Tensor, "n words"], score_BW: Float[Tensor, "rows beams"], rule: Rule) -> Candidates:
    """The M best continuations of each row: the M best of each hypothesis, and the best of these."""
    rows, beams = score_BW.shape
    wanted = 2 * rule.beam + 1
    best_NM, word_NM = _top(logprob_NV, wanted)
    per_beam = best_NM.shape[1]
    total_BC = (best_NM + score_BW.view(-1, 1)).view(rows, -1)
    short = wanted - total_BC.shape[1]
    if short > 0:  # a dictionary smaller than M; what fills up has no probability and is the last choice
        total_BC = functional.pad(total_BC, (0, short), value=-torch.inf)
        word_NM = functional.pad(word_NM.view(rows, -1), (0, short), value=rule.end)
    score_BM, choice_BM = total_BC.topk(wanted)
    token_BM = word_NM.view(rows, -1).gather(1, choice_BM)
    beam_BM = (choice_BM // per_beam).clamp(max=beams - 1)
    return Candidates(score_BM, token_BM, beam_BM, (token_BM == rule.end) & score_BM.isfinite())


def _top(logprob_NV: Float[Tensor, "n words"], wanted: int) -> tuple[Tensor, Tensor]:
    """The `wanted` best words of each hypothesis, fewer if there are fewer, and their log-probabilities."""
    blocks = logprob_NV.shape[1] // BLOCK
    if blocks <= wanted:
        top = logprob_NV.topk(min(wanted, logprob_NV.shape[1]))
        return top.values, top.indices
    whole = blocks * BLOCK
    block_NM = logprob_NV[:, :whole].unflatten(1, (blocks, BLOCK)).amax(2).topk(wanted).indices
    inside = torch.arange(BLOCK, device=logprob_NV.device)
    rest = torch.arange(whole, logprob_NV.shape[1], device=logprob_NV.device).expand(len(logprob_NV), -1)
    word_NC = torch.cat([(block_NM[..., None] * BLOCK + inside).flatten(1), rest], dim=1)
    top = logprob_NV.gather(1, word_NC).topk(wanted)
    return top.values, word_NC.gather(1, top.indices)


def _kept(found: Candidates, beam: int) -> Int[Tensor, "rows beam"]:
    """Places of the K best candidates that do not end."""
    order_BM = found.ends_BM.int().argsort(dim=1, stable=True)
    return order_BM[:, :beam]


def _gap(chosen: Tensor, dropped: Tensor) -> Tensor:
    """How far one was from the other; infinite where what was dropped was impossible."""
    return torch.where(dropped.isfinite() & chosen.isfinite(), chosen - dropped, torch.inf)


class Finished:
    """The finished hypotheses of every row: how many, the best of them, and how close the search came to another."""

    def __init__(self, limit_R: Int[Tensor, " rows"], rule: Rule) -> None:
        rows, device = len(limit_R), limit_R.device
        self._rule, self._limit_R = rule, limit_R
        self._count_R = torch.zeros(rows, dtype=torch.long, device=device)
        self._best_R = torch.full((rows,), -torch.inf, device=device)
        self._second_R = torch.full((rows,), -torch.inf, device=device)
        self._margin_R = torch.full((rows,), torch.inf, device=device)
        self._length_R = torch.zeros(rows, dtype=torch.long, device=device)
        self._token_RT = torch.full((rows, int(limit_R.max())), rule.pad, device=device)

    def take(self, found: Candidates, row_B: Tensor, token_BWT: Tensor, step: int) -> None:
        """Add the candidates that end, and what the choice of this step was close to."""
        beam = self._rule.beam
        ends_BK = found.ends_BM[:, :beam]
        self._count_R[row_B] += ends_BK.sum(1)
        normalised_BK = (found.score_BM[:, :beam] / (step + 1) ** self._rule.lenpen).where(ends_BK, -torch.inf)
        if beam == 1:
            normalised_BK = functional.pad(normalised_BK, (0, 1), value=-torch.inf)
        (new_B, other_B), place_B2 = normalised_BK.topk(2, dim=1).values.T, normalised_BK.topk(2, dim=1).indices
        better_B = new_B > self._best_R[row_B]
        self._second_R[row_B] = torch.stack(
            [torch.minimum(self._best_R[row_B], new_B), self._second_R[row_B], other_B]
        ).amax(0)
        self._best_R[row_B] = torch.maximum(self._best_R[row_B], new_B)
        winner = better_B.nonzero().squeeze(1)
        origin = found.beam_BM[winner, place_B2[winner, 0]]
        self._token_RT[row_B[winner], :step] = token_BWT[winner, origin, 1:]
        self._length_R[row_B[winner]] = step
        self._margin_R[row_B] = torch.minimum(self._margin_R[row_B], _margin(found, beam))

    def still_searching(self, row_B: Tensor, step: int) -> Bool[Tensor, " rows"]:
        """Which rows have fewer than K finished hypotheses and are below their greatest length."""
        return (self._count_R[row_B] < self._rule.beam) & (self._limit_R[row_B] > step)

    def best(self) -> Found:
        """The best hypothesis of every row."""
        margin_R = torch.minimum(self._margin_R, _gap(self._best_R, self._second_R))
        return Found(self._token_RT, self._length_R, self._best_R, margin_R)


def _margin(found: Candidates, beam: int) -> Float[Tensor, " rows"]:
    """Smallest gap between what this step chose and what it dropped.

    Three choices are made: which K candidates go on (against the next that does not end), which ends count (against
    the first candidate outside the K best), and which do not (against the last inside).
    """
    score_BM, ends_BM = found.score_BM, found.ends_BM
    order_BM = ends_BM.int().argsort(dim=1, stable=True)
    last_kept, first_dropped = (score_BM.gather(1, order_BM[:, i : i + 1]).squeeze(1) for i in (beam - 1, beam))
    lowest_end_inside = score_BM[:, :beam].where(ends_BM[:, :beam], torch.inf).amin(1)
    highest_end_outside = score_BM[:, beam:].where(ends_BM[:, beam:], -torch.inf).amax(1)
    gaps = [
        _gap(last_kept, first_dropped),
        _gap(lowest_end_inside, score_BM[:, beam]),
        _gap(score_BM[:, beam - 1], highest_end_outside),
    ]
    return torch.stack(gaps).amin(0)
