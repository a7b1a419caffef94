"""Rows of many lengths together, against plain transformers: a model made anew for each row, which nothing pads."""

import numpy as np
import pytest
import torch
import transformers as tf
from fixtures import cases

from study.record.examples import Examples

GPT2 = {"n_embd": 24, "n_layer": 2, "n_head": 4, "n_positions": 64, "pad_token_id": None}
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}
MODELS = {
    "the end token of the text and no padding token": (cases.architecture("gpt2", **GPT2), {"pad_token": None}),
    "a padding token in the config alone": (cases.architecture("llama"), {"pad_token": None}),
    "the end token as padding, not so in the config": (
        cases.architecture("llama", pad_token_id=None),
        {"pad_token": "[SEP]"},
    ),
    "the end token as padding, so in the config": (cases.architecture("llama", pad_token_id=3), {}),
    "a list of end tokens": (cases.architecture("llama", eos_token_id=[3, 5], pad_token_id=None), {"pad_token": None}),
    "padding on the left": (cases.architecture("bert"), {"padding_side": "left"}),
    "frequencies of the longest text": (
        cases.architecture("llama", max_position_embeddings=8, rope_parameters=DYNAMIC),
        {},
    ),
    "landmarks": (cases.architecture("nystromformer"), {}),
    "convolutions": (cases.architecture("convbert", head_ratio=1), {}),
    "sparse attention for long texts": (
        cases.architecture("big_bird", block_size=2, num_random_blocks=1, attention_type="block_sparse"),
        {},
    ),
}


def examples() -> Examples:
    """Texts of 2 to 24 words, the longest first and last."""
    generator = np.random.default_rng(3)
    lengths = [24, 2, 7, 3, 7, 12, 24]
    texts = tuple((" ".join(f"w{i}" for i in generator.integers(0, 60, length)),) for length in lengths)
    return Examples(ids=tuple(map(str, range(7))), texts=texts, targets=tuple(cases.LABELS[i % 3] for i in range(7)))


def tokenizer_with(**fields: object) -> tf.PreTrainedTokenizerFast:
    tokenizer = cases.tiny_tokenizer()
    for name, value in fields.items():
        setattr(tokenizer, name, value)
    return tokenizer


@pytest.mark.parametrize("name", MODELS)
def test_rows_together_are_what_plain_transformers_gives_for_each(name: str) -> None:
    make, changes = MODELS[name]
    data, tokenizer = examples(), tokenizer_with(**changes)
    subject = cases.subject(make, name, tokenizer=tokenizer)
    rows = subject.encode(data)
    full = np.ones((len(rows), len(subject.layout)), dtype=bool)
    found, losses = subject.outcomes(rows, full), subject.gradients(rows, full)["loss"]
    for i, (text,) in enumerate(data.texts):
        with torch.no_grad():
            logits = cases.build(make)(**tokenizer(text, return_tensors="pt")).logits[0]
        expected = torch.nn.functional.cross_entropy(logits, torch.tensor(i % 3)).item()
        assert found["loss"][i] == pytest.approx(expected, abs=1e-4)
        assert losses[i] == pytest.approx(expected, abs=1e-4)
        assert subject.alone([text]).numpy() == pytest.approx(logits.numpy(), abs=1e-4)


def test_segments_of_which_a_model_has_no_embeddings_are_left_out_as_it_leaves_them_out() -> None:
    make, tokenizer = cases.architecture("deberta-v2", type_vocab_size=0), cases.tiny_tokenizer()
    tokenizer.model_input_names = [*tokenizer.model_input_names, "token_type_ids"]
    subject = cases.subject(make, tokenizer=tokenizer)
    pair = Examples(ids=("a",), texts=(("w1 w2", "w3"),), targets=cases.LABELS[:1])
    given = tokenizer("w1 w2", "w3", return_tensors="pt")
    assert given["token_type_ids"].max() == 1
    with torch.no_grad():
        expected = cases.build(make)(**given).logits[0].numpy()
    assert subject.logits(subject.encode(pair))[0].numpy() == pytest.approx(expected, abs=1e-5)
    assert subject.alone(pair.texts[0]).numpy() == pytest.approx(expected, abs=1e-5)
