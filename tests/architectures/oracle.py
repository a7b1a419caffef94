"""What a saved classifier makes of texts with one head off, in plain transformers: one example, one head at a time.

No text is padded. A head is turned off where transformers hands the work to an attention function: that head's share of
the function's output becomes zero. An attention that computes by itself, without such a function, is turned off at a
place that was found by reading its code, see `OUTPUTS`.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.modeling_utils import AttentionInterface

from study.record.units import AttentionKind

BERT = r"attention\.output\.dense"
OUTPUTS: dict[str, str] = {
    "big_bird": BERT,
    "bigbird_pegasus": r"encoder\..*self_attn\.output",
    "bloom": r"self_attention\.dense",
    "canine": BERT,
    "deberta": BERT,
    "deberta-v2": BERT,
    "falcon": r"self_attention\.dense",
    "flaubert": r"attentions\.\d+\.out_lin",
    "funnel": r"attention\.post_proj",
    "gpt_neo": r"attention\.out_proj",
    "gptj": r"attn\.out_proj",
    "ibert": BERT,
    "layoutlmv3": BERT,
    "lilt": BERT,
    "longformer": BERT,
    "luke": BERT,
    "megatron-bert": BERT,
    "mpnet": r"attention\.attn\.o",
    "mpt": r"attn\.out_proj",
    "mra": BERT,
    "mvp": r"(?:self|encoder)_attn\.out_proj",
    "nystromformer": BERT,
    "openai-gpt": r"attn\.c_proj",
    "reformer": BERT,
    "rembert": BERT,
    "roformer": BERT,
    "tapas": BERT,
    "xlm": r"attentions\.\d+\.out_lin",
    "yoso": BERT,
}
"""Linear layers that read the contexts of all heads, one after the other, where no attention function is called."""

HEADS = 4
"""Heads of each of these layers: the sizes of `tiny` say so."""


@dataclass(frozen=True)
class Place:
    """A head by its kind, its layer in the order of computation, and its number there, counted from 0."""

    kind: AttentionKind
    layer: int
    index: int


@dataclass(frozen=True)
class Answer:
    """What the model says of each example, in their order.

    Attributes:
        predictions: index of the largest logit.
        margins: largest logit less the second.
        losses: cross entropy of the gold label, nats.
    """

    predictions: list[int]
    margins: list[float]
    losses: list[float]


Attention = nn.Module | nn.Parameter
"""An attention by its first weights: layers that share them are one. By its module where it has none."""


def _attention(module: nn.Module) -> Attention:
    return next(module.parameters(), module)


class Oracle:
    """A saved classifier in plain transformers.

    Attributes:
        base: its answer with every head on.
        without: its answer with one head off, for every head. The self-attention of a model that is no encoder-decoder
            is of the kind `encoder_self`, whichever way it looks.
    """

    def __init__(self, folder: Path, texts: Sequence[tuple[str, str]], gold: Sequence[int]) -> None:
        """Answer for all heads.

        Args:
            folder: of the model and its tokenizer.
            texts: pairs.
            gold: their labels.
        """
        self._model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
        self._inputs = [tokenizer(*text, return_tensors="pt") for text in texts]
        self._gold = torch.tensor(gold)
        self._names: dict[Attention, str] = {}
        self._counts: dict[Attention, int] = {}
        self._off: tuple[Attention, int] | None = None
        self.base = self._answer()
        self._find_outputs()
        self.without = {place: self._without(*where) for place, where in self._heads().items()}

    def _find_outputs(self) -> None:
        pattern = OUTPUTS.get(self._model.config.model_type)
        for name, module in self._model.named_modules():
            self._names[_attention(module)] = name
            if pattern and re.fullmatch(rf"(?:.*\.)?{pattern}", name):
                self._counts[_attention(module)] = HEADS
                module.register_forward_pre_hook(self._zero_columns)

    def _without(self, attention: Attention, index: int) -> Answer:
        self._off = attention, index
        return self._answer()

    @torch.no_grad()
    def _answer(self) -> Answer:
        with self._within_attention():
            logits_RC = torch.cat([self._alone(inputs) for inputs in self._inputs])
        best_R2 = logits_RC.topk(2).values
        losses_R = nn.functional.cross_entropy(logits_RC, self._gold, reduction="none")
        return Answer(logits_RC.argmax(1).tolist(), (best_R2[:, 0] - best_R2[:, 1]).tolist(), losses_R.tolist())

    def _alone(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Logits of one example; BigBird takes the attention of its config for it, not what an example before left."""
        for module in list(self._model.modules()):
            if hasattr(module, "set_attention_type"):
                module.set_attention_type(self._model.config.attention_type)
        return self._model(**inputs).logits.float()

    def _heads(self) -> dict[Place, tuple[Attention, int]]:
        """The attention of each head and its number there."""
        layers: dict[AttentionKind, int] = {}
        heads = {}
        for attention, count in self._counts.items():
            kind = self._kind(self._names[attention])
            layers[kind] = layers.get(kind, -1) + 1
            heads |= {Place(kind, layers[kind], index): (attention, index) for index in range(count)}
        return heads

    def _kind(self, name: str) -> AttentionKind:
        if not self._model.config.is_encoder_decoder or ".decoder." not in f".{name}.":
            return AttentionKind.ENCODER_SELF
        return AttentionKind.CROSS if re.search(r"encoder_attn|EncDec|cross", name) else AttentionKind.DECODER_SELF

    @contextmanager
    def _within_attention(self) -> Iterator[None]:
        """Within the block an attention function gives zero for the head that is off, whichever function it is."""
        get = AttentionInterface.get_interface

        def get_ours(interface: AttentionInterface, name: str, default: Callable[..., Any]) -> Callable[..., Any]:
            attend = get(interface, name, default)

            def attend_without(module: nn.Module, *args: Any, **options: Any) -> Any:
                context_RTHD, *more = attend(module, *args, **options)
                self._counts.setdefault(_attention(module), context_RTHD.shape[2])
                if self._off and self._off[0] is _attention(module):
                    context_RTHD[:, :, self._off[1]] = 0
                return context_RTHD, *more

            return attend_without

        AttentionInterface.get_interface = get_ours
        try:
            yield
        finally:
            AttentionInterface.get_interface = get

    def _zero_columns(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        """The input of an output projection, zero in the columns of the head that is off."""
        if self._off is None or self._off[0] is not _attention(module):
            return None
        context, *more = inputs
        context = context.unflatten(-1, (HEADS, -1)).clone()
        context[..., self._off[1], :] = 0
        return (context.flatten(-2), *more)
