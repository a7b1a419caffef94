"""Checkpoints of fairseq's are read as what they are, and nothing else is."""

import os
import pickle
import subprocess
import sys
import zipfile
from argparse import Namespace
from collections import defaultdict, deque
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.fairseq.files import as_of_2018, plain_logprobs, pre_norm, settings, weights, write_checkpoint
from omegaconf import II, MISSING, OmegaConf, open_dict
from transformers import FSMTForConditionalGeneration, M2M100ForConditionalGeneration

from study.record.errors import InputError
from study.subjects.fairseq.checkpoint import build, read_checkpoint

SOURCE, TARGET = [5, 9, 4, 12, 7, 2], [2, 8, 6, 11]
SEPARATE = {"share_all_embeddings": False, "share_decoder_input_output_embed": False}


def module_logprobs(path: Path) -> torch.Tensor:
    """The sentence beside a longer one, so that it is padded."""
    module = build(read_checkpoint(path))
    sources = torch.tensor([[*SOURCE, 1, 1], [4, 5, 6, 7, 8, 9, 10, 2]])
    output = module(
        input_ids=sources,
        attention_mask=sources.ne(1).long(),
        decoder_input_ids=torch.tensor([TARGET, TARGET]),
        use_cache=False,
    )
    return output.logits[0].log_softmax(-1)


@pytest.mark.parametrize(
    ("args", "kind"),
    [
        (settings(), FSMTForConditionalGeneration),
        (settings(**SEPARATE), FSMTForConditionalGeneration),
        (settings(no_scale_embedding=True), FSMTForConditionalGeneration),
        (pre_norm(), M2M100ForConditionalGeneration),
        (pre_norm() | SEPARATE, M2M100ForConditionalGeneration),
        (pre_norm() | {"no_scale_embedding": True}, M2M100ForConditionalGeneration),
    ],
)
def test_module_computes_what_the_architecture_says(tmp_path: Path, args: dict[str, Any], kind: type) -> None:
    path = write_checkpoint(tmp_path / "model.pt", args)
    assert isinstance(build(read_checkpoint(path)), kind)
    expected = plain_logprobs(args, weights(args), SOURCE, TARGET)
    torch.testing.assert_close(module_logprobs(path), expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize("zipped", [True, False])
def test_layout_and_file_format_of_2018(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, zipped: bool) -> None:
    """`args`, fused projections, numbered norms, half precision, and a meter of fairseq's among the training state."""
    meters = ModuleType("fairseq.meters")

    class AverageMeter:
        def __init__(self) -> None:
            self.avg = 3.0

    AverageMeter.__module__, AverageMeter.__qualname__ = "fairseq.meters", "AverageMeter"
    meters.AverageMeter = AverageMeter  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "fairseq", ModuleType("fairseq"))
        patch.setitem(sys.modules, "fairseq.meters", meters)
        args = settings()
        old = {name: tensor.half() for name, tensor in as_of_2018(weights(args)).items()}
        named = {name: value for name, value in args.items() if name != "activation_fn"}
        content = {"args": Namespace(**named), "model": old, "extra_state": {"meters": {"loss": AverageMeter()}}}
        torch.save(content, tmp_path / "model.pt", _use_new_zipfile_serialization=zipped)
    expected = plain_logprobs(args, {n: t.half().float() for n, t in weights(args).items()}, SOURCE, TARGET)
    torch.testing.assert_close(module_logprobs(tmp_path / "model.pt"), expected, atol=2e-5, rtol=0)
    assert not [name for name in sys.modules if name.startswith("fairseq.")]


def saved_with(path: Path, *old_and_new: tuple[bytes, bytes], **content: Any) -> Path:
    """A checkpoint of these contents, some names in its pickle replaced: what other versions write."""
    torch.save({"args": None, "model": weights(settings()), **content}, path)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            for old, new in old_and_new if name.endswith("data.pkl") else ():
                assert old in data
                data = data.replace(old, new)
            archive.writestr(name, data)
    return path


def assert_reads_as_plain(path: Path, **changes: Any) -> None:
    assert read_checkpoint(path).max_source_positions == changes.get("max_source_positions", 40)
    torch.testing.assert_close(
        module_logprobs(path), plain_logprobs(settings(), weights(settings()), SOURCE, TARGET), atol=2e-5, rtol=0
    )


@pytest.mark.parametrize("package", [b"numpy._core", b"numpy.core"])
def test_numpy_of_the_validation_is_passed_over(tmp_path: Path, package: bytes) -> None:
    """What `--eval-bleu` leaves among the metrics, and scalars, under the names of numpy 1 and 2."""
    metrics = {"_bleu_counts": np.arange(4), "best": np.float64(3.5), "when": PurePosixPath("a"), "x": b"bytes"}
    metrics |= {"of": defaultdict(dict, {"a": {"b": np.int64(1)}}), "last": deque([1.0, np.float32(2)], maxlen=3)}
    modern = (b"numpy._core", package)
    path = saved_with(tmp_path / "model.pt", modern, cfg={"model": Namespace(**settings())}, extra_state=metrics)
    assert_reads_as_plain(path)


class Activation(Enum):
    relu = "relu"


@dataclass
class Architecture:
    """As structured configs of fairseq's are."""

    activation_fn: Activation = Activation.relu
    max_source_positions: int = II("task.max_source_positions")
    adaptive_softmax_cutoff: list[int] | None = None
    encoder_layers_to_keep: str = MISSING


@pytest.mark.parametrize("kind", ["namespace", "mapping", "structured", "dataclass", "member by name"])
def test_configs_as_objects_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """DictConfig with its nodes, lists, members of enums, interpolations and missing values; dataclasses themselves."""
    flat = settings(betas=[0.9, 0.98])
    task = {"source_lang": "en", "target_lang": "fr", "max_source_positions": 40}
    config: Any = OmegaConf.create({"task": task}, flags={"allow_objects": True})
    named = {name: value for name, value in flat.items() if name not in Architecture.__dataclass_fields__}
    if kind == "member by name":  # how Python 3.11 pickles members
        monkeypatch.setattr(Activation, "__reduce_ex__", lambda self, _: (getattr, (Activation, self.name)))
    if kind in ("structured", "member by name"):
        config.model = OmegaConf.structured(Architecture)
        OmegaConf.set_struct(config.model, value=False)
        with open_dict(config.model):
            config.model.update(named)
    elif kind == "dataclass":
        architecture = Architecture(max_source_positions=40, encoder_layers_to_keep="")
        vars(architecture).update(named)
        config = {"task": Namespace(**task), "model": architecture}
    else:
        config.model = Namespace(**flat) if kind == "namespace" else flat
    ours = Activation.__module__.encode()
    renamed = [] if kind in ("namespace", "mapping") else [(ours, b"fairseq.models.transformer")]
    path = saved_with(tmp_path / "model.pt", *renamed, cfg=config)
    assert_reads_as_plain(path)
    assert read_checkpoint(path).languages == ("en", "fr")


def test_output_embedding_of_its_own_in_2018(tmp_path: Path) -> None:
    args = settings(**SEPARATE)
    state = weights(args)
    old = as_of_2018(state) | {"decoder.embed_out": state["decoder.output_projection.weight"]}
    path = write_checkpoint(tmp_path / "model.pt", args, old)
    torch.testing.assert_close(module_logprobs(path), plain_logprobs(args, state, SOURCE, TARGET), atol=2e-5, rtol=0)


def test_nested_settings_of_the_hydra_trainer(tmp_path: Path) -> None:
    flat = settings()
    nested: dict[str, Any] = {"_name": "transformer", "share_all_embeddings": True, "max_source_positions": 40}
    for side in ("encoder", "decoder"):
        prefix = f"{side}_"
        nested[side] = {name.removeprefix(prefix): value for name, value in flat.items() if name.startswith(prefix)}
    torch.save({"cfg": {"model": nested}, "model": weights(flat)}, tmp_path / "model.pt")
    expected = plain_logprobs(flat, weights(flat), SOURCE, TARGET)
    torch.testing.assert_close(module_logprobs(tmp_path / "model.pt"), expected, atol=2e-5, rtol=0)


def test_architecture_that_cannot_be_expressed_is_refused_with_all_reasons(tmp_path: Path) -> None:
    changes = {"encoder_learned_pos": True, "layernorm_embedding": True, "decoder_embed_dim": 8}
    changes |= {"decoder_normalize_before": True, "activation_fn": "swish", "quant_noise_pq": 0.1}
    path = write_checkpoint(tmp_path / "model.pt", settings(**changes), weights(settings()))
    with pytest.raises(InputError) as refused:
        read_checkpoint(path)
    for reason in (
        "encoder_learned_pos",
        "layernorm_embedding",
        "decoder_embed_dim 8",
        "only one of",
        "swish",
        "quant",
    ):
        assert reason in str(refused.value)


def test_pre_norm_without_a_last_norm_is_refused(tmp_path: Path) -> None:
    state = {name: tensor for name, tensor in weights(pre_norm()).items() if name != "encoder.layer_norm.weight"}
    with pytest.raises(InputError, match="not after the last one"):
        read_checkpoint(write_checkpoint(tmp_path / "model.pt", pre_norm(), state))


def test_tensors_that_do_not_fit_the_settings_are_named(tmp_path: Path) -> None:
    state = weights(settings())
    del state["encoder.layers.1.fc1.weight"]
    state["encoder.extra.weight"] = torch.zeros(2)
    state["decoder.layers.0.fc2.bias"] = torch.zeros(3)
    with pytest.raises(InputError) as refused:
        build(read_checkpoint(write_checkpoint(tmp_path / "model.pt", settings(), state)))
    for name in ("encoder.layers.1.fc1.weight", "encoder.extra.weight", "decoder.layers.0.fc2.bias"):
        assert name in str(refused.value)


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    args = {"arch": "fconv", "encoder_embed_dim": 16, "encoder_layers": "[(512, 3)] * 20"}
    with pytest.raises(InputError, match="fconv.*decoder_attention_heads"):
        read_checkpoint(write_checkpoint(tmp_path / "model.pt", args, {"encoder.w": torch.zeros(1)}))


class Attack:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.trace}",)


@pytest.mark.parametrize("form", ["zip", "legacy", "plain pickle"])
def test_malicious_checkpoint_is_refused_and_runs_nothing(tmp_path: Path, form: str) -> None:
    trace, path = tmp_path / "ran", tmp_path / "model.pt"
    content = {"args": Namespace(**settings()), "model": weights(settings()), "extra_state": Attack(trace)}
    if form == "plain pickle":
        path.write_bytes(pickle.dumps(content["extra_state"], protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(InputError, match="system|cannot be read"):
        read_checkpoint(path)
    assert not trace.exists()


class Writing(Attack):
    def __reduce__(self) -> tuple[Any, ...]:
        return np.savetxt, (str(self.trace), [1.0])


def test_what_is_named_of_known_packages_is_not_called_either(tmp_path: Path) -> None:
    content = {"args": Namespace(**settings()), "model": weights(settings()), "extra_state": Writing(tmp_path / "ran")}
    torch.save(content, tmp_path / "model.pt")
    assert_reads_as_plain(tmp_path / "model.pt")
    assert not (tmp_path / "ran").exists()


def test_cure_of_a_refused_checkpoint_works(tmp_path: Path) -> None:
    """Somebody's own class among the training state, which is not needed."""
    path = tmp_path / "it's mine.pt"
    content = {"args": Namespace(**settings()), "model": weights(settings()), "extra_state": Fraction(1, 2)}
    torch.save(content, path)
    with pytest.raises(InputError, match="names fractions.Fraction") as refused:
        read_checkpoint(path)
    command = str(refused.value).split("needed: ")[1]
    subprocess.run(command.replace("python", sys.executable, 1), shell=True, check=True)
    assert_reads_as_plain(tmp_path / "it's mine-plain.pt")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("zipped", [True, False])
def test_truncated_checkpoint_is_refused(tmp_path: Path, share: float, *, zipped: bool) -> None:
    path = tmp_path / "model.pt"
    content = {"args": Namespace(**settings()), "model": weights(settings())}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(InputError, match="model.pt"):
        read_checkpoint(path)


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with pytest.raises(InputError, match="no checkpoint"):
        read_checkpoint(path)
    path.write_text("just some text")
    with pytest.raises(InputError, match="cannot be read|not loaded"):
        read_checkpoint(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(InputError, match="cannot be read"):
        read_checkpoint(path)
    for content in ([1, 2], {"weights": torch.zeros(1)}, {"model": {"a": torch.zeros(1)}}):
        torch.save(content, path)
        with pytest.raises(InputError, match="no fairseq checkpoint"):
            read_checkpoint(path)
