"""Decoder language models of transformers (GPT-2, Llama, Gemma, Qwen ...) as subjects: how likely words are.

Shapes: R rows of a pass (requests of one length), T tokens, d width, N tokens that are scored, V words.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from study.masking.gate import Gate
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.loss import PLAIN, Loss
from study.subjects.graphs import Graph, NextWord
from study.subjects.kept_state import kept_state
from study.subjects.language_model.columns import outcome_columns
from study.subjects.language_model.passes import language_rows, passes, requests_of_rows, scored_places
from study.subjects.language_model.requests import LanguageRow, Request, text_row
from study.subjects.language_model.tail import Tail
from study.subjects.language_model.text import LanguageText
from study.subjects.language_model.trace import SharedTrace
from study.subjects.language_model.ways import ROUNDING, other_ways
from study.subjects.language_model.words import log_probabilities
from study.subjects.subject import PROBE, Subject, TokenRow, runs_on_token_ids, to_device, wide
from study.subjects.tokens.passage import Passage

LOGITS_AT_ONCE = 2**26
"""Logits in memory at a time: tokens that are scored times words."""

PROBE_ROWS, PROBE_LENGTH = 3, 8
PROBE_LOGITS = 2**18
"""Most numbers of a response of one row."""


class LanguageModel(Subject):
    """A causal language model.

    Outcome columns: see `study.subjects.language_model.columns`.

    Attributes:
        acts_on_scored: whether masks act only on the tokens after which words are scored.
    """

    acts_on_scored = False

    def __init__(self, module: PreTrainedModel, text: LanguageText, *, loaded: str) -> None:
        """Put the gate into a model.

        Args:
            module: the model, in evaluation mode, on its device.
            text: its text side.
            loaded: one line that says what this is and where it came from.

        Raises:
            InputError: when it is no causal language model.
        """
        self.module = module.eval().requires_grad_(requires_grad=False)
        self.device = module.device
        self.loaded = loaded
        self.text = text
        probe = self.probe()
        with runs_on_token_ids(loaded, self.device):
            with torch.no_grad(), kept_state(module):
                ids = self._ids(language_rows(probe)[0].requests)
                self.tail = Tail(module, ids)
                _require_causal(self.tail, ids, loaded)
            self.gate = Gate.on(module, causal=True, mlps=True)
            self.gate.learn(lambda: self.response(probe, None), rows=len(probe))

    def encode(self, examples: Examples, max_unknown: float = 1.0) -> list[TokenRow]:
        """Tokenise choices and texts, see `LanguageText.encode`."""
        return list(self.text.encode(examples, max_unknown))

    @torch.no_grad()
    def outcomes(self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "rows heads"]) -> dict[str, Any]:
        """How likely the continuations of each row are under its mask."""
        own = language_rows(rows)
        requests, places = requests_of_rows(own)
        with self.standing(rows), self.gate.masked(self.as_xi(masks)):
            sums, greedy = self._scored(requests, places)
        return self.columns(sums.cpu().numpy(), greedy.cpu().numpy(), own)

    def columns(
        self, sums: Float[np.ndarray, " requests"], greedy: Int[np.ndarray, " requests"], rows: Sequence[LanguageRow]
    ) -> dict[str, Any]:
        """Outcome columns of rows, see `outcome_columns`."""
        return outcome_columns(sums, greedy, rows)

    @torch.no_grad()
    def logliks(self, requests: Sequence[Request]) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """The log-probability of each continuation, nats, and how many of its tokens are the most likely word.

        The gate, where it is masked, has a row for each request.
        """
        sums, greedy = self._scored(requests, np.arange(len(requests)))
        return sums.cpu().numpy(), greedy.cpu().numpy()

    def sums(self, requests: Sequence[Request]) -> Float[Tensor, " n"]:
        """The log-probability of each continuation, nats, with a graph behind it; the gate has a row for each."""
        return self._scored(requests, np.arange(len(requests)))[0]

    def losses(self, rows: Sequence[TokenRow], loss: Loss = PLAIN) -> Float[Tensor, " rows"]:
        """Cross entropy of the right continuation among all of a row, or what a text lacks to certainty; nats.

        Raises:
            InputError: for a loss with smoothed labels.
        """
        self._require_plain(loss)
        own = language_rows(rows)
        requests, places = requests_of_rows(own, alone=False)
        sums, _ = self._scored(requests, places)
        return torch.stack(
            [
                row_loss(part, row.answer)
                for part, row in zip(sums.split([row.choices or len(row.requests) for row in own]), own, strict=True)
            ]
        )

    def gradients(
        self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "rows heads"], loss: Loss = PLAIN
    ) -> dict[str, Any]:
        """See `Subject.gradients`. A token that all continuations of a choice read is one token, read once."""
        self._require_plain(loss)
        own = language_rows(rows)
        xi = self.as_xi(masks)
        trace = SharedTrace.like(xi, [row.shared for row in own])
        with self.standing(rows), torch.enable_grad(), self.gate.traced(xi, trace):
            losses = self._backward(own)
        trace.finish()
        return {
            "loss": losses.cpu().numpy(),
            "gradient": trace.signed.cpu().numpy(),
            "token_gradient": trace.absolute.cpu().numpy(),
            "source_tokens": np.array([len(row.source) for row in own]),
            "target_tokens": np.array([len(row.source) for row in own]),
        }

    def _backward(self, rows: Sequence[LanguageRow]) -> Float[Tensor, " rows"]:
        """The loss of each row, once it has gone back to the gate; windows of a text go back one pass after the other.

        Those of a choice cannot, as the loss is of all continuations together.
        """
        if all(row.choices for row in rows):
            losses = self.losses(rows)
            losses.sum().backward()
            return losses.detach()
        requests, places = requests_of_rows(rows)
        losses = torch.zeros(len(rows), dtype=torch.float64)
        for chosen in passes(requests):
            sums, _ = self._scored([requests[i] for i in chosen], places[chosen])
            (-sums.sum()).backward()
            losses.index_add_(0, torch.from_numpy(places[chosen]), -sums.detach().cpu().double())
        return losses

    def _scored(
        self, requests: Sequence[Request], places: Int[np.ndarray, " n"]
    ) -> tuple[Float[Tensor, " n"], Int[Tensor, " n"]]:
        """As `logliks`, with a graph where one is wanted; the gate's row of each request stands in `places`.

        Requests of one length are computed together, so that none is padded.
        """
        sums, greedy, order = [], [], []
        for chosen in passes(requests):
            own = [requests[i] for i in chosen]
            with self.gate.part(to_device(torch.from_numpy(places[chosen]), self.device), acts=self._acts(own)):
                own_sums, own_greedy = self._pass(own)
            sums.append(own_sums)
            greedy.append(own_greedy)
            order.append(chosen)
        back = to_device(torch.from_numpy(np.argsort(np.concatenate(order))), sums[0].device)
        return torch.cat(sums)[back], torch.cat(greedy)[back]

    def _acts(self, requests: Sequence[Request]) -> Bool[Tensor, "R T"] | None:
        """Tokens on which masks act, of requests of one length: where asked for, those after which words are scored."""
        if not self.acts_on_scored:
            return None
        token_T = torch.arange(len(requests[0].read), device=self.device)
        first_R = torch.tensor([len(request.context) - 1 for request in requests], device=self.device)
        return token_T >= first_R[:, None]

    def _pass(self, requests: Sequence[Request]) -> tuple[Float[Tensor, " R"], Int[Tensor, " R"]]:
        """One forward pass over requests of one length."""
        with kept_state(self.module):
            hidden_RTd = self.tail.hidden(self._ids(requests))
        last = hidden_RTd.device  # with a device map that of the last layer
        rows_N, tokens_N, targets_N = (to_device(index, last) for index in scored_places(requests))
        at_once = max(1, LOGITS_AT_ONCE // self.module.config.get_text_config().vocab_size)
        hidden_N, words_N = hidden_RTd[rows_N, tokens_N].split(at_once), targets_N.split(at_once)
        found = [self.words(hidden, words) for hidden, words in zip(hidden_N, words_N, strict=True)]
        logp_N, best_N = (torch.cat(part) for part in zip(*found, strict=True))
        numbers = wide(last)
        sums = torch.zeros(len(requests), dtype=numbers, device=last).index_add(0, rows_N, logp_N.to(numbers))
        greedy = torch.zeros(len(requests), dtype=torch.long, device=last).index_add(0, rows_N, best_N.long())
        return sums, greedy

    def words(self, hidden: Float[Tensor, "N d"], words: Int[Tensor, " N"]) -> tuple[Tensor, Tensor]:
        """Log-probabilities of words, and which are most likely; on the way back logits are computed once more."""

        def score(hidden: Tensor) -> tuple[Tensor, Tensor]:
            return log_probabilities(self.tail(hidden), words)

        if not (torch.is_grad_enabled() and hidden.requires_grad):
            return score(hidden)
        return checkpoint(score, hidden, use_reentrant=False)

    def _ids(self, requests: Sequence[Request]) -> Int[Tensor, "R T"]:
        return to_device(torch.tensor([request.read for request in requests]), self.device)

    def _require_plain(self, loss: Loss) -> None:
        if loss != PLAIN:
            raise InputError(f"loss {loss} smooths labels: of {self.loaded} the loss is that of the words as they are")

    def reach(self, row: TokenRow) -> tuple[int, ...]:
        """See `Subject.reach`."""
        return (max(len(request.read) for own in language_rows([row]) for request in own.requests),)

    def passages(self, row: TokenRow) -> list[Passage]:
        """The context and the right continuation of a choice, or the windows of a text, up to their last tokens."""
        return [passage for own in language_rows([row]) for passage in self.text.passages(own)]

    @torch.no_grad()
    def read(self, passages: Sequence[Passage]) -> None:
        """See `Subject.read`; no word is scored."""
        ids_RT = to_device(torch.from_numpy(np.stack([passage.source.ids for passage in passages])), self.device)
        with kept_state(self.module):
            self.tail.hidden(ids_RT)

    @torch.no_grad()
    def alone(self, request: Request) -> float:
        """The log-probability of a continuation as plain transformers gives it: its model on one row, nothing else."""
        with kept_state(self.module):
            logits = self.module(input_ids=self._ids([request])).logits[0].float()
        scored = logits[-len(request.continuation) :].log_softmax(-1)
        words = torch.tensor(request.continuation, device=logits.device)
        return scored.gather(1, words[:, None]).cpu().double().sum().item()

    def probe(self) -> list[TokenRow]:
        """Three rows of random words, of one length, as rows of a pass are."""
        generator = np.random.default_rng(0)
        size = self.module.config.get_text_config().vocab_size
        words = np.setdiff1d(np.arange(size), self.text.tokenizer.all_special_ids)
        tokens = [tuple(generator.choice(words, PROBE_LENGTH + 1).tolist()) for _ in range(PROBE_ROWS)]
        return [text_row(f"{PROBE}{i}", [Request(own[:1], own[1:])]) for i, own in enumerate(tokens)]

    @torch.no_grad()
    def response(self, rows: Sequence[TokenRow], xi: Float[Tensor, "rows heads"] | None) -> Float[Tensor, "rows out"]:
        """The logits after the last tokens of rows of one length: after all of them, where there are not many words."""
        requests = [row.requests[0] for row in language_rows(rows)]
        ids_RT = self._ids(requests)
        with ExitStack() as stack:
            stack.enter_context(kept_state(self.module))
            if xi is not None:
                stack.enter_context(self.standing(rows))
                stack.enter_context(self.gate.masked(xi))
                stack.enter_context(self.gate.part(slice(None), acts=self._acts(requests)))
            hidden_RTd = self.tail.hidden(ids_RT)[:, -self._num_compared(ids_RT.shape[1]) :]
        return self.tail(hidden_RTd.flatten(0, 1)).float().cpu().view(len(rows), -1)

    def other_responses(
        self, rows: Sequence[TokenRow], xi: Float[Tensor, "rows heads"]
    ) -> dict[str, Float[Tensor, "rows out"]]:
        """The response with padding, by another kind of attention and with a cache, as far as the model does these."""
        if self.module.dtype != torch.float32:
            return {}  # other ways round otherwise
        ids_RT = self._ids([row.requests[0] for row in language_rows(rows)])
        with self.standing(rows):
            return other_ways(self.module, ids_RT, self.gate, xi, self._num_compared(ids_RT.shape[1]))

    def _num_compared(self, length: int) -> int:
        """How many tokens of a probe are compared."""
        return max(1, min(length, PROBE_LOGITS // self.module.config.get_text_config().vocab_size))

    @torch.no_grad()
    def graphs(self) -> list[Graph]:
        """The whole model, which reads rows that may be padded at their ends."""
        ids_RT = self._ids([row.requests[0] for row in language_rows(self.probe())])
        present_RT = torch.ones_like(ids_RT)
        inputs = {"input_ids": ids_RT, "attention_mask": present_RT}
        whole = NextWord(self.module)
        return [Graph("model", whole, inputs, whole(**inputs))]


def row_loss(sums: Float[Tensor, " requests"], answer: int | None) -> Float[Tensor, ""]:
    """The loss of one row: see `choice_loss`, and of a text what its windows lack to certainty."""
    if answer is None:
        return -sums.sum()
    return -sums[answer] if len(sums) == 1 else sums.logsumexp(0) - sums[answer]


def _require_causal(tail: Tail, ids: Int[Tensor, "R T"], loaded: str) -> None:
    """Refuse a model whose first tokens see the last, found by changing it."""
    other = ids.clone()
    other[:, -1] = other[:, 0]
    first, changed = tail.hidden(ids)[:, 0], tail.hidden(other)[:, 0]
    if not (first - changed).abs().max() <= ROUNDING * first.abs().max():  # experts round by what else they are given
        raise InputError(
            f"{loaded} looks at tokens that come later: it is an encoder, and no language model that reads from left "
            "to right. model=hf_classifier studies sequence classifiers"
        )
