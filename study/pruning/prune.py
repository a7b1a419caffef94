"""`study prune`: a subject and heads to remove become the folder of a smaller model that is proved equal."""

import logging
import shutil
import uuid
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from study.certification.certify import TOLERANCE, certify
from study.masking.sites import AttentionSite, find_sites, heads_left
from study.pruning.card import Facts, card
from study.pruning.config import Export, PruneConfig
from study.pruning.export import export, missing_packages, relative_difference
from study.pruning.plain import as_plain
from study.record.errors import InputError, MissingPackageError, StudyError
from study.subjects.model import ModelConfig
from study.subjects.pruned.folder import write_model
from study.subjects.pruned.remove import remove_heads
from study.subjects.subject import Subject

log = logging.getLogger(__name__)


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
    if config.export is Export.onnx and (missing := missing_packages()):
        raise MissingPackageError(f"export=onnx needs {', '.join(missing)}: pip install 'sixteen-heads[export]'")
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
        len(facts.layout),
        *(f"{number:,}" for number in reversed(facts.parameters)),
        facts.difference,
    )
    log.info("study it: study %s data=...", facts.command)
    return out


def _make(config: PruneConfig, folder: Path, out: Path) -> Facts:
    """All files of the folder, the card last."""
    if config.threads:
        torch.set_num_threads(config.threads)
    subject = config.model.load(torch.device("cpu"))
    certify(subject)
    module, layout = subject.module, subject.layout
    mask = config.keeps(layout)
    rows = subject.probe()
    expected = subject.response(rows, subject.as_xi(np.tile(mask, (len(rows), 1))))
    before = module.num_parameters()
    plain = _write(subject, cut(subject, mask), config.model, folder)
    smaller, difference = _read(config.model.pruned(folder), expected, subject.loaded)
    facts = Facts(
        name=config.model.name,
        architecture=type(module).__name__,
        identity=config.model.identity(),
        layout=layout,
        mask=mask,
        parameters=(before, smaller.module.num_parameters()),
        difference=difference,
        plain=plain,
        command=_command(config.model.pruned(out)),
        files={} if plain and config.export is Export.auto else _exported(smaller, folder, config.export),
        scores=config.scores,
    )
    (folder / "README.md").write_text(card(facts), encoding="utf-8")
    return facts


def cut(subject: Subject, mask: Bool[np.ndarray, " heads"]) -> list[AttentionSite]:
    """Remove the heads that a mask turns off from a subject's module, which thereby is no subject any more.

    Returns:
        The attention layers of the module as it is now.
    """
    module, gate = subject.module, subject.gate
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


def _write(subject: Subject, sites: list[AttentionSite], config: ModelConfig, folder: Path) -> bool:
    """Write the model and its text files; return whether transformers loads the model without this project."""
    plain = as_plain(subject.module, sites)
    if plain is None:
        write_model(subject.module, sites, folder, **subject.saved_facts())
    else:
        plain.save_pretrained(folder)
    for file, name in config.text_files().items():
        shutil.copyfile(file, folder / name)
    return plain is not None


def _read(config: ModelConfig, expected: Tensor, loaded: str) -> tuple[Subject, float]:
    """The smaller model as anyone will load it, certified, and how far it is from the masked one.

    Raises:
        InputError: when it is not the masked one; says what is wrong.
    """
    try:
        smaller = config.load(torch.device("cpu"))
        certify(smaller)
        difference = relative_difference(smaller.response(smaller.probe(), None), expected)
    except StudyError as error:
        raise InputError(f"{loaded} cannot be pruned: {error}") from error
    except (RuntimeError, ValueError, TypeError, AttributeError, IndexError, AssertionError) as error:
        raise InputError(
            f"{loaded} cannot be pruned: its attention does not work with fewer heads ({type(error).__name__}: {error})"
        ) from error
    if not difference <= TOLERANCE:
        raise InputError(
            f"{loaded} cannot be pruned: with the heads removed it differs from the masked model by {difference:.2g} "
            "of the largest number"
        )
    return smaller, difference


def _exported(smaller: Subject, folder: Path, wanted: Export) -> dict[str, float]:
    if wanted is Export.none:
        return {}
    if wanted is not Export.auto:
        return export(smaller, folder, onnx=wanted is Export.onnx)
    ways = (False,) if missing_packages() else (True, False)
    if True not in ways:
        log.info("no ONNX file: pip install 'sixteen-heads[export]' for it")
    for onnx in ways:
        try:
            return export(smaller, folder, onnx=onnx)
        except InputError as error:
            log.warning("%s", error)
            for file in [*folder.glob("*.onnx"), *folder.glob("*.pt2")]:
                file.unlink()
    return {}


def _command(config: Any) -> str:
    """The overrides with which this project loads a model: its path, and what is not its config's default."""
    usual = type(config)(name=config.name, path=config.path)
    changed = [f.name for f in fields(config) if getattr(config, f.name) != getattr(usual, f.name)]
    values = [f"model.{name}={getattr(config, name)}" for name in ("path", *changed)]
    return " ".join([f"model={config.ENTRY}", *values])
