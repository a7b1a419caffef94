"""Trained models on real text, against scores that other programs gave (HEADS_REAL names the folder)."""

from pathlib import Path

import pytest

from study.config import compose, to_study
from study.job import open_evaluator

pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest.mark.parametrize(
    ("file", "right"),
    [("mnli/dev_matched.tsv", 703), ("mnli/dev_mismatched_random1000.tsv", 709), ("snli/test.tsv", 789)],
)
def test_base_accuracy_is_plain_transformers(real: Path, tmp_path: Path, file: str, right: int) -> None:
    """Of the first 1,000 examples, by a plain loop of transformers (float32, at most 128 tokens)."""
    config = compose(
        "model=hf_classifier",
        f"model.path={real / 'models' / 'minilm-mnli'}",
        "model.truncate=true",
        "data=nli_file",
        f"data.path={real / 'data' / file}",
        "data.limit=1000",
        f"results={tmp_path}",
        "batch_tokens=2048",
    )
    assert open_evaluator(to_study(config)).base_score() == pytest.approx(right / 10)


@pytest.mark.parametrize(("name", "bleu"), [("test_2016_flickr", 54.38), ("test_2017_mscoco", 38.42)])
def test_base_bleu_is_fairseqs(real: Path, tmp_path: Path, name: str, bleu: float) -> None:
    """As `fairseq-generate`, detokenised, by the sacrebleu command line."""
    config = compose(
        "model=fairseq_folder",
        f"model.path={real / 'models' / 'multi30k-en-fr'}",
        "model.source_lang=en",
        "model.target_lang=fr",
        "data=parallel_file",
        f"data.source={real / 'data' / 'multi30k' / name}.en",
        f"data.target={real / 'data' / 'multi30k' / name}.fr",
        f"results={tmp_path}",
    )
    assert round(open_evaluator(to_study(config)).base_score(), 2) == bleu
