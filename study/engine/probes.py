"""Probes beside the rows of a setting: taken over from other data of the same model, or else trained."""

import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from study.record.errors import StudyError
from study.record.examples import Examples
from study.record.files import locked
from study.record.setting import read_setting
from study.record.store import read_examples
from study.record.syntax.probe import FOLDER, ProbeTraining, SyntaxProbe, read_probe, write_probe

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator
    from study.subjects.subject import TokenRow

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ProbeRequest:
    """A probe that must be there before its rows can be computed.

    Attributes:
        training: how it is trained.
        examples: the sentences that it is trained on, with their trees.
    """

    training: ProbeTraining
    examples: Examples


def keep_probe(evaluator: "Evaluator", request: ProbeRequest) -> None:
    """Keep the probe in the setting's folder; of several jobs of this model, on any data, one trains and others wait.

    A probe that is kept with other data of the model is taken over.
    """
    folder, training = evaluator.store.folder, request.training
    evaluator.store.describe()
    with locked(folder.parents[1] / f"probe-{evaluator.setting.model_id}-{training.id}"):
        if read_probe(training.id, folder) is None:
            probe = _elsewhere(evaluator, training) or _train(evaluator, request)
            texts = {text[0] for text in request.examples.texts}
            scored = read_examples(folder).select("example", "text_1").iter_rows()
            write_probe(replace(probe, seen=tuple(name for name, text in scored if text in texts)), folder)


def seconds_of(evaluator: "Evaluator", request: ProbeRequest) -> float:
    """How long the training of a probe will take; 0 where one is kept with other data of the model."""
    from study.observing.probing.training import seconds_of_training  # takes torch

    if _elsewhere(evaluator, request.training):
        return 0.0
    trees = request.examples.trees
    assert trees is not None
    return seconds_of_training(evaluator.engine.subject, _rows(evaluator, request), trees, request.training)


def _elsewhere(evaluator: "Evaluator", training: ProbeTraining) -> SyntaxProbe | None:
    """This probe of this model as it is kept with other data; what cannot be read is not this job's business."""
    for path in sorted(evaluator.store.folder.parents[1].glob(f"*/*/{FOLDER}/{training.id}.json")):
        folder = path.parents[1]
        try:
            if read_setting(folder).model_id == evaluator.setting.model_id:
                return read_probe(training.id, folder)
        except StudyError:
            continue
    return None


def _train(evaluator: "Evaluator", request: ProbeRequest) -> SyntaxProbe:
    from study.observing.probing.training import train_probe

    trees, groups = request.examples.trees, request.examples.columns.get("group", request.examples.ids)
    assert trees is not None
    began = time.monotonic()
    probe = train_probe(evaluator.engine.subject, _rows(evaluator, request), trees, groups, request.training)
    words = (
        "%s: probe trained on %s (%s sentences, %s of them held out) in %.0f s; rate %g and epoch %d of %d are taken"
    )
    epochs, held = request.training.epochs, probe.held_out_sentences
    counts = f"{request.training.sentences:,}", f"{held:,}"
    seconds = time.monotonic() - began
    log.info(
        words, evaluator.setting.model, request.training, *counts, seconds, probe.learning_rate, probe.epoch, epochs
    )
    if probe.epoch == epochs:
        log.info("its loss on held-out sentences fell until the end: more epochs (measure.epochs) may do better")
    return probe


def _rows(evaluator: "Evaluator", request: ProbeRequest) -> "list[TokenRow]":
    examples = request.examples
    rows = evaluator.engine.subject.encode(examples)
    own = zip(rows, examples.texts, examples.words(), strict=True)
    return [replace(row, texts=texts, words=words) for row, texts, words in own]
