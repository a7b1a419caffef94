"""The subject: a model under study with its heads, and how text becomes tensors and tensors become outcomes."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from transformers import PreTrainedModel

from study.masking.gate import Gate
from study.masking.stand_ins import StandIn
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.loss import PLAIN, Loss
from study.record.metrics import Metric
from study.record.units import Head, HeadLayout
from study.subjects.graphs import Graph
from study.subjects.tokens.passage import Passage


@dataclass(frozen=True)
class TokenRow:
    """One example as the model reads it.

    Attributes:
        example: id of the example.
        source: token ids, special tokens included.
        target: output of the gold label, or all outputs that are right (classification), number in units of 2^-20
            (regression) or reference text (translation).
        cost: how much memory it takes in a batch, in tokens.
        segments: segment of each token, for models that tell premise from hypothesis so.
        texts: the texts of the example, where they are known beside its tokens.
        words: first character of each word of the first text, and the one behind its last; none where none are wanted.
    """

    example: str
    source: tuple[int, ...]
    target: int | tuple[int, ...] | str
    cost: int
    segments: tuple[int, ...] | None = None
    texts: tuple[str, ...] = ()
    words: tuple[tuple[int, int], ...] = ()


class Subject(ABC):
    """A loaded model. Rows of a batch are (example, mask) pairs: each row has a mask of its own.

    Attributes:
        module: the model, as transformers has it.
        gate: where its heads are masked.
        metric: the score that its outcomes add up to.
        device: where its weights are.
        loaded: one line for the log: what was loaded and from where.
        pads: whether rows of different lengths are computed together, with padding.
        pads_passages: whether `read` takes passages of different lengths.
        silent: heads that are meant to contribute nothing: those of other tasks of its model.
    """

    module: PreTrainedModel
    gate: Gate
    metric: Metric
    device: torch.device
    loaded: str
    pads = True
    pads_passages = False
    silent: frozenset[Head] = frozenset()

    @property
    def layout(self) -> HeadLayout:
        """Its heads."""
        return self.gate.layout

    @abstractmethod
    def encode(self, examples: Examples, max_unknown: float = 1.0) -> list[TokenRow]:
        """Texts to token ids.

        Args:
            examples: the texts and their targets.
            max_unknown: largest share of tokens that the model may not know.

        Raises:
            InputError: for labels that the model does not have, examples longer than it allows, and too many unknown
                tokens.
        """

    @abstractmethod
    def outcomes(self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "rows width"]) -> dict[str, Any]:
        """Outcome of each row: columns with the metric's statistics, `margin`, and what else the task stores."""

    @abstractmethod
    def losses(self, rows: Sequence[TokenRow], loss: Loss = PLAIN) -> Float[Tensor, " rows"]:
        """The loss of each row, under whatever mask the gate has, with a graph behind it."""

    def gradients(
        self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "rows width"], loss: Loss = PLAIN
    ) -> dict[str, Any]:
        """How the loss of each row changes with each unit's xi, in one forward and one backward pass.

        Rows do not mix, so the gradient of their summed loss holds the gradient of each. Weights take no gradient.

        Returns:
            Columns `loss`; `gradient`: dL/dxi_h, signed, [rows, width]; `token_gradient`: the sum over tokens t of
            |Att_h,t . dL/dAtt_h,t|, [rows, width]. Michel et al. (2019, equation 2) take the absolute value of the
            first for each example, their released code that of each token: the second. `source_tokens`,
            `target_tokens`: how many tokens the encoder's and the decoder's attention answers.
        """
        with self.standing(rows), torch.enable_grad(), self.gate.traced(self.as_xi(masks)) as trace:
            losses_R = self.losses(rows, loss)
            losses_R.sum().backward()
        return {
            "loss": losses_R.detach().float().cpu().numpy(),
            "gradient": trace.signed.cpu().numpy(),
            "token_gradient": trace.absolute.cpu().numpy(),
            "source_tokens": np.array([len(row.source) for row in rows]),
            "target_tokens": np.array(self.target_lengths(rows)),
        }

    @contextmanager
    def standing(self, rows: Sequence[TokenRow]) -> Iterator[None]:
        """Within the block what stands in for units is that of these rows, see `stand_in`."""
        with self.gate.standing(self.stand_in(rows)):
            yield

    def stand_in(self, rows: Sequence[TokenRow]) -> StandIn:
        """What stands in the place of units in these rows; it depends on them where each has a donor."""
        return self.gate.stand_in.for_rows(rows)

    def reach(self, row: TokenRow) -> tuple[int, ...]:
        """How many tokens are read of a row at once: of its source, and of what a decoder beside an encoder reads."""
        return (len(row.source),)

    def target_lengths(self, rows: Sequence[TokenRow]) -> list[int]:
        """Tokens that the decoder of each row reads; a classifier's reads the source, where it has one."""
        return [len(row.source) for row in rows]

    def passages(self, row: TokenRow) -> list[Passage]:
        """What is read of an example when attention is observed, in one or more forward passes."""
        raise NotImplementedError

    def read(self, passages: Sequence[Passage]) -> None:
        """One forward pass over some passages, all of one length unless `pads_passages`, under the gate's masks."""
        raise NotImplementedError

    @abstractmethod
    def probe(self) -> list[TokenRow]:
        """Three random rows to certify the gate on, such as a batch may hold; none is three tokens long."""

    @abstractmethod
    def response(self, rows: Sequence[TokenRow], xi: Float[Tensor, "rows width"] | None) -> Float[Tensor, "rows out"]:
        """All that the model says about each row, on which certification compares; `xi` None: the gate untouched."""

    def other_responses(
        self,
        rows: Sequence[TokenRow],  # noqa: ARG002
        xi: Float[Tensor, "rows width"],  # noqa: ARG002
    ) -> dict[str, Float[Tensor, "rows out"]]:
        """Responses by other ways of running the model (decoding with a cache), by name."""
        return {}

    def saved_facts(self) -> dict[str, int]:
        """What a folder with its weights must tell beside them, for them to be read again."""
        return {}

    def graphs(self) -> list[Graph]:
        """The parts of it that run without this project."""
        raise NotImplementedError

    def as_xi(self, masks: Bool[np.ndarray, "rows width"]) -> Float[Tensor, "rows width"]:
        """Masks as the tensor that the gate multiplies by."""
        return to_device(torch.from_numpy(np.ascontiguousarray(masks)), self.device).float()


PROBE = "probe "
"""What the ids of rows begin with that are of no data, such as those that a model is certified on."""


def wide(device: torch.device) -> torch.dtype:
    """The widest floating-point numbers of a device: Apple's GPUs have none of 64 bits."""
    return torch.float32 if device.type == "mps" else torch.float64


def to_device(x: Tensor, device: torch.device) -> Tensor:
    """Copy to a device, without waiting for it where it is a GPU."""
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x.to(device)


@contextmanager
def runs_on_token_ids(loaded: str, device: torch.device) -> Iterator[None]:
    """Say in words that a model does not run, whatever fails within the block.

    Raises:
        InputError: what an architecture lacks is told by errors of many kinds.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{loaded} does not run on token ids on {device}: {type(error).__name__}: {error}") from error
