"""A tiny saved classifier and a file of pairs, and the overrides of jobs on them."""

from pathlib import Path

import cases
import numpy as np
import torch

from study.config import compose, to_study
from study.jobs.job import open_evaluator

NUM_PAIRS = 120


def make_place(tmp_path: Path) -> Path:
    """Fill a folder with `model/` and `pairs.tsv`, whose labels are the model's own predictions for two thirds."""
    generator = np.random.default_rng(5)
    texts = [" ".join(f"w{i}" for i in generator.integers(0, 60, 5)) for _ in range(2 * NUM_PAIRS)]
    model, tokenizer = cases.build(cases.CLASSIFIERS["bert"]), cases.tiny_tokenizer()
    with torch.no_grad():
        logits = model(**tokenizer(texts[::2], texts[1::2], return_tensors="pt")).logits
        model.classifier.bias -= logits.mean(dim=0)  # so that it predicts each label now and then
    model.config.id2label = dict(enumerate(cases.LABELS))
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    write_pairs(tmp_path / "pairs.tsv", texts, [cases.LABELS[i % 3] for i in range(NUM_PAIRS)])
    config = compose(*overrides(tmp_path, "results=" + str(tmp_path / "first")))
    evaluator = open_evaluator(to_study(config))
    rows = evaluator.outcomes(evaluator.layout.full()[None])
    predicted = [cases.LABELS[i] for i in rows["prediction"]]
    labels = [cases.LABELS[i % 3] if i % 3 == 0 else label for i, label in enumerate(predicted)]
    write_pairs(tmp_path / "pairs.tsv", texts, labels)
    return tmp_path


def write_pairs(path: Path, texts: list[str], labels: list[str]) -> None:
    rows = zip(texts[::2], texts[1::2], labels, strict=True)
    lines = [f"{i}\t{a}\t{b}\t{label}" for i, (a, b, label) in enumerate(rows)]
    path.write_text("\n".join(["id\tpremise\thypothesis\tlabel", *lines]) + "\n")


def overrides(place: Path, *more: str) -> list[str]:
    return [
        "model=hf_classifier",
        f"model.path={place / 'model'}",
        "model.max_length=32",
        "data=nli_file",
        f"data.path={place / 'pairs.tsv'}",
        f"results={place / 'results'}",
        "device=cpu",
        *more,
    ]
