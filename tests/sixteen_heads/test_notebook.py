"""What a notebook does: the numbers are those of the command line, and what is shown is a picture and a sentence."""

from pathlib import Path

import pytest
from fixtures.jobs import overrides

import sixteen_heads as heads
from analysis import read_results
from analysis.effects.head_effects import effects
from study.config import compose
from study.jobs.task import StudyTask
from study.record.errors import InputError


def model(place: Path, results: Path) -> heads.Model:
    options = [word for word in overrides(place) if not word.startswith(("model=", "data=", "results="))]
    return heads.Model("hf_classifier", "nli_file", *options, results=results)


def test_effects_are_those_of_the_command_line(place: Path, tmp_path: Path) -> None:
    found = model(place, tmp_path / "notebook").effects()
    StudyTask()(compose(*overrides(place), "measure=ablation"))
    (stored,) = read_results(place / "results").domains
    assert found.table.equals(effects(stored).filter(measure="ablation"))
    assert found._repr_html_().count("<svg") == len(found.domain.layout.counts)
    assert str(found) in found._repr_html_()
    with pytest.raises(InputError, match="two data sets"):
        heads.correlation(found)


def test_outcomes_of_masks_by_address(place: Path, tmp_path: Path) -> None:
    studied = model(place, tmp_path / "notebook")
    rows = studied.outcomes([studied.heads[:1]])
    full = studied.layout.full_key
    assert rows["mask"].unique(maintain_order=True).to_list() == [full, "0" + full[1:]]
