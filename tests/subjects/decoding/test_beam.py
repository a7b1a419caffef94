"""Beam search against a plain search of one sentence at a time, and against trying everything."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from fixtures.cases import TRANSLATORS, build
from transformers import PreTrainedModel

from study.masking.gate import Gate
from study.masking.sites import find_sites
from study.subjects.decoding.beam import BeamConfig, CachedDecoder, search
from study.subjects.decoding.top_tokens import TokenRequest, TopTokens, top_tokens

NextWord = Callable[[list[int]], Sequence[float]]


@dataclass
class Expected:
    tokens: list[int]
    score: float
    margin: float


def plain_search(next_word: NextWord, rule: BeamConfig, limit: int) -> Expected:
    """The rules of the search, written plainly: every continuation is listed and sorted."""
    hypotheses, finished, gaps = [([rule.start], 0.0)], [], []
    for step in range(limit + 1):
        candidates = [
            (score + logprob, [*tokens, word])
            for tokens, score in hypotheses
            for word, logprob in enumerate(next_word(tokens))
            if _allowed(word, rule, first=step == 0, last=step == limit)
        ]
        candidates.sort(key=lambda candidate: -candidate[0])
        going = [c for c in candidates if c[1][-1] != rule.end]
        gaps += _gaps(candidates, going, rule)
        for score, tokens in candidates[: rule.beam]:
            if tokens[-1] == rule.end:
                finished.append((score / (step + 1) ** rule.lenpen, tokens))
        if len(finished) >= rule.beam or step == limit:
            break
        hypotheses = [(tokens, score) for score, tokens in going[: rule.beam]]
    finished.sort(key=lambda hypothesis: -hypothesis[0])
    if len(finished) > 1:
        gaps.append(finished[0][0] - finished[1][0])
    return Expected(finished[0][1][1:-1], finished[0][0], min(gaps, default=np.inf))


def _allowed(word: int, rule: BeamConfig, *, first: bool, last: bool) -> bool:
    if last:
        return word == rule.end
    return word != rule.pad and not (word == rule.end and first)


def _gaps(candidates: list, going: list, rule: BeamConfig) -> list[float]:
    """Distances to another choice: of what goes on, and of every end in or out of the K best."""
    gaps = [going[rule.beam - 1][0] - going[rule.beam][0]] if len(going) > rule.beam else []
    if len(candidates) > rule.beam:
        worst_inside, best_outside = candidates[rule.beam - 1][0], candidates[rule.beam][0]
        for place, (score, tokens) in enumerate(candidates):
            if tokens[-1] == rule.end:
                gaps.append(score - best_outside if place < rule.beam else worst_inside - score)
    return gaps


class Table:
    """A decoder whose next word depends on the row, the step and the last word; no two paths are equally likely."""

    def __init__(self, by_step: torch.Tensor, by_word: torch.Tensor) -> None:
        self.by_step, self.by_word = by_step, by_word  # [rows, steps, words] and [words, words]
        self.row, self.now = torch.arange(len(by_step)), 0

    def logprobs(self, row: torch.Tensor | int, step: int, last: torch.Tensor | int) -> torch.Tensor:
        return (self.by_step[row, step] + self.by_word[last]).log_softmax(-1)

    def step(self, tokens: torch.Tensor, asked: TokenRequest) -> TopTokens:
        self.now += 1
        return top_tokens(self.logprobs(self.row, self.now - 1, tokens), lambda logprobs: logprobs, asked)

    def select(self, origins: torch.Tensor, *, rows_changed: bool) -> None:
        if rows_changed:
            self.row = self.row[origins]

    def plain(self, row: int) -> NextWord:
        return lambda tokens: self.logprobs(row, len(tokens) - 1, tokens[-1]).tolist()


def table(rows: int, words: int, *, towards_end: float, seed: int = 0) -> Table:
    generator = torch.Generator().manual_seed(seed)
    by_step = torch.randn(rows, 9, words, generator=generator) * 2
    by_step[..., 2] += towards_end
    return Table(by_step, torch.randn(words, words, generator=generator))


@pytest.mark.parametrize("words", [8, 30, 900])
@pytest.mark.parametrize(("beam", "lenpen"), [(1, 1.0), (2, 0.6), (5, 1.0), (4, 0.0), (5, 1.5)])
def test_many_rows_against_plain_search(words: int, beam: int, lenpen: float) -> None:
    """Rows end at different steps and have different limits; 900 words are looked through in blocks."""
    rule = BeamConfig(beam=beam, lenpen=lenpen, start=2, end=2, pad=1)
    rows = 12
    decoder = table(rows, words, towards_end=4.0 if words > 100 else 1.0, seed=words + beam)
    limits = [1 + row % 7 for row in range(rows)]
    found = search(decoder, rule, torch.tensor(limits))
    lengths = found.lengths.tolist()
    for row in range(rows):
        expected = plain_search(decoder.plain(row), rule, limits[row])
        assert found.tokens[row, : lengths[row]].tolist() == expected.tokens
        assert found.tokens[row, lengths[row] :].eq(1).all()
        assert found.scores[row].item() == pytest.approx(expected.score, abs=1e-5)
        assert found.margins[row].item() == pytest.approx(expected.margin, abs=1e-5)
    assert len(set(lengths)) > 2


@pytest.mark.parametrize("lenpen", [0.0, 1.0, 2.0])
def test_wide_beam_is_exhaustive(lenpen: float) -> None:
    """A beam wider than the number of hypotheses finds the best of all sentences of one to four words."""
    rule, limit = BeamConfig(beam=400, lenpen=lenpen, start=2, end=2, pad=1), 4
    decoder = table(3, 6, towards_end=0.5)
    found = search(decoder, rule, torch.tensor([limit] * 3))
    words = [w for w in range(6) if w not in (1, 2)]
    for row in range(3):
        scores = {}
        for length in range(1, limit + 1):
            for sentence in itertools.product(words, repeat=length):
                path = [2, *sentence, 2]
                total = sum(decoder.logprobs(row, i, path[i])[path[i + 1]].item() for i in range(length + 1))
                scores[sentence] = total / (length + 1) ** lenpen
        best = max(scores, key=lambda sentence: scores[sentence])
        assert tuple(found.tokens[row, : found.lengths[row]].tolist()) == best
        assert found.scores[row].item() == pytest.approx(scores[best], abs=1e-5)
        second = sorted(scores.values())[-2]
        assert found.margins[row].item() == pytest.approx(scores[best] - second, abs=1e-5)


def test_a_change_below_the_margin_changes_nothing() -> None:
    """Log-probabilities are moved by so little that no sum of them moves by half the margin."""
    rule, limit = BeamConfig(beam=3, lenpen=1.0, start=2, end=2, pad=1), 6
    decoder = table(40, 12, towards_end=1.0)
    found = search(decoder, rule, torch.tensor([limit] * 40))
    noise = torch.rand(decoder.by_step.shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
    # A logit moved by x moves a log-probability by at most 2x.
    little = noise * (0.24 * found.margins / (limit + 1))[:, None, None]
    moved = search(Table(decoder.by_step + little, decoder.by_word), rule, torch.tensor([limit] * 40))
    assert moved.tokens.equal(found.tokens)
    far = search(Table(decoder.by_step + noise, decoder.by_word), rule, torch.tensor([limit] * 40))
    assert not far.tokens.equal(found.tokens)


def _gated(module: PreTrainedModel, *, time_first: bool) -> Gate:
    gate = Gate(find_sites(module, causal=False))
    for site in gate.sites:
        site.batch_dim = int(time_first)
    return gate


@pytest.mark.parametrize("architecture", list(TRANSLATORS))
def test_models_with_a_mask_for_each_row(architecture: str) -> None:
    """One batch of padded sentences, each under its own mask, against each alone, without cache, weights zeroed."""
    module = build(TRANSLATORS[architecture]).requires_grad_(requires_grad=False)
    gate = _gated(module, time_first=architecture == "fsmt")
    start = 0 if architecture == "t5" else 3
    rule = BeamConfig(beam=3, lenpen=1.0, start=start, end=3, pad=0)
    generator = np.random.default_rng(0)
    sources = [[*generator.integers(4, 60, size=length).tolist(), 3] for length in (4, 7, 5, 2)]
    masks = generator.random((len(sources), len(gate.layout))) < 0.6
    limits = [5, 4, 6, 3]
    ids = torch.tensor([source + [0] * (8 - len(source)) for source in sources])
    present = torch.tensor([[1] * len(source) + [0] * (8 - len(source)) for source in sources])
    xi = torch.from_numpy(masks).float()
    with gate.masked(xi):
        encoded = module.get_encoder()(input_ids=ids, attention_mask=present).last_hidden_state
    found = search(CachedDecoder(module, gate, xi, encoded, present), rule, torch.tensor(limits))
    for row, source in enumerate(sources):
        expected = plain_search(_alone(architecture, source, masks[row]), rule, limits[row])
        assert expected.margin > 1e-4
        assert found.tokens[row, : found.lengths[row]].tolist() == expected.tokens
        assert found.scores[row].item() == pytest.approx(expected.score, abs=1e-4)
        assert found.margins[row].item() == pytest.approx(expected.margin, abs=2e-4)


def _alone(architecture: str, source: list[int], mask: np.ndarray) -> NextWord:
    """The same model with the masked heads' columns of the output projections set to zero, one prefix at a time."""
    module = build(TRANSLATORS[architecture])
    gate = _gated(module, time_first=False)
    with torch.no_grad():
        for head in gate.layout.changed(mask):
            gate.site(head).head_columns(head.index).zero_()

    @torch.no_grad()
    def next_word(tokens: list[int]) -> list[float]:
        ids = torch.tensor([source])
        output = module(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            decoder_input_ids=torch.tensor([tokens]),
            use_cache=False,
        )
        return output.logits[0, -1].log_softmax(-1).tolist()

    return next_word
