"""Every architecture of transformers is studied right or refused in words, whichever way it pads and attends."""

from pathlib import Path

import pytest

from architectures.table import row, rows
from architectures.tiny import ARCHITECTURES
from architectures.trial import try_architecture

ONE_OF_EACH = {
    "deberta": "as it is",
    "llama": "no padding token",
    "mpt": "padding at the left",
    "bert": "eager",
    "doge": "flex_attention",
}
"""An architecture for each way to pad and to attend; how heads are laid out has tests of its own."""

pytestmark = pytest.mark.filterwarnings("ignore")  # those of transformers' models


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_each_way_to_pad_and_to_attend_is_right(kind: str, tmp_path: Path) -> None:
    (outcome,) = try_architecture(kind, tmp_path, [ONE_OF_EACH[kind]]).values()
    assert (outcome.refusal, outcome.faults) == ("", ())


@pytest.mark.parametrize("kind", ["xlnet", "fnet"])
def test_heads_that_cannot_be_masked_are_refused_in_words(kind: str, tmp_path: Path) -> None:
    (outcome,) = try_architecture(kind, tmp_path, ["as it is"]).values()
    assert "its heads cannot be masked" in outcome.refusal


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_every_architecture_is_right_or_refused_in_words(kind: str, tmp_path: Path) -> None:
    outcomes = try_architecture(kind, tmp_path)
    assert {way: outcome.faults for way, outcome in outcomes.items() if outcome.faults} == {}
    assert row(kind, outcomes) == rows().get(kind), "docs/models.md is made by `make models`"
