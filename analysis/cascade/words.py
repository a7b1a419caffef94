"""Words of what drafts come to: how many there are, what an audit has shown, and what a score may be off by."""

from collections.abc import Iterator

from analysis.cascade.domain_bounds import DomainBounds
from analysis.results.domain import Domain
from study.record.cascade import Stage
from study.record.errors import are
from study.record.units import UnitLevel, parse_mask

STAGE_NAMES = {Stage.first_order: "to first order", Stage.bfloat16: "in bfloat16", Stage.float32: "in float32"}


def mask_name(domain: Domain, mask: str) -> str:
    """What a mask takes away: a unit by its address, or how many heads."""
    for level in UnitLevel:
        for unit, key in domain.single_units(level).items():
            if key == mask:
                return str(unit)
    layout = domain.layout
    alone = dict(zip(map(layout.key, layout.each_alone()), layout.heads, strict=True))
    if mask in alone:
        return f"{alone[mask]} alone in its layer"
    return f"{int((~parse_mask(mask, layout)).sum())} units off, mask {mask}"


def percent(share: float) -> str:
    """A share in percent, with two digits that count: `0.083 %`."""
    return f"{100 * share:.2g} %"


def stage_words(bounds: DomainBounds) -> str:
    """Which share of the decisions was taken at each stage."""
    taken = ((STAGE_NAMES[stage], count) for stage, count in bounds.stages.items() if count)
    shares = ", ".join(f"{100 * count / bounds.decisions:.3g} % {name}" for name, count in taken)
    return f"{bounds.decisions:,} decisions: {shares}"


def bound_words(bounds: DomainBounds) -> Iterator[str]:
    """What there is to say of a domain, a sentence each."""
    name = bounds.domain.data
    shown = " under masks that are shown one by one" if bounds.elsewhere else ""
    yield f"{name}: {stage_words(bounds)}" if bounds.drafts else f"{name}: no decision{shown} is a draft, all are exact"
    if bounds.elsewhere:
        yield f"{name}: {elsewhere_words(bounds)}"
    if bounds.lacking:
        why = "their audit is under way" if bounds.under_way else "no audit of them was passed"
        cure = "run the study again, with the command that made it"
        yield f"{name}: nothing is known of the errors of {bounds.lacking:,} drafted decisions, {why}: {cure}"
    if bounds.drafts and bounds.limit is not None and bounds.limit_share is not None:
        yield f"{name}: {pooled_words(bounds)}"
        if bounds.worst is not None and bounds.worst.limit is not None:
            yield f"{name}: {worst_words(bounds)}"
        if bounds.flips_limit is not None:
            yield f"{name}: {flip_words(bounds)}"


def elsewhere_words(bounds: DomainBounds) -> str:
    """What the audits say of drafts under masks that are not shown one by one."""
    masks = f"{bounds.elsewhere_masks:,} {'mask' if bounds.elsewhere_masks == 1 else 'masks'}"
    return (
        f"besides, {bounds.elsewhere:,} drafted decisions under {masks} that are not shown one by one, "
        f"of pairs, coalitions or a search: at most {are(bounds.elsewhere_limit)} wrong, at "
        f"{100 * bounds.confidence:g} % confidence"
    )


def pooled_words(bounds: DomainBounds) -> str:
    """What the audit says of the drafts of all masks together."""
    after = f" in round {bounds.rounds}" if bounds.rounds > 1 else ""
    points = bounds.mean_points
    mean = "" if points is None else f"; scores off by {points:.2g} points on average over masks"
    return (
        f"audit passed{after}, none of {bounds.sample:,} drawn at random is wrong; pooled over all masks at most "
        f"{are(bounds.limit or 0, f' of {bounds.drafts:,} drafted decisions')} ({percent(bounds.limit_share or 0)}, "
        f"at {100 * bounds.confidence:g} % confidence{mean})"
    )


def worst_words(bounds: DomainBounds) -> str:
    """What it says of the mask of whose score least is known."""
    worst = bounds.worst
    assert worst is not None
    name = mask_name(bounds.domain, worst.mask)
    like = f", and {bounds.alike - 1:,} others as little" if bounds.alike > 1 else ""
    points = "" if worst.points is None else f", and its score off by {worst.points:.2g} points"
    return (
        f"all of these may be of one mask; least is known of {name}{like}: at most "
        f"{are(worst.limit or 0, f' of its {worst.drafts:,} drafts')} wrong{points}"
    )


def flip_words(bounds: DomainBounds) -> str:
    """What it says of decisions that are truly other ones than under the full mask."""
    return (
        f"{bounds.flips:,} of the decisions drawn truly differ from those of the full mask, and none of these was "
        f"drafted wrong: of drafts that truly differ at most {percent(bounds.flips_limit or 0)} are wrong"
    )
