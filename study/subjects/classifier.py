"""Sequence classifiers of transformers (BERT, RoBERTa, DistilBERT, GPT-2, BART, T5, Llama ...) as subjects.

Shapes: R rows, T tokens, C classes.
"""

import inspect
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from study.masking.gate import Gate
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.loss import PLAIN, Loss
from study.record.metrics.statistics import Accuracy
from study.subjects.classifier_text import ClassifierText, read_config, read_tokenizer
from study.subjects.cross_entropy import cross_entropy
from study.subjects.huggingface.hub import HEADS_FILE
from study.subjects.kept_state import hear_once, kept_state
from study.subjects.subject import Subject, TokenRow, to_device

PROBE_LENGTHS = (5, 9, 13)
PROBE_ROWS = 3

NO_TOKEN = -1
"""The id of no token."""


class Classifier(Subject):
    """A transformers sequence classifier.

    Outcome columns: `correct` and `count` (0 or 1), `prediction` (index into `labels`), `margin` (largest logit less
    the second), `loss` (cross entropy of the gold label, nats).
    """

    pads = False

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
        if (module.config.num_labels or 0) < 2:
            raise InputError(f"{loaded} has one output: a classifier needs two or more")
        self.module = module.eval().requires_grad_(requires_grad=False)
        self.device = module.device
        self.metric = Accuracy()
        self.labels = tuple(labels)
        self.loaded = loaded
        self._text = ClassifierText(tokenizer, self.labels, max_length=max_length, truncate=truncate, of=loaded)
        try:
            self.gate = Gate.on(module, causal=self._is_causal())
            probe = self.probe()
            self.gate.learn(lambda: self.response(probe, None), rows=len(probe))
        except InputError:
            raise
        except Exception as error:  # what an architecture lacks is told by errors of many kinds
            raise InputError(
                f"{loaded} does not run on token ids on {self.device}: {type(error).__name__}: {error}"
            ) from error

    def encode(self, examples: Examples, max_unknown: float = 1.0) -> list[TokenRow]:
        """Tokenise texts and pairs, see `ClassifierText.encode`.

        Raises:
            InputError: as there, and for a tokenizer that is not the model's.
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
        with self.gate.masked(self.as_xi(masks)):
            return self.columns(self.logits(rows), rows)

    def columns(self, logits: Float[Tensor, "rows classes"], rows: Sequence[TokenRow]) -> dict[str, Any]:
        """Outcome columns of rows with these logits."""
        logits_RC = logits.float().cpu()
        gold_R = torch.tensor([row.target for row in rows])
        best_R2, order_R2 = logits_RC.topk(2, dim=1)
        prediction_R = order_R2[:, 0]
        return {
            "correct": (prediction_R == gold_R).long().numpy(),
            "count": np.ones(len(rows), dtype=np.int64),
            "prediction": prediction_R.numpy(),
            "margin": (best_R2[:, 0] - best_R2[:, 1]).numpy(),
            "loss": torch.nn.functional.cross_entropy(logits_RC, gold_R, reduction="none").numpy(),
        }

    def losses(self, rows: Sequence[TokenRow], loss: Loss = PLAIN) -> Float[Tensor, " rows"]:
        """Cross entropy of each row's gold label, nats."""
        gold_R = torch.tensor([row.target for row in rows], device=self.device)
        return cross_entropy(self.logits(rows), gold_R, loss.epsilon)

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
        with kept_state(self.module), _last_token_read(self.module):
            return self.module(**inputs).logits

    def inputs(self, rows: Sequence[TokenRow]) -> tuple[Int[Tensor, "rows tokens"], Int[Tensor, "rows tokens"] | None]:
        """Token ids of rows of one length, and the segments of the tokens where the model has such."""
        ids_RT = to_device(torch.tensor([row.source for row in rows]), self.device)
        if any(row.segments is None for row in rows):
            return ids_RT, None
        return ids_RT, to_device(torch.tensor([row.segments for row in rows]), self.device)

    @torch.inference_mode()
    def alone(self, texts: Sequence[str]) -> Float[Tensor, " classes"]:
        """Logits of one example as plain transformers gives them: its tokenizer, its model, nothing else."""
        given = self._text.alone(texts).items()
        inputs = {name: ids.to(self.device) for name, ids in given if self._reads(name)}
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
                example=f"probe {number}",
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
        with self.gate.masked(xi):
            return self.logits(rows).float().cpu()

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


@contextmanager
def _last_token_read(module: PreTrainedModel) -> Iterator[None]:
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


def load_classifier(
    folder: Path, device: torch.device, *, labels: Sequence[str], max_length: int, truncate: bool
) -> Classifier:
    """Load a model folder in float32, with sdpa attention where the architecture has it.

    Raises:
        InputError: when the weights cannot be read or do not fit, or there is no tokenizer.
    """
    pruned = _read_pruned(folder) if (folder / HEADS_FILE).is_file() else None
    config = read_config(folder, len(labels))
    tokenizer = read_tokenizer(folder, config)
    module = pruned or _read(folder, config)
    allowed = num_positions(module)
    if allowed is not None and max_length > allowed:
        raise InputError(
            f"model.max_length={max_length}, but {folder} has positions for {allowed} tokens: choose "
            f"model.max_length={allowed}"
        )
    loaded = f"{type(module).__name__} from {folder}"
    nn.Module.to(module, device)
    return Classifier(module, tokenizer, labels=labels, max_length=max_length, truncate=truncate, loaded=loaded)


def _read(folder: Path, config: PretrainedConfig) -> PreTrainedModel:
    from study.subjects.pruned.transformers4 import take_pruned_heads, without_heads

    logging.disable_progress_bar()  # a model of this size loads at once
    hear_once()
    options: Any = {"config": config, "dtype": torch.float32, "output_loading_info": True, "local_files_only": True}
    removed = take_pruned_heads(config)
    try:
        if removed:
            architecture: Any = MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(config)]
            smaller: Any = without_heads(architecture, removed)
            module, info = smaller.from_pretrained(folder, **options)
            module.__class__ = architecture
        else:
            module, info = AutoModelForSequenceClassification.from_pretrained(folder, **options)
    except InputError as error:
        raise InputError(f"{folder}: {error}") from error
    except Exception as error:  # safetensors, pickle, json and transformers each raise errors of their own
        raise InputError(f"cannot load the classifier in {folder}: {type(error).__name__}: {error}") from error
    if info["missing_keys"] or info["mismatched_keys"]:
        keys = [*info["missing_keys"], *(str(key) for key in info["mismatched_keys"])]
        raise InputError(
            f"{folder}: the weights lack or misfit {len(keys)} tensors of {type(module).__name__}: {keys[:5]}"
        )
    layers = sorted(key for key in info["unexpected_keys"] if re.search(r"\.\d+\.", key))
    if layers:
        raise InputError(f"{folder}: its config leaves {len(layers)} tensors of the layers unused: {layers[:3]}")
    return module


def _read_pruned(folder: Path) -> PreTrainedModel:
    """A model from which heads were removed."""
    from study.subjects.pruned.folder import read_model

    module = read_model(folder)
    if not type(module).__name__.endswith("ForSequenceClassification"):
        raise InputError(f"{folder} holds a {type(module).__name__}, which is no classifier")
    return module


def num_positions(module: PreTrainedModel) -> int | None:
    """How many tokens a model has positions for; None where that is not limited (relative positions).

    RoBERTa and its kin count positions from the padding index on, so the first ones of their table are never used.
    """
    positions = getattr(module.config.get_text_config(), "max_position_embeddings", None)
    positions = None if positions == -1 else positions
    for name, table in module.named_modules():
        if name.endswith("position_embeddings") and isinstance(table, nn.Embedding) and table.padding_idx is not None:
            return table.num_embeddings - table.padding_idx - 1
    return positions
