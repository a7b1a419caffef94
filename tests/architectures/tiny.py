"""A tiny random classifier of every architecture for which transformers has a sequence classifier.

Sizes are given by the names that most configs share. What an architecture needs besides stands in `NEEDS`.
"""

import json
from pathlib import Path
from typing import Any

import torch
from fixtures.cases import LABELS, TOKENS, tiny_tokenizer
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES

UNTRIED = {"layoutlmv2": "transformers cannot make it without detectron2, which is no package of PyPI"}
"""Architectures that are left out, and why."""

ARCHITECTURES = tuple(kind for kind in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES if kind not in UNTRIED)
"""Every other `model_type` that has a sequence classifier."""

LONGEST = 40
"""Most tokens of a text; fewer than every model has positions for."""

SIZES: dict[str, Any] = {
    "vocab_size": TOKENS,
    "type_vocab_size": 2,
    "max_position_embeddings": 64,
    "n_positions": 64,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "cls_token_id": 2,
    "eos_token_id": 3,
    "sep_token_id": 3,
    "decoder_start_token_id": 3,
    "hidden_size": 32,
    "d_model": 32,
    "embedding_size": 16,
    "num_hidden_layers": 2,
    "num_layers": 2,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "num_attention_heads": 4,
    "num_heads": 4,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "d_kv": 8,
    "v_head_dim": 8,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 4,
    "q_lora_rank": 8,
    "kv_lora_rank": 8,
    "intermediate_size": 32,
    "ffn_dim": 32,
    "d_ff": 32,
    "d_inner": 32,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "num_experts": 4,
    "num_local_experts": 4,
    "n_routed_experts": 4,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "n_group": 1,
    "topk_group": 1,
    "first_k_dense_replace": 1,
    "moe_intermediate_size": 16,
    "shared_expert_intermediate_size": 16,
}
"""Fields of configs, set where a config has them."""

_LINEAR_AND_FULL = {
    "layer_types": ["linear_attention", "full_attention"],
    "linear_num_value_heads": 8,
    "linear_num_key_heads": 4,
    "linear_key_head_dim": 4,
    "linear_value_head_dim": 4,
}
_LATENT = {"num_key_value_heads": 4}
_INDEXED = {
    "head_dim": 4,
    "layer_types": ["indexed_attention"] * 2,
    "index_topk": 64,
    "index_head_dim": 8,
    "index_n_heads": 2,
}
_SPARSE = {"attention_type": "block_sparse", "block_size": 2, "num_random_blocks": 1}

NEEDS: dict[str, dict[str, Any]] = {
    "axk1": {"mlp_layer_types": ["dense", "sparse"], "head_dim": 4, **_LATENT},
    "axk2": {"mlp_layer_types": ["dense", "sparse"], "head_dim": 4, **_LATENT, **_INDEXED},
    "big_bird": _SPARSE,
    "bigbird_pegasus": _SPARSE,
    "canine": {
        "num_hash_buckets": 64,
        "num_hash_functions": 2,
        "downsampling_rate": 2,
        "local_transformer_stride": 4,
        "upsampling_kernel_size": 2,
    },
    "deepseek_v2": _LATENT,
    "deepseek_v3": {"head_dim": 4, **_LATENT},
    "cohere_compass_text": {
        "layer_types": ["sliding_attention", "full_attention"],
        "rope_parameters": {"sliding_attention": {"rope_type": "default", "rope_theta": 1e4}, "full_attention": None},
    },
    "ctrl": {"dff": 32},
    "esmc": {"num_key_value_heads": 4},
    "funnel": {"block_sizes": [1, 1], "n_head": 4, "d_head": 8},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "gptj": {"rotary_dim": 4},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "mamba_dt_rank": 4, "use_mamba_kernels": False},
    "layoutlmv3": {"coordinate_size": 5, "shape_size": 6, "visual_embed": False},
    "lilt": {"hidden_size": 48},
    "luke": {"entity_vocab_size": 8},
    "longformer": {"attention_window": [4, 4]},
    "minicpm3": _LATENT,
    "mistral4": _LATENT,
    "perceiver": {"num_latents": 4, "d_latents": 32, "num_self_attends_per_block": 2, "num_self_attention_heads": 4},
    "qwen3_next": _LINEAR_AND_FULL,
    "qwen3_5": {"text_config": _LINEAR_AND_FULL, "vision_config": {"depth": 1, "hidden_size": 32, "num_heads": 4}},
    "qwen3_5_text": _LINEAR_AND_FULL,
    "reformer": {
        "axial_pos_shape": [8, 8],
        "axial_pos_embds_dim": [16, 16],
        "attention_head_size": 8,
        "feed_forward_size": 32,
        "attn_layers": ["local", "lsh"],
        "local_attn_chunk_length": 4,
        "lsh_attn_chunk_length": 4,
        "num_buckets": 4,
        "hash_seed": 0,
    },
    "squeezebert": {"embedding_size": 32},
    "t5": {"decoder_start_token_id": 0},
    "xlnet": {"n_head": 4, "d_head": 8},
    "xmod": {"default_language": "en_XX"},
    "zamba": {
        "num_hidden_layers": 3,
        "layers_block_type": ["linear_attention", "hybrid", "hybrid"],
        "attention_hidden_size": 64,
        "attention_head_dim": 16,
        "num_key_value_heads": 4,
        "mamba_dt_rank": 4,
        "use_mamba_kernels": False,
    },
    "zamba2": {
        "layers_block_type": ["linear_attention", "hybrid"],
        "num_key_value_heads": 4,
        "mamba_headdim": 8,
        "n_mamba_heads": 8,
        "mamba_d_state": 8,
        "chunk_size": 8,
    },
}
"""Fields that one architecture needs besides; lists are a value a layer."""


def tiny(kind: str, *, seed: int = 0) -> PreTrainedModel:
    """A classifier of this `model_type` with two layers of four heads where it lets one choose, and random weights."""
    names = {"id2label": dict(enumerate(LABELS)), "label2id": {label: i for i, label in enumerate(LABELS)}}
    return build(AutoModelForSequenceClassification, kind, seed=seed, **names)


def build(auto: Any, kind: str, *, seed: int = 0, **more: Any) -> PreTrainedModel:
    """A tiny model of one of transformers' auto classes; `more` are fields of its config besides.

    Weights are larger than usual, so that every head matters.
    """
    fields = _with(_with(_sizes(AutoConfig.for_model(kind)), NEEDS.get(kind, {})), more)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = auto.from_config(AutoConfig.for_model(kind, **fields)).eval()
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.3)
            elif name.endswith(".bias"):
                torch.nn.init.normal_(parameter, std=0.1)
        return model


def save(model: PreTrainedModel, folder: Path) -> None:
    """Write a model and a tokenizer for it, which marks segments where the model has two."""
    model.save_pretrained(folder)
    tokenizer = tiny_tokenizer()
    if getattr(model.config, "type_vocab_size", 0) != 2:
        tokenizer.model_input_names = ["input_ids", "attention_mask"]
    tokenizer.save_pretrained(folder)


def edit(file: Path, **fields: object) -> None:
    """Set fields of a JSON file; None takes one out."""
    stored = json.loads(file.read_text()) | fields
    file.write_text(json.dumps({name: value for name, value in stored.items() if value is not None}))


def _sizes(config: PreTrainedConfig) -> dict[str, Any]:
    """The sizes that a config has a field for, and those of the configs within it."""
    own = {name: value for name, value in SIZES.items() if _has(config, name, value)}
    parts = {name: getattr(config, name, None) for name in config.sub_configs}
    return own | {name: _sizes(part) for name, part in parts.items() if part is not None}


def _has(config: PreTrainedConfig, name: str, value: object) -> bool:
    """Whether a config has a field that can be set; some have one that only tells another's value."""
    if not hasattr(config, name):
        return False
    try:
        setattr(config, name, value)
    except (AttributeError, NotImplementedError):
        return False
    return True


def _with(fields: dict[str, Any], needs: dict[str, Any]) -> dict[str, Any]:
    parts = {name: _with(fields.get(name, {}), value) for name, value in needs.items() if isinstance(value, dict)}
    return fields | needs | parts
