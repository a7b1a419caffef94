"""The card of a pruned model: README.md in its folder, for those who find it without its history."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool

from study.record.units import HeadLayout


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The contents of a card.

    Attributes:
        name: name of the original model.
        architecture: class of the model in transformers.
        identity: identity of the original: digests and text processing.
        layout: heads of the original.
        mask: mask of the heads that were kept.
        parameters: number of parameters before and after.
        difference: difference between the pruned and the masked model, as a share of the largest number.
        plain: true where transformers loads the model without this project.
        command: arguments with which this project loads it.
        files: exported files by name, and how far each is from the model.
        scores: scores by data set, as given.
    """

    name: str
    architecture: str
    identity: Mapping[str, Any]
    layout: HeadLayout
    mask: Bool[np.ndarray, " heads"]
    parameters: tuple[int, int]
    difference: float
    plain: bool
    command: str
    files: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)


def card(facts: Facts) -> str:
    """The text of README.md."""
    removed, (before, after) = facts.layout.changed(facts.mask), facts.parameters
    return "\n".join(
        [
            f"# {facts.name} with {len(removed)} of {len(facts.layout)} heads removed",
            "",
            f"Heads of {facts.architecture} removed for good: rows of queries, keys and values, columns of the output",
            "projection. It computes what the original computes with these heads masked: on a few random inputs they",
            f"differ by {facts.difference:.2g} of the largest number.",
            "",
            f"- parameters: {before:,} before, {after:,} after ({100 * (1 - after / before):.1f} % fewer)",
            *(f"- score on {data}: {score:g}" for data, score in facts.scores.items()),
            "",
            "## How to load it",
            "",
            f"- this project: `study {facts.command} data=...`",
            _elsewhere(facts),
            *(
                f"- `{name}`: differs by {difference:.2g} of the largest number"
                for name, difference in facts.files.items()
            ),
            "",
            "## What was removed",
            "",
            "Heads count from 0. Mask of the original, in the order of its heads (1: kept):",
            f"`{facts.layout.key(facts.mask)}`",
            "",
            "| attention | layer | removed | left |",
            "|---|---|---|---|",
            *_rows(facts.layout, facts.mask),
            "",
            "## From which model",
            "",
            "```json",
            json.dumps(facts.identity, indent=1, ensure_ascii=False),
            "```",
            "",
        ]
    )


def _elsewhere(facts: Facts) -> str:
    if facts.plain:
        return f"- transformers alone: `{facts.architecture}.from_pretrained(FOLDER)`"
    without = "the files below need neither this project nor transformers" if facts.files else "no file was exported"
    return f"- transformers alone: not possible, its config has one number of heads for all layers; {without}"


def _rows(layout: HeadLayout, mask: Bool[np.ndarray, " heads"]) -> list[str]:
    rows = []
    for kind, layer in layout.layers:
        on = mask[layout.columns(kind, layer)]
        if not on.all():
            rows.append(f"| {kind} | {layer} | {', '.join(map(str, np.flatnonzero(~on)))} | {int(on.sum())} |")
    return rows
