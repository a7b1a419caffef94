"""Sequence classifiers of transformers (BERT, RoBERTa, DistilBERT, GPT-2, BART, T5, Llama ...) as subjects.

Shapes: R rows, T tokens, C classes.
"""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from study.masking.gate import Gate
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.loss import PLAIN, Loss
from study.subjects.classifier_text import ClassifierText
from study.subjects.cross_entropy import cross_entropy, cross_entropy_of_any
from study.subjects.graphs import Classification, Graph
from study.subjects.kept_state import kept_state
from study.subjects.subject import PROBE, Subject, TokenRow, runs_on_token_ids, to_device
from study.subjects.tokens.passage import Passage

PROBE_LENGTHS = (5, 9, 13)
PROBE_ROWS = 3

NO_TOKEN = -1
"""The id of no token."""

START = "<s>"
"""What the token is called that a decoder starts from, where nothing names it."""


class Classifier(Subject):
    """A transformers sequence classifier.

    Outcome columns: `correct` and `count` (0 or 1), `prediction` (index into `labels`), `margin` (largest logit less
    the second), `loss` (cross entropy of the gold label, nats).
    """

    pads = False
    outputs = "a classifier needs two or more"

    def __init__(
        self,
        module: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        labels: Sequence[str],
        max_length: int,
        truncate: bool,
        loaded: str,
    ) -> None:
        """Put the gate into a model.

        Args:
            module: the model, in evaluation mode, on its device.
            tokenizer: its tokenizer.
            labels: name of each of its outputs, in order.
            max_length: most tokens of an example, special tokens included.
            truncate: cut longer examples; refuse them otherwise.
            loaded: one line that says what this is and where it came from.
        """
        number = module.config.num_labels or 0
        if not self.has_fit_outputs(number):
            raise InputError(f"{loaded} has {'one output' if number == 1 else f'{number} outputs'}: {self.outputs}")
        self.module = module.eval().requires_grad_(requires_grad=False)
        self.device = module.device
        self.labels = tuple(labels)
        self.loaded = loaded
        self._text = ClassifierText(tokenizer, self.labels, max_length=max_length, truncate=truncate, owner=loaded)
        with runs_on_token_ids(loaded, self.device):
            self.gate = Gate.on(module, causal=self._is_causal())
            probe = self.probe()
            self.gate.learn(lambda: self.response(probe, None), rows=len(probe))

    def has_fit_outputs(self, number: int) -> bool:
        """Whether a model of its kind may have so many outputs."""
        return number > 1

    def encode(self, examples: Examples, max_unknown: float = 1.0) -> list[TokenRow]:
        """Tokenise texts and pairs, see `ClassifierText.encode`.

        Raises:
            InputError: when the text side refuses them, or the tokenizer is not the model's.
        """
        rows = self._text.encode(examples, max_unknown)
        largest, size = max(max(row.source) for row in rows), self._num_embeddings()
        if size is not None and largest >= size:
            raise InputError(
                f"the tokenizer gives token {largest}, but {self.loaded} has {size} embeddings: not its tokenizer"
            )
        segments = getattr(self.module.config, "type_vocab_size", None)
        if segments == 0 or not self._reads("token_type_ids"):  # DeBERTa takes segments, and has no embeddings of them
            return [replace(row, segments=None) for row in rows]
        if segments is not None and max(max(row.segments or (0,)) for row in rows) >= segments:
            raise InputError(f"the tokenizer tells segments apart, {self.loaded} has {segments}: not its tokenizer")
        return rows

    def _num_embeddings(self) -> int | None:
        """How many tokens have an embedding; None for models without a table of them (CANINE hashes letters)."""
        try:
            table = self.module.get_input_embeddings()
        except NotImplementedError:
            return None
        return table.num_embeddings if isinstance(table, nn.Embedding) else None

    @torch.inference_mode()
    def outcomes(self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "rows heads"]) -> dict[str, Any]:
        """Predictions of each row under its mask."""
        with self.standing(rows), self.gate.masked(self.as_xi(masks)):
            return self.columns(self.logits(rows), rows)

    def columns(self, logits: Float[Tensor, "rows classes"], rows: Sequence[TokenRow]) -> dict[str, Any]:
        """Outcome columns of rows with these logits."""
        logits_RC = logits.float().cpu()
        right_RC = _right(rows, logits_RC)
        best_R2, order_R2 = logits_RC.topk(2, dim=1)
        prediction_R = order_R2[:, 0]
        return {
            "correct": right_RC.gather(1, prediction_R[:, None])[:, 0].long().numpy(),
            "count": np.ones(len(rows), dtype=np.int64),
            "prediction": prediction_R.numpy(),
            "margin": (best_R2[:, 0] - best_R2[:, 1]).numpy(),
            "loss": _loss(logits_RC, rows, 0.0).numpy(),
        }

    def losses(self, rows: Sequence[TokenRow], loss: Loss = PLAIN) -> Float[Tensor, " rows"]:
        """Cross entropy of each row's gold label, nats."""
        return _loss(self.logits(rows), rows, loss.epsilon)

    def logits(self, rows: Sequence[TokenRow]) -> Float[Tensor, "rows classes"]:
        """Logits of each row. Rows of one length are computed together, so that none is padded.

        Padding would change what a row comes to where an architecture mixes neighbours whatever the attention mask says
        (convolutions, landmarks, pooled tokens), or where the end token of the text stands for padding as well.
        """
        lengths = np.array([len(row.source) for row in rows])
        if len(set(lengths.tolist())) == 1:
            return self._pass(rows)
        found: list[Tensor] = []
        order = [np.flatnonzero(lengths == length) for length in np.unique(lengths)]
        for part in order:
            with self.gate.part(to_device(torch.from_numpy(part), self.device)):
                found.append(self._pass([rows[i] for i in part.tolist()]))
        return torch.cat(found)[to_device(torch.from_numpy(np.argsort(np.concatenate(order))), self.device)]

    def _pass(self, rows: Sequence[TokenRow]) -> Float[Tensor, "rows classes"]:
        """One forward pass over rows of one length."""
        ids_RT, segments_RT = self.inputs(rows)
        inputs = {self.module.main_input_name: ids_RT, "attention_mask": torch.ones_like(ids_RT)}
        if segments_RT is not None:
            inputs["token_type_ids"] = segments_RT
        with kept_state(self.module), last_token_read(self.module):
            return self.module(**inputs).logits

    def inputs(self, rows: Sequence[TokenRow]) -> tuple[Int[Tensor, "rows tokens"], Int[Tensor, "rows tokens"] | None]:
        """Token ids of rows of one length, and the segments of the tokens where the model has such."""
        ids_RT = to_device(torch.tensor([row.source for row in rows]), self.device)
        if any(row.segments is None for row in rows):
            return ids_RT, None
        return ids_RT, to_device(torch.tensor([row.segments for row in rows]), self.device)

    def passages(self, row: TokenRow) -> list[Passage]:
        """The tokens of the example, which a decoder beside an encoder reads as well, moved by one.

        Where the config names no token that the decoder starts from (PLBART, T5Gemma), it is known by its place alone.
        """
        facts = self._text.facts(row)
        if not self.module.config.is_encoder_decoder:
            return [Passage(facts, segments=row.segments)]
        start = getattr(self.module.config, "decoder_start_token_id", None)
        piece = START if start is None else str(self._text.tokenizer.convert_ids_to_tokens(start))
        target = facts.behind(NO_TOKEN if start is None else start, piece)
        return [Passage(facts, target=target, segments=row.segments)]

    @torch.inference_mode()
    def read(self, passages: Sequence[Passage]) -> None:
        """See `Subject.read`."""
        self._pass([TokenRow("", tuple(p.source.ids.tolist()), 0, len(p.source), p.segments) for p in passages])

    @torch.inference_mode()
    def alone(self, texts: Sequence[str]) -> Float[Tensor, " classes"]:
        """Logits of one example as plain transformers gives them: its tokenizer, its model, nothing else."""
        inputs = {name: ids.to(self.device) for name, ids in self._text.alone(texts).items() if self._reads(name)}
        with kept_state(self.module):
            return self.module(**inputs).logits[0].float().cpu()

    def _reads(self, name: str) -> bool:
        """Whether the module takes an input of this name."""
        parameters = inspect.signature(self.module.forward).parameters.values()
        return any(parameter.name == name or parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)

    def probe(self, length: int = PROBE_LENGTHS[-1]) -> list[TokenRow]:
        """Three rows of random tokens, of one length, as rows of a batch are."""
        generator = np.random.default_rng(0)
        config = self.module.config
        size = getattr(config.get_text_config(), "vocab_size", None) or len(self._text.tokenizer)
        end_token = getattr(config, "eos_token_id", None)
        ends = [i for i in (end_token if isinstance(end_token, list) else [end_token]) if isinstance(i, int)]
        pads = [i for i in [getattr(config, "pad_token_id", None)] if isinstance(i, int)]
        words = np.setdiff1d(np.arange(size), [*self._text.tokenizer.all_special_ids, *ends, *pads])
        end = ends[:1] if config.is_encoder_decoder else []
        return [
            TokenRow(
                example=f"{PROBE}{number}",
                source=(*generator.choice(words, length - len(end)).tolist(), *end),
                target=0,
                cost=length,
            )
            for number in range(PROBE_ROWS)
        ]

    @torch.inference_mode()
    def response(self, rows: Sequence[TokenRow], xi: Float[Tensor, "rows heads"] | None) -> Float[Tensor, "rows out"]:
        """The logits."""
        if xi is None:
            return self.logits(rows).float().cpu()
        with self.standing(rows), self.gate.masked(xi):
            return self.logits(rows).float().cpu()

    @torch.no_grad()
    def graphs(self) -> list[Graph]:
        """The whole model; rows are padded in it."""
        rows = [self.probe(length)[0] for length in PROBE_LENGTHS]
        ids_RT = _padded([row.source for row in rows], self.module.config.get_text_config().pad_token_id or 0)
        inputs = {"input_ids": ids_RT, "attention_mask": _padded([[1] * len(row.source) for row in rows], 0)}
        if (getattr(self.module.config, "type_vocab_size", None) or 0) > 1:
            inputs["token_type_ids"] = torch.zeros_like(ids_RT)
        return [Graph("model", Classification(self.module), inputs, self.response(rows, None))]

    @torch.inference_mode()
    def _is_causal(self) -> bool:
        """Whether the first token is blind to the last, seen by changing the last."""
        if self.module.config.is_encoder_decoder:
            return False
        ids_RT, _ = self.inputs(self.probe(PROBE_LENGTHS[0])[:2])
        ids_RT[1, :-1] = ids_RT[0, :-1]
        with kept_state(self.module):
            first_RD = self.module.base_model(**{self.module.main_input_name: ids_RT}).last_hidden_state[:, 0]
        return torch.equal(first_RD[0], first_RD[1])


def _right(rows: Sequence[TokenRow], logits: Float[Tensor, "rows classes"]) -> Bool[Tensor, "rows classes"]:
    """The outputs that are right for each row."""
    right_RC = torch.zeros_like(logits, dtype=torch.bool)
    outputs = [row.target if isinstance(row.target, tuple) else (row.target,) for row in rows]
    most = max(map(len, outputs))
    index = torch.tensor([own + own[:1] * (most - len(own)) for own in outputs], device=logits.device)
    return right_RC.scatter_(1, index, value=True)


def _loss(logits: Float[Tensor, "rows classes"], rows: Sequence[TokenRow], epsilon: float) -> Float[Tensor, " rows"]:
    """Cross entropy of each row's gold label, or of all labels that are right together."""
    if any(isinstance(row.target, tuple) for row in rows):
        return cross_entropy_of_any(logits, _right(rows, logits), epsilon)
    gold_R = torch.tensor([row.target for row in rows], device=logits.device)
    return cross_entropy(logits, gold_R, epsilon)


def _padded(rows: Sequence[Sequence[int]], value: int) -> Int[Tensor, "rows tokens"]:
    return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=value)


@contextmanager
def last_token_read(module: PreTrainedModel) -> Iterator[None]:
    """Let a model without a padding token read the class at the last token, of several rows as it does of one.

    Decoders look for the last token that is no padding, and without a padding token refuse more than one row.
    """
    configs = [
        c for c in (module.config, module.config.get_text_config()) if getattr(c, "pad_token_id", NO_TOKEN) is None
    ]
    for config in configs:
        config.pad_token_id = NO_TOKEN
    try:
        yield
    finally:
        for config in configs:
            config.pad_token_id = None
