"""fairseq's transformer checkpoints, read without fairseq and without running anything, as transformers' modules.

fairseq's post-norm transformer is transformers' FSMT, its pre-norm one is M2M100. What neither can express is refused.
How the file is unpickled without running anything: `study.subjects.fairseq.inert_pickle`.
"""

import re
from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    FSMTConfig,
    FSMTForConditionalGeneration,
    M2M100Config,
    M2M100ForConditionalGeneration,
    PreTrainedModel,
)
from transformers.models.fsmt.modeling_fsmt import SinusoidalPositionalEmbedding
from transformers.models.m2m_100.modeling_m2m_100 import M2M100SinusoidalPositionalEmbedding

from study.record.errors import InputError, listed
from study.subjects.fairseq.inert_pickle import load_inert, plain
from study.subjects.fairseq.text import END, PAD, START

ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "gelu_accurate": "gelu_new", "tanh": "tanh"}
"""fairseq's names and transformers'."""

LAYER_NORMS = {
    "encoder": ("self_attn_layer_norm", "final_layer_norm"),
    "decoder": ("self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"),
}
"""What `layer_norms.N` of the checkpoints of 2018 is called since."""

OLD_LAYER_NORM = re.compile(r"(?P<layer>(?P<side>encoder|decoder)\.layers\.\d+)\.layer_norms\.(?P<index>\d)\.\w+")

SIZES = ("encoder_embed_dim", "decoder_embed_dim", "decoder_input_dim", "decoder_output_dim")
"""All the same in FSMT and M2M100."""

INEXPRESSIBLE = {
    "encoder_learned_pos": "learned positions",
    "decoder_learned_pos": "learned positions",
    "no_token_positional_embeddings": "no positions",
    "layernorm_embedding": "layer norm after the embedding",
    "adaptive_softmax_cutoff": "adaptive softmax",
    "adaptive_input": "adaptive input embedding",
    "char_inputs": "words read as characters",
    "no_cross_attention": "a decoder that does not look at the source",
    "cross_self_attention": "cross- and self-attention in one",
    "encoder_layers_to_keep": "layers left out on loading",
    "decoder_layers_to_keep": "layers left out on loading",
    "quant_noise_pq": "quantised weights",
    "quant_noise_scalar": "quantised weights",
    "encoder_xformers_att_config": "another attention",
    "decoder_xformers_att_config": "another attention",
    "base_layers": "mixture layers",
}
"""Settings of fairseq's that neither FSMT nor M2M100 has."""

NO_WEIGHTS = ("version", "embed_positions._float_tensor", "embed_positions.weights")
"""Entries of a state dict that hold nothing trained: sinusoidal positions are computed."""

COMPUTED = ("embed_positions.weight", "embed_positions.weights", "model.shared.weight")
"""Weights of transformers' modules that fairseq computes, or has under other names."""

SHARED_OUTPUT = ("share_all_embeddings", "share_decoder_input_output_embed")
LANGUAGES = ("source_lang", "target_lang")
INTERPOLATION = re.compile(r"\$\{([\w.]+)\}")
UNSET = "???"
"""How omegaconf writes a value that is still to be given."""
MOST_STEPS = 8
"""Interpolations followed from one to the next."""

NAMED = 8
"""Tensors named in an error."""


@dataclass(frozen=True)
class Side:
    """Architecture of the encoder or the decoder: layers, heads per attention, size of the feed-forward layer."""

    layers: int
    heads: int
    ffn: int


@dataclass(frozen=True)
class FairseqTransformer:
    """A trained transformer of fairseq's.

    Attributes:
        encoder: its encoder.
        decoder: its decoder.
        d: size of embeddings and hidden states.
        pre_norm: whether layers normalise their input, not their output.
        activation: activation of the feed-forward layers, as transformers calls it.
        scale_embedding: whether embeddings are multiplied by the root of `d`.
        max_source_positions: longest source in tokens, `</s>` counted.
        max_target_positions: longest target in tokens, `</s>` counted.
        languages: codes of source and target as the training was told them; None where it inferred them.
        weights: float32 tensors under the names that transformers' `model` has; `lm_head.weight` is the output.
        settings: the model's settings by their names on fairseq's command line.
        path: the checkpoint.
    """

    encoder: Side
    decoder: Side
    d: int
    pre_norm: bool
    activation: str
    scale_embedding: bool
    max_source_positions: int
    max_target_positions: int
    languages: tuple[str | None, str | None]
    weights: Mapping[str, Tensor]
    settings: Mapping[str, Any]
    path: Path

    @property
    def source_words(self) -> int:
        """Rows of the source embedding."""
        return len(self.weights["model.encoder.embed_tokens.weight"])

    @property
    def target_words(self) -> int:
        """Rows of the target embedding."""
        return len(self.weights["model.decoder.embed_tokens.weight"])


def read_checkpoint(path: Path) -> FairseqTransformer:
    """Read a checkpoint of any year since 2018.

    Raises:
        InputError: when the file cannot be read, would run something, is no checkpoint, or its architecture cannot be
            expressed; then with all the reasons.
    """
    content = load_inert(path)
    weights = content.get("model") if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise InputError(f"{path} is no fairseq checkpoint: it holds no model")
    args = _arguments(content, path)
    if reasons := list(_reasons_against(args, weights)):
        raise InputError("\n  - ".join([f"{path}: this architecture cannot be studied:", *reasons]))
    return FairseqTransformer(
        encoder=_side(args, "encoder"),
        decoder=_side(args, "decoder"),
        d=args["encoder_embed_dim"],
        pre_norm=bool(args.get("encoder_normalize_before")),
        activation=ACTIVATIONS[args.get("activation_fn", "relu")],
        scale_embedding=not args.get("no_scale_embedding"),
        max_source_positions=args.get("max_source_positions") or 1024,
        max_target_positions=args.get("max_target_positions") or 1024,
        languages=(args["source_lang"] or None, args["target_lang"] or None),
        weights=_renamed(weights, shared_output=any(args.get(name) for name in SHARED_OUTPUT)),
        settings=args,
        path=path,
    )


def build(checkpoint: FairseqTransformer, dropout: Mapping[str, float] | None = None) -> PreTrainedModel:
    """The checkpoint as a transformers module, in float32, in evaluation mode and without gradients.

    Args:
        checkpoint: what was read.
        dropout: rates by transformers' names, for a module that is to be trained; in evaluation none counts.

    Raises:
        InputError: when its tensors are not those of its architecture; names what is missing, left over or misshaped.
    """
    module = (_empty_m2m100 if checkpoint.pre_norm else _empty_fsmt)(checkpoint, dropout or {})
    expected = module.state_dict()
    weights = dict(checkpoint.weights)
    weights |= {name: _sinusoids(*expected[name].shape) for name in expected if name.endswith("embed_positions.weight")}
    if checkpoint.pre_norm:
        weights["model.shared.weight"] = weights["model.encoder.embed_tokens.weight"]
    else:
        weights["model.decoder.output_projection.weight"] = weights.pop("lm_head.weight")
    _require_fit(weights, expected, checkpoint.path)
    module.load_state_dict(weights, assign=True)
    for positions in module.modules():
        if isinstance(positions, M2M100SinusoidalPositionalEmbedding):
            positions.weights = torch.nn.Buffer(_sinusoids(*positions.weights.shape), persistent=False)
    return module.eval().requires_grad_(requires_grad=False)


def computed_names(module: PreTrainedModel) -> set[str]:
    """The names of a module's tensors that no checkpoint has: each machine computes positions for itself."""
    return {name for name in module.state_dict() if name.endswith(COMPUTED)}


def _arguments(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The model's settings by their names on fairseq's command line: `args` of 2018, `cfg["model"]` since."""
    config = plain(content.get("cfg")) or {}
    found = plain(content.get("args")) or (config.get("model") if isinstance(config, Mapping) else None)
    if not isinstance(found, Namespace | Mapping):
        raise InputError(f"{path} is no fairseq checkpoint: it holds neither args nor cfg.model")
    args = _as_dict(found)
    for part in ("encoder", "decoder", "quant_noise"):
        if isinstance(args.get(part), Mapping):
            args |= {f"{part}_{name}": value for name, value in args[part].items()}
    task = _as_dict(config.get("task"))
    args |= {name: args.get(name) or task.get(name) for name in LANGUAGES}
    return {name: _followed(value, config) for name, value in args.items()}


def _as_dict(settings: Any) -> dict[str, Any]:
    settings = vars(settings) if isinstance(settings, Namespace) else settings
    return plain(settings) if isinstance(settings, Mapping) else {}


def _followed(value: Any, config: Mapping[str, Any]) -> Any:
    """What an interpolation of omegaconf's (`${task.max_source_positions}`) stands for; any other value as it is."""
    for _ in range(MOST_STEPS):
        reference = INTERPOLATION.fullmatch(value) if isinstance(value, str) else None
        if reference is None:
            return None if value == UNSET else value
        value = config
        for name in reference[1].split("."):
            value = _as_dict(value).get(name)
    return None


def _reasons_against(args: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Iterator[str]:
    """Why neither FSMT nor M2M100 is this model."""
    needed = [
        f"{side}_{what}" for side in LAYER_NORMS for what in ("layers", "attention_heads", "embed_dim", "ffn_embed_dim")
    ]
    if missing := [name for name in needed if args.get(name) is None]:
        yield f"no encoder-decoder transformer (it is {args.get('arch')}): its settings lack {', '.join(missing)}"
        return
    yield from (f"{name} is set: {what}" for name, what in INEXPRESSIBLE.items() if args.get(name))
    sizes = {name: args[name] for name in SIZES if args.get(name) is not None}
    if len(set(sizes.values())) > 1:
        yield "sizes differ: " + ", ".join(f"{name} {size}" for name, size in sizes.items())
    pre_norm = [bool(args.get(f"{side}_normalize_before")) for side in LAYER_NORMS]
    if pre_norm[0] != pre_norm[1]:
        yield "only one of encoder and decoder normalises before its layers"
    if all(pre_norm) and (args.get("no_decoder_final_norm") or "encoder.layer_norm.weight" not in weights):
        yield "it normalises before its layers, but not after the last one"
    rows = [len(weights.get(f"{side}.embed_tokens.weight", ())) for side in LAYER_NORMS]
    if all(pre_norm) and rows[0] != rows[1]:
        yield f"it normalises before its layers and has dictionaries of different sizes ({rows[0]} and {rows[1]} words)"
    if args.get("activation_fn", "relu") not in ACTIVATIONS:
        yield f"activation {args['activation_fn']}, known are {', '.join(ACTIVATIONS)}"


def _side(args: Mapping[str, Any], side: str) -> Side:
    return Side(args[f"{side}_layers"], args[f"{side}_attention_heads"], args[f"{side}_ffn_embed_dim"])


def _renamed(weights: Mapping[str, Tensor], *, shared_output: bool) -> dict[str, Tensor]:
    """A state dict of any year under transformers' names."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if not name.endswith(NO_WEIGHTS):
            for new, part in _current(name, tensor.float()):
                renamed[f"model.{new}"] = part
    output = renamed.pop("model.decoder.output_projection.weight", None)
    output = renamed.pop("model.decoder.embed_out", output)
    if shared_output:
        output = renamed.get("model.decoder.embed_tokens.weight")
    return renamed if output is None else renamed | {"lm_head.weight": output}


def _current(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """One entry of a state dict under the names of today's fairseq; the fused projections of 2018 become three."""
    stem, _, last = name.rpartition(".")
    if last in ("in_proj_weight", "in_proj_bias"):
        for projection, part in zip("qkv", tensor.chunk(3), strict=True):
            yield f"{stem}.{projection}_proj.{last.removeprefix('in_proj_')}", part
        return
    old = OLD_LAYER_NORM.fullmatch(name)
    if old and int(old["index"]) < len(LAYER_NORMS[old["side"]]):
        name = f"{old['layer']}.{LAYER_NORMS[old['side']][int(old['index'])]}.{last}"
    yield name, tensor


def _empty_fsmt(checkpoint: FairseqTransformer, dropout: Mapping[str, Any]) -> PreTrainedModel:
    config = FSMTConfig(
        src_vocab_size=checkpoint.source_words,
        tgt_vocab_size=checkpoint.target_words,
        **_config(checkpoint),
        **dropout,
    )
    with torch.device("meta"):
        module = FSMTForConditionalGeneration(config)
    module.model.decoder.output_projection.register_forward_pre_hook(_rows_together)
    return module


def _rows_together(_: torch.nn.Module, inputs: tuple[Tensor]) -> Tensor:
    """FSMT gives its output projection a transposed tensor, which torch would multiply row by row.

    That took half of the time of decoding.
    """
    return inputs[0].flatten(0, 1).unflatten(0, inputs[0].shape[:2])


def _empty_m2m100(checkpoint: FairseqTransformer, dropout: Mapping[str, Any]) -> PreTrainedModel:
    config = M2M100Config(vocab_size=checkpoint.source_words, **_config(checkpoint), **dropout)
    with torch.device("meta"):
        return M2M100ForConditionalGeneration(config)


def _config(checkpoint: FairseqTransformer) -> dict[str, Any]:
    encoder, decoder = checkpoint.encoder, checkpoint.decoder
    return {
        "d_model": checkpoint.d,
        "encoder_layers": encoder.layers,
        "encoder_attention_heads": encoder.heads,
        "encoder_ffn_dim": encoder.ffn,
        "decoder_layers": decoder.layers,
        "decoder_attention_heads": decoder.heads,
        "decoder_ffn_dim": decoder.ffn,
        "activation_function": checkpoint.activation,
        "scale_embedding": checkpoint.scale_embedding,
        "max_position_embeddings": max(checkpoint.max_source_positions, checkpoint.max_target_positions),
        "tie_word_embeddings": False,
        "bos_token_id": START,
        "pad_token_id": PAD,
        "eos_token_id": END,
        "decoder_start_token_id": END,
    }


def _require_fit(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path) -> None:
    both = weights.keys() & expected.keys()
    misfits = {
        "lacks": sorted(expected.keys() - weights.keys()),
        "has too much": sorted(weights.keys() - expected.keys()),
        "has in another shape": sorted(name for name in both if weights[name].shape != expected[name].shape),
    }
    found = [f"it {what} {len(names)} tensors: {listed(names, NAMED)}" for what, names in misfits.items() if names]
    if found:
        raise InputError("\n  - ".join([f"{path} is not the transformer that its settings describe:", *found]))


def _sinusoids(rows: int, d: int) -> Tensor:
    """Position embeddings as fairseq's: row PAD is zero, the first word of a sentence takes row PAD + 1."""
    return SinusoidalPositionalEmbedding.get_embedding(rows, d, PAD)
