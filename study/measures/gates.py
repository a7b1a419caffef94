"""Gates: the score with exactly those heads that the gates of the model's training keep, beside that with all heads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from logging import getLogger
from typing import TYPE_CHECKING

from study.measures.measure import MaskRequest, Measure
from study.measures.orders.gates import learned_sequence
from study.measures.orders.random import RandomOrder
from study.record.curves import KEPT, Curve, CurveOptions
from study.record.training.gates import GatesRecord, kept_mask
from study.record.units import Head, HeadLayout, parse_mask, stack

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator

log = getLogger(__name__)


@dataclass(kw_only=True)
class GatesMeasure(Measure):
    """A curve of two points: all heads of the model, and those that the gates of its training keep.

    There is one point where the training had no gates.

    Attributes:
        trials: options of the optimisation, such as `learning_rate` or `gates.learning_rate`, in which other trainings
            of the results folder may differ from it: only the one of them that has the best last score on its own dev
            data is measured. All are measured when empty.
    """

    name: str = "gates"
    trials: list[str] = field(default_factory=list)

    @property
    def chosen_among(self) -> Sequence[str]:
        """See `Measure.chosen_among`."""
        return self.trials

    def check_gates(self, gates: Callable[[], GatesRecord]) -> None:
        """Refuse a model of which nothing is known of gates."""
        gates()

    def idle(self) -> dict[str, str]:
        """The kinds are those of the gates."""
        return {"kinds": "the gates say which heads are off"}

    def run(self, evaluator: "Evaluator") -> None:
        """See `Measure.run`; says where no head had a gate."""
        super().run(evaluator)
        if not evaluator.gates().kept:
            log.info(
                "%s was trained without gates: all %d heads are kept, and the score is the one that others are held "
                "against. Heads get gates by model.training.gates=hard_concrete, subset or kept",
                *(evaluator.setting.model, len(evaluator.layout)),
            )

    def request(self, evaluator: "Evaluator") -> MaskRequest:
        """The masks of the curve."""
        layout = evaluator.layout
        curve = kept_curve(evaluator.gates(), layout, evaluator.setting.factors[0].seed)
        return MaskRequest(stack([parse_mask(key, layout) for key in curve.masks], layout), curves=(curve,))


def kept_curve(record: GatesRecord, layout: HeadLayout, seed: int | None) -> Curve:
    """The curve of the heads that gates keep, by the training that they are of.

    Its options say how many updates are behind it, how many gates are undecided (neither 0 nor 1 with a probability of
    .9), how many are between 0 and 1 by the rule of Voita's code, and what decides how many heads stay.
    Where no gate was learned its sequence ends with the heads that go, as nothing ranks the others.

    Args:
        record: the gates.
        layout: the model's heads.
        seed: seed of the training.

    Raises:
        InputError: when the gates are of another model.
    """
    full, kept = layout.full(), kept_mask(record, layout) if record.kept else layout.full()
    number, kinds = int((full & ~kept).sum()), _scope(record)
    gated = sum(not kinds or Head.parse(address).kind in kinds for address in record.heads)
    sequence = learned_sequence(record, layout)
    options: CurveOptions = {
        "method": record.method,
        "training": record.training,
        "updates": record.step,
        "weights": record.options.get("weights", "trained"),
        "scope": "+".join(kinds),
        **({"scratch": True} if record.options.get("scratch") else {}),
        **({} if seed is None else {"seed": seed}),
        "undecided": len(record.undecided),
        "fractional": len(record.fractional),
        **_amount(record, seed),
    }
    return Curve(
        order=KEPT,
        options=options,
        kinds=kinds,
        heads=gated or len(layout),
        removed=(0, number) if number else (0,),
        masks=tuple(layout.key(mask) for mask in ([full, kept] if number else [full])),
        examples=0,
        sequence=tuple(map(str, sequence[:number] if record.log_alpha is None else sequence)),
    )


def _scope(record: GatesRecord) -> tuple[str, ...]:
    """The attention kinds of which heads could go; none where all could."""
    by_kind = record.options.get("keep")
    return tuple(by_kind if isinstance(by_kind, dict) else record.options.get("scope", ()))


def _amount(record: GatesRecord, seed: int | None) -> CurveOptions:
    """What decides how many heads stay."""
    options = record.options
    match record.method:
        case "hard_concrete":
            return {"penalty": options["penalty"]}
        case "subset":
            return {"keep": options["keep"]}
        case "kept":
            order, drawn = options["order"]["name"], options.get("seed", seed)
            by_seed = {"order_seed": drawn} if order == RandomOrder.name else {}
            return {"order": order, **by_seed, "keep": record.kept.count("1")}
    return {}
