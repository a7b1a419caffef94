from pathlib import Path

import pytest
from omegaconf import MissingMandatoryValue, OmegaConf

from study.data.nli import MnliHub, NliFile
from study.data.parallel import ParallelFile, SacrebleuSet
from study.record.metrics import Task

FOLDER = Path(__file__).parents[2] / "conf" / "data"
SCHEMAS = {"mnli_hub": MnliHub, "nli_file": NliFile, "parallel_file": ParallelFile, "sacrebleu_set": SacrebleuSet}
NAMES = ["mnli_matched", "mnli_mismatched", "newstest2013", "newstest2014", "newstest2009_12", "mtnt"]


def component(file, **values):
    """What a YAML file makes of its schema."""
    config = OmegaConf.load(FOLDER / f"{file}.yaml")
    schema = SCHEMAS[config.pop("defaults")[0]["/schema/data@_here_"]]
    return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), config, values))


@pytest.mark.parametrize("name", NAMES)
def test_published_sets_are_named_as_their_file(name):
    source = component(name)
    assert source.name == name
    if isinstance(source, SacrebleuSet):
        assert source.task is Task.TRANSLATION
        source.missing()  # every set and language pair is known to sacrebleu
    else:
        assert source.task is Task.CLASSIFICATION


@pytest.mark.parametrize("name", [*NAMES, "nli_file", "parallel_file"])
def test_first_line_describes_the_set(name):
    first = (FOLDER / f"{name}.yaml").read_text().splitlines()[0]
    assert first.startswith("# ")
    assert first.endswith(".")


def test_nli_file_groups_by_its_premise(tmp_path):
    path = tmp_path / "sentences.tsv"
    path.write_text("sentence\tlabel\nfine\t1\n")
    source = component("nli_file", name="x", path=path, premise="sentence", hypothesis=None, id=None)
    assert source.examples().columns == {"group": ("fine",)}


@pytest.mark.parametrize("name", ["nli_file", "parallel_file"])
def test_paths_are_mandatory(name):
    with pytest.raises(MissingMandatoryValue):
        component(name, name="x")
