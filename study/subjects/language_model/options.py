"""How a language model reads texts: what is chosen, and is a part of a setting's identity. No tensor is imported."""

from dataclasses import dataclass
from enum import StrEnum


class Begin(StrEnum):
    """What stands before every text. Names are what is written on the command line."""

    tokenizer = "tokenizer"
    """What the tokenizer itself puts there: `<bos>` for Gemma and Llama 3, nothing for GPT-2 and SmolLM2."""
    bos = "bos"
    """The token that begins a text (`bos_token` of the tokenizer)."""
    eos = "eos"
    """The token that ends a text (`eos_token`), as GPT-2 was trained."""
    none = "none"
    """Nothing, but before a continuation without context, which needs one token to follow: `bos`, else `eos`."""


@dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """How texts are read; part of a setting's identity.

    Attributes:
        begin: what stands before every text.
        window: most tokens read at once; as many as the model has positions for when 0.
        stride: tokens of a long text that each window but the first scores; the whole window when 0.
        truncate: cut contexts that are too long from the left; refuse them otherwise.
        unconditional: score every continuation without its context, too.
        chat_template: put contexts into the tokenizer's chat template, as what a user says.
    """

    begin: Begin = Begin.tokenizer
    window: int = 0
    stride: int = 0
    truncate: bool = False
    unconditional: bool = False
    chat_template: bool = False
