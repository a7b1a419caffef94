"""One job: from its configuration to its model, its data, its setting and the evaluator that puts them together."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from study.config import StudyConfig
from study.engine.evaluator import Evaluator
from study.engine.row_alone import prove
from study.jobs.estimates import layout_elsewhere, stored_layout
from study.jobs.job_run import run_of
from study.jobs.versions import versions_here
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.files import WriteError, require_writable
from study.record.heads import HeadLayout
from study.record.metrics.statistics import Metric, metric
from study.record.parts import require_whole
from study.record.setting import Setting, short_hash
from study.record.store import Store
from study.subjects.model import Precision
from study.tracking.history import RUN

if TYPE_CHECKING:
    from study.engine.engine import Engine
    from study.subjects.subject import Subject

log = logging.getLogger(__name__)


def is_here(study: StudyConfig) -> bool:
    """Whether model and data are on this machine, and the model is trained."""
    return not study.model.missing() and not study.data.missing() and not study.model.needs()


def open_evaluator(study: StudyConfig) -> Evaluator:
    """The evaluator of a job's model on its data; the model is loaded once an outcome is missing.

    Raises:
        StudyError: when the data, the model's files or the results folder are not fit.
    """
    setting, examples = setting_of(study)
    require_fit(study, setting)
    layout = stored_layout(setting, Path(study.results)) or load_subject(study, _view(study, examples)).layout
    return _evaluator(study, setting, examples, layout)


def evaluator_without_model(study: StudyConfig) -> Evaluator | None:
    """The evaluator of a job whose model's heads an earlier one has stored; None where they are not known."""
    setting, examples = setting_of(study)
    layout = stored_layout(setting, Path(study.results))
    return None if layout is None else _evaluator(study, setting, examples, layout)


def evaluator_of_nothing(study: StudyConfig, empty: Path) -> Evaluator | None:
    """As if in an empty folder, so that asking leaves nothing among the results; None where no job tells the heads."""
    setting, examples = setting_of(study)
    layout = layout_elsewhere(setting, Path(study.results))
    return None if layout is None else _evaluator(replace(study, results=str(empty)), setting, examples, layout)


def _evaluator(study: StudyConfig, setting: Setting, examples: Examples, layout: HeadLayout) -> Evaluator:
    whole = _view(study, examples)
    share = whole.take(range(study.shard, len(whole), study.shards))
    store = Store(Path(study.results), setting, layout, examples)
    return Evaluator(
        store,
        setting,
        share,
        lambda: load_engine(study, whole),
        provenance={**versions_here(), RUN: run_of(study, setting, len(share)).id},
        whole=whole,
        max_unknown=study.data.max_unknown,
        prove=lambda engine, rows: prove(engine, share, rows, store.folder, study.precision),
    )


def require_fit(study: StudyConfig, setting: Setting | None = None) -> None:
    """Refuse a results folder before any model is loaded: where nothing can be written, or parts cannot be used.

    Args:
        study: the configuration of a job.
        setting: of the job; None where that is not known before its model is trained.

    Raises:
        WriteError: when the folder cannot be written; a plan writes nothing.
        StoreError: when parts of the setting cannot be used; names all of them.
    """
    results = Path(study.results)
    if not study.plan:
        _require_writable(results, results if setting is None else setting.folder(results))
    if setting is not None:
        require_whole(setting.folder(results), setting.id, metric(setting.metric).statistics)


def _require_writable(results: Path, folder: Path) -> None:
    """As the jobs of a sweep refuse it: by the results folder where that is the cause, so that it is one for all."""
    try:
        require_writable(folder)
    except WriteError:
        require_writable(results)
        raise


def _view(study: StudyConfig, examples: Examples) -> Examples:
    """The examples to evaluate."""
    return examples.take(range(min(study.data.limit or len(examples), len(examples))))


_loaded: dict[str, "Subject"] = {}
"""The last subject of this process, for the next job of a sweep that studies the same."""


def load_engine(study: StudyConfig, examples: Examples) -> "Engine":
    """The engine of a job's model, see `load_subject`."""
    from study.engine.choose import choose_engine

    return choose_engine(
        load_subject(study, examples),
        study.precision,
        study.screening,
        batch_tokens=study.batch_tokens,
        memory_gb=study.memory_gb,
    )


def load_subject(study: StudyConfig, examples: Examples) -> "Subject":
    """Load and certify the model of a job, once for successive jobs of this process that study it.

    Raises:
        StudyError: when it cannot read the examples, which is seen first, or cannot be loaded or certified.
    """
    key = short_hash([study.model.identity(), study.device, study.threads])
    if key not in _loaded:
        study.model.check_texts(examples, study.data.max_unknown)
        _loaded.clear()
        _loaded[key] = _load_certified(study)
    subject = _loaded[key]
    subject.metric = metric_of(study)
    return subject


def _load_certified(study: StudyConfig) -> "Subject":
    import torch  # not before a model is needed: a finished job is recognised without it

    from study.certification.certify import certify

    if study.threads:
        torch.set_num_threads(study.threads)
    subject = study.model.load(torch.device(device_of(study)))
    certificate = certify(subject)
    log.debug("loaded %s", subject.loaded)
    log.log(
        logging.INFO if study.model.epoch is None else logging.DEBUG,  # a training has many checkpoints
        "%s: %d heads (%s), on %s, certified (masking is exact within %.1g)",
        study.model.name,
        len(subject.layout),
        subject.layout,
        subject.device,
        certificate.largest_difference,
    )
    return subject


def metric_of(study: StudyConfig) -> Metric:
    """The metric of a job's outcomes, with the tokens that its target language needs or `metric.tokenize` names."""
    _, written = study.model.languages() or ("", "")
    return metric(study.model.metric, written, study.metric.tokenize)


def device_of(study: StudyConfig) -> str:
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


def setting_of(study: StudyConfig) -> tuple[Setting, Examples]:
    """The setting of a job, and the examples of its data.

    Raises:
        StudyError: when the data or the model's files are not fit.
    """
    examples = study.data.examples()
    if not len(examples):
        raise InputError(f"data '{study.data.name}' has no examples")
    score, precision = metric_of(study), _precision(study)
    setting = Setting(
        model=study.model.name,
        data=study.data.name,
        metric=study.model.metric,
        subject={**study.model.identity(), "precision": precision, **score.identity},
        examples={"digest": examples.digest(), "count": len(examples)},
        statistic=score.signature,
        factors=(study.model.factors(study.data.name, precision),),
    )
    return setting, examples


def _precision(study: StudyConfig) -> str:
    """The precision as it stands in a setting; how careful a screening is belongs to it."""
    if study.precision is not Precision.screened:
        return str(study.precision)
    careful = study.screening
    return f"{study.precision}|sample:{careful.sample}|safety:{careful.safety:g}|audit:{careful.audit:g}"
