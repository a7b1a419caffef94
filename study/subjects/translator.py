"""Translation models as subjects: any encoder-decoder of transformers, a text processing, and beam search.

Shapes: R rows, S source tokens, T target tokens, V words, D size of a hidden state.
"""

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from study.masking.gate import Gate
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.loss import PLAIN, Loss
from study.record.metrics import Answers, Bleu, Metric
from study.record.metrics.languages import has_no_spaces
from study.subjects.cross_entropy import cross_entropy
from study.subjects.decoding.beam import BeamConfig, CachedDecoder, Hypotheses, search
from study.subjects.graphs import DecoderStep, Encoding, Graph
from study.subjects.subject import PROBE, Subject, TokenRow, to_device
from study.subjects.tokens.facts import TokenFacts, describe
from study.subjects.tokens.passage import Passage
from study.subjects.tokens.spelling import TextPieces
from study.subjects.vocabulary import require_known
from study.terminal.once import say_once

log = logging.getLogger(__name__)

WORDS_BY_SPACES = ("13a", "intl")
"""Tokenisers of BLEU that find words between spaces and marks."""

CACHED = 2**16
"""Translations whose scores are remembered: masks that matter little leave most of them as they were."""

START = "<s>"
"""How the token is spelled that a decoder starts from, whichever it is."""

PROBE_LENGTHS = (5, 7, 10)
PROBE_TARGETS = 6
"""Target tokens of a response, the same for every row."""


@runtime_checkable
class Text(Protocol):
    """Raw text to token ids of the source, token ids of the target to raw text.

    Attributes:
        unknown: id of the words that the source side does not know; None where it knows all.
    """

    unknown: int | None

    def encode(self, text: str) -> tuple[int, ...]:
        """Ids of a text, its end token last."""
        ...

    def encode_target(self, text: str) -> tuple[int, ...]:
        """Ids of a text in the language that is written, its end token last."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids."""
        ...

    def spell(self, text: str) -> TextPieces:
        """The pieces that `encode` makes of a text, and where in it they stand."""
        ...

    def spell_target(self, text: str) -> TextPieces:
        """The pieces that `encode_target` makes of a text, and where in it they stand."""
        ...


@dataclass(frozen=True, kw_only=True)
class DecodingOptions:
    """How translations are searched for: fairseq's beam search.

    Attributes:
        beam: hypotheses kept.
        lenpen: exponent of the length in a hypothesis's score.
        max_len_a: share of the most target tokens that grows with the source: so many for each of its tokens.
        max_len_b: share of the most target tokens that every source is given. `</s>` counts as a source token, not as a
            target token.
    """

    beam: int
    lenpen: float
    max_len_a: float
    max_len_b: int

    def __post_init__(self) -> None:
        if self.beam < 1:
            raise InputError(f"model.beam={self.beam}: expected 1 or more")
        if self.max_len_a < 0 or int(self.max_len_a + self.max_len_b) < 1:
            raise InputError(
                f"model.max_len_a={self.max_len_a}, max_len_b={self.max_len_b}: they allow no translation of one token"
            )


class Translator(Subject):
    """A translation model.

    Outcome columns: BLEU's statistics against the reference, `margin` (see `study.subjects.decoding.beam`),
    `hypothesis_score` (log-probability in nats / length^lenpen), `hypothesis` (detokenised).
    """

    pads_passages = True

    def __init__(
        self,
        module: PreTrainedModel,
        text: Text,
        decoding: DecodingOptions,
        *,
        max_source: int,
        max_target: int,
        truncate: bool,
        loaded: str,
        language: str = "",
    ) -> None:
        """Put the gate into a model.

        Args:
            module: an encoder-decoder, on its device.
            text: its text processing.
            decoding: how to translate.
            max_source: most source tokens, `</s>` counted.
            max_target: most target tokens, `</s>` counted.
            truncate: cut longer sources; refuse them otherwise.
            loaded: one line that says what this is and where it came from.
            language: code of the language that it writes, which chooses BLEU's tokens.
        """
        self.module = module.eval().requires_grad_(requires_grad=False)
        self.device = module.device
        self.metric = Bleu(Answers(language=language))
        self.loaded = loaded
        self._text, self._decoding = text, decoding
        self._max_source, self._max_target, self._truncate = max_source, max_target, truncate
        self.beam_config = BeamConfig(
            beam=decoding.beam,
            lenpen=decoding.lenpen,
            start=_token(module, "decoder_start_token_id"),
            end=_token(module, "eos_token_id"),
            pad=_token(module, "pad_token_id"),
        )
        self._special = (self.beam_config.start, self.beam_config.end, self.beam_config.pad)
        self._scored = lru_cache(CACHED)(partial(_scored, text))
        self.gate = Gate.on(module, causal=False)
        probe = self.probe()
        self.gate.learn(lambda: self.response(probe, None), rows=len(probe))

    def encode(self, examples: Examples, max_unknown: float = 1.0) -> list[TokenRow]:
        """Sources to ids of the source dictionary; the references stay text. See `Subject.encode`.

        Raises:
            InputError: for sources that are empty, unknown, or over the model's number of positions.
        """
        empty = [name for name, texts in zip(examples.ids, examples.texts, strict=True) if not texts[0].strip()]
        if empty:
            raise InputError(f"{len(empty)} of {len(examples)} sources are empty, the first is '{empty[0]}'")
        self._say_if_wordless(examples.targets)
        sources = [self._text.encode(texts[0]) for texts in examples.texts]
        too_long = [i for i, source in enumerate(sources) if len(source) > self._max_source]
        if too_long and not self._truncate:
            longest = max(too_long, key=lambda i: len(sources[i]))
            raise InputError(
                f"{len(too_long)} of {len(examples)} sources are over {self._max_source} tokens, the longest "
                f"('{examples.ids[longest]}') has {len(sources[longest])}: choose model.truncate=true to cut them"
            )
        for i in too_long:
            sources[i] = (*sources[i][: self._max_source - 1], sources[i][-1])
        rows = [
            TokenRow(name, source, target, cost=len(source) * self._decoding.beam)
            for name, source, target in zip(examples.ids, sources, examples.targets, strict=True)
        ]
        require_known(rows, max_unknown, owner=self.loaded, unknown=self._text.unknown, special=self._special)
        return rows

    def _say_if_wordless(self, references: Sequence[str]) -> None:
        tokens = getattr(self.metric, "tokenizer", "")
        if tokens in WORDS_BY_SPACES and has_no_spaces(references):
            words = (
                "the references have no spaces between words, so that BLEU of %s tokens has hardly any to count: "
                "metric.tokenize=char counts characters, `study report --metric chrf` scores by chrF"
            )
            say_once(log.warning, words, tokens)

    @torch.no_grad()
    def outcomes(self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "rows heads"]) -> dict[str, Any]:
        """Translate each row under its mask."""
        with self.standing(rows):
            found = search(self._decoder(rows, self.as_xi(masks)), self.beam_config, self.limits(rows))
        return self.columns(found, rows)

    def columns(self, found: Hypotheses, rows: Sequence[TokenRow]) -> dict[str, Any]:
        """What the search found for each row, as outcome columns."""
        tokens, lengths = found.tokens.cpu().tolist(), found.lengths.cpu().tolist()
        scored = [
            self._scored(tuple(ids[:length]), str(row.target), self.metric)
            for ids, length, row in zip(tokens, lengths, rows, strict=True)
        ]
        hypotheses, statistics = zip(*scored, strict=True)
        return {
            **dict(zip(self.metric.statistics, np.stack(statistics, axis=1), strict=True)),
            "margin": found.margins.cpu().numpy(),
            "hypothesis_score": found.scores.cpu().numpy(),
            "hypothesis": list(hypotheses),
        }

    def losses(self, rows: Sequence[TokenRow], loss: Loss = PLAIN) -> Float[Tensor, " rows"]:
        """Cross entropy of each row's reference, summed over its tokens, `</s>` counted; nats."""
        return self._token_losses(rows, loss).sum(1)

    @torch.no_grad()
    def reference_losses(self, rows: Sequence[TokenRow]) -> Float[Tensor, "rows target"]:
        """Cross entropy of each token of the references, `</s>` counted; nats, 0 where there is none."""
        return self._token_losses(rows, PLAIN)

    def _token_losses(self, rows: Sequence[TokenRow], loss: Loss) -> Float[Tensor, "rows target"]:
        source_RS, present_RS = self.padded(rows)
        references = [torch.tensor(self.reference(row)) for row in rows]
        target_RT = torch.nn.utils.rnn.pad_sequence(references, batch_first=True, padding_value=self.beam_config.pad)
        target_RT = to_device(target_RT, self.device)
        before_RT = target_RT.roll(1, dims=1)
        before_RT[:, 0] = self.beam_config.start
        logits = self._logits(source_RS, present_RS, before_RT)
        return cross_entropy(logits, target_RT, loss.epsilon, pad=self.beam_config.pad)

    def _logits(self, source: Tensor, present: Tensor, target: Tensor) -> Float[Tensor, "rows target words"]:
        """What the decoder says after each token that it reads."""
        return self.module(input_ids=source, attention_mask=present, decoder_input_ids=target, use_cache=False).logits

    def reach(self, row: TokenRow) -> tuple[int, ...]:
        """See `Subject.reach`; of the target the reference, as nobody knows how long a translation becomes."""
        return len(row.source), len(self.reference(row))

    def target_lengths(self, rows: Sequence[TokenRow]) -> list[int]:
        """Tokens of the references, `</s>` counted."""
        return [len(self.reference(row)) for row in rows]

    def reference(self, row: TokenRow) -> Sequence[int]:
        """Ids of a row's reference, `</s>` last unless it was cut."""
        return self._text.encode_target(str(row.target))[: self._max_target]

    def passages(self, row: TokenRow) -> list[Passage]:
        """The source, and the reference as the decoder reads it, from its first token on."""
        source = self._facts(row.source, self._text.spell(row.texts[0]) if row.texts else None)
        target = self._facts(self.reference(row), self._text.spell_target(str(row.target)))
        return [Passage(source, target=target.behind(self.beam_config.start, START))]

    def _facts(self, ids: Sequence[int], spelling: TextPieces | None) -> TokenFacts:
        """The facts of a text that may have been cut in front of its end token, see `encode`."""
        spelling = spelling or TextPieces(tuple(self._text.decode([token]) for token in ids))
        where = [*range(len(ids) - 1), len(ids) - 1 if ids[-1] != self.beam_config.end else len(spelling.pieces) - 1]
        return describe(
            ids,
            [spelling.pieces[i] for i in where],
            special=self._special,
            separators=[self.beam_config.end],
            spans=None if spelling.spans is None else [spelling.spans[i] for i in where],
        )

    @torch.no_grad()
    def read(self, passages: Sequence[Passage]) -> None:
        """See `Subject.read`; sources and targets are padded at their ends."""
        rows = [TokenRow("", tuple(passage.source.ids.tolist()), "", 0) for passage in passages]
        source_RS, present_RS = self.padded(rows)
        targets = [torch.from_numpy(passage.target.ids) for passage in passages if passage.target is not None]
        target_RT = torch.nn.utils.rnn.pad_sequence(targets, batch_first=True, padding_value=self.beam_config.pad)
        self._logits(source_RS, present_RS, to_device(target_RT, self.device))

    def probe(self) -> list[TokenRow]:
        """Three rows of random words, of 5, 7 and 10 tokens."""
        generator = np.random.default_rng(0)
        words = self._words(len(self.module.get_input_embeddings().get_parameter("weight")))
        sources = [(*generator.choice(words, n - 1).tolist(), self.beam_config.end) for n in PROBE_LENGTHS]
        return [TokenRow(f"{PROBE}{len(source)}", source, "", len(source)) for source in sources]

    def response(self, rows: Sequence[TokenRow], xi: Float[Tensor, "rows heads"] | None) -> Float[Tensor, "rows out"]:
        """Log-probabilities of every word after each token of a random target, in one pass.

        A row's target depends on its source alone.
        """
        source_RS, present_RS = self.padded(rows)
        with ExitStack() as stack:
            if xi is not None:
                stack.enter_context(self.standing(rows))
                stack.enter_context(self.gate.masked(xi))
            logits = self._logits(source_RS, present_RS, self.random_targets(rows))
        return logits.log_softmax(-1).flatten(1)

    def other_responses(
        self, rows: Sequence[TokenRow], xi: Float[Tensor, "rows heads"]
    ) -> dict[str, Float[Tensor, "rows out"]]:
        """The response token by token, as the beam search computes it."""
        with self.standing(rows):
            decoder = self._decoder(rows, xi)
            steps = [decoder.logprobs(token_R) for token_R in self.random_targets(rows).T]
        return {"decoding with a cache": torch.stack(steps, dim=1).flatten(1)}

    def saved_facts(self) -> dict[str, int]:
        """The longest source and target in tokens, `</s>` counted."""
        return {"max_source": self._max_source, "max_target": self._max_target}

    @torch.no_grad()
    def graphs(self) -> list[Graph]:
        """The encoder, and a step of the decoder."""
        rows = self.probe()
        ids_RS, present_RS = self.padded(rows)
        source = {"input_ids": ids_RS, "attention_mask": present_RS}
        encoder = Encoding(self.module)
        encoded_RSD = encoder(**source)
        step = {"encoded": encoded_RSD, "attention_mask": present_RS, "target_ids": self.random_targets(rows)}
        whole = self.module(**source, decoder_input_ids=step["target_ids"], use_cache=False)
        return [
            Graph("encoder", encoder, source, encoded_RSD),
            Graph("decoder_step", DecoderStep(self.module), step, whole.logits[:, -1]),
        ]

    def _decoder(self, rows: Sequence[TokenRow], xi: Float[Tensor, "rows heads"]) -> CachedDecoder:
        """The decoder at its start, after the encoder has read the sources."""
        source_RS, present_RS = self.padded(rows)
        with self.gate.masked(xi):
            encoded_RSD = self.module.get_encoder()(input_ids=source_RS, attention_mask=present_RS).last_hidden_state
        return CachedDecoder(self.module, self.gate, xi, encoded_RSD, present_RS)

    def padded(self, rows: Sequence[TokenRow]) -> tuple[Int[Tensor, "rows source"], Int[Tensor, "rows source"]]:
        """Sources with padding at their ends, and 1 where a token is."""
        lengths = torch.tensor([len(row.source) for row in rows])
        longest = int(lengths.max())
        ids = [row.source + (self.beam_config.pad,) * (longest - len(row.source)) for row in rows]
        present_RS = (torch.arange(longest) < lengths[:, None]).long()
        return torch.tensor(ids, device=self.device), present_RS.to(self.device)

    def limits(self, rows: Sequence[TokenRow]) -> Int[Tensor, " rows"]:
        """Most target tokens of each row, `</s>` left out."""
        a, b, most = self._decoding.max_len_a, self._decoding.max_len_b, self._max_target - 1
        return torch.tensor([min(int(a * len(row.source) + b), most) for row in rows], device=self.device)

    def random_targets(self, rows: Sequence[TokenRow]) -> Int[Tensor, "rows target"]:
        """The start token and some random words for each row, which depend on its source alone."""
        config = self.module.config
        words = self._words(getattr(config, "tgt_vocab_size", None) or config.vocab_size)
        drawn = [np.random.default_rng(row.source).choice(words, PROBE_TARGETS - 1).tolist() for row in rows]
        return torch.tensor([[self.beam_config.start, *row] for row in drawn], device=self.device)

    def _words(self, number: int) -> Int[np.ndarray, " words"]:
        """All ids but the special ones."""
        return np.setdiff1d(np.arange(number), self._special)


def _scored(
    text: Text, ids: tuple[int, ...], reference: str, metric: Metric
) -> tuple[str, Int[np.ndarray, " statistics"]]:
    """The text of a translation and its statistics."""
    assert isinstance(metric, Bleu), f"translations are scored by BLEU, not by {metric.name}"
    hypothesis = text.decode(ids)
    return hypothesis, metric.sentence_statistics([hypothesis], [reference])[0]


def _token(module: PreTrainedModel, name: str) -> int:
    """A special token of a model, from its config or its generation config."""
    for config in (module.config, module.generation_config):
        token = getattr(config, name, None)
        if isinstance(token, int):
            return token
    raise InputError(f"{type(module).__name__} has no {name}: it cannot be told to translate")
