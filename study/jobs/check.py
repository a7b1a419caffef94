"""Values of a job that make no sense, alone or together."""

from dataclasses import MISSING, fields

from study.config import StudyConfig
from study.data.source import DataSource
from study.engine.precision import Precision
from study.jobs.check_replacement import check_replacement
from study.record.errors import InputError
from study.record.files import is_folder_name
from study.record.loss import drafted_losses
from study.record.metrics import METRICS, Task, metric
from study.record.metrics.bleu import TOKENIZERS
from study.record.metrics.languages import require_direction
from study.tracking.trials import may_differ
from study.training.trained_models import TrainedModel


def check_values(study: StudyConfig) -> None:
    """Refuse a job whose values make no sense; reads no data and no model.

    Raises:
        InputError: in words.
    """
    study.tracking.check()
    _check_task(study)
    _check_metric(study.data)
    _check_precision(study)
    _check_languages(study)
    check_replacement(study)
    for option, name in (("model.name", study.model.name), ("data.name", study.data.name)):
        if not is_folder_name(name):
            raise InputError(f"{option}='{name}' names a folder: letters, digits and . _ - + are allowed, no other")
    _refuse_idle(study)
    if min(study.batch_tokens, study.threads, study.memory_gb) < 0:
        raise InputError("batch_tokens, threads and memory_gb must be at least 0")
    if study.data.limit is not None and study.data.limit < 1:
        raise InputError("data.limit must be at least 1")
    if not 0 <= study.data.max_unknown <= 1:
        raise InputError(f"data.max_unknown={study.data.max_unknown:g}: expected a share of tokens from 0 to 1")
    if not 0 <= study.shard < study.shards:
        raise InputError(f"shard={study.shard} of shards={study.shards}: shards are counted from 0 to shards - 1")
    _check_trials(study)
    _check_device(study.device)


def _check_task(study: StudyConfig) -> None:
    """Every model reads; of texts that are only read there is no answer."""
    if study.data.task is not Task.READING:
        if study.data.task not in study.model.tasks():
            done, wanted = " and ".join(study.model.tasks()), study.data.task
            raise InputError(f"model '{study.model.name}' is for {done}, data '{study.data.name}' is for {wanted}")
        return
    if not study.measure.reads:
        raise InputError(
            f"data '{study.data.name}' is only read, there is no answer that measure={study.measure.name} could score: "
            f"take measure=attention"
        )
    if study.data.metric:
        raise InputError(f"data.metric={study.data.metric} scores answers, and data '{study.data.name}' is only read")


def _check_metric(data: DataSource) -> None:
    if not data.metric:
        return
    own, chosen = [name for name, kind in METRICS.items() if data.task in kind.tasks], metric(data.metric)
    if data.task not in chosen.tasks:
        scored = " and ".join(chosen.tasks)
        raise InputError(
            f"data.metric={data.metric} scores {scored}, and data '{data.name}' is for {data.task}: "
            f"choose one of {', '.join(own)}"
        )
    if chosen.is_of_one_label and not data.positive:
        raise InputError(f"data.metric={data.metric} is about one label: data.positive=LABEL says which")


def _check_precision(study: StudyConfig) -> None:
    if study.precision is Precision.float32:
        return
    if why := _why_not(study.precision, study.data.task):
        raise InputError(f"precision={study.precision} {why}")
    if (weights := study.model.weights_precision()) is not None:
        raise InputError(f"precision={study.precision} computes with float32 too, and the weights are in {weights}")
    drafted = drafted_losses(study.precision)
    if drafted and study.data.metric and metric(study.data.metric).needs_values:
        raise InputError(
            f"data.metric={study.data.metric} is of losses or log-likelihoods, and precision={study.precision} "
            f"computes most of them {drafted}: take precision=float32"
        )
    if study.precision is Precision.cascade and study.measure.reads:
        raise InputError(
            f"measure={study.measure.name} looks at what the model reads, and decides nothing that precision=cascade "
            f"could take from gradients: take precision=float32"
        )


def _why_not(precision: Precision, task: Task) -> str:
    """Why outcomes of a task are not computed in a low precision; empty where they are."""
    match task:
        case Task.TRANSLATION:
            return "is for classification and choices: a beam search and its margins need float32"
        case Task.REGRESSION | Task.READING:
            return "is for classification and choices: here every number counts, which needs float32"
        case Task.TEXT if precision in (Precision.screened, Precision.cascade):
            return "is for classification and choices: of a text nothing is decided, all of its log-likelihoods count"
        case Task.CHOICE | Task.TEXT if precision is Precision.bfloat16:
            return "is for classification: model.dtype=bfloat16 is a language model in bfloat16"
    return ""


def _check_languages(study: StudyConfig) -> None:
    translated, written, tokenize = study.model.languages(), study.data.languages(), study.metric.tokenize
    if tokenize is not None and not translated:
        raise InputError(f"metric.tokenize={tokenize} is for BLEU: {study.data.task} has no tokens to score")
    if tokenize is not None and tokenize not in TOKENIZERS:
        raise InputError(f"metric.tokenize={tokenize}: expected one of sacreBLEU's {', '.join(TOKENIZERS)}")
    if translated and written:
        require_direction(translated, written, f"data '{study.data.name}'")


def _refuse_idle(study: StudyConfig) -> None:
    """Refuse options that would change nothing: whoever gives one expects that it does."""
    screened = dict.fromkeys(vars(study.screening), "it is of precision=screened")
    cascade = dict.fromkeys(vars(study.cascade), "it is of precision=cascade")
    parts = (
        ("model", study.model, study.model.idle()),
        ("measure", study.measure, study.measure.idle()),
        ("screening", study.screening, {} if study.precision is Precision.screened else screened),
        ("cascade", study.cascade, {} if study.precision is Precision.cascade else cascade),
    )
    for part, component, idle in parts:
        for field in fields(component):
            usual = field.default if field.default_factory is MISSING else field.default_factory()
            if field.name in idle and getattr(component, field.name) != usual:
                raise InputError(f"{part}.{field.name} has no effect here: {idle[field.name]}")


def _check_trials(study: StudyConfig) -> None:
    """Refuse trials of what is no option of the optimisation, and such that are chosen by the data to be measured."""
    if not (among := study.measure.chosen_among):
        return
    if not isinstance(study.model, TrainedModel):
        raise InputError(
            f"measure.trials: model '{study.model.name}' is not trained here, so there are no trials of it"
        )
    training = study.model.training
    for name in among:
        part, _, option = f"training.{name}".rpartition(".")
        holder = training if part == "training" else training.gates if part == "training.gates" else None
        if holder is None or option not in vars(holder):
            raise InputError(f"measure.trials has '{name}', which is no option of {study.model.name}'s training")
        if not may_differ(name):
            raise InputError(
                f"measure.trials has '{name}': trials differ in how they are optimised, as in learning_rate or "
                f"gates.learning_rate, and not in data, seeds or which heads are kept"
            )
    if training.dev_set.identity() == study.data.identity():
        raise InputError(
            f"measure.trials: the best trial on data '{study.data.name}' would be measured on the same data, and look "
            f"better than it is: model.training.held_out=0.05 takes a part of the training data for choices"
        )


def _check_device(device: str) -> None:
    kind, _, number = device.partition(":")
    if kind not in {"auto", "cpu", "cuda", "mps"} or (number and not number.isdigit()):
        raise InputError(f"device '{device}': expected auto, cpu, cuda, cuda:N or mps")
