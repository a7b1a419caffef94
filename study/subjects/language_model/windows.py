"""Windows of a text: each of its tokens is scored once, after as many of those before it as a window holds."""

from collections.abc import Iterator

from study.subjects.language_model.requests import Request, Tokens


def windows(begin: Tokens, tokens: Tokens, *, window: int, stride: int) -> Iterator[Request]:
    """The requests of a text.

    The first window reads what begins a text. The next ones score `stride` tokens each, after the `window - stride`
    tokens before them and one more; the last is as long as any, and has more context where fewer tokens are left. With
    `stride = window` and one token in `begin` these are the windows of lm-evaluation-harness.

    Args:
        begin: tokens before the text, one at least; they are not scored.
        tokens: the text.
        window: most tokens that the model reads at once.
        stride: tokens scored by each window but the first.
    """
    every = begin + tokens
    first = min(len(every), window + 1)
    yield Request(begin, every[len(begin) : first])
    for start in range(first, len(every), stride):
        end = min(start + stride, len(every))
        yield Request(every[end - window - 1 : start], every[start:end])
