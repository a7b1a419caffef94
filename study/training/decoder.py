"""The training of a decoder language model: one way for further training and for a small Llama from nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel

from study.record.examples import Examples
from study.subjects.language_model.requests import LanguageRow, Request
from study.subjects.language_model.subject import LanguageModel
from study.subjects.language_model.text import LanguageText
from study.subjects.language_model.words import log_probabilities
from study.subjects.subject import Subject
from study.training.decoder_options import DecoderTraining
from study.training.initial_decoder import initial_decoder
from study.training.transformers_training import Start, TokenizedData, train

EVALUATION_BATCH = 100
IGNORED = -100
"""Label of a token that is read and not learnt."""


@dataclass(frozen=True)
class TokenSequences(TokenizedData):
    """Sequences of tokens, of which the last ones are learnt.

    Attributes:
        requests: the tokens that are read only, and those that are learnt.
    """

    requests: Sequence[Request]

    @property
    def lengths(self) -> Int[Tensor, " sequences"]:
        """See `TokenizedData.lengths`."""
        return torch.tensor([len(request.read) + 1 for request in self.requests])

    @property
    def answers(self) -> Int[Tensor, " tokens"]:
        """See `TokenizedData.answers`."""
        return torch.tensor([token for request in self.requests for token in request.continuation])

    def batch(self, rows: Sequence[int], device: torch.device) -> dict[str, Tensor]:
        """See `TokenizedData.batch`."""
        chosen = [self.requests[row] for row in rows]
        tokens = [torch.tensor(one.context + one.continuation) for one in chosen]
        labels = [torch.tensor((IGNORED,) * len(one.context) + one.continuation) for one in chosen]
        columns = {
            "input_ids": pad_sequence(tokens, batch_first=True),
            "attention_mask": pad_sequence([torch.ones_like(own) for own in tokens], batch_first=True),
            "labels": pad_sequence(labels, batch_first=True, padding_value=IGNORED),
        }
        return {name: tensor.to(device) for name, tensor in columns.items()}


def train_decoder(
    training: DecoderTraining, folder: Path, device: str, threads: int, recorded: Callable[[], None] = lambda: None
) -> None:
    """Train, or go on where an earlier run was stopped; see `TrainedModel.train`.

    Raises:
        InputError: when texts cannot be read, or the folder holds another training.
    """

    def begin(learnt: Examples, dev: Examples) -> Start:
        model, tokenizer = initial_decoder(training, [text for row in learnt.texts for text in row])
        positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        text = LanguageText(
            tokenizer, training.reading(), positions=positions, num_embeddings=None, owner=type(model).__name__
        )
        data, dev_data = (token_sequences(text.encode(examples, max_unknown=1.0)) for examples in (learnt, dev))

        def subject() -> Subject:
            return LanguageModel(model, text, loaded=f"{type(model).__name__} in training")

        return Start(
            "language model",
            model,
            tokenizer,
            data,
            dev_data,
            "nats a token",
            lambda: evaluate(model, dev_data),
            subject,
        )

    train(training, folder, begin, device=device, threads=threads, recorded=recorded)


def token_sequences(rows: Sequence[LanguageRow]) -> TokenSequences:
    """What is learnt of examples: every window of a text, the right continuation of a choice."""
    learnt = [(row.requests[row.target],) if isinstance(row.target, int) else row.requests for row in rows]
    return TokenSequences([request for requests in learnt for request in requests])


@torch.no_grad()
def evaluate(model: PreTrainedModel, data: TokenSequences) -> tuple[float, float]:
    """Mean loss (nats) and accuracy (percent) of the tokens to learn, without dropout; draws no random number."""
    model.eval()
    total, right, count = 0.0, 0, 0
    for first in range(0, len(data.requests), EVALUATION_BATCH):
        batch = data.batch(range(first, min(first + EVALUATION_BATCH, len(data.requests))), model.device)
        targets = batch.pop("labels")[:, 1:]
        learnt = targets != IGNORED
        likely, top = log_probabilities(model(**batch, use_cache=False).logits[:, :-1][learnt], targets[learnt])
        total, right, count = total - float(likely.sum()), right + int(top.sum()), count + len(likely)
    model.train()
    return total / count, 100 * right / count
