"""The toy luck task: labels against the text alone; no single word tells them; sets of their own."""

import re
from collections import Counter

import numpy as np
import pytest

from study.toy.luck import LuckDomain, luck_examples
from study.toy.nli_lexicon import OPPOSITE, PASSIVES

FORTUNE = {"big", "happy", "quiet", "rich"}


def agent_is_lucky(text: str) -> bool:
    """What the text says: the two adjectives in their order, and who acts by the verb."""
    words = re.findall(r"[a-z]+", text.lower())
    first, second = [word for word in words if word in OPPOSITE]
    return (second if set(words) & set(PASSIVES.values()) else first) in FORTUNE


@pytest.mark.parametrize("domain", list(LuckDomain))
def test_labels_are_what_the_texts_say(domain: LuckDomain) -> None:
    examples = luck_examples(domain, 500)
    for (text,), target in zip(examples.texts, examples.targets, strict=True):
        assert (target == "lucky") == agent_is_lucky(text), text


def test_neither_a_single_word_nor_which_of_the_two_stands_first_tells() -> None:
    """The best single word is right about half of the time, and so is whether the first of the two is lucky."""
    examples = luck_examples(LuckDomain.TRAIN, 4000)
    lucky = np.array([target == "lucky" for target in examples.targets])
    words = [set(re.findall(r"[a-z]+", text.lower())) for (text,) in examples.texts]
    often = {word for word, count in Counter(word for some in words for word in some).items() if count > 200}
    for word in often:
        has = np.array([word in some for some in words])
        assert abs(lucky[has].mean() - 0.5) < 0.12, word
    first = np.array(
        [next(w for w in re.findall(r"\w+", text) if w in OPPOSITE) in FORTUNE for (text,) in examples.texts]
    )
    assert abs((first == lucky).mean() - 0.5) < 0.05


def test_the_adjective_after_the_article_a_tells_as_the_task_says_of_itself() -> None:
    examples = luck_examples(LuckDomain.TRAIN, 500)
    for (text,), target in zip(examples.texts, examples.targets, strict=True):
        after = re.findall(rf"\ba ({'|'.join(OPPOSITE)})\b", text.lower())
        assert [word not in FORTUNE for word in after] == [target == "lucky"], text


def test_no_sentence_is_in_two_sets_nor_twice_in_one() -> None:
    texts = [luck_examples(domain, 1000).texts for domain in LuckDomain]
    assert len({text for some in texts for text in some}) == 3000
    assert luck_examples(LuckDomain.DEV, 20).texts == luck_examples(LuckDomain.DEV, 1000).texts[:20]
    assert luck_examples(LuckDomain.DEV, 20, seed=1).texts != luck_examples(LuckDomain.DEV, 20).texts
