"""The task: what Hydra runs for a job, and what a launcher may ask about it beforehand.

Its methods are the task protocol: a launcher checks, prepares, skips, plans and orders jobs by them, and needs to know
nothing of heads.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from omegaconf import DictConfig

from study.config import StudyConfig, to_study
from study.engine.evaluator import Evaluator
from study.entries import refuse_unknown
from study.jobs.check import check_values
from study.jobs.conclusion import conclusion, what_next
from study.jobs.estimates import seconds_a_row, stored_layout
from study.jobs.guard import guard
from study.jobs.job_run import follow_measure, follow_training, keeps_training
from study.jobs.measuring import (
    device_of,
    evaluator_of_nothing,
    evaluator_without_model,
    is_here,
    open_evaluator,
    require_fit,
    setting_of,
)
from study.jobs.plan import Duration, missing_rows, outcome_keys, plan
from study.jobs.training import TrainingJob
from study.measures.measure import MaskRequest, Stage
from study.record.errors import InputError
from study.subjects.model import ClassifierConfig
from study.tracking.summary import extremes
from study.tracking.tracker import check_access
from study.training.trained_models import TrainedModel

log = logging.getLogger(__name__)


class StudyTask:
    """What Hydra runs and launchers ask; every method takes a composed config."""

    def __call__(self, config: DictConfig) -> dict[str, Any]:
        """Do one job: base score first, then every mask of the measure that is not stored yet.

        Returns:
            What a launcher shows in its table: base score, its unit, masks, and how many outcomes were computed.
        """
        study, missing = to_study(config), self.missing(config)
        if missing and not study.plan:
            self._check(config)
            self.prepare(config)
        self._check(config)
        training = _training(study)
        if training:
            return training.plan() if study.plan else _trained(study, training, done=not self.remaining(config))
        needs = "; ".join(missing) if study.plan and missing else study.model.needs()
        if study.plan:
            return {"state": "cannot be planned yet", "needs": needs} if needs else _planned(study)
        if needs:
            raise InputError(needs)
        started = time.monotonic()
        evaluator = open_evaluator(study)
        study.measure.check(evaluator.layout)
        done = not _remaining(evaluator, study.measure.request(evaluator))
        with follow_measure(study, evaluator, done=done) as following:
            evaluator.when_stored = following.stored
            base = _guarded_base(evaluator, study)
            evaluator.store.describe()
            study.measure.run(evaluator)
            wanted, computed = study.measure.request(evaluator), evaluator.computed
            unit, num_masks = evaluator.metric.score_unit, len(outcome_keys(evaluator, wanted))
            extreme = _extremes(evaluator, wanted)
            following.finish({"base": base, "unit": unit, "masks": num_masks, **extreme})
        _say_done(study, base, unit, num_masks, extreme)
        done = f"{computed:,} rows computed in {time.monotonic() - started:.0f} s" if computed else "nothing to do"
        log.info("%s. %s", done, " ".join(what_next(study.results)))
        return {"base": base, "unit": unit, "masks": num_masks, "computed": computed}

    def check(self, config: DictConfig) -> None:
        """Refuse a job that cannot work, before anything is computed.

        Raises:
            StudyError: in words.
        """
        self._check(config)
        check_access(to_study(config).tracking)

    def _check(self, config: DictConfig) -> None:
        """As `check`, but asks no server: within a job, tracking must not cost a result."""
        refuse_unknown(config)
        study = to_study(config)
        check_values(study)
        training = _training(study)
        if isinstance(study.model, TrainedModel):
            study.model.training.check()
        if training or not is_here(study):
            require_fit(study)
        else:
            setting, examples = setting_of(study)
            require_fit(study, setting)
            study.model.check_targets(examples)
            layout = stored_layout(setting, Path(study.results))
            if layout is not None:
                study.measure.check(layout)

    def rehearse(self, config: DictConfig) -> None:
        """Load and certify the model, read every example, and compare the base score with the expected one.

        Nothing where the model is trained by a job of the sweep: it is rehearsed when it starts.

        Raises:
            StudyError: when the job would compute something else than it seems to; nothing but the base is computed.
        """
        study = to_study(config)
        if study.plan or _training(study) or not is_here(study):
            return
        evaluator = open_evaluator(study)
        study.measure.check(evaluator.layout)
        _guarded_base(evaluator, study)

    def missing(self, config: DictConfig) -> list[str]:
        """What the job needs that must be downloaded or made first, in words."""
        study = to_study(config)
        training = _training(study)
        return training.missing() if training else [*study.model.missing(), *study.data.missing()]

    def prepare(self, config: DictConfig) -> None:
        """Download or make what is `missing`; nothing for a plan."""
        study = to_study(config)
        training = _training(study)
        for source in () if study.plan else (training,) if training else (study.model, study.data):
            needed = source.missing()
            if needed:
                log.info("getting %s", "; ".join(needed))
                source.fetch()

    def remaining(self, config: DictConfig) -> int | None:
        """At most how many rows, and files that say what they are, are not stored yet; None while that is not known.

        1 where no file says which heads the model has: the job finds them, and writes it. Of a training, how many steps
        are left; None before the first ones are counted; 1 where it is done, but its course is not in this results
        folder.
        """
        study = to_study(config)
        training = _training(study)
        if training:
            left = training.remaining()
            return 1 if left == 0 and not keeps_training(Path(study.results), training.model) else left
        if not is_here(study):
            return None
        evaluator = evaluator_without_model(study)
        if evaluator is None:
            return 1
        return _remaining(evaluator, study.measure.request(evaluator))

    def estimate(self, config: DictConfig) -> float | None:
        """Seconds that the remaining rows (or steps) will take at the rate of those stored; None where none is.

        Where none is of this data, at the rate of the same model on other data. Nothing is computed for it: `plan=true`
        of the job itself measures.
        """
        study = to_study(config)
        training = _training(study)
        if training:
            return training.estimate()
        if not is_here(study):
            return None
        with TemporaryDirectory() as empty:
            evaluator = evaluator_without_model(study) or evaluator_of_nothing(study, Path(empty))
            if evaluator is None:
                return None
            missing = missing_rows(evaluator, study.measure.request(evaluator))
        rates = {table: seconds_a_row(evaluator.setting, Path(study.results), table) for table in missing}
        known = [count * rate for table, count in missing.items() if count and (rate := rates[table]) is not None]
        return float(sum(known)) if len(known) == sum(map(bool, missing.values())) else None

    def conclude(self, configs: Sequence[DictConfig], values: Sequence[Mapping[str, Any]]) -> list[str]:
        """What the jobs of a sweep come to, in lines; see `study.jobs.conclusion`."""
        return conclusion([to_study(config) for config in configs], values)

    def stage(self, config: DictConfig) -> int:
        """Jobs of a lower stage must be complete before this one starts."""
        return int(to_study(config).measure.stage)

    def work(self, config: DictConfig) -> str | None:
        """What a training does, as a text: it is of no data set and no epoch, so jobs of one text are one."""
        training = _training(to_study(config))
        return None if training is None or training.missing() else training.work


def _training(study: StudyConfig) -> TrainingJob | None:
    """The training that a job is; None where it measures."""
    return TrainingJob.of(study.model, study.threads) if study.measure.stage is Stage.TRAIN else None


def _remaining(evaluator: Evaluator, wanted: MaskRequest) -> int:
    """At most how many rows, and curves of rows, are not stored yet; 1 where only what they are of is not."""
    rows = sum(missing_rows(evaluator, wanted).values())
    return (
        rows + sum(not evaluator.keeps(curve) for curve in wanted.curves) + (not rows and not evaluator.store.described)
    )


def _trained(study: StudyConfig, training: TrainingJob, *, done: bool) -> dict[str, Any]:
    """Train, or go on; what a launcher shows in its table."""
    with follow_training(study, training.model, done=done) as following:
        made = training.run(device_of(study), following.stored)
        following.finish({"epochs": made["epochs"]})
    return made


def _say_done(study: StudyConfig, base: float, unit: str, num_masks: int, extreme: Mapping[str, Any]) -> None:
    """What a measure found, in a line."""
    least = f"; {extreme['lowest_effect']:+.2f} with {extreme['lowest_effect_of']}" if extreme else ""
    where = f"{study.measure.name} of {study.model.name} on {study.data.name}"
    log.info("%s: base score %.2f %s, %d masks stored%s", where, base, unit, num_masks, least)


def _guarded_base(evaluator: Evaluator, study: StudyConfig) -> float:
    """The base score, once it is seen to be what it should."""
    base = evaluator.base_score()
    check_labels = isinstance(study.model, ClassifierConfig) and study.model.check_labels
    asks = not isinstance(study.model, TrainedModel)
    guard(evaluator, base, study.model.expected, check_labels=check_labels, asks=asks)
    return base


def _planned(study: StudyConfig) -> dict[str, Any]:
    """What the job would do; shown by the launcher's table as well."""
    evaluator = open_evaluator(study)
    wanted = study.measure.request(evaluator)
    planned = plan(evaluator, wanted)
    log.info("%s of %s on %s: %s", study.measure.name, study.model.name, study.data.name, planned)
    if wanted.needs:
        log.info("%s", wanted.needs)
    state = "done already" if not planned.missing else "planned"
    source = study.measure.source(study.data.name)
    needs = {"needs": f"measure={source[0]}"} if source and wanted.needs else {}
    return {
        "state": state,
        "masks": planned.masks,
        "missing": planned.missing,
        "expected": Duration(planned.seconds),
        **needs,
    }


def _extremes(evaluator: Evaluator, wanted: MaskRequest) -> dict[str, Any]:
    """What a measure's masks cost at least and at most, for the summary of its run."""
    masks = np.concatenate([evaluator.layout.full()[None], wanted.outcomes])
    return extremes(evaluator.outcomes(masks), masks, evaluator.layout, evaluator.metric)
