"""Texts to requests: lengths, borders and the token that begins a text, against lm-evaluation-harness's rules."""

import logging

import pytest
from fixtures import language_models as lm
from hypothesis import given, settings
from hypothesis import strategies as st

from study.record.errors import InputError
from study.record.examples import Examples, Varies
from study.subjects.language_model.options import Begin, ReadingOptions
from study.subjects.language_model.requests import shared_length
from study.subjects.language_model.text import LanguageText
from study.subjects.language_model.windows import windows
from study.terminal.once import say_once

TOKENIZER = lm.tokenizer()
BOS, EOS = 0, 1


def text(own=TOKENIZER, *, positions: int | None = 64, embeddings: int = lm.VOCABULARY, **options) -> LanguageText:
    chosen = ReadingOptions(begin=Begin(options.pop("begin", "tokenizer")), **options)
    return LanguageText(own, chosen, positions=positions, num_embeddings=embeddings, owner="it")


def choice(context: str, *continuations: str, answer: str = "0", varies: Varies = Varies.CONTINUATION) -> Examples:
    return Examples(ids=("x",), texts=((context, *continuations),), targets=(answer,), varies=varies)


def ids(string: str) -> tuple[int, ...]:
    return tuple(TOKENIZER(string, add_special_tokens=False)["input_ids"])


def requests(data: Examples, **options):
    (row,) = text(**options).encode(data, 1.0)
    return row.requests


def test_context_and_continuation_are_encoded_together_and_cut_where_the_context_ends() -> None:
    (first, second) = requests(choice("the old man", " saw a dog", " sang"))
    assert first.context == second.context == ids("the old man")
    assert first.context + first.continuation == ids("the old man saw a dog")
    assert second.continuation == ids(" sang")


def test_blanks_at_the_end_of_a_context_go_over_to_the_continuation() -> None:
    assert requests(choice("the old ", "man", "dog")) == requests(choice("the old", " man", " dog"))


def test_the_part_that_varies_may_be_the_context() -> None:
    first, second = requests(choice(" sang", "the birds", "the old man", varies=Varies.CONTEXT))
    assert (first.context, second.context) == (ids("the birds"), ids("the old man"))
    assert first.continuation == second.continuation == ids(" sang")


@pytest.mark.parametrize(
    ("begin", "own", "with_context", "without"),
    [
        ("tokenizer", lm.tokenizer(begins=True), (BOS,), (BOS,)),
        ("tokenizer", TOKENIZER, (), (BOS,)),
        ("none", TOKENIZER, (), (BOS,)),
        ("none", lm.tokenizer(begins=True), (), (BOS,)),
        ("bos", TOKENIZER, (BOS,), (BOS,)),
        ("eos", TOKENIZER, (EOS,), (EOS,)),
        ("none", lm.tokenizer(special=(lm.EOS,)), (), (0,)),
    ],
)
def test_what_begins_a_text(begin: str, own, with_context: tuple, without: tuple) -> None:
    encoded = tuple(own("the", add_special_tokens=False)["input_ids"])
    (row,) = text(own, begin=begin).encode(choice("the", " man"), 1.0)
    assert row.requests[0].context == with_context + encoded
    (row,) = text(own, begin=begin).encode(choice("", "the"), 1.0)
    assert (row.requests[0].context, row.requests[0].continuation) == (without, encoded)
    (row,) = text(own, begin=begin).encode(Examples(ids=("t",), texts=(("the",),), targets=("",)), 1.0)
    assert (row.requests[0].context, row.requests[0].continuation) == (without, encoded)


def test_what_begins_a_text_is_not_put_before_it_twice() -> None:
    (request,) = requests(choice("<bos>the", " man"), begin="bos")
    assert request.context == (BOS, *ids("the"))


def test_continuations_without_their_context_come_after_the_others() -> None:
    (row,) = text(unconditional=True).encode(choice("the old", " man", " dog"), 1.0)
    assert row.choices == 2
    assert [(request.context, request.continuation) for request in row.requests[2:]] == [
        ((BOS,), ids(" man")),
        ((BOS,), ids(" dog")),
    ]
    with pytest.raises(InputError, match="differ in their contexts alone"):
        requests(choice(" sang", "a", "b", varies=Varies.CONTEXT), unconditional=True)


def test_a_context_that_is_too_long_is_refused_or_cut_from_the_left(caplog: pytest.LogCaptureFixture) -> None:
    say_once.cache_clear() if hasattr(say_once, "cache_clear") else None
    data = choice("the old man saw a dog near", " his house", " birds sang")
    most = len(ids("the old man saw a dog near his house")) - 3
    with pytest.raises(InputError, match=rf"2 of 2 contexts .* are over {most} tokens.*model\.truncate=true"):
        requests(data, window=most)
    with caplog.at_level(logging.INFO):
        first, _ = requests(data, window=most, truncate=True)
    assert "2 of 2 contexts cut from the left" in caplog.text
    assert len(first.read) == most
    whole = ids("the old man saw a dog near his house")
    assert first.context + first.continuation == whole[-most - 1 :]
    assert first.continuation == ids(" his house")
    with pytest.raises(InputError, match="longer than a window of 1 tokens"):
        requests(data, window=1, truncate=True)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (choice("the o", "ld man"), {}, r"merge with their context.*example 'x': 'the o' \+ 'ld man'"),
        (choice("the old", ""), {}, "1 of 1 continuations become no token"),
        (choice("the", " a", " b", answer="2"), {}, r"answer of example 'x' is '2': .* 2 alternatives, 0 to 1"),
        (choice("the", " a", answer="-1"), {}, "answer of example 'x' is '-1'"),
        (choice("the", " a", answer="first"), {}, "answer of example 'x' is 'first'"),
        (Examples(ids=("x",), texts=(("",),), targets=("",)), {}, "becomes no token at all"),
        (choice("the", " a"), {"embeddings": 20}, "20 embeddings: not its tokenizer"),
        (choice("the", " a"), {"window": 65}, "has positions for 64 tokens"),
        (choice("the", " a"), {"stride": 65}, r"model\.stride=65: expected 1 to 64"),
        (choice("the", " a"), {"chat_template": True}, "has no chat template"),
        (choice("the", " a"), {"own": lm.tokenizer(special=(lm.BOS,)), "begin": "eos"}, "has no eos_token"),
        (choice("", " a"), {"own": lm.tokenizer(special=())}, "no token to begin a text with"),
    ],
)
def test_bad_input_is_refused_in_words(data: Examples, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        text(**options).encode(data, 1.0)


def test_contexts_are_what_a_user_says_in_a_chat() -> None:
    own = lm.tokenizer()
    own.chat_template = "{% for m in messages %}<bos>{{ m.content }}<eos>{% endfor %}"
    (row,) = text(own, chat_template=True).encode(choice("the old ", " man"), 1.0)
    assert row.requests[0].context == (BOS, *ids("the old "), EOS)
    assert row.requests[0].continuation == ids("man")
    with pytest.raises(InputError, match="has no context"):
        text(own, chat_template=True).encode(choice("", " man"), 1.0)
    with pytest.raises(InputError, match="texts as such"):
        text(own, chat_template=True).encode(Examples(ids=("t",), texts=(("the",),), targets=("",)), 1.0)


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(1, 9), st.data())
def test_every_token_of_a_text_is_scored_once_with_as_much_before_it_as_a_window_holds(
    length: int, window: int, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, window))
    tokens = tuple(range(100, 100 + length))
    found = list(windows((7,), tokens, window=window, stride=stride))
    assert tuple(token for one in found for token in one.continuation) == tokens
    every = (7, *tokens)
    for one in found:
        assert 1 <= len(one.read) <= window
        start = every.index(one.continuation[0])
        assert one.context == every[start - len(one.context) : start], "what it reads stands just before"
    assert all(len(one.continuation) == stride for one in found[1:-1])
    assert all(len(one.read) == window for one in found[1:])


def test_what_sequences_have_in_common() -> None:
    assert shared_length([(1, 2, 3), (1, 2), (1, 2, 4)]) == 2
    assert shared_length([(1, 2)]) == 2
    assert shared_length([]) == 0
