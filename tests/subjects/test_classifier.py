"""Classifiers under masks, against loops that share nothing: one example, one mask, weights zeroed by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as tf
from fixtures import cases

from study.record.errors import InputError
from study.record.examples import Examples
from study.subjects.classifier import Classifier
from study.subjects.huggingface.hub import local_folder
from study.subjects.huggingface.load_classifier import load_classifier
from study.subjects.huggingface.read_model import num_positions
from study.subjects.model_files import model_digests


def examples(n: int = 9) -> Examples:
    generator = np.random.default_rng(1)
    texts = [
        tuple(" ".join(f"w{i}" for i in generator.integers(0, 60, generator.integers(2, 9))) for _ in range(2))
        for _ in range(n)
    ]
    return Examples(ids=tuple(map(str, range(n))), texts=tuple(texts), targets=cases.LABELS * (n // 3))


def classifier(name: str, **options) -> Classifier:
    return cases.subject(cases.CLASSIFIERS[name], name, tokenizer=cases.tiny_tokenizer(one_end=name == "t5"), **options)


@pytest.mark.parametrize("name", cases.CLASSIFIERS)
def test_masked_rows_equal_one_example_at_a_time_with_weights_zeroed(name: str) -> None:
    subject, data = classifier(name), examples()
    rows = subject.encode(data)
    masks = np.random.default_rng(2).random((len(rows), len(subject.layout))) < 0.6
    found = subject.outcomes(rows, masks)
    tokenizer = cases.tiny_tokenizer(one_end=name == "t5")
    for i, (text, mask) in enumerate(zip(data.texts, masks, strict=True)):
        plain = cases.build(cases.CLASSIFIERS[name])
        plain.config.get_text_config().pad_token_id = 0
        for head in subject.layout.changed(mask):
            site = subject.gate.site(head)
            weight = plain.get_submodule(site.name).weight.data
            size = site.width // site.num_heads
            columns = slice(head.index * size, (head.index + 1) * size)
            if name == "gpt2":
                weight[columns] = 0.0
            else:
                weight[:, columns] = 0.0
        inputs = tokenizer(*text, return_tensors="pt")
        if name not in {"bert", "roberta"}:
            inputs.pop("token_type_ids", None)
        with torch.no_grad():
            logits = plain(**inputs).logits[0]
        best = logits.topk(2).values
        assert found["prediction"][i] == logits.argmax()
        assert found["margin"][i] == pytest.approx((best[0] - best[1]).item(), abs=1e-4)
        gold = torch.tensor(cases.LABELS.index(data.targets[i]))
        assert found["loss"][i] == pytest.approx(torch.nn.functional.cross_entropy(logits, gold).item(), abs=1e-4)
        assert found["correct"][i] == int(logits.argmax() == gold)


def test_full_mask_is_the_untouched_model() -> None:
    subject = classifier("bert")
    rows = subject.encode(examples())
    full = subject.as_xi(np.tile(subject.layout.full(), (len(rows), 1)))
    assert torch.equal(subject.response(rows, full), subject.response(rows, None))


def test_labels_and_lengths_are_checked(capfd: pytest.CaptureFixture[str]) -> None:
    subject, data = classifier("bert", max_length=10), examples()
    subject._text.tokenizer.model_max_length = 10
    too_long = sum(len(" ".join(text).split()) + 3 > 10 for text in data.texts)
    with pytest.raises(InputError, match=rf"{too_long} of 9 examples are over 10 tokens.*model\.truncate=true"):
        subject.encode(data)
    assert "longer than" not in capfd.readouterr().err, "transformers says it as well, and that it could be run"
    cut = classifier("bert", max_length=10, truncate=True).encode(data)
    assert max(row.cost for row in cut) == 10
    strange = Examples(ids=("1",), texts=(("w1", "w2"),), targets=("maybe",))
    with pytest.raises(InputError, match=r"labels \['maybe'\] are not the model's"):
        subject.encode(strange)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = cases.build(cases.CLASSIFIERS["bert"])
    model.config.id2label = dict(enumerate(cases.LABELS))
    model.save_pretrained(tmp_path)
    cases.tiny_tokenizer().save_pretrained(tmp_path)
    return tmp_path


def load(folder: Path) -> Classifier:
    return load_classifier(folder, torch.device("cpu"), labels=cases.LABELS, max_length=32, truncate=False)


def test_loads_a_folder_in_float32(folder: Path) -> None:
    subject = load(folder)
    assert {p.dtype for p in subject.module.parameters()} == {torch.float32}
    rows = subject.encode(examples())
    expected = classifier("bert").response(rows, None)
    assert torch.allclose(subject.response(rows, None), expected, atol=1e-6)


def test_digests_name_what_determines_the_outcome(folder: Path) -> None:
    before = model_digests(folder)
    assert set(before) == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    (folder / "notes.md").write_text("of no consequence")
    assert model_digests(folder) == before
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 1e-5}))
    assert model_digests(folder)["config.json"] != before["config.json"]
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    assert model_digests(folder)["tokenizer_config.json"] != before["tokenizer_config.json"]


def test_no_limit_of_positions() -> None:
    config = tf.XLNetConfig(vocab_size=cases.TOKENS, d_model=24, n_layer=1, n_head=4, d_inner=32)
    assert config.max_position_embeddings == -1
    assert num_positions(tf.XLNetForSequenceClassification(config)) is None


def test_a_model_without_a_table_of_embeddings_takes_any_token(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = classifier("bert")

    def unknown() -> None:
        raise NotImplementedError

    monkeypatch.setattr(subject.module, "get_input_embeddings", unknown)
    assert len(subject.encode(examples())) == 9


def test_a_model_that_does_not_run_on_tokens_alone_is_refused_in_words() -> None:
    module = cases.build(cases.CLASSIFIERS["gpt2"])
    module.base_model.forward = lambda pictures: pictures
    with pytest.raises(InputError, match="it does not run on token ids on cpu: TypeError"):
        Classifier(module, cases.tiny_tokenizer(), labels=cases.LABELS, max_length=32, truncate=False, loaded="it")


@pytest.mark.parametrize(("name", "positions"), [("bert", 64), ("roberta", 63), ("gpt2", 64), ("t5", None)])
def test_number_of_positions_is_what_the_model_can_read(name: str, positions: int | None) -> None:
    model = cases.build(cases.CLASSIFIERS[name])
    assert num_positions(model) == positions
    longest = torch.full((1, positions or 200), 5)
    longest[0, -1] = 3
    with torch.no_grad():
        model(input_ids=longest)
        if positions:
            with pytest.raises((IndexError, RuntimeError)):
                model(input_ids=torch.full((1, positions + 1), 5))


def test_damaged_and_incomplete_folders(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match="cannot load the classifier"):
        load(folder)
    weights.unlink()
    with pytest.raises(InputError, match="expected config.json and"):
        model_digests(folder)
    with pytest.raises(InputError, match="no folder './nowhere'"):
        local_folder("./nowhere", None)
    assert local_folder("owner/not-downloaded", None) is None


def test_refuses_weights_of_another_shape(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(InputError, match="the weights lack or misfit"):
        load(folder)
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 1}))
    with pytest.raises(InputError, match="its config leaves 16 tensors of the layers unused"):
        load(folder)


def test_names_of_labels_match_whatever_their_capitals() -> None:
    subject = classifier("bert", labels=("Entailment", "NEUTRAL", "contradiction"))
    rows = subject.encode(Examples(ids=("a", "b"), texts=(("w1",), ("w2",)), targets=("neutral", "Contradiction")))
    assert [row.target for row in rows] == [1, 2]


def test_a_model_with_one_output_is_no_classifier() -> None:
    model = cases.build(cases.CLASSIFIERS["bert"])
    model.config.num_labels = 1
    with pytest.raises(InputError, match="has one output"):
        Classifier(model, cases.tiny_tokenizer(), labels=["x"], max_length=32, truncate=False, loaded="it")


def test_a_broken_download_is_still_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = tmp_path / "models--owner--model" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (tmp_path / "models--owner--model" / "refs").mkdir()
    (tmp_path / "models--owner--model" / "refs" / "main").write_text("abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps(index))
    for name in ("config.json", "tokenizer.json", "model-1.safetensors"):
        (snapshot / name).write_text("{}")
        assert local_folder("owner/model", None) is None
    (snapshot / "model-2.safetensors").write_text("")
    assert local_folder("owner/model", None) == snapshot


def test_what_is_no_name_of_a_model_is_refused_in_words() -> None:
    with pytest.raises(InputError, match="neither a folder nor a hub name"):
        local_folder("my model", None)
