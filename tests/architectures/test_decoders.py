"""Every unit of a decoder is masked as if it were taken out by hand, whatever the architecture."""

import pytest

from architectures.decoder_table import row, rows
from architectures.decoder_trial import try_decoder
from architectures.decoders import DECODERS

ONE_OF_EACH = {
    "falcon": "queries, keys and values in one, no attention function",
    "bloom": "a block that adds the residual stream itself",
    "opt": "rows and tokens on one axis",
    "olmo2": "queries normed over all heads, a norm behind the block",
    "gpt_oss": "attention sinks, experts that give a tuple",
    "qwen3_next": "a gate beside the queries, linear attention between",
}
"""A decoder for each mechanism."""

pytestmark = pytest.mark.filterwarnings("ignore")  # those of transformers' models


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_each_unit_off_is_that_unit_off_by_hand(name: str) -> None:
    decoder = try_decoder(name)
    assert decoder.faults == ()
    assert _without_engine(row(name, decoder)) == _without_engine(rows()[name])


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", DECODERS)
def test_every_decoder_is_right_and_in_the_table(name: str) -> None:
    decoder = try_decoder(name)
    assert decoder.faults == ()
    assert row(name, decoder) == rows()[name], "docs/architectures.md is made by `make models`"


def test_the_table_has_a_row_for_each_decoder() -> None:
    assert set(rows()) == set(DECODERS)


def _without_engine(cells: str) -> list[str]:
    """The cells of a row but the engine's, which is tested with the engines."""
    name, units, gates, proof, patterns, _, notes = cells.split(" | ")
    return [name, units, gates, proof, patterns, notes]
