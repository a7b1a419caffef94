"""The answers of choices: the number of the alternative that is right. No tensor is imported."""

from study.record.errors import InputError
from study.record.examples import Examples


def right_choices(examples: Examples) -> list[int]:
    """The number of the right alternative of each choice, from 0; 0 of every text, which has no target.

    Raises:
        InputError: for a target that is no number, or none of the example's alternatives.
    """
    found = []
    for name, texts, target in zip(examples.ids, examples.texts, examples.targets, strict=True):
        most = len(texts) - 2
        if most < 0:
            found.append(0)
        elif not target.isascii() or not target.isdigit() or int(target) > most:
            raise InputError(
                f"the answer of example '{name}' is '{target}': expected the number of one of its {most + 1} "
                f"alternatives, 0 to {most}"
            )
        else:
            found.append(int(target))
    return found
