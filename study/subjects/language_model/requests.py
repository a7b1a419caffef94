"""Requests: what a language model reads, and which of these tokens are scored. One example makes one or more.

A choice makes a request for each of its continuations, a text one for each of its windows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

from study.subjects.subject import TokenRow

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class Request:
    """Tokens to be scored after others: log p(continuation | context).

    Attributes:
        context: the tokens before, at least one, that which begins a text among them.
        continuation: the tokens that are scored, at least one.
    """

    context: Tokens
    continuation: Tokens

    @property
    def read(self) -> Tokens:
        """What the model reads: all but the last token, after which nothing is scored."""
        return (self.context + self.continuation)[:-1]


@dataclass(frozen=True)
class LanguageRow(TokenRow):
    """One example as a language model reads it.

    `source` holds what its requests read, tokens that all of them begin with once; `cost` counts them for each.

    Attributes:
        requests: one for each continuation of a choice, then perhaps one for each without its context; one for each
            window of a text.
        choices: number of continuations; 0 where the example is a text.
        lengths: what the sums of continuations may be divided by, by name, a number for each.
    """

    requests: tuple[Request, ...] = ()
    choices: int = 0
    lengths: tuple[tuple[str, tuple[int, ...]], ...] = ()

    @property
    def answer(self) -> int | None:
        """Index of the right continuation; None where the example is a text."""
        return self.target if isinstance(self.target, int) else None

    @cached_property
    def shared(self) -> int:
        """How many tokens all continuations of a choice read before they part; 0 where the example is a text."""
        return shared_length([request.read for request in self.requests[: self.choices]])


def choice_row(
    example: str,
    requests: Sequence[Request],
    answer: int,
    alone: Sequence[Request] = (),
    lengths: Mapping[str, tuple[int, ...]] | None = None,
) -> LanguageRow:
    """The row of a choice.

    Args:
        example: id of the example.
        requests: a request for each continuation.
        answer: index of the right one.
        alone: the continuations without their context, where they are scored as well.
        lengths: what their sums may be divided by, by name.
    """
    read = [request.read for request in requests]
    shared = shared_length(read)
    source = read[0][:shared] + tuple(token for tokens in read for token in tokens[shared:])
    cost = sum(len(request.read) for request in [*requests, *alone])
    own = tuple((lengths or {}).items())
    return LanguageRow(example, source, answer, cost, requests=(*requests, *alone), choices=len(requests), lengths=own)


def text_row(example: str, windows: Sequence[Request]) -> LanguageRow:
    """The row of a text, given its windows."""
    source = tuple(token for window in windows for token in window.read)
    return LanguageRow(example, source, "", len(source), requests=tuple(windows))


def shared_length(sequences: Sequence[Tokens]) -> int:
    """How many tokens these sequences have in common at their beginning."""
    alike = takewhile(lambda tokens: len(set(tokens)) == 1, zip(*sequences, strict=False))
    return sum(1 for _ in alike)
