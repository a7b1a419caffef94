"""Small transformers as fairseq writes and computes them, made by hand: no fairseq and no transformers in here."""

import math
from argparse import Namespace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

SIZES = {"encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 2}
SIZES |= {"encoder_embed_dim": 16, "decoder_embed_dim": 16, "encoder_ffn_embed_dim": 24, "decoder_ffn_embed_dim": 20}
SETTINGS = {
    **SIZES,
    "arch": "transformer",
    "encoder_normalize_before": False,
    "decoder_normalize_before": False,
    "encoder_learned_pos": False,
    "decoder_learned_pos": False,
    "share_all_embeddings": True,
    "share_decoder_input_output_embed": True,
    "activation_fn": "relu",
    "max_source_positions": 40,
    "max_target_positions": 30,
}
WORDS = ("▁a", "b@@", "c", "d@@", "e", "f", "g", ".", ",", "'", "x@@", "y")
ENTRIES = len(WORDS) + 4


def settings(**changes: Any) -> dict[str, Any]:
    return {**SETTINGS, **changes}


def pre_norm() -> dict[str, Any]:
    return settings(encoder_normalize_before=True, decoder_normalize_before=True)


def weights(args: dict[str, Any], words: int = ENTRIES, seed: int = 0) -> dict[str, Tensor]:
    """Random weights under the names of fairseq's main branch."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int, scale: float = 0.3) -> Tensor:
        return torch.randn(shape, generator=generator) * scale

    found: dict[str, Tensor] = {"encoder.version": torch.tensor([3.0]), "decoder.version": torch.tensor([3.0])}
    found["encoder.embed_positions._float_tensor"] = torch.zeros(1)
    d = args["encoder_embed_dim"]
    embedding = draw(words, d)
    for side in ("encoder", "decoder"):
        shared = args["share_all_embeddings"]
        found[f"{side}.embed_tokens.weight"] = embedding if shared else draw(words, d)
        for layer in range(args[f"{side}_layers"]):
            attentions = ["self_attn"] + ["encoder_attn"] * (side == "decoder")
            stem = f"{side}.layers.{layer}"
            for attention in attentions:
                for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
                    found[f"{stem}.{attention}.{projection}.weight"] = draw(d, d)
                    found[f"{stem}.{attention}.{projection}.bias"] = draw(d)
            for norm in [f"{attention}_layer_norm" for attention in attentions] + ["final_layer_norm"]:
                found[f"{stem}.{norm}.weight"], found[f"{stem}.{norm}.bias"] = 1 + draw(d), draw(d)
            ffn = args[f"{side}_ffn_embed_dim"]
            found[f"{stem}.fc1.weight"], found[f"{stem}.fc1.bias"] = draw(ffn, d), draw(ffn)
            found[f"{stem}.fc2.weight"], found[f"{stem}.fc2.bias"] = draw(d, ffn), draw(d)
        if args[f"{side}_normalize_before"]:
            found[f"{side}.layer_norm.weight"], found[f"{side}.layer_norm.bias"] = 1 + draw(d), draw(d)
    shared = args["share_decoder_input_output_embed"]
    found["decoder.output_projection.weight"] = found["decoder.embed_tokens.weight"] if shared else draw(words, d)
    return found


def as_of_2018(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same weights in the layout of 2018: fused projections, numbered layer norms, no output projection."""
    norms = {
        "encoder": ["self_attn_layer_norm", "final_layer_norm"],
        "decoder": ["self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"],
    }
    old: dict[str, Tensor] = {}
    for name, tensor in state.items():
        parts = name.split(".")
        if name == "decoder.output_projection.weight" or parts[-2] in ("k_proj", "v_proj"):
            continue
        if parts[-2] == "q_proj":
            stem, kind = ".".join(parts[:-2]), parts[-1]
            old[f"{stem}.in_proj_{kind}"] = torch.cat([state[f"{stem}.{p}_proj.{kind}"] for p in "qkv"])
        elif parts[1] == "layers" and parts[-2].endswith("layer_norm"):
            old[".".join([*parts[:3], "layer_norms", str(norms[parts[0]].index(parts[-2])), parts[-1]])] = tensor
        else:
            old[name] = tensor
    return old


def write_checkpoint(path: Path, args: dict[str, Any], state: dict[str, Tensor] | None = None) -> Path:
    content = {"args": None, "cfg": {"model": Namespace(**args)}, "model": weights(args) if state is None else state}
    torch.save(content, path)
    return path


def write_dictionary(path: Path, words: tuple[str, ...] = WORDS) -> None:
    """Counts of either sign, as the scores of sentencepiece are."""
    path.write_text("".join(f"{word} {5 - i}\n" for i, word in enumerate(words)), encoding="utf-8")


def write_folder(folder: Path, args: dict[str, Any] | None = None) -> Path:
    """A whole model folder; text `bc e` is segmented as `b@@ c e`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_checkpoint(folder / "checkpoint_best.pt", args or settings())
    write_dictionary(folder / "dict.en.txt")
    write_dictionary(folder / "dict.fr.txt")
    (folder / "bpe.codes").write_text("#version: 0.2\ne f</w>\n", encoding="utf-8")
    return folder


def _embedded(args: dict[str, Any], state: dict[str, Tensor], side: str, ids: list[int]) -> Tensor:
    """Words and sinusoidal positions; the first word has position 2."""
    d = args["encoder_embed_dim"]
    half = d // 2
    rates = [math.exp(-math.log(10000) * i / (half - 1)) for i in range(half)]
    places = [[math.sin(p * r) for r in rates] + [math.cos(p * r) for r in rates] for p in range(2, 2 + len(ids))]
    scale = 1.0 if args.get("no_scale_embedding") else math.sqrt(d)
    return state[f"{side}.embed_tokens.weight"][ids] * scale + torch.tensor(places)


def plain_logprobs(args: dict[str, Any], state: dict[str, Tensor], source: list[int], target: list[int]) -> Tensor:
    """What the architecture is, written plainly for one sentence: log-probabilities [target, words]."""
    d, before = args["encoder_embed_dim"], args["encoder_normalize_before"]

    def linear(name: str, x: Tensor) -> Tensor:
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    def norm(name: str, x: Tensor) -> Tensor:
        return functional.layer_norm(x, (d,), state[f"{name}.weight"], state[f"{name}.bias"])

    def attend(name: str, x: Tensor, to: Tensor, heads: int, *, causal: bool = False) -> Tensor:
        q, k, v = linear(f"{name}.q_proj", x), linear(f"{name}.k_proj", to), linear(f"{name}.v_proj", to)
        contexts, size = [], d // heads
        for h in range(heads):
            part = slice(h * size, (h + 1) * size)
            scores = q[:, part] @ k[:, part].T / math.sqrt(size)
            if causal:
                scores = scores + torch.full_like(scores, -torch.inf).triu(1)
            contexts.append(scores.softmax(-1) @ v[:, part])
        return linear(f"{name}.out_proj", torch.cat(contexts, -1))

    def block(name: str, x: Tensor, inner: Any) -> Tensor:
        return x + inner(norm(name, x)) if before else norm(name, x + inner(x))

    def run(side: str, x: Tensor, encoded: Tensor | None) -> Tensor:
        heads = args[f"{side}_attention_heads"]
        for layer in range(args[f"{side}_layers"]):
            s = f"{side}.layers.{layer}"
            x = block(
                f"{s}.self_attn_layer_norm",
                x,
                lambda y, s=s: attend(f"{s}.self_attn", y, y, heads, causal=encoded is not None),
            )
            if encoded is not None:
                x = block(
                    f"{s}.encoder_attn_layer_norm", x, lambda y, s=s: attend(f"{s}.encoder_attn", y, encoded, heads)
                )
            x = block(f"{s}.final_layer_norm", x, lambda y, s=s: linear(f"{s}.fc2", linear(f"{s}.fc1", y).relu()))
        return norm(f"{side}.layer_norm", x) if before else x

    encoded = run("encoder", _embedded(args, state, "encoder", source), None)
    decoded = run("decoder", _embedded(args, state, "decoder", target), encoded)
    return (decoded @ state["decoder.output_projection.weight"].T).log_softmax(-1)
