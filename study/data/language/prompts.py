"""How each benchmark asks: a row of its file as a question, character by character as lm-evaluation-harness 0.4.13."""

import re
from collections.abc import Callable, Mapping

from study.data.language.questions import AnswerForm, Question, find_answer
from study.data.language.records import Record
from study.record.errors import InputError

LETTERS = ("A", "B", "C", "D")


def arc(row: Record) -> Question:
    """ARC (Clark et al. 2018): a question of a science examination; choices have labels, letters or numbers."""
    options = row.nested("choices")
    choices, labels, key = options.texts("text"), options.texts("label"), row.text("answerKey")
    if key not in labels:
        raise InputError(f"{row.where}: the answer is '{key}', but the choices are labelled {', '.join(labels)}")
    return Question((f"Question: {row.text('question')}\nAnswer:",), choices, labels.index(key))


def blimp(row: Record) -> Question:
    """BLiMP (Warstadt et al. 2020): the acceptable sentence of a minimal pair, without a context."""
    return Question(("",), (row.text("sentence_good"), row.text("sentence_bad")), 0)


def hellaswag(row: Record) -> Question:
    """HellaSwag (Zellers et al. 2019): how a situation goes on, after the name of the activity."""
    context = f"{row.text('activity_label')}: {row.text('ctx_a')} {row.text('ctx_b').capitalize()}"
    endings = tuple(without_marks(ending) for ending in row.texts("endings"))
    return Question((without_marks(context),), endings, _number(row, "label", endings))


def lambada(row: Record) -> Question:
    """LAMBADA (Paperno et al. 2016) in OpenAI's form: the last word of a passage."""
    passage, _, word = row.text("text").rpartition(" ")
    return Question((passage,), (word,), 0)


def mmlu(row: Record) -> Question:
    """MMLU (Hendrycks et al. 2021): the choices stand in the question, and what follows it is a letter."""
    choices = row.texts("choices")
    if len(choices) != len(LETTERS):
        raise InputError(f"{row.where}: {len(choices)} choices, expected {len(LETTERS)}")
    lines = [f"{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=True)]
    prompt = "\n".join([row.text("question").strip(), *lines, "Answer:"])
    return Question((prompt,), LETTERS, _number(row, "answer", LETTERS))


def piqa(row: Record) -> Question:
    """PIQA (Bisk et al. 2020): how a goal is reached, in one of two ways."""
    choices = row.text("sol1"), row.text("sol2")
    return Question((f"Question: {row.text('goal')}\nAnswer:",), choices, _number(row, "label", choices))


def winogrande(row: Record) -> Question:
    """WinoGrande (Sakaguchi et al. 2020), in part: how likely is the rest after each filling of the gap?"""
    before, gap, rest = row.text("sentence").partition("_")
    if not gap:
        raise InputError(f"{row.where}: 'sentence' has no gap, which is written _")
    options = row.text("option1"), row.text("option2")
    answer = find_answer(row.text("answer"), options, AnswerForm.from_one, row.where)
    return Question(tuple(f"{before}{option}" for option in options), (rest.strip(),), answer)


PROMPTS: Mapping[str, Callable[[Record], Question]] = {
    "arc": arc,
    "blimp": blimp,
    "hellaswag": hellaswag,
    "lambada": lambada,
    "mmlu": mmlu,
    "piqa": piqa,
    "winogrande": winogrande,
}
"""Every way to ask, by the name that a YAML file of `conf/data` gives it."""


def without_marks(text: str) -> str:
    """A text of WikiHow without what its extraction left: `[title]` ends a sentence, other brackets are dropped."""
    text = re.sub(r"\[.*?\]", "", text.strip().replace(" [title]", ". "))
    return text.replace("  ", " ")


def _number(row: Record, column: str, choices: tuple[str, ...]) -> int:
    return find_answer(row.text(column), choices, AnswerForm.from_zero, row.where)
