"""What a sweep comes to, said at its end: the base scores and strongest heads that its jobs have stored.

Of a planned sweep: how long all of it takes, and what its jobs need that none of them makes.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from study.config import StudyConfig
from study.jobs.measuring import MeasuringJob
from study.jobs.plan import Duration
from study.measures.measure import Stage
from study.record.errors import StudyError


def conclusion(studies: Sequence[StudyConfig], values: Sequence[Mapping[str, Any]]) -> list[str]:
    """The last lines of a sweep, from its jobs and what each has returned (empty where it is not done)."""
    if studies[0].plan:
        return list(_planned(studies, values))
    return list(_findings(studies))


def _planned(studies: Sequence[StudyConfig], values: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    known = [value["expected"] for value in values if isinstance(value.get("expected"), Duration)]
    unknown = len(values) - len(known)
    total = f"All together: about {Duration(sum(known))}" if known else "How long it takes is not known yet"
    if known and unknown:
        total += f", besides {'1 job' if unknown == 1 else f'{unknown} jobs'} of which that is not known yet"
    yield f"{total}. Nothing was computed."
    made = {(study.measure.name, study.data.name) for study in studies}
    planned = zip(studies, values, strict=True)
    wanted = {study.measure.source(study.data.name) for study, value in planned if value.get("needs")}
    for measure, data in sorted(each for each in wanted if each is not None and each not in made):
        yield f"Run measure={measure} on data '{data}' first: it says which heads go, and no job here does it."


def _findings(studies: Sequence[StudyConfig]) -> Iterator[str]:
    """A line for each model on each data set; the checkpoints of one training on one data set share theirs."""
    lines: dict[str, list[str]] = {}
    for study in studies:
        try:
            found = None if study.measure.stage is Stage.TRAIN else _finding(MeasuringJob(study))
        except StudyError:
            continue  # its job has said why
        if found and study.model.epoch is None:
            lines.setdefault(found[0], found)
        elif found:
            line = lines.setdefault(found[0], [found[0], "", ""])
            line[1] += "" if found[1] in line[1] else f"{', ' if line[1] else ''}{found[1]}"
    widths = [max(map(len, column), default=0) for column in zip(*lines.values(), strict=True)]
    for line in lines.values():
        yield "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()


def _finding(job: MeasuringJob) -> list[str] | None:
    """Name, base score, and the head without which the score falls most, from what is stored; None without a base."""
    if not job.is_here() or job.layout is None:
        return None
    study, evaluator = job.study, job.evaluator
    stored, layout = evaluator.stored(), evaluator.layout
    full = layout.full()[None]
    if stored.lacks(full):
        return None
    base, metric, at = float(stored.scores(full)[0]), evaluator.metric, evaluator.setting.checkpoint
    if at is not None:
        seed = "" if at.seed is None else f", seed {at.seed}"
        return [f"{at.family}{seed} on {study.data.name}", f"epoch {at.epoch:g}: {metric.shown(base)}", ""]
    draws = study.replacement.num_draws
    count = f"{-(-len(stored.examples) // draws):,}" + (f", {draws} draws of each" if draws > 1 else "")
    place = evaluator.setting.factors[0].replacement
    name = f"{study.model.name} on {study.data.name}" + (f", replacement {place}" if place else "")
    line = [name, f"{metric.shown(base)} (n {count})", ""]
    off = layout.each_off()
    if not stored.lacks(off):
        effects = stored.scores(off) - base
        weakest = int(effects.argmin())
        cost = f"{effects[weakest]:+.{metric.digits}f}"
        line[2] = f"{cost} without {layout.heads[weakest]}, the strongest of {len(layout)} heads"
    return line
