"""Heads that a training is given: those that an order of the model that it starts from leaves.

They are written into the training's folder, which a resumed training reads again.
"""

import logging
from functools import cached_property
from pathlib import Path

from study.config import StudyConfig
from study.gates.options import GivenMask
from study.jobs.cache import SHARED, JobCache
from study.jobs.chosen_heads.order import StartOrder, refuse_idle_options, write_once
from study.measures.ablation import Base
from study.measures.orders.order import Mask
from study.measures.pruning import Pruning
from study.record.curves import Curve
from study.record.errors import InputError
from study.record.training.gates import GATES_FILE, GatesRecord, kept_mask, read_gates, write_gates
from study.record.units import Head, HeadLayout, Unit, parse_unit
from study.training.training import Training

log = logging.getLogger(__name__)


class GivenHeads:
    """The heads that a training is to keep, and the jobs that find them.

    Attributes:
        training: the training, whose gates are given.
        gates: its gates.
    """

    def __init__(self, study: StudyConfig, training: Training, cache: JobCache = SHARED) -> None:
        """Nothing is read yet; `study` says where and on which device its jobs run."""
        assert isinstance(training.gates, GivenMask), "learned gates find heads themselves"
        self.training = training
        self.gates = training.gates
        self._study = study
        self._cache = cache

    @cached_property
    def start(self) -> StartOrder:
        """The order of the model that the training starts from; of the training data, unless others are named.

        Raises:
            InputError: when the training starts from none, or from one that cannot do the task.
        """
        training, model = self.training, self.training.start_model()
        if model is None:
            raise InputError(
                f"gates=kept keeps heads of the model that a training starts from, and {type(training).__name__} "
                f"starts from none: a fine-tuning has training.start or training.origin"
            )
        data = self.gates.data or training.train_set
        return StartOrder(self._study, model, data, self.gates, training.seed, self._cache)

    def check(self) -> None:
        """Refuse an order that cannot be made, before anything is computed.

        Raises:
            InputError: in words.
        """
        refuse_idle_options(self.gates.order, "gates")
        self.gates.identity()  # reads the file of an order
        job = self.start.job(self._pruning if self.gates.is_counted else Base())
        if job.is_here():
            job.check()
            if layout := job.layout:
                self.check_heads(layout)

    def check_heads(self, layout: HeadLayout) -> None:
        """Refuse what cannot be kept of these heads, and an order that is not one of them, by an InputError."""
        self.gates.check_heads(layout)
        if self.gates.is_counted:
            self._pruning.check(layout)
        elif learned := self.gates.order.learned():
            kept_mask(learned, layout)

    def words(self) -> str:
        """What is to be found, in words."""
        return f"heads of {self.start.model.name} are {self.gates.words()}, by {self.start.words()}"

    def expected(self) -> float | None:
        """Seconds that finding them will take, of which nothing is stored; None where the model is not here yet."""
        if self.start.layout() is None:
            return None
        learned = not self.gates.is_counted and self.gates.order.learned()
        return 0.0 if learned else self.start.seconds(self.start.to_run(self._pruning))

    def write(self, folder: Path) -> None:
        """Find the heads and write them into the folder of the training; nothing where they are there.

        Raises:
            StudyError: when the order cannot be made, or the folder holds another training or cannot be written.
        """
        write_once(self.training, folder / GATES_FILE, read_gates, lambda file: write_gates(self.record(), file))

    def record(self) -> GatesRecord:
        """The heads that stay, found; and the curve by which they were."""
        mask, layout, made = self._mask()
        stay = int(mask[: len(layout)].sum())
        log.info("%s: %d of %d heads of %s stay", self.gates.words(), stay, len(layout), self.start.model.name)
        return GatesRecord(
            method=self.gates.name,
            options={**self.gates.identity(), **made},
            training=self.training.id,
            step=0,
            heads=tuple(map(str, layout.heads)),
            kept=layout.key(mask),
        )

    def _mask(self) -> tuple[Mask, HeadLayout, dict[str, str]]:
        """The mask, the heads of the model, and by what it was made."""
        learned = None if self.gates.is_counted else self.gates.order.learned()
        if learned is None:
            curve, layout = self.curve()
            return layout.without(self.removed(curve, layout)), layout, {"curve": curve.id}
        job = self.start.job(Base())
        job.make_ready()
        layout = job.layout or job.subject().layout
        log.info(
            "the gates that chose these heads were learned in %d updates: the heads are trained for as many as this "
            "training has besides",
            learned.step,
        )
        return kept_mask(learned, layout), layout, {"learned_by": learned.training}

    def curve(self) -> tuple[Curve, HeadLayout]:
        """The curve along the order, and the heads of the model."""
        curve, job = self.start.curve(self._pruning, self.gates.check_heads)
        return curve, job.evaluator.layout

    def removed(self, curve: Curve, layout: HeadLayout) -> list[Unit]:
        """The heads that do not stay: the first ones of the order, of each kind where numbers are given by kind."""
        sequence = [parse_unit(address) for address in curve.sequence]
        if self.gates.keep is not None:
            return sequence[: len(layout) - self.gates.keep]
        found: list[Unit] = []
        for kind, number in self.gates.keep_of.given().items():
            of_kind = [unit for unit in sequence if isinstance(unit, Head) and unit.kind is kind]
            found += of_kind[: len(of_kind) - number]
        return found

    @property
    def _pruning(self) -> Pruning:
        kinds = list(self.gates.keep_of.given())
        return Pruning(order=self.start.order, steps=self.gates.steps, kinds=kinds)
