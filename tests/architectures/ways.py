"""The ways in which a tokenizer pads a batch and a model computes attention, as the files of a model say them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import AutoConfig, PreTrainedModel

from .tiny import edit


def _always(_: PreTrainedModel) -> bool:
    return True


@dataclass(frozen=True)
class Way:
    """What is changed in a saved model.

    Attributes:
        tokenizer: fields of `tokenizer_config.json`; None takes one out.
        attention: transformers' name of how attention is computed; None leaves it to transformers.
        padded: whether the config names a padding token even where the architecture's default names none.
        fits: whether a model can be run so.
    """

    tokenizer: dict[str, Any] = field(default_factory=dict)
    attention: str | None = None
    padded: bool = True
    fits: Callable[[PreTrainedModel], bool] = _always

    def take(self, folder: Path, kind: str) -> None:
        """Change the files of a model of this `model_type`."""
        edit(folder / "tokenizer_config.json", **self.tokenizer)
        edit(folder / "config.json", attn_implementation=self.attention)
        if not self.padded and _default_padding(kind) is None:
            edit(folder / "config.json", pad_token_id=None)


def _default_padding(kind: str) -> int | None:
    return getattr(AutoConfig.for_model(kind).get_text_config(), "pad_token_id", None)


WAYS = {
    "as it is": Way(),
    "no padding token": Way(tokenizer={"pad_token": None}, padded=False),
    "padding at the left": Way(tokenizer={"padding_side": "left"}),
    "eager": Way(attention="eager", fits=lambda model: model.config._attn_implementation != "eager"),
    "flex_attention": Way(attention="flex_attention", fits=lambda model: bool(model._supports_flex_attn)),
}
"""By name. As it is, a tokenizer puts a padding token at the right, and attention is sdpa where a model has it."""
