"""The example files do what they say: each is read, and its overrides compose."""

from itertools import product
from pathlib import Path

import yaml

from study.config import compose

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_every_job_of_the_wandb_sweep_composes() -> None:
    sweep = yaml.safe_load((EXAMPLES / "wandb_sweep.yaml").read_text())
    assert sweep["command"][-1] == "${args_no_hyphens}"
    fixed = [word for word in sweep["command"] if "=" in word]
    names = list(sweep["parameters"])
    jobs = list(product(*(sweep["parameters"][name]["values"] for name in names)))
    assert len(jobs) == 6
    for values in jobs:
        config = compose(*fixed, *(f"{name}={value}" for name, value in zip(names, values, strict=True)))
        assert config.tracking.name == "wandb"
        assert (config.model.path, config.measure.name) == values
