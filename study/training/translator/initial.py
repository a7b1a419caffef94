"""Where the training of a translator starts: a module whose weights move, tied as fairseq ties them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn
from transformers import M2M100ForConditionalGeneration, PreTrainedModel

from study.subjects.fairseq.checkpoint import FairseqTransformer, build
from study.subjects.fairseq.load import as_subject, read_translator
from study.subjects.translator import DecodingOptions, Translator
from study.training.translator.options import TranslatorTuning

GREEDY = DecodingOptions(beam=1, lenpen=1.0, max_len_a=0.0, max_len_b=200)
"""Nothing is translated during a training."""

QKV = ("q_proj", "k_proj", "v_proj")
POSITIONS = "embed_positions"


@dataclass(frozen=True)
class InitialTranslator:
    """A translator before its first update.

    Attributes:
        translator: the model with its gate and its text; its weights take gradients, but for those that are frozen.
        settings: its settings by their names on fairseq's command line.
    """

    translator: Translator
    settings: Mapping[str, Any]


def initial_translator(training: TranslatorTuning, device: torch.device) -> InitialTranslator:
    """The model that a training starts from; random weights come from torch's current random state.

    Raises:
        InputError: when its files are missing or damaged, or do not fit each other.
    """
    model = training.start_model()
    checkpoint, text = read_translator(model.weights_file(), model.processing())
    module = build(checkpoint, _dropout(training))
    settings = tie(module, checkpoint)
    if training.scratch:
        draw_weights(module)
    translator = as_subject(checkpoint, text, module, GREEDY, device, truncate=True)
    for name, weights in module.named_parameters():
        weights.requires_grad_(POSITIONS not in name)
    return InitialTranslator(translator, settings)


def _dropout(training: TranslatorTuning) -> dict[str, float]:
    """Rates by transformers' names; M2M100 would leave out whole layers as well."""
    return {
        "dropout": training.dropout,
        "attention_dropout": training.attention_dropout,
        "activation_dropout": training.activation_dropout,
        "encoder_layerdrop": 0.0,
        "decoder_layerdrop": 0.0,
    }


def tie(module: PreTrainedModel, checkpoint: FairseqTransformer) -> dict[str, Any]:
    """Let embeddings that fairseq shares be one parameter, and all others have memory of their own.

    Returns:
        The settings of the checkpoint.
    """
    settings = dict(checkpoint.settings)
    source, target, output = embeddings(module)
    shares_all = bool(settings.get("share_all_embeddings"))
    if shares_all or settings.get("share_decoder_input_output_embed"):
        output.weight = target.weight
    if shares_all:
        source.weight = target.weight
    if isinstance(module, M2M100ForConditionalGeneration):  # it reads those of its sides, and has this one besides
        module.model.shared.weight = source.weight
    return settings


def embeddings(module: PreTrainedModel) -> tuple[nn.Embedding, nn.Embedding, nn.Linear]:
    """The embedding of the source, that of the target, and the output layer."""
    sides = module.get_encoder(), module.get_decoder()
    source, target = (cast("nn.Embedding", side.get_submodule("embed_tokens")) for side in sides)
    output = getattr(sides[1], "output_projection", None) or module.get_submodule("lm_head")
    return source, target, cast("nn.Linear", output)


@torch.no_grad()
def draw_weights(module: PreTrainedModel) -> None:
    """Random weights as fairseq draws those of a transformer."""
    for name, part in module.named_modules():
        if isinstance(part, nn.LayerNorm):
            part.reset_parameters()
        elif isinstance(part, nn.Linear) and ".layers." in name:
            _draw_linear(part, name.rpartition(".")[2])
    for table in embeddings(module):
        nn.init.normal_(table.weight, std=table.weight.shape[1] ** -0.5)
        if isinstance(table, nn.Embedding) and table.padding_idx is not None:
            table.weight[table.padding_idx].zero_()


def _draw_linear(linear: nn.Linear, name: str) -> None:
    linear.reset_parameters()
    if name in QKV:
        nn.init.xavier_uniform_(linear.weight, gain=1 / math.sqrt(2))
    elif name == "out_proj":
        nn.init.xavier_uniform_(linear.weight)
        nn.init.zeros_(linear.bias)
