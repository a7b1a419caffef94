"""What cannot stand in the place of units, as far as the configuration tells it: no data and no model is read."""

from study.config import StudyConfig
from study.measures.measure import UnitMeasure
from study.record.errors import InputError
from study.record.metrics import Task
from study.record.metrics.languages import require_direction
from study.record.units import UnitLevel
from study.replacement.options import ActsOn, ReferenceReplacement

READ_BY_LANGUAGE_MODELS = {Task.CHOICE, Task.TEXT}


def check_replacement(study: StudyConfig) -> None:
    """Refuse a replacement that makes no sense with the rest of a job.

    Raises:
        InputError: in words.
    """
    choice, measure = study.replacement, study.measure
    choice.check()
    if choice.is_usual:
        return
    if not measure.masks_units or measure.reads:
        raise InputError(f"replacement={choice.name} has no effect on measure={measure.name}, which scores no mask")
    if choice.acts_on is ActsOn.scored and study.data.task not in READ_BY_LANGUAGE_MODELS:
        raise InputError(
            f"replacement.acts_on=scored is for language models, whose prompt is then read with every head on: "
            f"data '{study.data.name}' is for {study.data.task}"
        )
    if isinstance(measure, UnitMeasure) and measure.unit is UnitLevel.mlp and not choice.suits_mlps:
        raise InputError(
            f"replacement={choice.name} is what attention gives, and an MLP has none: take replacement=zero, mean, "
            f"mean_by_position or resample for measure.unit=mlp"
        )
    if isinstance(choice, ReferenceReplacement) and choice.data is not None:
        _check_reference(study, choice)


def _check_reference(study: StudyConfig, choice: ReferenceReplacement) -> None:
    data = choice.data
    assert data is not None, "a reference set of its own"
    if data.task not in study.model.tasks():
        done = " and ".join(study.model.tasks())
        raise InputError(
            f"replacement.data={data.name} is for {data.task}, and model '{study.model.name}' is for {done}: a "
            f"reference set holds what the model reads"
        )
    if (translated := study.model.languages()) and (written := data.languages()):
        require_direction(translated, written, f"replacement.data '{data.name}'")
