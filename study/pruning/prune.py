"""`study prune`: a subject and heads to remove become the folder of a smaller model that is proved equal."""

import logging
import shutil
import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool
from omegaconf import MISSING, DictConfig, OmegaConf

from study.pruning.selection import Selection
from study.record.errors import InputError, StudyError
from study.subjects.fairseq.folder import PRUNED, FairseqConfig, FairseqFolder
from study.subjects.model import ClassifierConfig, HubClassifier, ModelConfig

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from study.masking.sites import AttentionSite
    from study.pruning.card import Facts
    from study.subjects.subject import Subject

log = logging.getLogger(__name__)


class Export(StrEnum):
    """Files for programs without this project: what there is to ask for."""

    auto = "auto"
    none = "none"
    torch = "torch"
    onnx = "onnx"


@dataclass(kw_only=True)
class PruneConfig(Selection):
    """What to prune.

    Attributes:
        model: the model, as of a job.
        out: the folder to make.
        export: files for programs without this project: `auto` (ONNX where its packages are installed, else
            torch.export, nothing where transformers alone loads the folder), `torch`, `onnx` (both), `none`.
        scores: to be written on the card, by data set.
        threads: CPU threads; 0 leaves it to torch.
    """

    model: ModelConfig = MISSING
    out: str = MISSING
    export: Export = Export.auto
    scores: dict[str, float] = field(default_factory=dict)
    threads: int = 0


def prune_task(config: DictConfig) -> None:
    """What Hydra runs."""
    composed = OmegaConf.to_object(config)
    assert isinstance(composed, PruneConfig)
    prune(composed)


def prune(config: PruneConfig) -> Path:
    """Remove heads, prove the result equal to the masked model, and save it; the folder is whole or not there.

    Raises:
        StudyError: when the heads are not the model's, the model cannot be pruned, the folder exists, or what was
            made is not equal.
    """
    config.check()
    out = Path(config.out).expanduser()
    if out.exists():
        raise InputError(f"out={out} exists: name a new folder")
    if config.export is Export.onnx:
        from study.pruning.export import require_onnx

        require_onnx()
    if config.model.missing():
        log.info("getting %s", "; ".join(config.model.missing()))
        config.model.fetch()
    draft = out.with_name(f".{out.name}.{uuid.uuid4().hex}")
    try:
        facts = _make(config, draft, out)
        draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    log.info(
        "%s: %d of %d heads removed, %s parameters instead of %s, equal to the masked model within %.1g",
        out,
        int((~facts.mask).sum()),
        len(facts.mask),
        *(f"{number:,}" for number in reversed(facts.parameters)),
        facts.difference,
    )
    log.info("study it: study %s data=...", facts.command)
    return out


def _make(config: PruneConfig, folder: Path, out: Path) -> "Facts":
    """All files of the folder, the card last."""
    import torch

    from study.certification.certify import certify
    from study.pruning.card import Facts, card
    from study.subjects.pruned.remove import heads_per_group

    if config.threads:
        torch.set_num_threads(config.threads)
    subject = config.model.load(torch.device("cpu"))
    certify(subject)
    module, layout = module_of(subject), subject.layout
    mask = config.keeps(layout, heads_per_group(module))
    rows = subject.probe()
    expected = subject.response(rows, subject.as_xi(mask[None].repeat(len(rows), axis=0)))
    before = module.num_parameters()
    sites = cut(subject, mask)
    plain = _write(subject, sites, config.model, folder)
    smaller = _read(_source(config.model, folder), expected, subject.loaded)
    files = {} if plain and config.export is Export.auto else _exported(smaller, folder, config.export)
    source = _source(config.model, out)
    facts = Facts(
        name=config.model.name,
        architecture=type(module).__name__,
        identity=config.model.identity(),
        layout=layout,
        mask=mask,
        parameters=(before, module_of(smaller).num_parameters()),
        difference=difference(smaller, expected),
        plain=plain,
        command=_command(source),
        files=files,
        scores=config.scores,
    )
    (folder / "README.md").write_text(card(facts), encoding="utf-8")
    return facts


def module_of(subject: "Subject") -> "PreTrainedModel":
    """The transformers module of a subject."""
    from study.subjects.classifier import Classifier
    from study.subjects.translator import Translator

    if not isinstance(subject, Classifier | Translator):
        raise InputError(f"{subject.loaded} cannot be pruned: it is no classifier and no translation model")
    return subject.module


def cut(subject: "Subject", mask: Bool[np.ndarray, " heads"]) -> "list[AttentionSite]":
    """Remove the heads that a mask turns off from a subject's module, which thereby is no subject any more.

    Returns:
        The attention layers of the module as it is now.
    """
    from study.masking.sites import find_sites, heads_left
    from study.subjects.pruned.remove import remove_heads

    module, gate = module_of(subject), subject.gate
    kept = {
        site.name: [
            head
            for head, on in zip(heads_left(site), mask[gate.layout.columns(site.kind, site.layer)], strict=True)
            if on
        ]
        for site in gate.sites
    }
    gate.remove()
    remove_heads(module, gate.sites, kept)
    return find_sites(module, causal=False)


def difference(subject: "Subject", expected: "torch.Tensor") -> float:
    """How far a subject is from what it should respond on its probe, as a share of the largest number."""
    found = subject.response(subject.probe(), None)
    return ((found - expected).abs().max() / (expected.abs().max() or 1.0)).item()


def _write(subject: "Subject", sites: "list[AttentionSite]", source: ModelConfig, folder: Path) -> bool:
    """Model and text processing; whether transformers loads the model without this project."""
    from study.pruning.plain import as_plain
    from study.subjects.classifier import Classifier
    from study.subjects.huggingface.hub import tokenizer_files
    from study.subjects.pruned.folder import write_model

    module = module_of(subject)
    if isinstance(source, FairseqConfig):
        write_model(module, sites, folder, **source.positions())
        for file, name in source.text_files().items():
            shutil.copyfile(file, folder / name)
        return False
    if not isinstance(source, ClassifierConfig) or not isinstance(subject, Classifier):
        raise InputError(f"{subject.loaded} cannot be pruned: only classifiers of transformers and fairseq models are")
    module.config.id2label = dict(enumerate(subject.labels))
    module.config.label2id = {label: i for i, label in enumerate(subject.labels)}
    plain = as_plain(module, sites)
    if plain is None:
        write_model(module, sites, folder)
    else:
        plain.save_pretrained(folder)
    for file in tokenizer_files(source.folder()):
        shutil.copyfile(file, folder / file.name)
    return plain is not None


def _read(source: ModelConfig, expected: "torch.Tensor", loaded: str) -> "Subject":
    """The smaller model as anyone will load it, once it is certified and seen to be the masked one.

    Raises:
        InputError: when it is not; says what is wrong.
    """
    import torch

    from study.certification.certify import TOLERANCE, certify

    try:
        smaller = source.load(torch.device("cpu"))
        certify(smaller)
        differs = difference(smaller, expected)
    except StudyError as error:
        raise InputError(f"{loaded} cannot be pruned: {error}") from error
    except (RuntimeError, ValueError, TypeError, AttributeError, IndexError, AssertionError) as error:
        raise InputError(
            f"{loaded} cannot be pruned: its attention does not work with fewer heads ({type(error).__name__}: {error})"
        ) from error
    if not differs <= TOLERANCE:
        raise InputError(
            f"{loaded} cannot be pruned: with the heads removed it differs from the masked model by {differs:.2g} of "
            "the largest number"
        )
    return smaller


def _source(model: ModelConfig, folder: Path) -> ModelConfig:
    """Where the smaller model is, as a config of this project says it."""
    shared: dict[str, Any] = {"name": folder.name.lstrip("."), "path": str(folder)}
    if isinstance(model, FairseqConfig):
        own = {name: getattr(model, name) for name in FairseqConfig.__dataclass_fields__}
        return FairseqFolder(
            **{**own, **shared, "epoch": None, "checkpoint": PRUNED, "bpe_codes": None, "expected": {}}
        )
    assert isinstance(model, ClassifierConfig)
    return HubClassifier(**shared, max_length=model.max_length, truncate=model.truncate)


def _exported(smaller: "Subject", folder: Path, wanted: Export) -> dict[str, float]:
    from study.pruning.export import export, has_onnx

    if wanted is Export.none:
        return {}
    if wanted is not Export.auto:
        return export(smaller, folder, onnx=wanted is Export.onnx)
    if not has_onnx():
        log.info("no ONNX file: pip install 'sixteen-heads[export]' for it")
    for onnx in (True, False) if has_onnx() else (False,):
        try:
            return export(smaller, folder, onnx=onnx)
        except InputError as error:
            log.warning("%s", error)
            for file in [*folder.glob("*.onnx"), *folder.glob("*.pt2")]:
                file.unlink()
    return {}


def _command(source: Any) -> str:
    """The overrides with which this project loads a model: those that are not its config's defaults."""
    group = "fairseq_folder" if isinstance(source, FairseqFolder) else "hf_classifier"
    default = type(source)(path=getattr(source, "path", ""), name=source.name)
    told = ("path", "source_lang", "target_lang", "escape", "aggressive_dash_splits", "beam", "lenpen")
    told += ("max_len_a", "max_len_b", "max_length", "truncate")
    values = {name: getattr(source, name) for name in told if hasattr(source, name)}
    values = {name: v for name, v in values.items() if name == "path" or v != getattr(default, name)}
    return " ".join([f"model={group}", *(f"model.{name}={value}" for name, value in values.items())])
