"""Every set that the project is tried out on, against the counts published with it."""

import os
from collections import Counter
from pathlib import Path

import pytest
from sacremoses import MosesTokenizer

from study.data.nli import NliFile
from study.data.parallel import ParallelFile
from study.data.raw_text import processing_sign
from study.record.lines import read_lines

REAL = os.environ.get("HEADS_REAL")
DATA = Path(REAL or ".") / "data"
pytestmark = [pytest.mark.real, pytest.mark.skipif(REAL is None, reason="HEADS_REAL is not set")]

PAIRS = {
    "mnli/dev_matched.tsv": {"entailment": 3479, "neutral": 3123, "contradiction": 3213},
    "mnli/dev_mismatched.tsv": {"entailment": 1882, "neutral": 1568, "contradiction": 1601},
    "snli/dev.tsv": {"entailment": 3329, "neutral": 3235, "contradiction": 3278},
    "snli/test.tsv": {"entailment": 3368, "neutral": 3219, "contradiction": 3237},
    "sick/test.tsv": {"entailment": 1414, "neutral": 2793, "contradiction": 720},
}
PARALLEL = {
    "multi30k/test_2016_flickr": 1000,
    "multi30k/test_2017_mscoco": 461,
    "multi30k/val": 1014,
    "mt/newstest2013.en-fr": 3000,
    "mt/newstest2014.en-fr": 3003,
    "mt/newsdiscusstest2015.en-fr": 1500,
    "mt/tico19-test.en-fr": 2100,
}


@pytest.mark.parametrize("file", PAIRS)
def test_rows_and_labels(file):
    examples = NliFile(name="x", path=DATA / file, genre="genre").examples()
    assert Counter(examples.targets) == PAIRS[file]


def test_premises_of_mnli_matched():
    """9,815 pairs have 3,334 premises."""
    examples = NliFile(name="x", path=DATA / "mnli/dev_matched.tsv").examples()
    assert (len(examples), len(set(examples.columns["group"]))) == (9815, 3334)


def test_single_sentences():
    source = NliFile(name="x", path=DATA / "sst2/dev.tsv", id=None, premise="sentence", hypothesis=None, group=None)
    assert len(source.examples()) == 872


@pytest.mark.parametrize("stem", PARALLEL)
def test_sentences(stem):
    source = ParallelFile(name="x", source=DATA / f"{stem}.en", target=DATA / f"{stem}.fr")
    assert len(source.examples()) == PARALLEL[stem]


def test_reddit_text_is_raw():
    source = ParallelFile(name="x", source=DATA / "mt/rocs_mt.raw.en", target=DATA / "mt/rocs_mt.fr")
    assert len(source.examples()) == 1922


@pytest.mark.parametrize("stem", [*PARALLEL, "mt/rocs_mt.raw"])
@pytest.mark.parametrize("escape", [True, False])
def test_the_same_text_is_noticed_when_tokenised(stem, escape):
    lines = read_lines(DATA / f"{stem}.en")[:300]
    tokenised = [MosesTokenizer("en").tokenize(line, return_str=True, escape=escape) for line in lines]
    assert processing_sign(tokenised) is not None
