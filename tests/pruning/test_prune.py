"""The command: a folder that this project and others load, its card, its files, and what is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures import pruned
from fixtures.fairseq import files as fairseq_files
from fixtures.processes import Ended, study
from transformers import AutoModelForSequenceClassification

from study.certification.certify import certify
from study.pruning import export, prune
from study.pruning.config import Export, PruneConfig
from study.record.errors import InputError, MissingPackageError
from study.subjects.fairseq.folder import FairseqFolder
from study.subjects.huggingface.classifier_folder import HubClassifier
from study.subjects.huggingface.load_classifier import load_classifier
from study.subjects.model import ModelConfig

CPU = torch.device("cpu")


def classifier(folder: Path, name: str = "bert") -> HubClassifier:
    return HubClassifier(name=name, path=str(pruned.classifier_folder(folder / name, name)), max_length=32)


def run(model: ModelConfig, out: Path, **changes: object) -> Path:
    return prune.prune(PruneConfig(**{"model": model, "out": str(out), "export": Export.none, **changes}))


@pytest.mark.parametrize("name", ["bert", "gpt2", "t5"])
def test_folder_of_a_classifier(name: str, tmp_path: Path) -> None:
    source = classifier(tmp_path, name)
    whole = source.load(CPU)
    mask = pruned.some_masks(whole.layout)[-1]
    out = run(source, tmp_path / "small", mask=whole.layout.key(mask), scores={"mnli": 71.5})
    again = HubClassifier(name="", path=str(out), max_length=32)
    subject = again.load(CPU)
    assert (subject.labels, again.name) == (whole.labels, "small")
    assert certify(subject).largest_difference < 1e-5
    found = subject.response(subject.probe(), None).numpy()
    assert found == pytest.approx(pruned.masked(whole, mask).numpy(), abs=1e-4)
    card = (out / "README.md").read_text()
    assert f"{(~mask).sum()} of {len(mask)} heads removed" in card
    assert f"{whole.module.num_parameters():,} before, {subject.module.num_parameters():,} after" in card
    assert source.identity()["files"]["model.safetensors"] in card
    assert f"model.path={out}" in card
    assert "score on mnli: 71.5" in card


def test_layout_is_part_of_the_identity(tmp_path: Path) -> None:
    source = classifier(tmp_path)
    out = run(source, tmp_path / "small", mask="10111111")
    again = HubClassifier(name="", path=str(out), max_length=32)
    before = again.identity()
    assert set(before["files"]) >= {"config.json", "heads.json", "model.safetensors", "tokenizer.json"}
    heads = out / "heads.json"
    heads.write_text(heads.read_text().replace("0,", "1,", 1))
    assert again.identity() != before


@pytest.mark.parametrize("pre_norm", [False, True])
def test_folder_of_a_translator(pre_norm: bool, tmp_path: Path) -> None:
    args = fairseq_files.pre_norm() if pre_norm else fairseq_files.settings()
    folder = fairseq_files.write_folder(tmp_path / "whole", args)
    source = FairseqFolder(name="", path=str(folder), source_lang="en", target_lang="fr", max_len_b=9)
    whole = source.load(CPU)
    mask = pruned.some_masks(whole.layout)[-1]
    out = run(source, tmp_path / "small", mask=whole.layout.key(mask))
    again = FairseqFolder(name="", path=str(out), source_lang="en", target_lang="fr", max_len_b=9)
    subject = again.load(CPU)
    certify(subject)
    found = subject.response(subject.probe(), None).numpy()
    assert found == pytest.approx(pruned.masked(whole, mask).numpy(), abs=1e-4)
    assert set(again.identity()["checkpoint"]) == {"config.json", "heads.json", "model.safetensors"}
    assert (subject._max_source, subject._max_target) == (whole._max_source, whole._max_target)
    assert "model.max_len_b=9" in (out / "README.md").read_text()
    smaller = run(again, tmp_path / "smaller", heads=[str(subject.layout.heads[0])])
    source = FairseqFolder(name="", path=str(smaller), source_lang="en", target_lang="fr")
    assert len(source.load(CPU).layout) == len(subject.layout) - 1


def test_plain_transformers_load_llama_without_this_project(tmp_path: Path) -> None:
    source = classifier(tmp_path, "llama")
    groups = ["decoder_self.0.g1", "decoder_self.1.g0"]
    out = run(source, tmp_path / "small", heads=groups, export=Export.auto)
    assert not (out / "heads.json").exists()
    assert "transformers alone: `LlamaForSequenceClassification.from_pretrained" in (out / "README.md").read_text()
    whole = source.load(CPU)
    expected = pruned.masked(whole, np.array([1, 1, 0, 0, 0, 0, 1, 1], dtype=bool))
    other = AutoModelForSequenceClassification.from_pretrained(out)
    found = pruned.subject("classifier llama", other)
    assert found.response(found.probe(), None).numpy() == pytest.approx(expected.numpy(), abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["bert", *(pytest.param(name, marks=pytest.mark.exhaustive) for name in ("distilbert", "gpt2"))]
)
def test_files_run_without_this_project(name: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    source = classifier(tmp_path, name)
    layout = source.load(CPU).layout
    mask = pruned.some_masks(layout)[-1]
    mask[layout.columns(*layout.layers[0])] = False
    out = run(source, tmp_path / "small", mask=layout.key(mask), export=Export.onnx)
    subject = HubClassifier(name="", path=str(out), max_length=32).load(CPU)
    ids = torch.randint(4, 60, (4, 11), generator=torch.Generator().manual_seed(1))
    present = (torch.arange(11) < torch.tensor([11, 4, 7, 9])[:, None]).long()
    ids = ids.where(present == 1, 0)
    inputs = {"input_ids": ids, "attention_mask": present}
    expected = subject.module(**inputs).logits.numpy()
    if name == "bert":
        inputs["token_type_ids"] = torch.zeros_like(ids)
    session = runtime.InferenceSession(out / "model.onnx")
    onnx = session.run(None, {key: value.numpy() for key, value in inputs.items()})[0]
    assert onnx == pytest.approx(expected, abs=1e-4)
    program = torch.export.load(out / "model.pt2").module()
    assert program(**inputs).numpy() == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
def test_what_cannot_be_exported_is_left_out_or_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """BART reads its class at the end token, wherever that is: no graph has such a step."""
    source = classifier(tmp_path, "bart")
    mask = "0" + "1" * 19
    out = run(source, tmp_path / "small", mask=mask, export=Export.auto)
    assert "cannot be" in caplog.text
    assert not list(out.glob("*.onnx"))
    with pytest.raises(InputError, match=r"model.* cannot be (written|exported) \(export="):
        run(source, tmp_path / "smaller", mask=mask, export=Export.onnx)
    assert not (tmp_path / "smaller").exists()


@pytest.mark.slow
def test_encoder_and_decoder_step_translate_without_this_project(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    subject = pruned.removed("translator fsmt", pruned.some_masks(pruned.subject("translator fsmt").layout)[-1])
    differences = export.export(subject, tmp_path, onnx=True)
    assert set(differences) == {"encoder.pt2", "encoder.onnx", "decoder_step.pt2", "decoder_step.onnx"}
    ids, present = subject.padded(subject.probe())
    encoder, step = (runtime.InferenceSession(tmp_path / f"{name}.onnx") for name in ("encoder", "decoder_step"))
    encoded = encoder.run(None, {"input_ids": ids.numpy(), "attention_mask": present.numpy()})[0]
    so_far = subject.random_targets(subject.probe())[:, :3]
    for _ in range(3):
        given = {"encoded": encoded, "attention_mask": present.numpy(), "target_ids": so_far.numpy()}
        word = torch.from_numpy(step.run(None, given)[0]).argmax(-1, keepdim=True)
        output = subject.module(input_ids=ids, attention_mask=present, decoder_input_ids=so_far, use_cache=False)
        assert torch.equal(word, output.logits[:, -1].argmax(-1, keepdim=True))
        so_far = torch.cat([so_far, word], dim=1)


def test_refuses_and_leaves_nothing(tmp_path: Path) -> None:
    source = classifier(tmp_path)
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="there exists: name a new folder"):
        run(source, tmp_path / "there", mask="01111111")
    for changes, message in (({"mask": "0"}, "'0' is no mask"), ({"heads": ["cross.0.0"]}, "no head cross")):
        with pytest.raises(InputError, match=message):
            run(source, tmp_path / "small", **changes)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bert", "there"]


def test_refuses_what_is_not_equal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = classifier(tmp_path)
    honest = prune.cut
    monkeypatch.setattr(prune, "cut", lambda subject, mask: honest(subject, mask[::-1].copy()))
    with pytest.raises(
        InputError, match="cannot be pruned: with the heads removed it differs from the masked model by"
    ):
        run(source, tmp_path / "small", mask="01111111")
    assert not (tmp_path / "small").exists()


def test_refuses_an_architecture_that_fails_with_fewer_heads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.subjects.pruned.remove.EmptyAttention", torch.nn.Identity)
    with pytest.raises(InputError, match="cannot be pruned: .* does not run on token ids on cpu: TypeError"):
        run(classifier(tmp_path), tmp_path / "small", mask="00001111")


def test_onnx_without_its_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "find_spec", lambda _: None)
    with pytest.raises(
        MissingPackageError, match=r"onnx, onnxscript, onnxruntime: pip install 'sixteen-heads\[export\]'"
    ):
        run(classifier(tmp_path), tmp_path / "small", mask="01111111", export=Export.onnx)


def _no_layout(folder: Path) -> None:
    (folder / "heads.json").unlink()


def _layout_with(old: str, new: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "heads.json").write_text((folder / "heads.json").read_text().replace(old, new))


def _another_layout(folder: Path) -> None:
    path = folder / "heads.json"
    heads = json.loads(path.read_text())
    heads["kept"] = {name: layer[1:] for name, layer in heads["kept"].items()}
    path.write_text(json.dumps(heads))


def _cut_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_no_layout, "cannot load the classifier|lack or misfit"),
        (_another_layout, r"its weights are not those of its config\.json and heads\.json:\n.*is \[.*expected"),
        (_layout_with("3", "7"), r"keeps \[.*7.*\] of \[0, 1, 2, 3\]"),
        (_layout_with("kept", "lost"), "does not say which heads are kept: KeyError"),
        (_layout_with('"format": 1', '"format": 2'), "has format 2, this version reads 1"),
        (_cut_weights, r"model\.safetensors cannot be read"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused(damage, message: str, tmp_path: Path) -> None:
    out = run(classifier(tmp_path), tmp_path / "small", mask="01111101")
    damage(out)
    with pytest.raises(InputError, match=message):
        HubClassifier(name="", path=str(out), max_length=32).load(CPU)


def test_a_folder_is_not_what_it_is_not(tmp_path: Path) -> None:
    out = run(classifier(tmp_path), tmp_path / "small", mask="01111101")
    for file in fairseq_files.write_folder(tmp_path / "whole").iterdir():
        if file.suffix != ".pt":
            shutil.copy(file, out)
    with pytest.raises(InputError, match="was not a translation model of fairseq"):
        FairseqFolder(name="", path=str(out), source_lang="en", target_lang="fr").load(CPU)
    whole = FairseqFolder(name="", path=str(tmp_path / "whole"), source_lang="en", target_lang="fr")
    small = run(whole, tmp_path / "smaller", heads=["cross.0.1"])
    with pytest.raises(InputError, match="holds a FSMTForConditionalGeneration, which is no classifier"):
        load_classifier(small, CPU, labels=("a", "b"), max_length=32, truncate=False)
    with pytest.raises(InputError, match="label"):
        HubClassifier(name="", path=str(small), max_length=32).load(CPU)


def command(folder: Path, *arguments: str) -> Ended:
    return study(folder, "prune", *arguments, f"hydra.run.dir={folder}/logs")


def test_the_command(tmp_path: Path) -> None:
    folder = pruned.classifier_folder(tmp_path / "bert", "bert")
    model = ("model=hf_classifier", f"model.path={folder}", "model.max_length=32", "export=none")
    done = command(tmp_path, *model, "heads=[encoder_self.0.1,encoder_self.1.3]", "out=small")
    assert (done.returncode, "2 of 8 heads removed" in done.stdout + done.stderr) == (0, True), done.stderr
    again = command(tmp_path, *model, "mask=01111111", "out=small")
    assert again.returncode == 1
    assert again.stderr.strip().endswith("study: out=small exists: name a new folder")
    bare = command(tmp_path, *model, "heads=encoder_self.0.1", "out=other")
    assert (bare.returncode, "heads=[encoder_self.0.1]" in bare.stderr) == (1, True)
    outside = command(tmp_path, *model, "order=none.txt", "share=1.4", "out=other")
    assert (outside.returncode, "share=1.4: expected a number from 0 to 1" in outside.stderr) == (1, True)
    none = command(tmp_path, *model, "out=other")
    assert (none.returncode, "say which heads to remove, in one way" in none.stderr) == (1, True)
