"""Models whose heads transformers 4 removed, against the whole model with these heads' weights zeroed."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures import cases
from fixtures.pruned import subject
from safetensors.torch import load_file, save_file

from study.certification.certify import certify
from study.record.errors import InputError
from study.subjects.classifier import Classifier
from study.subjects.huggingface.load_classifier import load_classifier

REMOVED = {"0": [1], "1": [0, 3]}
"""One head of the first layer, two of the second: their numbers differ."""

PROJECTIONS = {
    "bert": ("bert.encoder.layer.{}.attention.", ("self.query", "self.key", "self.value"), "output.dense"),
    "distilbert": ("distilbert.transformer.layer.{}.attention.", ("q_lin", "k_lin", "v_lin"), "out_lin"),
    "gpt2": ("transformer.h.{}.attn.", ("c_attn",), "c_proj"),
}


def save(folder: Path, name: str, heads: dict[str, list[int]] = REMOVED) -> None:
    """As `prune_heads` and `save_pretrained` of transformers 4 left it."""
    model = cases.build(cases.CLASSIFIERS[name])
    model.save_pretrained(folder)
    cases.tiny_tokenizer().save_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    before, inputs, output = PROJECTIONS[name]
    transposed = name == "gpt2"
    for layer, gone in heads.items():
        keep = [i for i in range(24) if i // 6 not in gone]
        of_all = [i + 24 * part for part in range(3) for i in keep] if transposed else keep
        for part in inputs:
            key = f"{before.format(layer)}{part}"
            weight = weights[f"{key}.weight"]
            weights[f"{key}.weight"] = (weight[:, of_all] if transposed else weight[of_all]).contiguous()
            weights[f"{key}.bias"] = weights[f"{key}.bias"][of_all]
        key = f"{before.format(layer)}{output}.weight"
        weights[key] = (weights[key][keep] if transposed else weights[key][:, keep]).contiguous()
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    change(folder, pruned_heads=heads)


def change(folder: Path, **fields: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **fields}))


def load(folder: Path) -> Classifier:
    return load_classifier(folder, torch.device("cpu"), labels=cases.LABELS, max_length=32, truncate=False)


@pytest.mark.parametrize("name", PROJECTIONS)
def test_is_the_whole_model_with_these_heads_off(tmp_path: Path, name: str) -> None:
    save(tmp_path, name)
    smaller = load(tmp_path)
    certify(smaller)
    assert list(smaller.layout.counts.values()) == [(3, 2)]
    whole = subject(f"classifier {name}")
    off = [head for head in whole.layout.heads if head.index in REMOVED[str(head.layer)]]
    mask = np.tile(whole.layout.without(off), (3, 1))
    rows = whole.probe()
    assert torch.allclose(smaller.response(rows, None), whole.response(rows, whole.as_xi(mask)), atol=1e-5)
    assert type(smaller.module) is type(whole.module)
    assert whole.layout.counts.keys() == smaller.layout.counts.keys()


@pytest.mark.parametrize(
    ("heads", "message"),
    [({"0": [4]}, "no head 4 of layer 0"), ({"2": [0]}, "no head 0 of layer 2"), ({"0": "x"}, "does not name heads")],
)
def test_heads_that_the_model_does_not_have_are_refused(tmp_path: Path, heads: dict, message: str) -> None:
    save(tmp_path, "bert", {})
    change(tmp_path, pruned_heads=heads)
    with pytest.raises(InputError, match=message):
        load(tmp_path)
