"""The live page: what it shows of jobs and effects, as HTML."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from launchers.queue.states import State
from launchers.queue.status import duration
from sixteen_heads.live.effects import StudyEffects
from sixteen_heads.live.jobs import JobLine, StudyJobs, SweepLines

MOST_JOBS = 12
"""Jobs of a sweep that are shown by name."""

IN_ORDER = (State.done, State.running, State.queued, State.new, State.cancelled, State.lost, State.failed)
"""The states in the order in which a job comes to them."""

FRESH = 2.0
"""Seconds for which a page is as good as new, however many look at it."""

FIRST = (State.failed, State.lost, State.running, State.cancelled, State.new, State.queued, State.done)
"""The states, those first of which one wants to know most."""


@dataclass
class LivePage:
    """What is shown of a results folder while it grows; made when somebody looks.

    Attributes:
        results: the results folder.
        sweeps: folder of the sweeps that `local_pool` and `slurm` run.
    """

    results: Path
    sweeps: Path
    _made: tuple[float, str] = field(default=(-FRESH, ""), init=False)

    def __post_init__(self) -> None:
        """Nothing is read yet."""
        self._jobs, self._effects = StudyJobs(self.results, self.sweeps), StudyEffects(self.results)
        self._one_at_a_time = threading.Lock()
        self._templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )

    def whole(self) -> str:
        """The page with all that it needs."""
        return self._render("page.html.j2", content=self.content())

    def content(self) -> str:
        """What changes."""
        with self._one_at_a_time:
            when, made = self._made
            if time.monotonic() - when > FRESH:
                sweeps, effects = [_shown(sweep) for sweep in self._jobs.lines()], self._effects.latest()
                now = f"{datetime.now():%H:%M:%S}"
                made = self._render("content.html.j2", sweeps=sweeps, effects=effects, now=now)
                self._made = time.monotonic(), made
            return made

    def _render(self, template: str, **values: Any) -> str:
        return self._templates.get_template(template).render(results=str(self.results), **values)


def _shown(sweep: SweepLines) -> dict[str, Any]:
    """A sweep as the template takes it: its counts, the time left, and the jobs one wants to see most."""
    counts = Counter(job.state for job in sweep.jobs)
    shown = _most_wanted(sweep.jobs)
    begins = sweep.is_open and counts[State.queued] == len(sweep.jobs)
    return {
        "name": sweep.name,
        "counts": [(str(state), counts[state]) for state in IN_ORDER if counts[state]],
        "total": len(sweep.jobs),
        "left": f"about {duration(sweep.seconds_left)} left" if sweep.seconds_left is not None else "",
        "note": sweep.note or ("The first job has not begun: models and data are made ready." if begins else ""),
        "jobs": shown,
        "more": len(sweep.jobs) - len(shown),
        "is_open": sweep.is_open,
    }


def _most_wanted(jobs: Sequence[JobLine]) -> list[JobLine]:
    """Those that failed or run before those that wait or are done; shown in the order of the sweep."""
    chosen = sorted(range(len(jobs)), key=lambda place: (FIRST.index(jobs[place].state), place))[:MOST_JOBS]
    return [jobs[place] for place in sorted(chosen)]
