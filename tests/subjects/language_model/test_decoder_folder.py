"""Folders of decoder language models: what is read, what belongs to the identity, what is refused before loading."""

import importlib.util
import json
import shutil
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as tf
from fixtures import cases
from fixtures import language_models as lm
from transformers.quantizers import HfQuantizer
from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING, AUTO_QUANTIZER_MAPPING

from study.config import StudyConfig, compose, to_study
from study.data.source import DataSource
from study.engine.precision import Precision
from study.jobs.check import check_values
from study.jobs.measuring import MeasuringJob
from study.measures.ablation import Ablation
from study.measures.importance import Importance
from study.pruning.config import Export, PruneConfig
from study.pruning.prune import prune
from study.record.errors import InputError, MissingPackageError
from study.record.examples import Examples
from study.record.metrics import STORED, Task
from study.record.units import AttentionKind
from study.subjects.huggingface.decoder_checks import PLAIN_BY_CONFIG
from study.subjects.huggingface.decoder_folder import Dtype, HubDecoder
from study.subjects.language_model.options import Begin

CPU = torch.device("cpu")


def save(folder: Path, name: str = "llama", **more: Any) -> Path:
    cases.build(lambda: lm.DECODERS[name](**more)).save_pretrained(folder)
    lm.tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "tiny"))


def decoder(folder: Path, **options: Any) -> HubDecoder:
    return HubDecoder(name="", path=str(folder), **options)


@dataclass(kw_only=True)
class AtHand(DataSource):
    """Choices or texts of the fixtures."""

    name: str = "at_hand"
    task: Task = Task.CHOICE
    max_unknown: float = field(default=1.0)

    def examples(self) -> Examples:
        if self.task is Task.TEXT:
            examples = lm.texts()
            sizes = {"words": tuple((len(t.split()),) for (t,) in examples.texts)}
            sizes["bytes"] = tuple((len(t.encode()),) for (t,) in examples.texts)
        else:
            examples = lm.choices()
            sizes = {"characters": tuple(tuple(len(t) - 1 for t in own[1:]) for own in examples.texts)}
        return Examples(examples.ids, examples.texts, examples.targets, counts=sizes)


def test_the_entry_composes(folder: Path) -> None:
    config = compose("model=hf_decoder", f"model.path={folder}", "data=toy_matched", "model.begin=none")
    model = to_study(config).model
    assert isinstance(model, HubDecoder)
    assert (model.name, model.begin, model.tasks()) == ("tiny", Begin.none, (Task.CHOICE, Task.TEXT))
    with pytest.raises(InputError, match="'tiny' is for choice and text, data 'toy_matched' is for classification"):
        check_values(to_study(config))


def test_loads_in_the_dtype_asked_for(folder: Path) -> None:
    losses = []
    for dtype in Dtype:
        subject = decoder(folder, dtype=dtype).load(CPU)
        assert {parameter.dtype for parameter in subject.module.parameters()} == {getattr(torch, dtype)}
        assert {buffer.dtype for buffer in subject.module.buffers()} == {torch.float32}, "frequencies of positions"
        rows = subject.encode(lm.choices())
        losses.append(subject.outcomes(rows, np.ones((len(rows), subject.layout.width), dtype=bool))["loss"])
    assert losses[1] == pytest.approx(losses[0], abs=0.5)
    assert losses[2] == pytest.approx(losses[0], abs=0.5)


def test_how_texts_are_read_belongs_to_the_identity(folder: Path) -> None:
    before = decoder(folder).identity()
    assert before["begin"] == "tokenizer"
    assert "unconditional" not in before
    changes = ({"begin": Begin.bos}, {"window": 8}, {"stride": 4}, {"truncate": True}, {"dtype": Dtype.bfloat16})
    for change in (*changes, {"unconditional": True}, {"chat_template": True}):
        assert decoder(folder, **change).identity() != before, change
    assert decoder(folder, device_map="auto").identity() == before
    whole = decoder(folder, window=8, stride=8).identity()
    assert whole == decoder(folder, window=8).identity(), "a stride of the window is the window"
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    assert decoder(folder).identity() == before, "it is not used"
    first = decoder(folder, chat_template=True).identity()
    (folder / "chat_template.jinja").write_text("{{ messages[0] }}")
    assert decoder(folder, chat_template=True).identity() != first


@pytest.mark.parametrize("task", [Task.CHOICE, Task.TEXT])
def test_ablation_and_importance_of_a_folder(folder: Path, tmp_path: Path, task: Task) -> None:
    for measure in (Ablation(), Importance()):
        study = StudyConfig(
            model=decoder(folder),
            data=AtHand(task=task),
            measure=measure,
            results=str(tmp_path / "results"),
            device="cpu",
        )
        done = MeasuringJob(study).run()
        assert done["computed"] > 0
        assert MeasuringJob(study).run()["computed"] == 0, "all is stored"
    setting = json.loads(next(tmp_path.glob("results/tiny/at_hand/*/setting.json")).read_text())
    assert setting["identity"]["metric"] == STORED[task]


def test_the_precision_of_a_setting_is_that_of_the_weights(folder: Path, tmp_path: Path) -> None:
    study = StudyConfig(
        model=decoder(folder, dtype=Dtype.bfloat16), data=AtHand(), measure=Ablation(), results=str(tmp_path)
    )
    assert MeasuringJob(study).setting.precision == "bfloat16"
    study.precision = Precision.bfloat16
    with pytest.raises(InputError, match="precision=bfloat16"):
        check_values(study)


def test_a_folder_with_gguf_says_how_to_make_it_plain(tmp_path: Path) -> None:
    (tmp_path / "small.Q4_1.gguf").write_bytes(b"GGUF")
    with pytest.raises(InputError, match=r"GgufConfig\(dequantize=True\)") as told:
        decoder(tmp_path).identity()
    assert "gguf_file='small.Q4_1.gguf'" in str(told.value)


def change(folder: Path, **values: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **values}))


@pytest.mark.parametrize(
    ("method", "cure"),
    [
        ("gptq", "cannot make plain weights of these: take the model that they were made from"),
        ("bitsandbytes", r"from_pretrained\('.*'\)\.dequantize\(\)\.save_pretrained\('plain'\)"),
        (
            "mxfp4",
            r"=Mxfp4Config\(dequantize=True\)\)\.save_pretrained\('plain', save_original_format=False\)",
        ),
    ],
)
def test_quantised_weights_are_refused_with_what_can_be_done(folder: Path, method: str, cure: str) -> None:
    change(folder, quantization_config={"quant_method": method})
    with pytest.raises(InputError, match=rf"(?s)quantised \({method}\).*float32, float16 or bfloat16\. .*{cure}"):
        decoder(folder).identity()


def test_every_way_to_plain_weights_is_one_of_transformers() -> None:
    for method, config in PLAIN_BY_CONFIG.items():
        assert AUTO_QUANTIZATION_CONFIG_MAPPING[method] is getattr(tf, config)
        assert "dequantize" in signature(getattr(tf, config)).parameters
    for method in ("bitsandbytes_4bit", "bitsandbytes_8bit", "higgs"):
        quantizer = AUTO_QUANTIZER_MAPPING[method]
        assert quantizer._dequantize is not HfQuantizer._dequantize


def test_other_kinds_of_models_are_refused(tmp_path: Path) -> None:
    cases.build(cases.TRANSLATORS["t5"]).save_pretrained(tmp_path / "t5")
    cases.tiny_tokenizer().save_pretrained(tmp_path / "t5")
    with pytest.raises(InputError, match="is an encoder-decoder"):
        decoder(tmp_path / "t5").identity()
    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 32}
    tf.BertForMaskedLM(tf.BertConfig(vocab_size=lm.VOCABULARY, **sizes)).save_pretrained(tmp_path / "bert")
    lm.tokenizer().save_pretrained(tmp_path / "bert")
    with pytest.raises(InputError, match="is a BertForMaskedLM, which does not predict the next word"):
        decoder(tmp_path / "bert").identity()
    change(tmp_path / "bert", architectures=["BertForSequenceClassification"])
    with pytest.raises(InputError, match="next word: model=hf_classifier studies it"):
        decoder(tmp_path / "bert").identity()
    change(tmp_path / "bert", architectures=["BertLMHeadModel"])
    with pytest.raises(InputError, match="looks at tokens that come later: it is an encoder"):
        decoder(tmp_path / "bert").load(CPU)


def test_a_model_without_weights_of_its_own_is_refused(folder: Path) -> None:
    shutil.copy(save(folder.parent / "gpt2", "gpt2") / "model.safetensors", folder)
    with pytest.raises(InputError, match="the weights lack or misfit"):
        decoder(folder).load(CPU)


def test_a_tokenizer_of_another_model_is_found_before_the_weights_are_read(folder: Path) -> None:
    change(folder, vocab_size=200)
    with pytest.raises(InputError, match="200 embeddings: not its tokenizer"):
        decoder(folder).check_texts(lm.choices(), 1.0)


def test_a_device_map_needs_accelerate(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.subjects.huggingface.load_decoder.find_spec", lambda _: None)
    with pytest.raises(MissingPackageError, match="model.device_map=auto needs accelerate: pip install accelerate"):
        decoder(folder, device_map="auto").load(CPU)


@pytest.mark.skipif(importlib.util.find_spec("accelerate") is None, reason="accelerate is optional")
def test_a_device_map_changes_nothing(folder: Path) -> None:
    plain, spread = decoder(folder).load(CPU), decoder(folder, device_map="auto").load(CPU)
    rows = plain.encode(lm.choices())
    masks = np.random.default_rng(2).random((len(rows), plain.layout.width)) < 0.6
    assert plain.outcomes(rows, masks)["loss"] == pytest.approx(spread.outcomes(rows, masks)["loss"])


@pytest.mark.parametrize(("heads", "plain"), [(["0.0", "0.1", "1.2", "1.3"], True), (["0.1", "1.0", "1.1"], False)])
def test_a_pruned_decoder_is_the_masked_one(folder: Path, tmp_path: Path, heads: list[str], plain: bool) -> None:
    """A group from each layer goes: transformers alone loads the rest. Groups of several sizes this project loads.

    Either way it is a decoder, of which groups are units where all have as many heads.
    """
    source, names = decoder(folder, begin=Begin.bos), [f"decoder_self.{head}" for head in heads]
    out = prune(PruneConfig(model=source, out=str(tmp_path / "small"), heads=names, export=Export.none))
    assert (out / "heads.json").exists() != plain
    whole, small = source.load(CPU), source.pruned(out).load(CPU)
    assert set(small.layout.counts) == {AttentionKind.DECODER_SELF}
    assert [str(group) for group in small.layout.key_groups] == (["decoder_self.0.g0", "decoder_self.1.g0"] * plain)
    mask = whole.layout.without([head for head in whole.layout.heads if str(head) in names])
    rows = whole.encode(lm.choices())
    found = small.outcomes(small.encode(lm.choices()), np.ones((len(rows), small.layout.width), dtype=bool))
    expected = whole.outcomes(rows, np.tile(mask, (len(rows), 1)))
    assert found["loss"] == pytest.approx(expected["loss"], rel=1e-4, abs=1e-4)
    if plain:
        other = tf.AutoModelForCausalLM.from_pretrained(out)
        ids = torch.tensor([rows[0].requests[0].read])
        with torch.no_grad():
            assert torch.allclose(other(ids).logits, small.module(ids).logits, atol=1e-5)


def test_a_pruned_decoder_keeps_its_dtype(folder: Path, tmp_path: Path) -> None:
    """In another one it would not say what the masked model says, within rounding."""
    source = decoder(folder, dtype=Dtype.bfloat16)
    out = prune(PruneConfig(model=source, out=str(tmp_path / "small"), heads=["decoder_self.0.1"], export=Export.none))
    assert source.pruned(out).load(CPU).module.dtype == torch.bfloat16
    assert "model.dtype=bfloat16" in (out / "README.md").read_text()


@pytest.mark.slow
def test_exported_files_of_a_decoder_run_without_this_project(folder: Path, tmp_path: Path) -> None:
    """Where a group has lost a head, so that transformers cannot load the folder."""
    runtime, source = pytest.importorskip("onnxruntime"), decoder(folder)
    out = prune(PruneConfig(model=source, out=str(tmp_path / "small"), heads=["decoder_self.0.1"], export=Export.onnx))
    program = torch.export.load(out / "model.pt2").module()
    small = source.pruned(out).load(CPU)
    ids = torch.tensor([[5, 6, 7, 8, 9, 10, 11]])
    with torch.no_grad():
        expected = small.module(ids).logits
        assert torch.allclose(program(input_ids=ids, attention_mask=torch.ones_like(ids)), expected, atol=1e-4)
    inputs = {"input_ids": ids.numpy(), "attention_mask": torch.ones_like(ids).numpy()}
    (found,) = runtime.InferenceSession(str(out / "model.onnx")).run(None, inputs)
    assert found == pytest.approx(expected.numpy(), abs=1e-4)
