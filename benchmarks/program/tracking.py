"""Tracking: jobs of the toy sweep with W&B, offline, against the same jobs without."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from benchmarks.measure import in_turns, repeated
from benchmarks.sizes import Sizes
from benchmarks.table import Row
from study.config import compose
from study.jobs.task import StudyTask
from study.toy.nli import NliDomain
from study.toy.sources import ToyNli
from study.training.classifier import train_classifier
from study.training.classifier_options import NewBert

MEASURES = ("ablation", "all_but_one", "no_head", "importance")
SHARE = 0.05
"""Share of the time without that tracking may cost."""

PAIRS = 200
"""To train on: what a model has learnt changes no speed."""


def tracking(sizes: Sizes) -> Iterator[Row]:
    """Each way from an empty results folder; a process starts W&B once, which is told apart."""
    with TemporaryDirectory() as folder, _alone(Path(folder)):
        place = Path(folder)
        pairs = ToyNli(name="pairs", domain=NliDomain.TRAIN, count=PAIRS)
        training = NewBert(train=pairs, dev=pairs, epochs=1)
        train_classifier(training, place / "training", "cpu", 1)
        training.checkpoint(place / "training", 1.0).rename(place / "model")
        limit = min(8 * sizes.examples, 2000)
        ways = {
            name: repeated(lambda name=name: _sweep(place, name, limit), sizes.repeats) for name in ("none", "wandb")
        }
        in_turns({"none": ways["none"]}, 1)  # warm
        begin = time.perf_counter()
        _sweep(place, "wandb", limit)
        first = time.perf_counter() - begin
        timed = in_turns(ways, sizes.repeats)
    yield Row(
        part="tracking",
        work=f"{len(MEASURES)} jobs of the toy classifier's size × {limit:,} pairs, tracking=wandb, offline",
        against="tracking=none",
        ours=timed["wandb"].seconds,
        theirs=timed["none"].seconds,
        target=1 / (1 + SHARE),
        memory=timed["wandb"].memory,
        note=f"W&B's own start, once a process: {max(0.0, first - timed['wandb'].seconds):.1f} s more",
    )


def _sweep(place: Path, tracked: str, limit: int) -> None:
    """Every job, as a sweep has them in one process."""
    results, task = place / uuid4().hex, StudyTask()
    for measure in MEASURES:
        task(
            compose(
                "model=hf_classifier",
                f"model.path={place / 'model'}",
                "model.check_labels=false",
                "data=toy_matched",
                f"data.limit={limit}",
                f"measure={measure}",
                f"tracking={tracked}",
                f"results={results}",
                "device=cpu",
            )
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No account, no settings and no cache of whoever measures."""
    before = dict(os.environ)
    os.environ.update({f"WANDB_{name}_DIR": str(folder / "wandb") for name in ("DATA", "CACHE", "CONFIG")})
    os.environ["WANDB_MODE"] = "offline"
    try:
        yield
    finally:
        import wandb

        wandb.teardown()
        os.environ.clear()
        os.environ.update(before)
