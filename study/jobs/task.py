"""The task: what Hydra runs for a job, and what a launcher may ask about it beforehand.

Its methods are the task protocol: a launcher checks, prepares, skips, plans and orders jobs by them, and needs to know
nothing of heads.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from study.config import StudyConfig, to_study
from study.entries import refuse_unknown
from study.jobs.cache import SHARED, JobCache
from study.jobs.conclusion import conclusion
from study.jobs.job import Job
from study.jobs.job_run import sweep_name
from study.jobs.measuring import MeasuringJob
from study.jobs.second_task.job import SecondTaskJob
from study.jobs.training import TrainingJob
from study.measures.measure import Stage
from study.measures.second_task import SecondTask
from study.record.files import WriteError
from study.tracking.progress import Agenda
from study.tracking.tracker import check_access


class StudyTask:
    """What Hydra runs and launchers ask; every method takes a composed config.

    One job is at hand: successive questions about one config are answered by one object, and a sweep of hundreds holds
    the examples and outcomes of one.

    Attributes:
        results: the results folder of the last job that was asked about; None before.
    """

    def __init__(self, cache: JobCache = SHARED) -> None:
        """No job is at hand yet; `cache` is what its jobs share."""
        self._cache = cache
        self._at_hand: Job | None = None
        self.results: str | None = None

    def __call__(self, config: DictConfig) -> dict[str, Any]:
        """Do one job, as its files are now; see `Job.run`."""
        refuse_unknown(config)
        self._at_hand = None
        return self._job(config).run()

    def check(self, config: DictConfig) -> None:
        """Refuse a job that cannot work, see `Job.check`, or that the server refuses to which its tracking goes."""
        refuse_unknown(config)
        job = self._job(config)
        job.check()
        check_access(job.study.tracking)

    def rehearse(self, config: DictConfig) -> None:
        """See `Job.rehearse`."""
        self._job(config).rehearse()

    def missing(self, config: DictConfig) -> list[str]:
        """See `Job.missing`."""
        return self._job(config).missing()

    def prepare(self, config: DictConfig) -> None:
        """See `Job.prepare`."""
        self._job(config).prepare()

    def remaining(self, config: DictConfig) -> int | None:
        """See `Job.remaining`."""
        return self._job(config).remaining()

    def estimate(self, config: DictConfig) -> float | None:
        """See `Job.estimate`."""
        return self._job(config).estimate()

    def stage(self, config: DictConfig) -> int:
        """The stage of a job: those of a lower one must be complete before it starts."""
        return int(self._job(config).study.measure.stage)

    def work(self, config: DictConfig) -> str | None:
        """See `Job.work`."""
        return self._job(config).work()

    def announce(self, configs: Sequence[DictConfig], hydra: DictConfig) -> None:
        """Leave word in the results folder of what a sweep is going to do; `hydra` is Hydra's own node of it."""
        first = to_study(configs[0])
        if not first.plan:
            agenda = Agenda.of(sweep_name(hydra), (self._job(config).request() for config in configs))
            with suppress(WriteError):  # the jobs say so where they need the folder
                agenda.write(Path(first.results))

    def conclude(self, configs: Sequence[DictConfig], values: Sequence[Mapping[str, Any]]) -> list[str]:
        """The last lines of a sweep, see `study.jobs.conclusion`."""
        return conclusion([to_study(config) for config in configs], values)

    def _job(self, config: DictConfig) -> Job:
        """The job of a config; the one at hand, where that is it."""
        study, job = to_study(config), self._at_hand
        self.results = study.results
        if job is None or job.study != study:
            job = self._at_hand = self._new_job(study)
        return job

    def _new_job(self, study: StudyConfig) -> Job:
        if study.measure.stage is Stage.TRAIN:
            return TrainingJob(study)
        kind = SecondTaskJob if isinstance(study.measure, SecondTask) else MeasuringJob
        return kind(study, self._cache)
