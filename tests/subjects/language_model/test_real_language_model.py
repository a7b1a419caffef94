"""A trained language model against lm-evaluation-harness, on the same folder: its sums and its decisions.

HEADS_REAL names the folder of data, HEADS_DECODER that of the model (`models/smollm2-135m/make.py` of the former makes
it); lm_eval must be installed.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from study.record.examples import Examples
from study.subjects.huggingface.decoder_folder import HubDecoder
from study.subjects.language_model.subject import LanguageModel

pytestmark = [pytest.mark.real, pytest.mark.slow]

WINDOW = 256
CLOSE = 1e-4
"""Largest difference of sums, as a share."""
DECIDED = 1e-3
"""Margin from which on decisions must be the same."""


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    pytest.importorskip("lm_eval")
    if not (folder := os.environ.get("HEADS_DECODER")):
        pytest.skip("HEADS_DECODER names no folder of a language model")
    return HubDecoder(name="", path=folder, window=WINDOW).load(torch.device("cpu"))


@pytest.fixture(scope="module")
def oracle(model: LanguageModel) -> Any:
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=model.module, tokenizer=model.text.tokenizer, batch_size=8, max_length=WINDOW)


def records(path: Path, step: int, most: int) -> Iterator[dict[str, Any]]:
    with path.open() as lines:
        yield from (json.loads(line) for i, line in enumerate(lines) if i % step == 0 and i < step * most)


def choices(real: Path, name: str) -> Examples:
    if name == "blimp":
        pairs = records(real / "data" / "blimp" / "blimp.jsonl", 100, 67)
        found = [{**pair, "context": "", "choices": [pair["good"], pair["bad"]], "answer": 0} for pair in pairs]
    else:
        found = list(records(real / "data" / "lm" / f"{name}.jsonl", 20, 20))
    return Examples(
        ids=tuple(record["id"] for record in found),
        texts=tuple((record["context"], *record["choices"]) for record in found),
        targets=tuple(str(record["answer"]) for record in found),
    )


@pytest.mark.parametrize("name", ["ioi", "piqa_dev", "hellaswag_first2000", "blimp"])
def test_sums_and_decisions_are_those_of_the_harness(real: Path, model: LanguageModel, oracle: Any, name: str) -> None:
    data = choices(real, name)
    rows = model.encode(data)
    found = model.outcomes(rows, np.ones((len(rows), model.layout.width), dtype=bool))
    asked = [SimpleNamespace(args=(context, one)) for context, *own in data.texts for one in own]
    answered = iter(oracle.loglikelihood(asked, disable_tqdm=True))
    for i, (_, *own) in enumerate(data.texts):
        expected, greedy = zip(*(next(answered) for _ in own), strict=True)
        assert found["loglik"][i].to_list() == pytest.approx(expected, rel=CLOSE)
        if found["margin"][i] > DECIDED:
            assert np.argmax(found["loglik"][i]) == np.argmax(expected)
        assert [a == b for a, b in zip(found["greedy"][i], found["tokens"][i], strict=True)] == list(greedy)


def test_a_rolling_log_likelihood_is_that_of_the_harness(real: Path, model: LanguageModel, oracle: Any) -> None:
    """Two stretches of WikiText, of several windows each."""
    whole = (real / "data" / "lm" / "wikitext2_test.txt").read_text(encoding="utf-8")
    texts = (whole[:4000], whole[10_000:12_500])
    data = Examples(ids=("1", "2"), texts=tuple((text,) for text in texts), targets=("", ""))
    rows = model.encode(data)
    found = model.outcomes(rows, np.ones((len(rows), model.layout.width), dtype=bool))
    expected = oracle.loglikelihood_rolling([SimpleNamespace(args=(text,)) for text in texts], disable_tqdm=True)
    assert [len(row.requests) > 1 for row in rows] == [True, True]
    assert list(-found["nll"]) == pytest.approx(expected, rel=CLOSE)
