"""Where the training of a translator starts: a module whose weights move, tied as fairseq ties them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn
from transformers import M2M100ForConditionalGeneration, PreTrainedModel

from study.certification.certify import certify
from study.gates.options import Gates, LearnedGates
from study.subjects.fairseq.checkpoint import FairseqTransformer, build
from study.subjects.fairseq.load import as_subject, read_translator
from study.subjects.translator import DecodingOptions, Translator
from study.training.gate_learner import freeze
from study.training.translator.body import body_checkpoint
from study.training.translator.options import TranslatorTuning

GREEDY = DecodingOptions(beam=1, lenpen=1.0, max_len_a=0.0, max_len_b=200)
"""Nothing is translated during a training."""

QKV = ("q_proj", "k_proj", "v_proj")
POSITIONS = "embed_positions"
OUTPUT = "decoder.output_projection"
SHARED_SIDES, SHARED_OUTPUT = "share_all_embeddings", "share_decoder_input_output_embed"


@dataclass(frozen=True)
class InitialTranslator:
    """A translator before its first update.

    Attributes:
        translator: the model with its gate and its text; its weights take gradients, but for those that are frozen.
        settings: its settings by their names on fairseq's command line.
        checkpoint: what was read; tensors of it move with those of the model.
    """

    translator: Translator
    settings: Mapping[str, Any]
    checkpoint: FairseqTransformer


def initial_translator(training: TranslatorTuning, device: torch.device) -> InitialTranslator:
    """The model that a training starts from; random weights come from torch's current random state.

    Raises:
        InputError: when its files are missing or damaged, or do not fit each other.
    """
    model = training.start_model()
    checkpoint, text = read_translator(model.weights_file(), model.processing())
    has_task = training.reuse.has_task
    body = body_checkpoint(training, checkpoint) if has_task else checkpoint
    module = build(body, _dropout(training))
    settings = tie(module, body.settings, apart=_sides_part(training.gates))
    if training.scratch:
        draw_weights(module)
    translator = as_subject(body, text, module, GREEDY, device, truncate=True)
    if training.gates.has_gates or has_task:
        certify(translator)
    for name, weights in module.named_parameters():
        weights.requires_grad_(POSITIONS not in name)
    freeze(training.gates, module)
    if _is_frozen(training.gates, OUTPUT):
        embeddings(module)[2].requires_grad_(requires_grad=False)  # M2M100 has it beside the decoder
    return InitialTranslator(translator, settings, checkpoint)


def _is_frozen(gates: Gates, name: str) -> bool:
    """Whether weights of a name in fairseq are in a part that does not move."""
    parts = gates.freeze if isinstance(gates, LearnedGates) else ()
    return any(f".{part}." in f".{name}." for part in parts)


def _sides_part(gates: Gates) -> bool:
    """Whether the embedding of one side moves, and that of the other does not."""
    return len({_is_frozen(gates, f"{side}.embed_tokens") for side in ("encoder", "decoder")}) > 1


def _dropout(training: TranslatorTuning) -> dict[str, float]:
    """Rates by transformers' names; M2M100 would leave out whole layers as well."""
    return {
        "dropout": training.dropout,
        "attention_dropout": training.attention_dropout,
        "activation_dropout": training.activation_dropout,
        "encoder_layerdrop": 0.0,
        "decoder_layerdrop": 0.0,
    }


def tie(module: PreTrainedModel, settings: Mapping[str, Any], *, apart: bool) -> dict[str, Any]:
    """Let embeddings that fairseq shares be one parameter, and all others have memory of their own.

    Args:
        module: what `build` made.
        settings: settings of its checkpoint.
        apart: let the source have an embedding of its own, equal to that of the target before the first update.

    Returns:
        The settings that it has then.
    """
    source, target, output = embeddings(module)
    shares_all = bool(settings.get(SHARED_SIDES))
    shares_output = shares_all or bool(settings.get(SHARED_OUTPUT))
    if shares_output:
        output.weight = target.weight
    if shares_all and not apart:
        source.weight = target.weight
    else:
        source.weight = nn.Parameter(source.weight.detach().clone())
    if isinstance(module, M2M100ForConditionalGeneration):  # it reads those of its sides, and has this one besides
        module.model.shared.weight = source.weight
    return {**settings, SHARED_SIDES: shares_all and not apart, SHARED_OUTPUT: shares_output}


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
    source, target, output = embeddings(module)
    for table in (source, target, output):
        nn.init.normal_(table.weight, std=table.weight.shape[1] ** -0.5)
    for table in (source, target):  # after all are drawn: they may be one tensor
        if table.padding_idx is not None:
            table.weight[table.padding_idx].zero_()


def _draw_linear(linear: nn.Linear, name: str) -> None:
    linear.reset_parameters()
    if name in QKV:
        nn.init.xavier_uniform_(linear.weight, gain=1 / math.sqrt(2))
    elif name == "out_proj":
        nn.init.xavier_uniform_(linear.weight)
        nn.init.zeros_(linear.bias)
