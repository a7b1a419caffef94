"""What tests compose on copies of one config is what Hydra composes, its refusals too."""

import pytest
from fixtures.seconds.composing import ComposedOnce
from omegaconf import DictConfig, OmegaConf

import study.config
from launchers.sweep.composed import node_types
from study.config import compose

CHOSEN = ("model=hf_classifier", "data=nli_file", "measure=ablation")
JOBS = [
    (*CHOSEN, "model.path=a/b", "data.path=c.tsv", "data.limit=40", "results=elsewhere"),
    (*CHOSEN, "model.path='a b'", "data.path=d.tsv", "measure.unit=group", "precision=bfloat16"),
    (*CHOSEN, "data.limit=many"),
    (*CHOSEN, "data.limmit=3"),
    ("model=hf_clasifier",),
]


def composed(job: tuple[str, ...]) -> DictConfig | str:
    try:
        return compose(*job)
    except Exception as error:  # noqa: BLE001 compared with Hydra's
        return f"{type(error)} {error}"


def test_a_config_on_a_copy_is_that_of_hydra(monkeypatch: pytest.MonkeyPatch) -> None:
    once = study.config.hydra_compose
    assert isinstance(once, ComposedOnce), "so it is in every test"
    found = [composed(job) for job in JOBS]
    monkeypatch.setattr(study.config, "hydra_compose", once.compose)
    expected = [composed(job) for job in JOBS]
    assert found == expected
    assert [isinstance(each, str) for each in expected] == [False, False, True, True, True]
    for one, other in zip(found[:2], expected[:2], strict=True):
        assert node_types(one) == node_types(other)
        assert OmegaConf.to_yaml(one) == OmegaConf.to_yaml(other)
        assert one._metadata.flags == other._metadata.flags
