"""Sequence classifiers of transformers (BERT, RoBERTa, DistilBERT, GPT-2, BART, T5, Llama ...) as subjects.

Shapes: R rows, T tokens, C classes.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from study.data.examples import Examples
from study.errors import InputError
from study.gate import Gate
from study.loss import PLAIN, Loss
from study.statistics import Accuracy
from study.subjects.cross_entropy import cross_entropy
from study.subjects.hub import HEADS_FILE
from study.subjects.labels import label_index, require_labels
from study.subjects.subject import Encoded, Subject, to_device

PROBE_LENGTHS = (5, 9, 13)


class Classifier(Subject):
    """A transformers sequence classifier.

    Outcome columns: `correct` and `count` (0 or 1), `prediction` (index into `labels`), `margin` (largest logit less
    the second), `loss` (cross entropy of the gold label, nats).
    """

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
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._truncate = truncate
        self._padding = pad_token(module, tokenizer)
        self.gate = Gate.on(module, causal=self._is_causal())
        probe = self.probe()
        self.gate.learn(lambda: self.response(probe, None), rows=len(probe))

    def encode(self, examples: Examples) -> list[Encoded]:
        """Tokenise texts and pairs; targets become indices of the model's labels.

        Raises:
            InputError: for labels that the model does not have, and for examples over the longest length.
        """
        require_labels(examples.targets, self.labels)
        index = label_index(self.labels)
        first = [texts[0] for texts in examples.texts]
        second = [texts[1] for texts in examples.texts] if len(examples.texts[0]) > 1 else None
        most = self._max_length if self._truncate else None
        ids = self._tokenizer(first, second, truncation=self._truncate, max_length=most)
        lengths = [len(row) for row in ids["input_ids"]]
        too_long = [i for i, length in enumerate(lengths) if length > self._max_length]
        if too_long:
            raise InputError(
                f"{len(too_long)} of {len(examples)} examples are over {self._max_length} tokens, the longest "
                f"('{examples.ids[max(too_long, key=lengths.__getitem__)]}') has {max(lengths)}: choose "
                "model.truncate=true to cut them, or a larger model.max_length"
            )
        types = ids.get("token_type_ids")
        self._check_vocabulary(max(max(row) for row in ids["input_ids"]))
        segments = getattr(self.module.config, "type_vocab_size", None)
        if types and segments is not None and max(max(row) for row in types) >= max(segments, 1):
            raise InputError(f"the tokenizer tells segments apart, {self.loaded} has {segments}: not its tokenizer")
        return [
            Encoded(
                example=name,
                source=tuple(ids["input_ids"][i]),
                segments=tuple(types[i]) if types else None,
                target=index[examples.targets[i].casefold()],
                cost=lengths[i],
            )
            for i, name in enumerate(examples.ids)
        ]

    @torch.inference_mode()
    def outcomes(self, rows: Sequence[Encoded], masks: Bool[np.ndarray, "rows heads"]) -> dict[str, Any]:
        """Predictions of each row under its mask."""
        with self.gate.masked(self.as_xi(masks)):
            return self.columns(self.logits(rows), rows)

    def columns(self, logits: Float[Tensor, "rows classes"], rows: Sequence[Encoded]) -> dict[str, Any]:
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

    def losses(self, rows: Sequence[Encoded], loss: Loss = PLAIN) -> Float[Tensor, " rows"]:
        """Cross entropy of each row's gold label, nats."""
        gold_R = torch.tensor([row.target for row in rows], device=self.device)
        return cross_entropy(self.logits(rows), gold_R, loss.epsilon)

    def logits(self, rows: Sequence[Encoded]) -> Float[Tensor, "rows classes"]:
        """One padded forward pass."""
        ids_RT, segments_RT = self.inputs(rows)
        inputs = {"input_ids": ids_RT, "attention_mask": self._padded([(1,) * len(row.source) for row in rows], 0)}
        if segments_RT is not None:
            inputs["token_type_ids"] = segments_RT
        return self.module(**inputs).logits

    def inputs(self, rows: Sequence[Encoded]) -> tuple[Int[Tensor, "rows tokens"], Int[Tensor, "rows tokens"] | None]:
        """Token ids of each row, padded to the longest, and the segments of the tokens where the model has such."""
        ids_RT = self._padded([row.source for row in rows], self._padding)
        if any(row.segments is None for row in rows):
            return ids_RT, None
        return ids_RT, self._padded([row.segments or () for row in rows], 0)

    def probe(self) -> list[Encoded]:
        """Three rows of random tokens, 5, 9 and 13 long."""
        generator = np.random.default_rng(0)
        size = self.module.config.get_text_config().vocab_size
        special = set(self._tokenizer.all_special_ids) | {self._padding, self.module.config.eos_token_id}
        words = np.setdiff1d(np.arange(size), [i for i in special if isinstance(i, int)])
        end = self.module.config.eos_token_id if self.module.config.is_encoder_decoder else None
        return [
            Encoded(
                example=f"probe {length}",
                source=(*generator.choice(words, length - (end is not None)).tolist(), *([] if end is None else [end])),
                target=0,
                cost=length,
            )
            for length in PROBE_LENGTHS
        ]

    @torch.inference_mode()
    def response(self, rows: Sequence[Encoded], xi: Float[Tensor, "rows heads"] | None) -> Float[Tensor, "rows out"]:
        """The logits."""
        if xi is None:
            return self.logits(rows).float().cpu()
        with self.gate.masked(xi):
            return self.logits(rows).float().cpu()

    def _padded(self, rows: Sequence[Sequence[int]], value: int) -> Int[Tensor, "rows tokens"]:
        longest = max(len(row) for row in rows)
        padded_RT = torch.tensor([[*row, *[value] * (longest - len(row))] for row in rows])
        return to_device(padded_RT, self.device)

    @torch.inference_mode()
    def _is_causal(self) -> bool:
        """Whether the first token is blind to the last, seen by changing the last."""
        if self.module.config.is_encoder_decoder:
            return False
        ids_RT = torch.tensor([row.source[:5] for row in self.probe()[:2]], device=self.device)
        ids_RT[1, :-1] = ids_RT[0, :-1]
        first_RD = self.module.base_model(input_ids=ids_RT).last_hidden_state[:, 0]
        return torch.equal(first_RD[0], first_RD[1])

    def _check_vocabulary(self, largest: int) -> None:
        size = self.module.get_input_embeddings().get_parameter("weight").shape[0]
        if largest >= size:
            raise InputError(
                f"the tokenizer gives token {largest}, but {self.loaded} has {size} embeddings: not its tokenizer"
            )


def load_classifier(
    folder: Path, device: torch.device, *, labels: Sequence[str], max_length: int, truncate: bool
) -> Classifier:
    """Load a model folder in float32, with sdpa attention where the architecture has it.

    Raises:
        InputError: when the weights cannot be read or do not fit.
    """
    module, tokenizer = _read_pruned(folder) if (folder / HEADS_FILE).is_file() else _read(folder)
    allowed = num_positions(module)
    if allowed is not None and max_length > allowed:
        raise InputError(f"model.max_length={max_length}, but {folder} has positions for {allowed} tokens")
    loaded = f"{type(module).__name__} from {folder}"
    nn.Module.to(module, device)
    return Classifier(module, tokenizer, labels=labels, max_length=max_length, truncate=truncate, loaded=loaded)


def _read(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    logging.disable_progress_bar()  # a model of this size loads at once
    try:
        module, info = AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True, local_files_only=True
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
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
    return module, tokenizer


def _read_pruned(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A model from which heads were removed."""
    from study.pruning.folder import read_model

    module = read_model(folder)
    if not type(module).__name__.endswith("ForSequenceClassification"):
        raise InputError(f"{folder} holds a {type(module).__name__}, which is no classifier")
    try:
        return module, AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # json and transformers each raise errors of their own
        raise InputError(f"cannot load the tokenizer in {folder}: {type(error).__name__}: {error}") from error


def num_positions(module: PreTrainedModel) -> int | None:
    """How many tokens a model has positions for; None where that is not limited (relative positions).

    RoBERTa and its kin count positions from the padding index on, so the first ones of their table are never used.
    """
    positions = getattr(module.config.get_text_config(), "max_position_embeddings", None)
    for name, table in module.named_modules():
        if name.endswith("position_embeddings") and isinstance(table, nn.Embedding) and table.padding_idx is not None:
            return table.num_embeddings - table.padding_idx - 1
    return positions


def pad_token(module: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """The padding token; a model without one (GPT-2) pads with its end token, which the attention mask hides."""
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else module.config.eos_token_id
    if not isinstance(pad, int):
        raise InputError(f"{type(module).__name__} has no padding and no end token")
    module.config.get_text_config().pad_token_id = pad
    return pad
