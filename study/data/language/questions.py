"""Questions of a multiple choice: what may stand before, what may follow, which is right; and examples made of them."""

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from study.record.errors import InputError
from study.record.examples import Examples, Varies
from study.record.lines import did_you_mean

BLANK = " "
"""What stands between a question and its answer, as lm-evaluation-harness sets it."""


@dataclass(frozen=True)
class Question:
    """One question of a multiple choice; either the contexts or the choices are several.

    Attributes:
        contexts: what stands before, one text or several.
        choices: what may follow, one text or several, without what stands between.
        answer: which of the several is right, from 0.
    """

    contexts: tuple[str, ...]
    choices: tuple[str, ...]
    answer: int

    @property
    def varies(self) -> Varies:
        """Which part the alternatives differ in."""
        return Varies.CONTEXT if len(self.contexts) > 1 else Varies.CONTINUATION

    @property
    def is_filled(self) -> bool:
        """Whether there is something to score in every alternative."""
        return all(choice.strip() for choice in self.choices)

    def solved(self) -> str:
        """The question with its right answer."""
        if self.varies is Varies.CONTEXT:
            return f"{self.contexts[self.answer]}{BLANK}{self.choices[0]}"
        return f"{self.contexts[0]}{BLANK}{self.choices[self.answer]}"


class AnswerForm(StrEnum):
    """How a file says which choice is right."""

    from_zero = "from_zero"
    from_one = "from_one"
    letter = "letter"
    text = "text"


SPELLING = {
    AnswerForm.from_zero: "a number, counted from 0",
    AnswerForm.from_one: "a number, counted from 1",
    AnswerForm.letter: "a letter, A for the first choice",
    AnswerForm.text: "the text of a choice",
}


def find_answer(said: str, choices: Sequence[str], form: AnswerForm, where: str) -> int:
    """Which choice is right, from 0.

    Args:
        said: what the file says.
        choices: the choices, without what stands before them.
        form: how the file says it.
        where: where it stands, for the error.

    Raises:
        InputError: when it is none of the choices, or is said in another form.
    """
    names: dict[AnswerForm, Sequence[str]] = {
        AnswerForm.from_zero: [str(number) for number in range(len(choices))],
        AnswerForm.from_one: [str(number + 1) for number in range(len(choices))],
        AnswerForm.letter: string.ascii_uppercase[: len(choices)],
        AnswerForm.text: [choice.strip() for choice in choices],
    }
    plain = said.strip().upper() if form is AnswerForm.letter else said.strip()
    if plain in names[form]:
        return names[form].index(plain)
    others = [other for other in names if other is not form and said.strip() in names[other]]
    hint = f": say data.answers={others[0]} where it is {SPELLING[others[0]]}" if others else ""
    near = did_you_mean(plain, names[form]) if form is AnswerForm.text else ""
    raise InputError(
        f"{where}: the answer is '{said}', but there are {len(choices)} choices, and it must be "
        f"{SPELLING[form]}{hint}{near}"
    )


def require_choices(choices: Sequence[str], where: str) -> None:
    """Refuse choices between which nothing can be chosen.

    Raises:
        InputError: when there is one alone, one is empty, or two are equal.
    """
    require_filled(choices, where)
    if len(choices) == 1:
        raise InputError(
            f"{where}: one choice alone, so there is nothing to choose; data.answer=null asks of every example how "
            f"likely its only continuation is"
        )
    for number, choice in enumerate(choices):
        if choice in choices[:number]:
            raise InputError(f"{where}: choices {choices.index(choice)} and {number} are equal: {choice!r}")


def require_filled(choices: Sequence[str], where: str) -> None:
    """Refuse an empty choice, or none at all.

    Raises:
        InputError: says which, counted from 0.
    """
    if not choices:
        raise InputError(f"{where}: there are no choices")
    for number, choice in enumerate(choices):
        if not choice.strip():
            raise InputError(f"{where}: choice {number} is empty")


def choice_examples(
    ids: Sequence[str],
    questions: Sequence[Question],
    columns: Mapping[str, Sequence[str]],
    between: str = BLANK,
    before: Sequence[str] = (),
) -> Examples:
    """Questions as examples.

    `characters` and `bytes` (UTF-8) are those of a choice as lm-evaluation-harness divides by them: without the blank
    that follows the context. Where the contexts differ they are those of what follows all of them.

    Args:
        ids: unique names.
        questions: in the same order; either the contexts differ in all, or the choices.
        columns: what groups or slices the examples.
        between: what stands between a context and a choice.
        before: what stands before the context of each, such as solved questions; empty: nothing.
    """
    texts, lengths = [], []
    for question, shown in zip(questions, before or [""] * len(questions), strict=True):
        contexts = [f"{shown}{context}" for context in question.contexts]
        choices = [f"{between}{choice}" for choice in question.choices]
        turned = question.varies is Varies.CONTEXT
        texts.append((*choices, *contexts) if turned else (*contexts, *choices))
        lengths.append([choice.removeprefix(BLANK) for choice in choices] * (len(contexts) if turned else 1))
    return Examples(
        ids=tuple(ids),
        texts=tuple(texts),
        targets=tuple(str(question.answer) for question in questions),
        columns={name: tuple(column) for name, column in columns.items()},
        counts={
            "characters": tuple(tuple(len(choice) for choice in row) for row in lengths),
            "bytes": tuple(tuple(len(choice.encode()) for choice in row) for row in lengths),
        },
        varies=questions[0].varies,
    )
