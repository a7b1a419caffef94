"""What a language model reads when its attention is observed: every token of an example once, and as a query once."""

from collections.abc import Iterator

from transformers import PreTrainedTokenizerBase

from study.subjects.language_model.requests import LanguageRow, Tokens
from study.subjects.tokens.facts import NOWHERE, TokenFacts
from study.subjects.tokens.passage import Passage
from study.subjects.tokens.spelling import Spans
from study.subjects.tokens.tokenizer import facts_by_tokenizer, text_spans


def passages(row: LanguageRow, tokenizer: PreTrainedTokenizerBase, *, window: int, stride: int) -> list[Passage]:
    """The context with the right continuation, or a text window by window.

    The last token is read as well, though nothing is scored after it. A window begins behind what the one before it has
    read, less `window - stride` tokens that it reads again; these count as queries in the first window that reads them.

    Args:
        row: the example.
        tokenizer: the tokenizer of the model.
        window: most tokens that the model reads at once.
        stride: how many tokens each window but the first reads that none before it has.
    """
    if row.answer is not None:
        request = row.requests[row.answer]
        tokens = request.context + request.continuation
        facts = facts_by_tokenizer(tokenizer, tokens, *_places(row, tokenizer, tokens, 1 + row.answer))
        return [Passage(facts.cut(slice(window)), answer=len(request.context))]
    begin = row.requests[0].context
    text = tuple(token for request in row.requests for token in request.continuation)
    facts = facts_by_tokenizer(tokenizer, begin + text, _spans(row, tokenizer, begin, text))
    return [_window(facts, start, first, end) for start, first, end in _windows(len(facts), window, stride)]


def _spans(row: LanguageRow, tokenizer: PreTrainedTokenizerBase, begin: Tokens, text: Tokens) -> Spans | None:
    """The characters of each token; none of what begins the text, where the text does not begin so itself."""
    if not row.texts:
        return None
    for tokens in (text, begin + text):
        if (spans := text_spans(tokenizer, tokens, row.texts[0])) is not None:
            return [(NOWHERE, NOWHERE)] * (len(begin) + len(text) - len(tokens)) + spans
    return None


def _places(
    row: LanguageRow, tokenizer: PreTrainedTokenizerBase, tokens: Tokens, answer: int
) -> tuple[Spans | None, list[int | None] | None]:
    """The characters of each token of a choice, and the number of the text that has them; None where it is not known.

    The first text is what the alternatives have in common, and stands before them, or behind them. Nothing is known
    where a template is around the texts, or their beginning was cut off.
    """
    special = set(tokenizer.all_special_ids)
    begins = next((i for i, token in enumerate(tokens) if token not in special), len(tokens))
    for one, other in ((0, answer), (answer, 0)) if row.texts else ():
        border = len(row.texts[one])
        for begin in range(begins + 1):
            spans = text_spans(tokenizer, tokens[begin:], row.texts[one] + row.texts[other])
            if spans is not None:
                every = [(NOWHERE, NOWHERE)] * begin + spans
                return [_within(span, border) for span in every], [_owner(span, border, one, other) for span in every]
    return None, None


def _within(span: tuple[int, int], border: int) -> tuple[int, int]:
    """Characters of two texts as those of their own; a piece of both belongs to the first."""
    start, end = span
    return (start - border, end - border) if start >= border else (start, min(end, border))


def _owner(span: tuple[int, int], border: int, one: int, other: int) -> int | None:
    if span[0] < 0:
        return None
    return one if span[0] < border else other


def _windows(length: int, window: int, stride: int) -> Iterator[tuple[int, int, int]]:
    """First token, first that was not read before, and the one behind the last, of each window."""
    done = 0
    while done < length:
        end = min(length, done + (stride if done else window))
        yield max(0, end - window), done, end
        done = end


def _window(facts: TokenFacts, start: int, first: int, end: int) -> Passage:
    return Passage(facts.cut(slice(start, end)), first_query=first - start)
