"""The guard: the base score comes first, and a sweep does not start on a model that is not what it seems.

A checkpoint with its labels in another order, or text that was tokenised but not segmented, gives numbers that look
like results. Both have happened in published replications, and nothing warned.
"""

import logging
from collections.abc import Mapping

import polars as pl

from study.engine.evaluator import Evaluator
from study.record.errors import StudyError
from study.record.metrics import Bleu, metric
from study.record.metrics.choices.choice_accuracy import LikeliestChoice
from study.record.scores import mask_scores, with_statistics
from study.subjects.labels import as_override, better_label_orders, label_index, why_no_order_is_better
from study.subjects.model import ExpectedScore
from study.terminal.once import say_once

log = logging.getLogger(__name__)

LEAST_BLEU = 1.0
"""BLEU below which hardly a word is right: a model that knows nothing of its task has less."""


class BaseScoreError(StudyError):
    """The un-masked model does not reach the score that its config expects."""


def guard(
    evaluator: Evaluator,
    base: float,
    expected: Mapping[str, ExpectedScore],
    *,
    check_labels: bool = True,
    asks: bool = True,
) -> None:
    """Stop a sweep whose un-masked model does not do what it should.

    Args:
        evaluator: the model on the data.
        base: score under the full mask.
        expected: what the model's config says that it should be, by name of data.
        check_labels: refuse a model that another order of its labels would make far better.
        asks: whether the user is asked for a score where none is expected: not of a training's own checkpoints.

    Raises:
        BaseScoreError: when the labels are in another order, or the base score is not the expected one.
    """
    setting = evaluator.setting
    wanted = expected.get(setting.data)
    is_expected = wanted is not None and _is_expected(evaluator, base, wanted)
    if check_labels and not is_expected:
        _guard_labels(evaluator)
    if wanted is None:
        if asks:
            _ask(evaluator, base, ", ".join(expected))
    elif len(evaluator.examples) < setting.examples["count"] * setting.draws:
        words = "base score of %s on %s not compared with the expected %.2f: only some examples are used"
        say_once(log.info, words, setting.model, setting.data, wanted.score)
    elif not is_expected:
        raise BaseScoreError(
            f"base score of {setting.model} on {setting.data} is {evaluator.metric.shown(base)}, expected "
            f"{wanted.score:.2f} ± {wanted.tolerance:.2f}. Likely wrong: another checkpoint, text that was already "
            "tokenised or not segmented as in training, labels in another order, another max_length or beam. "
            f"If this score is right, say so: model.expected.{setting.data}.score={base:.{evaluator.metric.digits}f}"
        )


def _is_expected(evaluator: Evaluator, base: float, wanted: ExpectedScore) -> bool:
    """Whether the base score is the expected one, by the metric of the data or by that whose answers are stored."""
    setting = evaluator.setting
    if abs(base - wanted.score) <= wanted.tolerance or not setting.scored_by:
        return abs(base - wanted.score) <= wanted.tolerance
    usual, examples = metric(setting.metric, setting.answers), evaluator.examples.to_frame()
    rows = with_statistics(evaluator.outcomes(evaluator.layout.full()[None]), examples, usual)
    return abs(mask_scores(rows, usual)["score"][0] - wanted.score) <= wanted.tolerance


def _ask(evaluator: Evaluator, base: float, known: str) -> None:
    """Ask about a score that nothing expects, and doubt one that is hardly above none: nothing else warns of it."""
    setting = evaluator.setting
    others = f" (model.expected has {known}, none of this name)" if known else ""
    question = "no base score is expected of %s on %s%s: is %s right?"
    say_once(log.info, question, setting.model, setting.data, others, evaluator.metric.shown(base))
    if setting.metric == Bleu.name and base < LEAST_BLEU:
        doubt = (
            "%s translates hardly a word of %s as the references do: are the languages the wrong way round, or is the "
            "text already tokenised, or segmented otherwise than in training?"
        )
        say_once(log.warning, doubt, setting.model, setting.data)
    if isinstance(evaluator.metric, LikeliestChoice):
        _doubt_choices(evaluator, base)


def _doubt_choices(evaluator: Evaluator, base: float) -> None:
    """Doubt a model that finds the right choice no more often than chance: one that knows nothing of the task does."""
    expected = evaluator.chance()
    if expected is not None and base <= expected:
        doubt = (
            "%s finds the right choice of %s in %.2f %% of the examples, no more often than chance (%.2f %%): is the "
            "task too hard for it, are answers counted from 1, or does the model read another beginning of a text?"
        )
        say_once(log.warning, doubt, evaluator.setting.model, evaluator.setting.data, base, expected)


def _say_unsure(evaluator: Evaluator, reason: str) -> None:
    words, setting = "%s on %s: cannot tell whether the labels are in the model's order: %s", evaluator.setting
    say_once(log.info, words, setting.model, setting.data, reason)


def _guard_labels(evaluator: Evaluator) -> None:
    """Stop where another order of the model's labels would be far better: a wrong order is a common, silent fault."""
    rows = evaluator.outcomes(evaluator.layout.full()[None])
    if "prediction" not in rows.columns:
        return
    if evaluator.examples.merged:
        _say_unsure(evaluator, "the data does not tell all of them apart")
        return
    labels = evaluator.setting.subject["labels"]
    gold = pl.DataFrame({"example": evaluator.examples.ids, "gold": evaluator.examples.targets})
    gold = gold.join(rows, on="example", maintain_order="left")
    index = label_index(labels)
    right = [index[name.casefold()] for name in gold["gold"]]
    if reason := why_no_order_is_better(right):
        _say_unsure(evaluator, reason)
    if orders := better_label_orders(right, gold["prediction"].to_list(), labels):
        better = " or ".join(map(as_override, orders))
        several = "; the examples do not tell which of the two is right" if len(orders) > 1 else ""
        raise BaseScoreError(
            f"the labels of the model are in another order than {', '.join(labels)}: with {better} "
            f"far more of its predictions are right{several}. If its order is right, say so: model.check_labels=false"
        )
