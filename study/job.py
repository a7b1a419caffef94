"""One job: from a composed config to stored outcomes; and what a launcher may ask about it beforehand.

`StudyTask` is what Hydra hands a launcher. Its methods are the task protocol: a launcher checks, prepares, skips,
plans and orders jobs by them, and needs to know nothing of heads.
"""

import logging
import platform
import subprocess
import time
from contextlib import AbstractContextManager
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from omegaconf import DictConfig

from study.config import StudyConfig, to_study
from study.data.examples import Examples
from study.errors import InputError
from study.evaluator import Evaluator
from study.guard import guard
from study.heads import HeadLayout
from study.measures.measure import Stage, Wanted
from study.plan import duration, missing_rows, outcome_keys, plan
from study.setting import SETTING_FILE, Setting, read_setting, short_hash
from study.statistics import metric
from study.store import Store, Table, read_provenance
from study.subjects.source import Precision
from study.tracking.follow import Following, follow
from study.tracking.history import RUN
from study.tracking.of_job import run_of
from study.tracking.summary import extremes
from study.training.job import TrainingJob
from study.values import check_values

if TYPE_CHECKING:
    from study.engine.engine import Engine
    from study.subjects.subject import Subject

log = logging.getLogger(__name__)

PACKAGES = ("sixteen-heads", "torch", "transformers", "sacrebleu", "sacremoses", "subword-nmt", "numpy")


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
            return training.plan() if study.plan else training.run(_device(study))
        needs = "; ".join(missing) if study.plan and missing else study.model.needs()
        if study.plan:
            return {"needs": needs} if needs else _planned(study)
        if needs:
            raise InputError(needs)
        started = time.monotonic()
        evaluator = open_evaluator(study)
        study.measure.check(evaluator.layout)
        with _followed(study, evaluator) as following:
            evaluator.when_stored = following.stored
            base = _guarded_base(evaluator, study)
            study.measure.run(evaluator)
            wanted, computed = study.measure.wanted(evaluator), evaluator.computed
            unit, num_masks = evaluator.metric.score_unit, len(outcome_keys(evaluator, wanted))
            following.finish({"base": base, "unit": unit, "masks": num_masks, **_extremes(evaluator, wanted)})
        log.info(
            "%s of %s on %s: base score %.2f %s, %d masks stored; %s",
            study.measure.name,
            study.model.name,
            study.data.name,
            base,
            unit,
            num_masks,
            f"{computed:,} rows computed in {time.monotonic() - started:.0f} s" if computed else "nothing to do",
        )
        return {"base": base, "unit": unit, "masks": num_masks, "computed": computed}

    def check(self, config: DictConfig) -> None:
        """Refuse a job that cannot work, before anything is computed.

        Raises:
            StudyError: in words.
        """
        self._check(config)
        to_study(config).tracking.check_access()

    def _check(self, config: DictConfig) -> None:
        """As `check`, but asks no server: within a job, tracking must not cost a result."""
        study = to_study(config)
        check_values(study)
        training = _training(study)
        if training:
            training.check()
        elif _is_here(study):
            setting, examples = _setting(study)
            study.model.check_targets(examples)
            layout = _stored_layout(setting, study)
            if layout is not None:
                study.measure.check(layout)

    def rehearse(self, config: DictConfig) -> None:
        """Load and certify the model, read every example, and compare the base score with the expected one.

        Nothing where the model is trained by a job of the sweep: it is rehearsed when it starts.

        Raises:
            StudyError: when the job would compute something else than it seems to; nothing but the base is computed.
        """
        study = to_study(config)
        if study.plan or _training(study) or not _is_here(study):
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
        """At most how many rows, and curves of rows, are not stored yet; None while the model's heads are not known.

        Of a training, how many steps are left; None before the first ones are counted.
        """
        study = to_study(config)
        training = _training(study)
        if training:
            return training.remaining()
        evaluator = _evaluator_without_model(study) if _is_here(study) else None
        if evaluator is None:
            return None
        wanted = study.measure.wanted(evaluator)
        unwritten = sum(not evaluator.keeps(curve) for curve in wanted.curves)
        return sum(missing_rows(evaluator, wanted).values()) + unwritten

    def estimate(self, config: DictConfig) -> float | None:
        """Seconds that the remaining rows (or steps) will take at the rate of those stored; None where none is."""
        study = to_study(config)
        training = _training(study)
        if training:
            return training.estimate()
        evaluator = _evaluator_without_model(study) if _is_here(study) else None
        if evaluator is None:
            return None
        missing = missing_rows(evaluator, study.measure.wanted(evaluator))
        rates = {table: _seconds_a_row(evaluator.setting.folder(Path(study.results)), table) for table in missing}
        known = [count * rate for table, count in missing.items() if count and (rate := rates[table]) is not None]
        return float(sum(known)) if len(known) == sum(map(bool, missing.values())) else None

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


def _is_here(study: StudyConfig) -> bool:
    """Whether model and data are on this machine, and the model is trained."""
    return not study.model.missing() and not study.data.missing() and not study.model.needs()


def open_evaluator(study: StudyConfig) -> Evaluator:
    """The evaluator of a job's model on its data; the model is loaded once an outcome is missing.

    Raises:
        StudyError: when the data, the model's files or the results folder are not fit.
    """
    setting, examples = _setting(study)
    layout = _stored_layout(setting, study) or load_subject(study).layout
    return _evaluator(study, setting, examples, layout)


def _evaluator_without_model(study: StudyConfig) -> Evaluator | None:
    """The evaluator of a job whose model's heads an earlier one has stored; None where they are not known."""
    setting, examples = _setting(study)
    layout = _stored_layout(setting, study)
    return None if layout is None else _evaluator(study, setting, examples, layout)


def _evaluator(study: StudyConfig, setting: Setting, examples: Examples, layout: HeadLayout) -> Evaluator:
    whole = examples.take(range(min(study.data.limit or len(examples), len(examples))))
    share = whole.take(range(study.shard, len(whole), study.shards))
    return Evaluator(
        Store(Path(study.results), setting, layout, examples),
        setting,
        share,
        lambda: load_engine(study),
        provenance={**_versions(), RUN: run_of(study, setting, len(share)).id},
        whole=whole,
    )


_loaded: dict[str, "Subject"] = {}
"""The last subject of this process, for the next job of a sweep that studies the same."""


def load_engine(study: StudyConfig) -> "Engine":
    """The engine of a job's model."""
    from study.engine.choose import choose_engine

    return choose_engine(
        load_subject(study),
        study.precision,
        study.screening,
        batch_tokens=study.batch_tokens,
        memory_gb=study.memory_gb,
    )


def load_subject(study: StudyConfig) -> "Subject":
    """Load and certify the model of a job, once for successive jobs of this process that study it."""
    key = short_hash([study.model.identity(), study.device, study.threads])
    if key not in _loaded:
        _loaded.clear()
        _loaded[key] = _load_certified(study)
    return _loaded[key]


def _load_certified(study: StudyConfig) -> "Subject":
    import torch  # not before a model is needed: a finished job is recognised without it

    from study.certify import certify

    if study.threads:
        torch.set_num_threads(study.threads)
    subject = study.model.load(torch.device(_device(study)))
    certificate = certify(subject)
    log.info(
        "loaded %s: %d heads (%s), on %s, certified (masking is exact within %.1g)",
        subject.loaded,
        len(subject.layout),
        subject.layout,
        subject.device,
        certificate.largest_difference,
    )
    return subject


def _device(study: StudyConfig) -> str:
    """The device that a job computes on.

    Raises:
        InputError: when there is none of this number.
    """
    import torch

    automatic = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(automatic if study.device == "auto" else study.device)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"device {device}: this machine and this torch have {torch.cuda.device_count()} CUDA devices")
    return str(device)


def _setting(study: StudyConfig) -> tuple[Setting, Examples]:
    examples = study.data.examples()
    if not len(examples):
        raise InputError(f"data '{study.data.name}' has no examples")
    setting = Setting(
        model=study.model.name,
        data=study.data.name,
        metric=study.model.metric,
        subject={**study.model.identity(), "precision": _precision(study)},
        examples={"digest": examples.digest(), "count": len(examples)},
        statistic=metric(study.model.metric).signature,
        moment=study.model.moment(),
    )
    return setting, examples


def _precision(study: StudyConfig) -> str:
    """The precision as it stands in a setting; how careful a screening is belongs to it."""
    if study.precision is not Precision.screened:
        return str(study.precision)
    careful = study.screening
    return f"{study.precision}|sample:{careful.sample}|safety:{careful.safety:g}|audit:{careful.audit:g}"


def _stored_layout(setting: Setting, study: StudyConfig) -> HeadLayout | None:
    """The model's heads as an earlier job found them: no need to load the model to know them."""
    folder = setting.folder(Path(study.results))
    if not (folder / SETTING_FILE).is_file():
        return None
    return HeadLayout.from_json(read_setting(folder)["heads"])


def _guarded_base(evaluator: Evaluator, study: StudyConfig) -> float:
    """The base score, once it is seen to be what it should."""
    base = evaluator.base_score()
    guard(evaluator, base, study.model.expected.get(study.data.name), check_labels=study.model.check_labels)
    return base


def _planned(study: StudyConfig) -> dict[str, Any]:
    """What the job would do; shown by the launcher's table as well."""
    evaluator = open_evaluator(study)
    wanted = study.measure.wanted(evaluator)
    if wanted.needs:
        log.warning("%s", wanted.needs)
    planned = plan(evaluator, wanted)
    log.info("%s of %s on %s: %s", study.measure.name, study.model.name, study.data.name, planned)
    return {"masks": planned.masks, "missing": planned.missing, "expected": duration(planned.seconds)}


def _followed(study: StudyConfig, evaluator: Evaluator) -> AbstractContextManager[Following]:
    run = run_of(study, evaluator.setting, len(evaluator.examples))
    return follow(run, evaluator.folder, study.tracking.tracker(Path(study.results)))


def _extremes(evaluator: Evaluator, wanted: Wanted) -> dict[str, Any]:
    """What a measure's masks cost at least and at most, for the summary of its run."""
    masks = np.concatenate([evaluator.layout.full()[None], wanted.outcomes])
    return extremes(evaluator.outcomes(masks), masks, evaluator.layout, evaluator.metric)


def _seconds_a_row(folder: Path, table: Table) -> float | None:
    """What the stored rows of a table took, each; None where there are none."""
    parts = [read_provenance(part) for part in table.parts(folder)]
    rows = sum(part["rows"] for part in parts)
    return sum(part["seconds"] for part in parts) / rows if rows else None


@lru_cache(maxsize=1)
def _versions() -> dict[str, Any]:
    """Versions of what computes, and the revision of the code where it runs from a clone."""

    def of(package: str) -> str | None:
        try:
            return version(package)
        except PackageNotFoundError:
            return None

    return {
        "packages": {"python": platform.python_version(), **{package: of(package) for package in PACKAGES}},
        "revision": _revision(Path(__file__)),
        "machine": platform.machine(),
    }


def _revision(source: Path) -> str | None:
    """The git revision of the clone that a source file belongs to; None where it is installed, or git is not."""

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=source.parent, capture_output=True, text=True, check=True, timeout=10)
        return done.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", source.name)
        return git("describe", "--always", "--dirty")
    except (OSError, subprocess.SubprocessError):
        return None
