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
from typing import Protocol, cast, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional
from transformers import DynamicCache, EncoderDecoderCache, PreTrainedModel

from study.masking.gate import Gate
from study.subjects.decoding.top_tokens import TokenRequest, TopTokens, top_tokens


@dataclass(frozen=True)
class BeamConfig:
    """How to search.

    Attributes:
        beam: K, the number of hypotheses kept a step and finished at the end.
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
class Hypotheses:
    """The best hypothesis of each row, and how sure the search was of it.

    Attributes:
        tokens: tokens of each row's hypothesis, `</s>` left out, filled up with padding.
        lengths: number of its tokens, `</s>` left out.
        scores: log-probability / length^lenpen, in nats.
        margins: gap to another course of the search, in nats; infinite where there was none.
    """

    tokens: Int[Tensor, "R T"]
    lengths: Int[Tensor, " R"]
    scores: Float[Tensor, " R"]
    margins: Float[Tensor, " R"]


@runtime_checkable
class StepDecoder(Protocol):
    """A decoder that goes on by one token for every hypothesis."""

    def step(self, tokens: Int[Tensor, " N"], request: TokenRequest) -> TopTokens:
        """The best next tokens of each hypothesis, `tokens` being their last."""
        ...

    def select(self, origins: Int[Tensor, " N"], *, rows_changed: bool) -> None:
        """Go on with these hypotheses of the last step; `rows_changed` tells that they belong to other rows."""
        ...


class CachedDecoder:
    """The decoder of a transformers model under a gate, with a key-value cache."""

    def __init__(
        self,
        module: PreTrainedModel,
        gate: Gate,
        xi: Float[Tensor, "R heads"],
        encoded: Float[Tensor, "R S D"],
        present: Int[Tensor, "R S"],
    ) -> None:
        """Start with one hypothesis a row, from the last hidden states of the encoder and their attention mask."""
        self._module, self._gate = module, gate
        self._xi, self._encoded, self._present = xi, encoded, present
        self._examples = torch.arange(len(xi), device=xi.device)
        self._length = 0
        self._cache = EncoderDecoderCache(DynamicCache(), DynamicCache())

    def step(self, tokens: Int[Tensor, " N"], request: TokenRequest) -> TopTokens:
        """See `StepDecoder`."""
        return top_tokens(self._logits(tokens), lambda logits: logits, request)

    def logprobs(self, tokens: Int[Tensor, " N"]) -> Float[Tensor, "N V"]:
        """A step that tells the log-probabilities of all tokens."""
        return self._logits(tokens).log_softmax(-1)

    def _logits(self, tokens: Int[Tensor, " N"]) -> Float[Tensor, "N V"]:
        position = torch.full((1, 1), self._length, device=tokens.device)
        self._length += 1
        place = self._gate.part(slice(None), examples=self._examples, positions=position)
        with self._gate.masked(self._xi), place:
            output = self._module(
                encoder_outputs=(self._encoded,),
                attention_mask=self._present,
                decoder_input_ids=tokens[:, None],
                past_key_values=self._cache,
                use_cache=True,
            )
        return output.logits[:, -1]

    def select(self, origins: Int[Tensor, " N"], *, rows_changed: bool) -> None:
        """See `StepDecoder`. What belongs to a row, and not to a hypothesis, is moved only when it must be."""
        places = cast(torch.LongTensor, origins)
        self._cache.self_attention_cache.reorder_cache(places)
        if rows_changed:
            self._cache.cross_attention_cache.reorder_cache(places)
            of_rows = (self._xi, self._examples, self._encoded, self._present)
            self._xi, self._examples, self._encoded, self._present = (x[origins] for x in of_rows)


@dataclass
class Candidates:
    """The M best continuations of each row, best first.

    Attributes:
        scores: log-probability of each, with all that comes before it.
        tokens: last token of each.
        beams: number of the hypothesis that it continues.
        ends: true where its last token finishes it.
    """

    scores: Float[Tensor, "B M"]
    tokens: Int[Tensor, "B M"]
    beams: Int[Tensor, "B M"]
    ends: Bool[Tensor, "B M"]

    def going_on(self, number: int) -> Int[Tensor, "B number"]:
        """Places of the best candidates that do not end."""
        return self.ends.int().argsort(dim=1, stable=True)[:, :number]


def search(decoder: StepDecoder, config: BeamConfig, limits: Int[Tensor, " R"]) -> Hypotheses:
    """The best hypothesis of every row.

    Args:
        decoder: at its start, one hypothesis a row.
        config: how to search.
        limits: most tokens of each row's hypotheses, `</s>` left out; at least 1.
    """
    finished = FinishedHypotheses(limits, config)
    row_B = torch.arange(len(limits), device=limits.device)
    token_BWT = torch.full((len(row_B), 1, 1), config.start, device=limits.device)
    score_BW = torch.zeros((len(row_B), 1), device=limits.device)
    shortest, longest = map(int, limits.aminmax())
    for step in range(longest + 1):
        request = TokenRequest(2 * config.beam + 1, config.end, (config.pad,) if step else (config.pad, config.end))
        following = decoder.step(token_BWT[:, :, -1].flatten(), request)
        if step >= shortest:
            must_end_N = (limits[row_B] <= step).repeat_interleave(score_BW.shape[1])
            following = following.ending(must_end_N, config.end)
        candidates = _candidates(following, score_BW, config)
        finished.add(candidates, row_B, token_BWT)
        going_B = finished.still_searching(row_B, step).nonzero().squeeze(1)
        if len(going_B) == 0:
            break
        rows_changed = step == 0 or len(going_B) < len(row_B)
        kept_BK = candidates.going_on(config.beam)[going_B]
        beam_BK = candidates.beams[going_B].gather(1, kept_BK)
        decoder.select((going_B[:, None] * score_BW.shape[1] + beam_BK).flatten(), rows_changed=rows_changed)
        last_BK1 = candidates.tokens[going_B].gather(1, kept_BK)[:, :, None]
        token_BWT = torch.cat([token_BWT[going_B[:, None], beam_BK], last_BK1], dim=2)
        score_BW = candidates.scores[going_B].gather(1, kept_BK)
        row_B = row_B[going_B]
    return finished.best()


def _candidates(following: TopTokens, scores: Float[Tensor, "B W"], config: BeamConfig) -> Candidates:
    """The M best continuations of each row, from the M best of each hypothesis."""
    rows, beams = scores.shape
    wanted, per_beam = 2 * config.beam + 1, following.tokens.shape[1]
    total_BC = (following.logprobs + scores.view(-1, 1)).view(rows, -1)
    token_BC = following.tokens.view(rows, -1)
    short = wanted - total_BC.shape[1]
    if short > 0:  # fewer words than M: fill up with what has no probability
        total_BC = functional.pad(total_BC, (0, short), value=-torch.inf)
        token_BC = functional.pad(token_BC, (0, short), value=config.end)
    score_BM, place_BM = total_BC.topk(wanted)
    token_BM = token_BC.gather(1, place_BM)
    ends_BM = (token_BM == config.end) & score_BM.isfinite()
    return Candidates(score_BM, token_BM, (place_BM // per_beam).clamp(max=beams - 1), ends_BM)


class FinishedHypotheses:
    """The finished hypotheses of every row: how many, the best of them, and how close the search came to another."""

    def __init__(self, limits: Int[Tensor, " R"], config: BeamConfig) -> None:
        self._limit_R, self._config = limits, config
        self._count_R = torch.zeros_like(limits)
        self._length_R = torch.zeros_like(limits)
        self._token_RT = torch.full((len(limits), int(limits.max())), config.pad, device=limits.device)
        self._best_R2 = torch.full((len(limits), 2), -torch.inf, device=limits.device)
        self._margin_R = torch.full((len(limits),), torch.inf, device=limits.device)

    def add(self, candidates: Candidates, rows: Int[Tensor, " B"], tokens: Int[Tensor, "B W T"]) -> None:
        """Take the candidates that end, and what the choice of this step was close to.

        Args:
            candidates: candidates of the rows that still search.
            rows: places of these rows among all.
            tokens: their hypotheses so far, the start token included.
        """
        beam, length = self._config.beam, tokens.shape[2]  # of the new hypotheses; `</s>` counts, the start does not
        ends_BK = candidates.ends[:, :beam]
        score_BK = (candidates.scores[:, :beam] / length**self._config.lenpen).where(ends_BK, -torch.inf)
        best_B, place_B = score_BK.max(dim=1)
        winner = (best_B > self._best_R2[rows, 0]).nonzero().squeeze(1)
        self._token_RT[rows[winner], : length - 1] = tokens[winner, candidates.beams[winner, place_B[winner]], 1:]
        self._length_R[rows[winner]] = length - 1
        self._best_R2[rows] = torch.cat([self._best_R2[rows], score_BK], dim=1).topk(2).values
        self._count_R[rows] += ends_BK.sum(1)
        self._margin_R[rows] = self._margin_R[rows].minimum(_margin(candidates, beam))

    def still_searching(self, rows: Int[Tensor, " B"], step: int) -> Bool[Tensor, " B"]:
        """Which of these rows have fewer than K finished hypotheses and are below their greatest length."""
        return (self._count_R[rows] < self._config.beam) & (self._limit_R[rows] > step)

    def best(self) -> Hypotheses:
        """The best hypothesis of every row."""
        best_R, second_R = self._best_R2.unbind(1)
        return Hypotheses(self._token_RT, self._length_R, best_R, self._margin_R.minimum(_gap(best_R, second_R)))


def _margin(candidates: Candidates, beam: int) -> Float[Tensor, " B"]:
    """Smallest gap between what this step chose and what it dropped.

    Three choices are made: which K candidates go on (against the next that does not end), which ends count (against
    the first candidate outside the K best), and which do not (against the last inside).
    """
    score_BM = candidates.scores
    kept_B, dropped_B = score_BM.gather(1, candidates.going_on(beam + 1)[:, -2:]).unbind(1)
    end_inside_B = score_BM[:, :beam].where(candidates.ends[:, :beam], torch.inf).amin(1)
    end_outside_B = score_BM[:, beam:].where(candidates.ends[:, beam:], -torch.inf).amax(1)
    gaps = (
        _gap(kept_B, dropped_B),
        _gap(end_inside_B, score_BM[:, beam]),
        _gap(score_BM[:, beam - 1], end_outside_B),
    )
    return torch.stack(gaps).amin(0)


def _gap(chosen: Float[Tensor, " B"], dropped: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
    """How far one was from the other; infinite where one of them does not exist."""
    return (chosen - dropped).where(chosen.isfinite() & dropped.isfinite(), torch.inf)
