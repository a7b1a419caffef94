"""Trainings with gates made by hand: what each keeps, what it scores, and how its gates moved."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from fixtures.results import CLASSIFIER, fill

from analysis.gates.course import end_chances
from study.record.curves import Curve
from study.record.factors import Factors
from study.record.files import short_hash
from study.record.store import Store
from study.record.training.gates import GatesMoment, GatesRecord, write_course, write_gates
from study.record.training.history import Record, write_history
from study.record.units import HeadLayout
from study.tracking.run import TRAININGS, Run, run_id, write_run

MODEL = "toy_gated"
CONSTANTS = {"beta": 0.33, "gamma": -0.1, "zeta": 1.1}
UPDATES = 200

LEARNED = {"name": "hard_concrete", "penalty": 0.05, "weights": "trained", "scope": [], **CONSTANTS}
SUBSET = {"name": "subset", "keep": 4, "weights": "trained", "scope": []}
UNPRUNED = {"name": "none"}


def by_order(order: str, keep: int) -> dict[str, Any]:
    """Options of a mask that an order gives."""
    return {"name": "kept", "order": {"name": order}, "keep": keep}


def fill_gated(
    results: Path,
    gates: Mapping[str, Any],
    kept: Sequence[int],
    *,
    seed: int = 0,
    harm: float = 0.0,
    updates: int = UPDATES,
    scratch: bool = False,
    layout: HeadLayout = CLASSIFIER,
    data: str = "home",
    count: int = 120,
    undecided: int = 0,
    moments: int = 0,
    tried: Mapping[str, Any] | None = None,
    dev_score: float | None = 80.0,
    scored: bool = True,
    name: str = "accuracy",
    model: str = MODEL,
    initial: str | None = None,
) -> Store | None:
    """Make a training, and the outcomes of its model with the heads that it keeps.

    Args:
        results: the results folder.
        gates: options of its gates.
        kept: places of the heads that it keeps, in the order of a mask.
        seed: seed of the training.
        harm: what its kept heads cost, as a share of what an example can bear.
        updates: of the weights.
        scratch: whether weights were random before.
        layout: the heads of the model.
        data: name of the data set.
        count: examples.
        undecided: gates that are neither 0 nor 1 at the end.
        moments: records of the gates over the steps; none of given masks.
        tried: further options of the training.
        dev_score: its last score on the data that it was watched on; None where it was on none.
        scored: whether the heads that it keeps were scored.
        name: metric that is stored.
        model: name of the training.
        initial: digest of the weights that it started from.
    """
    config = {
        **{"seed": seed, "scratch": scratch, "gates": dict(gates), "learning_rate": 2e-5},
        **{"train": {"name": "toy_train"}, "dev": {"name": "toy_dev"}, **(tried or {})},
    }
    id_ = short_hash([MODEL, config, updates])
    _write_training(results, id_, config, updates, dev_score)
    mask = np.isin(np.arange(len(layout)), list(kept))
    folder = results / TRAININGS / f"{MODEL}-{id_}"
    if gates["name"] != "none":
        _write_gates(folder, id_, gates, mask, layout, moments, updates)
    if not scored:
        return None
    options: dict[str, Any] = {
        **{"method": gates["name"], "training": id_, "updates": updates, "seed": seed},
        **({"weights": gates["weights"]} if "weights" in gates else {}),
        **({"penalty": gates["penalty"]} if "penalty" in gates else {}),
        **({"order": gates["order"]["name"]} if "order" in gates else {}),
        **{"undecided": undecided, "fractional": undecided},
        "scope": "+".join(gates.get("scope", [])),
    }
    off, removed = [str(head) for head, on in zip(layout.heads, mask, strict=True) if not on], int((~mask).sum())
    masks = (layout.full_key, layout.key(mask))
    curve = Curve("kept", options, (), len(layout), (0, removed), masks, count, tuple(off))
    weights = np.zeros(len(layout))
    weights[~mask] = harm / max(removed, 1)
    return fill(
        results,
        name,
        model=model,
        data=data,
        layout=layout,
        count=count,
        weights=weights,
        masks={layout.full_key: np.ones(len(layout), dtype=bool)},
        curves=[curve],
        subject={"training": id_},
        factors=Factors(model, data, "float32", seed=seed, epoch=1.0, initial=initial, gates=_words(gates)),
    )


def _words(gates: Mapping[str, Any]) -> str | None:
    amount = gates.get("penalty", gates.get("keep"))
    by = f" by {gates['order']['name']}" if "order" in gates else ""
    return None if gates["name"] == "none" else f"{gates['name'].replace('_', ' ')}{by} {amount}"


def _write_training(results: Path, id_: str, config: Mapping[str, Any], updates: int, dev_score: float | None) -> None:
    run = Run("", "", MODEL, "toy_train", "train", 0, {"model": {"name": MODEL, "training": dict(config)}})
    run = Run(**{**vars(run), "id": run_id(run)})
    folder = results / TRAININGS / f"{MODEL}-{id_}"
    write_run(run, folder)
    scores = [None if dev_score is None else dev_score - 4 + i for i in range(5)]
    records = [
        Record(updates * i // 4, i / 4, 1e-5, 1 / (i + 1), 0.5, score, float(i)) for i, score in enumerate(scores)
    ]
    write_history(folder, records)


def _write_gates(
    folder: Path, id_: str, gates: Mapping[str, Any], mask: np.ndarray, layout: HeadLayout, moments: int, updates: int
) -> None:
    heads, full = tuple(map(str, layout.heads)), layout.key(mask)
    learned = gates["name"] in ("hard_concrete", "subset")
    final = np.where(mask, 4.0, -4.0)
    zero, one = end_chances(final, **CONSTANTS)
    numbers = {"log_alpha": final, "zero": zero, "one": one, "open": 1 - zero}
    told = {key: tuple(map(float, value)) for key, value in numbers.items()} if learned else {}
    write_gates(GatesRecord(gates["name"], dict(gates), id_, updates, heads, full, **told), folder / "gates.json")
    if learned and moments:
        write_course(folder, [_moment(final, at / (moments - 1), updates) for at in range(moments)])


def _moment(final: np.ndarray, share: float, updates: int) -> GatesMoment:
    """Gates that went from 2 to where they ended, straight."""
    log_alpha = 2 + share * (final - 2)
    opened = 1 - end_chances(log_alpha, **CONSTANTS)[0]
    return GatesMoment(
        round(share * updates), tuple(map(float, opened)), tuple(map(float, log_alpha)), float(0.05 * opened.sum())
    )
