"""Every job of every experiment makes sense: its options are those of its model, data, measure and order."""

import pytest
import yaml

from study.config import compose, to_study
from study.entry_files import CONF, options
from study.jobs.check import check_values
from study.training.trained_models import TrainedModel


@pytest.mark.parametrize("name", options("experiment"))
def test_no_job_is_refused(name: str) -> None:
    """One of each measure: its model and data differ in name only. What is measured of a training says all of that."""
    sweeper = yaml.safe_load((CONF / "experiment" / f"{name}.yaml").read_text())["hydra"]["sweeper"]
    for grid in sweeper.get("grids", [{}]):
        params = sweeper["params"] | grid
        values = {key: value if key == "measure.kinds" else str(value).split(",")[0] for key, value in params.items()}
        first = [f"{key}={value}" for key, value in values.items()]
        measures = params["measure"].split(",")
        for measure in [one for one in measures if one != "train"] or measures:
            study = to_study(compose(f"experiment={name}", *first, f"measure={measure}"))
            check_values(study)
            if isinstance(study.model, TrainedModel):
                study.model.training.check()
