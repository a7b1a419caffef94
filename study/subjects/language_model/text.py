"""The text side of a language model: examples become requests. Its tokenizer alone is needed for it, no weights."""

import logging
from collections.abc import Iterable, Sequence
from functools import cached_property

from transformers import PreTrainedTokenizerBase

from study.record.errors import InputError
from study.record.examples import Examples, Varies
from study.subjects.language_model.answers import right_choices
from study.subjects.language_model.observing import passages
from study.subjects.language_model.options import Begin, ReadingOptions
from study.subjects.language_model.requests import LanguageRow, Request, Tokens, choice_row, text_row
from study.subjects.language_model.windows import windows
from study.subjects.tokens.passage import Passage
from study.subjects.tokens.tokenizer import unknown_token
from study.subjects.vocabulary import require_known
from study.terminal.once import say_once

log = logging.getLogger(__name__)

UNLIMITED = 2048
"""Tokens of a window where neither the model nor the user limits them, as in lm-evaluation-harness."""


class LanguageText:
    """Turns examples into requests.

    Attributes:
        tokenizer: tokenizer of the model.
        window: most tokens that the model reads at once.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        options: ReadingOptions,
        *,
        positions: int | None,
        num_embeddings: int | None,
        owner: str,
    ) -> None:
        """Take a tokenizer and how to use it.

        Args:
            tokenizer: tokenizer of the model.
            options: how texts are read.
            positions: how many tokens the model has positions for; None where that is not limited.
            num_embeddings: how many tokens have an embedding; None where it is not known.
            owner: what messages call it.

        Raises:
            InputError: for options that make no sense for this model.
        """
        self.tokenizer, self._options, self._owner = tokenizer, options, owner
        self._num_embeddings = num_embeddings
        self.window = options.window or positions or UNLIMITED
        self._stride = options.stride or self.window
        self._check(positions)

    def _check(self, positions: int | None) -> None:
        if self.window < 1 or (positions is not None and self.window > positions):
            raise InputError(
                f"model.window={self.window}, but {self._owner} has positions for {positions} tokens: choose at most "
                "these, or 0 for all of them"
            )
        if not 1 <= self._stride <= self.window:
            raise InputError(f"model.stride={self._stride}: expected 1 to {self.window}, the tokens of a window")
        if self._options.chat_template and not self.tokenizer.chat_template:
            raise InputError(f"model.chat_template=true, but {self._owner} has no chat template")
        self._begin  # noqa: B018 (refuses a token that is not there)

    def encode(self, examples: Examples, max_unknown: float) -> list[LanguageRow]:
        """Requests of choices (two texts or more an example) or of texts.

        Raises:
            InputError: for what cannot be scored: continuations that are empty, merge with their context or are longer
                than a window, contexts that are too long, answers out of range, texts without a token; and for too many
                unknown tokens.
        """
        several = len(examples.texts[0]) > 1
        if several and not any(examples.targets):
            raise InputError("a language model reads one text, and these examples have several")
        rows = self._choices(examples) if several else self._texts(examples)
        self._require_own_tokens(rows)
        special = self.tokenizer.all_special_ids
        unknown = unknown_token(self.tokenizer)
        require_known(rows, max_unknown, owner=self._owner, unknown=unknown, special=special)
        return rows

    def _texts(self, examples: Examples) -> list[LanguageRow]:
        if self._options.chat_template:
            raise InputError("model.chat_template=true is for contexts that are answered, and these are texts as such")
        ids = self._ids([texts[0] for texts in examples.texts])
        return [
            text_row(name, list(self._windows(name, tokens))) for name, tokens in zip(examples.ids, ids, strict=True)
        ]

    def _windows(self, example: str, tokens: Tokens) -> Iterable[Request]:
        begin, tokens = self._begun(tokens, with_context=False)
        if not tokens:
            raise InputError(f"the text of example '{example}' becomes no token at all")
        if len(begin) > self.window:
            raise InputError(f"model.window={self.window} has no room for the {len(begin)} tokens that begin a text")
        return windows(begin, tokens, window=self.window, stride=self._stride)

    def passages(self, row: LanguageRow) -> list[Passage]:
        """What is read of a row when attention is observed, see `passages`."""
        return passages(row, self.tokenizer, window=self.window, stride=self._stride)

    def _choices(self, examples: Examples) -> list[LanguageRow]:
        answers = right_choices(examples)
        pairs = [self._pairs(texts, examples.varies) for texts in examples.texts]
        owners = [name for name, own in zip(examples.ids, pairs, strict=True) for _ in own]
        requests = self._fit(self._requests([pair for own in pairs for pair in own], owners), owners)
        alone = requests[:0]
        if self._options.unconditional:
            without = [("", continuation) for own in self._alone_pairs(examples) for continuation in own]
            alone = self._fit(self._requests(without, owners), owners)
        rows, start = [], 0
        for i, (name, own, answer) in enumerate(zip(examples.ids, pairs, answers, strict=True)):
            end = start + len(own)
            lengths = {kind: column[i] for kind, column in examples.counts.items()}
            rows.append(choice_row(name, requests[start:end], answer, alone[start:end], lengths))
            start = end
        return rows

    def _alone_pairs(self, examples: Examples) -> list[tuple[str, ...]]:
        """The continuations of each example."""
        if examples.varies is Varies.CONTEXT:
            raise InputError("model.unconditional=true, but these alternatives differ in their contexts alone")
        return [texts[1:] for texts in examples.texts]

    def _pairs(self, texts: Sequence[str], varies: Varies) -> list[tuple[str, str]]:
        """Context and continuation of each alternative, with the blanks at the end of the context moved over."""
        first, *others = texts
        pairs = [(first, other) if varies is Varies.CONTINUATION else (other, first) for other in others]
        if self._options.chat_template:
            return [(self._said(context), continuation.removeprefix(" ")) for context, continuation in pairs]
        bare = [context.rstrip() for context, _ in pairs]
        return [(kept, context[len(kept) :] + end) for kept, (context, end) in zip(bare, pairs, strict=True)]

    def _said(self, context: str) -> str:
        if not context.strip():
            raise InputError("model.chat_template=true, but an example has no context, which a user would say")
        message = [{"role": "user", "content": context}]
        return str(self.tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True))

    def _requests(self, pairs: Sequence[tuple[str, str]], owners: Sequence[str]) -> list[Request]:
        """Pairs of texts as tokens: encoded together, and cut where the context by itself ends."""
        contexts = self._ids([context for context, _ in pairs])
        together = self._ids([context + continuation for context, continuation in pairs])
        merged = [i for i, (own, both) in enumerate(zip(contexts, together, strict=True)) if both[: len(own)] != own]
        if merged:
            context, continuation = pairs[merged[0]]
            raise InputError(
                f"{len(merged)} of {len(pairs)} continuations merge with their context: the tokenizer makes other "
                f"tokens of both together than of the context. The first is in example '{owners[merged[0]]}': "
                f"{context[-30:]!r} + {continuation[:30]!r}. Begin continuations with a blank, or let contexts end "
                "with a whole word"
            )
        requests = []
        for own, both in zip(contexts, together, strict=True):
            begin, tokens = self._begun(both, with_context=bool(own))
            border = max(len(begin), len(own) + len(begin) + len(tokens) - len(both))
            every = begin + tokens
            requests.append(Request(every[:border], every[border:]))
        if empty := [i for i, request in enumerate(requests) if not request.continuation]:
            raise InputError(
                f"{len(empty)} of {len(pairs)} continuations become no token, the first is in example "
                f"'{owners[empty[0]]}': {pairs[empty[0]][1]!r}"
            )
        return requests

    def _fit(self, requests: list[Request], owners: Sequence[str]) -> list[Request]:
        """Requests of at most a window, contexts cut from the left."""
        most = self.window + 1
        too_long = [i for i, r in enumerate(requests) if len(r.context) + len(r.continuation) > most]
        if hopeless := [i for i in too_long if len(requests[i].continuation) > self.window]:
            longest = max(hopeless, key=lambda i: len(requests[i].continuation))
            raise InputError(
                f"{len(hopeless)} continuations are longer than a window of {self.window} tokens, the longest is in "
                f"example '{owners[longest]}' and has {len(requests[longest].continuation)}"
            )
        if too_long and not self._options.truncate:
            longest = max(too_long, key=lambda i: len(requests[i].read))
            raise InputError(
                f"{len(too_long)} of {len(requests)} contexts with their continuations are over {self.window} tokens, "
                f"the longest (example '{owners[longest]}') has {len(requests[longest].read)}: choose "
                "model.truncate=true to cut them from the left"
            )
        if too_long:
            words = "%d of %d contexts cut from the left, to %d tokens with their continuation"
            say_once(log.info, words, len(too_long), len(requests), self.window)
        return [Request(r.context[-(most - len(r.continuation)) :], r.continuation) for r in requests]

    def _begun(self, tokens: Tokens, *, with_context: bool) -> tuple[Tokens, Tokens]:
        """What stands before some tokens, and the tokens without it, where they begin with it already.

        Raises:
            InputError: when nothing may stand before a continuation that has no context.
        """
        begin = self._begin
        if not begin and not with_context:
            begin = self._special(Begin.bos) or self._special(Begin.eos)
            if not begin:
                raise InputError(
                    f"{self._owner} has no token to begin a text with (bos_token or eos_token), and nothing can be "
                    "scored that follows nothing"
                )
        own = tokens[: len(begin)] == begin
        return begin, tokens[len(begin) :] if own else tokens

    @cached_property
    def _begin(self) -> Tokens:
        """The tokens before every text."""
        match self._options.begin:
            case Begin.none:
                return ()
            case Begin.tokenizer:
                bare = self.tokenizer("a", add_special_tokens=False)["input_ids"]
                own = self.tokenizer("a")["input_ids"]
                where = [i for i in range(len(own)) if own[i : i + len(bare)] == bare]
                return tuple(own[: where[0]]) if where else ()
            case begin:
                if not (token := self._special(begin)):
                    raise InputError(f"model.begin={begin}, but {self._owner} has no {begin}_token")
                return token

    def _special(self, name: Begin) -> Tokens:
        """The token that begins or ends a text; nothing where the tokenizer has none."""
        token = self.tokenizer.bos_token_id if name is Begin.bos else self.tokenizer.eos_token_id
        return (token,) if isinstance(token, int) else ()

    def _ids(self, texts: Sequence[str]) -> list[Tokens]:
        """Tokens of texts without any that the tokenizer adds; each different text is encoded once."""
        different = list(dict.fromkeys(texts))
        ids = self.tokenizer(different, add_special_tokens=False, verbose=False)["input_ids"] if different else []
        known = {text: tuple(own) for text, own in zip(different, ids, strict=True)}
        return [known[text] for text in texts]

    def _require_own_tokens(self, rows: Sequence[LanguageRow]) -> None:
        every = (token for row in rows for r in row.requests for token in (*r.context, *r.continuation))
        largest = max(every)
        if self._num_embeddings is not None and largest >= self._num_embeddings:
            raise InputError(
                f"the tokenizer gives token {largest}, but {self._owner} has {self._num_embeddings} embeddings: not "
                "its tokenizer"
            )
