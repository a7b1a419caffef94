"""Parts of a model as plain functions of tensors, which can be written to files and run without this project.

A classifier is one graph, and so is a language model. A translation model is two: the encoder, and one step of the
decoder, which reads the target so far and gives the logits of the next word. Each graph takes any number of rows, of
any length from three tokens to as many as the model has positions for.

Shapes: R rows, S source tokens, T tokens of the target so far, d width, V words, C classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel


@dataclass(frozen=True)
class Graph:
    """A part of a model that becomes a file.

    Attributes:
        name: name of the file, without its ending.
        module: the part.
        inputs: rows on which the file is checked, by name of the input.
        expected: what the whole model makes of these rows.
    """

    name: str
    module: nn.Module
    inputs: Mapping[str, Tensor]
    expected: Tensor

    @property
    def examples(self) -> dict[str, Tensor]:
        """Inputs of which the graph is made: two rows, of another length than those on which it is checked."""
        return {name: rows[:2, :-1].contiguous() for name, rows in self.inputs.items()}


class Classification(nn.Module):
    """Logits of the classes."""

    def __init__(self, module: PreTrainedModel) -> None:
        super().__init__()
        self.module = module

    def forward(
        self, input_ids: Int[Tensor, "R S"], attention_mask: Int[Tensor, "R S"], token_type_ids: Tensor | None = None
    ) -> Float[Tensor, "R C"]:
        """One pass; segments where the model has such."""
        segments = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        return self.module(input_ids=input_ids, attention_mask=attention_mask, **segments).logits


class NextWord(nn.Module):
    """Logits of the word after each token."""

    def __init__(self, module: PreTrainedModel) -> None:
        super().__init__()
        self.module = module

    def forward(self, input_ids: Int[Tensor, "R T"], attention_mask: Int[Tensor, "R T"]) -> Float[Tensor, "R T V"]:
        """One pass, without a cache."""
        return self.module(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).logits


class Encoding(nn.Module):
    """Last hidden states of the encoder."""

    def __init__(self, module: PreTrainedModel) -> None:
        super().__init__()
        self.encoder = module.get_encoder()

    def forward(self, input_ids: Int[Tensor, "R S"], attention_mask: Int[Tensor, "R S"]) -> Float[Tensor, "R S d"]:
        """One pass over the sources."""
        return self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


class DecoderStep(nn.Module):
    """Logits of the word that comes after the target so far."""

    def __init__(self, module: PreTrainedModel) -> None:
        super().__init__()
        self.module = module

    def forward(
        self, encoded: Float[Tensor, "R S d"], attention_mask: Int[Tensor, "R S"], target_ids: Int[Tensor, "R T"]
    ) -> Float[Tensor, "R V"]:
        """One pass over the target so far, without a cache."""
        output = self.module(
            input_ids=target_ids,  # not read, but without it FSMT's decoder looks at what comes after a token
            encoder_outputs=(encoded,),
            attention_mask=attention_mask,
            decoder_input_ids=target_ids,
            decoder_attention_mask=torch.ones_like(target_ids),
            use_cache=False,
        )
        return output.logits[:, -1]
