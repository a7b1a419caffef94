"""Orders as components: what is registered, how they are chosen and named, and what a run says of them."""

from dataclasses import asdict, fields

import pytest
from omegaconf import OmegaConf

from study.command.commands import CommandCallback
from study.config import SCHEMAS, SHORT, compose, to_study
from study.entries import schema_of
from study.entry_files import description, options
from study.measures.orders import ORDERS

TOY = ("model=toy_classifier", "data=toy_matched")


def asked(*more: str) -> dict[str, object]:
    """The options of a measure that are not as usual, as its run has them."""
    measure = to_study(compose(*TOY, *more)).measure
    usual = measure.usual()
    return {name: str(value) for name, value in measure.options().items() if usual[name] != value}


def test_every_order_has_an_entry_that_takes_it() -> None:
    assert options("measure/order") == sorted(ORDERS)
    for name, order in ORDERS.items():
        assert (schema_of("measure/order", name), order.name) == (order, name)
        assert len(description("measure/order", name)) > 20


def test_no_option_has_two_owners() -> None:
    """Otherwise `measure.NAME` would not tell whether the option is the measure's or its order's."""
    of_measures = {f"measure.{field.name}" for measure in SCHEMAS["measure"].values() for field in fields(measure)}
    assert of_measures & set(SHORT) == {"measure.order"}


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("measure=pruning measure.order=random measure.seeds=5", "measure/order=random measure.order.seeds=5"),
        ("measure=pruning_random measure.order=oracle", "measure/order=oracle"),
        ("measure=pruning measure.order_data=x", "measure.order.data=x"),
        ("measure=pruning_oracle measure.order=file measure.file=x", "measure/order=file measure.order.file=x"),
        ("measure=pruning_by_effect measure.reverse=true", "measure/order=ablation measure.order.reverse=true"),
        ("measure=pruning ++measure.estimator=fisher", "measure.order.estimator=fisher"),
    ],
)
def test_short_names_mean_the_full_ones(short: str, full: str) -> None:
    one, other = (compose(*TOY, *words.split()) for words in (short, f"measure=pruning {full}"))
    assert to_study(one) == to_study(other)


def test_an_experiment_may_sweep_short_names() -> None:
    params = {"data": "a,b", "measure.order": "random,oracle", "measure.kinds": "[CROSS]", "measure.order_data": "x"}
    config = OmegaConf.create({"hydra": {"sweeper": {"params": params}}}, flags={"struct": True})
    CommandCallback().on_multirun_start(config)
    assert OmegaConf.to_container(config.hydra.sweeper.params) == {
        "data": "a,b", "measure/order": "random,oracle", "measure.kinds": "[CROSS]", "measure.order.data": "x",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "unusual"),
    [
        ("measure=pruning", {}),
        ("measure=pruning_random", {"order": "random"}),
        ("measure=pruning measure.order=random measure.seeds=5", {"order": "random", "seeds": "5"}),
        ("measure=pruning measure.estimator=fisher measure.order_data=x", {"estimator": "fisher", "order_data": "x"}),
        ("measure=pruning measure.order=reestimated measure.steps=every", {"order": "reestimated", "steps": "every"}),
    ],
)
def test_a_run_has_the_options_beside_each_other(more: str, unusual: dict[str, str]) -> None:
    assert asked(*more.split()) == unusual


def test_the_usual_options_are_those_that_runs_of_before_have() -> None:
    """They kept all, whatever the order: without one of them such a run would be taken for another."""
    measure = to_study(compose(*TOY, "measure=pruning_oracle")).measure
    assert set(measure.usual()) == {"unit", "first_seed", "gates"} | {
        "name", "kinds", "order", "reverse", "steps", "allow_empty_layers", "estimator", "normalisation", "average",
        "loss", "epsilon", "order_data", "seeds", "file",
    }  # fmt: skip
    assert asdict(measure)["order"] == {"name": "oracle"}
