"""Tests of the training of a small BERT: what is saved, what is random, what it can learn."""

import json
from collections import Counter

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from study.data.examples import Examples
from study.errors import InputError
from study.toy.nli import NliDomain, nli_examples
from study.training.classifier import encode, epoch_batches, learn_tokenizer, train_classifier, triangle
from study.training.recipes import ClassifierRecipe

TINY = ClassifierRecipe(layers=1, heads=2, hidden=16, inner=16, epochs=1, batch_size=32)


@pytest.fixture(scope="module")
def examples() -> Examples:
    return nli_examples(NliDomain.TRAIN, 200)


def test_the_folder_is_a_plain_transformers_model(examples, tmp_path):
    accuracy = train_classifier(TINY, examples, examples, tmp_path)
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= {
        path.name for path in tmp_path.iterdir()
    }
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["id2label"] == {"0": "contradiction", "1": "entailment", "2": "neutral"}
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    right = 0
    for texts, target in zip(examples.texts, examples.targets, strict=True):
        logits = model(**tokenizer(*texts, return_tensors="pt")).logits[0]
        right += model.config.id2label[int(logits.argmax())] == target
    assert accuracy == 100 * right / len(examples)


def test_a_pair_is_read_as_two_segments(examples):
    tokenizer = learn_tokenizer([text for texts in examples.texts for text in texts], TINY)
    words = tokenizer("Every hen is sleeping.", "No BIRD")
    assert tokenizer.convert_ids_to_tokens(words["input_ids"])[0] == "[CLS]"
    assert tokenizer.decode(words["input_ids"]) == "[CLS] every hen is sleeping. [SEP] no bird [SEP]"
    segments = words["token_type_ids"]
    assert segments == sorted(segments)
    assert set(segments) == {0, 1}
    assert len(tokenizer) <= TINY.vocabulary


def test_the_seed_decides_and_the_callers_random_state_stays(examples, tmp_path):
    weights = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        (tmp_path / name).mkdir()
        state = torch.get_rng_state()
        threads = torch.get_num_threads()
        recipe = ClassifierRecipe(layers=1, heads=2, hidden=16, inner=16, epochs=1, batch_size=32, seed=seed)
        train_classifier(recipe, examples, examples, tmp_path / name)
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == threads
        torch.rand(1)
        weights[name] = (tmp_path / name / "model.safetensors").read_bytes()
    assert weights["a"] == weights["b"]
    assert weights["a"] != weights["c"]


def test_it_learns_what_the_words_tell(tmp_path):
    """The label is a word of the hypothesis: a few steps must find it."""
    names = ("no", "yes")
    examples = Examples(
        ids=tuple(map(str, range(600))),
        texts=tuple((f"some text {i % 7}", f"so it is {'good' if i % 2 else 'bad'}") for i in range(600)),
        targets=tuple(names[i % 2] for i in range(600)),
    )
    recipe = ClassifierRecipe(layers=1, heads=2, hidden=32, inner=32, epochs=4, batch_size=32)
    assert train_classifier(recipe, examples, examples, tmp_path) == 100


def test_single_texts_can_be_encoded():
    single = Examples(ids=("a", "b"), texts=(("one two",), ("two three four",)), targets=("x", "y"))
    tokenizer = learn_tokenizer(["one two three four"] * 10, TINY)
    encoded = encode(single, tokenizer, ("x", "y"), 4)
    assert encoded.labels.tolist() == [0, 1]
    assert max(encoded.lengths) <= 4


@pytest.mark.parametrize(("size", "batch_size"), [(1, 4), (1000, 7), (257, 64)])
def test_an_epoch_has_every_example_once(size, batch_size):
    lengths = torch.randint(3, 40, (size,), generator=torch.Generator().manual_seed(0))
    batches = epoch_batches(lengths, batch_size, torch.Generator().manual_seed(1))
    assert Counter(row for batch in batches for row in batch) == Counter(range(size))
    assert max(map(len, batches)) <= batch_size
    assert batches == epoch_batches(lengths, batch_size, torch.Generator().manual_seed(1))


def test_batches_pad_little():
    lengths = torch.randint(5, 40, (2000,), generator=torch.Generator().manual_seed(0))
    batches = epoch_batches(lengths, 20, torch.Generator().manual_seed(1))
    padded = sum(len(batch) * int(lengths[batch].max()) for batch in batches)
    assert padded < 1.1 * int(lengths.sum())


def test_the_learning_rate_rises_and_falls_to_nothing():
    assert [triangle(p, 0.1) for p in (0.0, 0.05, 0.1, 0.55, 1.0)] == pytest.approx([0, 0.5, 1, 0.5, 0])


def test_nothing_to_learn_is_refused(examples, tmp_path):
    neutral = [i for i, target in enumerate(examples.targets) if target == "neutral"]
    with pytest.raises(InputError, match="nothing to learn"):
        train_classifier(TINY, examples.take(neutral), examples, tmp_path)
    with pytest.raises(InputError, match="dev set is empty"):
        train_classifier(TINY, examples, examples.take([]), tmp_path)
    others = [i for i, target in enumerate(examples.targets) if target != "contradiction"]
    with pytest.raises(InputError, match="dev set has labels \\['contradiction'\\]"):
        train_classifier(TINY, examples.take(others), examples, tmp_path)
    assert not list(tmp_path.iterdir())
