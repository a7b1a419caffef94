"""A job that measures: from its config to its examples, its setting, and the outcomes of the masks that it asks for."""

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from study.config import StudyConfig
from study.data.source import DataSource
from study.engine.cascade.audit import Auditor
from study.engine.evaluator import Evaluator
from study.engine.precision import Precision
from study.engine.row_alone.proof import prove
from study.jobs.cache import SHARED, JobCache
from study.jobs.estimates import layout_elsewhere, seconds_a_row, stored_layout
from study.jobs.guard import guard
from study.jobs.job import Job, Source
from study.jobs.job_run import measuring_run, report, run_of, training_run, usual_options
from study.jobs.plan import Duration, missing_rows, plan, table_requests
from study.jobs.versions import versions_here
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.files import short_hash
from study.record.metrics import STORED, Answers, Metric, metric
from study.record.parts import require_whole
from study.record.setting import Setting
from study.record.store import Store
from study.record.tables import OUTCOMES
from study.record.units import HeadLayout
from study.replacement.draws import several
from study.replacement.options import Mean, MeanByPosition, ReferenceReplacement, Replacement
from study.subjects.huggingface.classifier_folder import ClassifierConfig
from study.tracking.history import RUN, OutcomesHistory
from study.tracking.run import Run, with_distinct_id
from study.tracking.summary import extremes
from study.tracking.trials import better_trial
from study.training.trained_models import TrainedModel

if TYPE_CHECKING:
    from study.engine.engine import Engine
    from study.measures.measure import MaskRequest
    from study.replacement.make import Texts
    from study.subjects.subject import Subject

log = logging.getLogger(__name__)

MEANS = "replacements"
"""Where the means of reference sets are kept, in the folder of a model's results."""

PLANNED_EXAMPLES = 32
"""Reference examples whose mean stands in for that of all, where a job is only planned; all are timed by them."""


class MeasuringJob(Job):
    """A measure of a model on data. What it takes from files is read when it is first asked for, and once."""

    def __init__(
        self, study: StudyConfig, cache: JobCache = SHARED, *, for_training: bool = False, is_asked: bool = True
    ) -> None:
        """Nothing is read yet.

        Args:
            study: its config.
            cache: what it shares with other jobs.
            for_training: whether a training runs it, to choose heads.
            is_asked: whether the user has asked for it, and is asked for a base score that nothing expects.
        """
        super().__init__(study)
        self._cache = cache
        self._for_training = for_training
        self._is_asked = is_asked and not for_training
        self._seconds_of_means = 0.0

    @cached_property
    def examples(self) -> Examples:
        """All examples of its data.

        Raises:
            InputError: when they cannot be read, or there are none.
        """
        examples = self._cache.examples(self.study.data)
        if not len(examples):
            raise InputError(f"data '{self.study.data.name}' has no examples")
        return examples

    @cached_property
    def _once(self) -> Examples:
        """The examples that it studies, each once however many draws it has."""
        return _first(self.examples, self.study.data.limit)

    @cached_property
    def view(self) -> Examples:
        """The examples that it studies, together with the other shards; one for each draw of a donor."""
        return several(self._once, self.study.replacement.num_draws)

    @cached_property
    def _choice(self) -> Replacement:
        """What stands in for units; a reference set that is the data under study is that, whatever it is called."""
        choice = self.study.replacement
        if not isinstance(choice, ReferenceReplacement) or choice.data is None:
            return choice
        other = self._cache.examples(choice.data)
        is_own = other.digest == self.examples.digest and other.groups == self.examples.groups
        return replace(choice, data=None) if is_own else choice

    @property
    def _source(self) -> DataSource:
        """The data that the reference examples are of."""
        choice = self._choice
        other = choice.data if isinstance(choice, ReferenceReplacement) else None
        return self.study.data if other is None else other

    @cached_property
    def reference(self) -> Examples:
        """The reference examples of what stands in for units: its data, or other.

        Raises:
            InputError: when they cannot be read, or there are none.
        """
        choice = self._choice
        if not isinstance(choice, ReferenceReplacement):
            return self.examples
        source = choice.data
        examples = self.examples if source is None else self._cache.examples(source)
        if source is not None and not len(examples):
            raise InputError(f"the reference set '{source.name}' has no examples")
        return _first(examples, choice.limit)

    @cached_property
    def share(self) -> Examples:
        """The part of the view that this shard evaluates."""
        return self.view.take(range(self.study.shard, len(self.view), self.study.shards))

    @cached_property
    def _run(self) -> Run:
        return replace(run_of(self.study, self.setting, len(self.share)), for_training=self._for_training)

    @cached_property
    def metric(self) -> Metric:
        """The metric whose columns its outcomes hold, with the tokens of its language or those of `metric.tokenize`."""
        _, written = self.study.model.languages() or ("", "")
        return metric(STORED[self.study.data.task], Answers(language=written, tokenize=self.study.metric.tokenize))

    @cached_property
    def _model_identity(self) -> dict[str, Any]:
        return self.study.model.identity()

    @cached_property
    def setting(self) -> Setting:
        """What its outcomes are computed with.

        Raises:
            StudyError: when the data or the model's files are not fit.
        """
        study, examples, precision = self.study, self.examples, _precision(self.study)
        choice = self._choice
        is_other = isinstance(choice, ReferenceReplacement) and choice.data is not None
        masked = choice.identity(examples, self.reference if is_other else None, self._source.task)
        place = replace(study.model.factors(study.data.name, precision), task=study.data.benchmark or None)
        return Setting(
            model=study.model.name,
            data=study.data.name,
            metric=self.metric.name,
            subject={**self._model_identity, "precision": precision, **self.metric.identity, **masked},
            examples={"digest": examples.digest, "count": len(examples), **_merged(examples)},
            statistic=self.metric.signature,
            factors=(replace(place, replacement=choice.words() if masked else None),),
            scored_by="" if study.data.metric == self.metric.name else study.data.metric,
            positive=study.data.positive if study.data.metric else "",
        )

    def subject(self) -> "Subject":
        """The loaded and certified model, the one that the job before this had where it is the same.

        Raises:
            StudyError: when it cannot read the examples, which is seen first, cannot be loaded, or cannot be certified.
        """
        key = short_hash([self._model_identity, self.study.device, self.study.threads, *self._stands_in])
        subject = self._cache.subject(key, self._load)
        subject.metric = self.metric
        return subject

    @property
    def _stands_in(self) -> list[Any]:
        """All that decides what stands in the place of units, as JSON values; nothing where it is zero everywhere."""
        choice = self._choice
        identity = choice.identity(self.examples, self.reference, self._source.task)
        return [] if choice.is_usual else [identity, self._once.digest, self.study.plan]

    @property
    def layout(self) -> HeadLayout | None:
        """The units of the model, as an earlier job has stored them; None where none has, or not those asked for."""
        layout = stored_layout(self.setting, self.results)
        return layout if layout and self.study.measure.suits(layout) else None

    @cached_property
    def evaluator(self) -> Evaluator:
        """What gives the outcomes of masks; the model is loaded once one is missing, or if its heads are not known."""
        return self._open(self.layout or self.subject().layout)

    def check(self) -> None:
        """See `Job.check`; as far as model and data are on this machine, they are looked at too."""
        super().check()
        if not self.is_here():
            self.require_writable(self.results)
            return
        self.require_fit()
        self._check_sample()
        self.study.measure.check_examples(self.examples)
        self.study.measure.check_gates(self.study.model.gates)
        if self.setting.is_scored:
            self.study.model.check_targets(self.examples)
        if layout := self.layout:
            self.study.measure.check(layout)

    def _check_sample(self) -> None:
        """Refuse a calibration that would compute everything.

        Raises:
            InputError: when the sample is not smaller than the examples of the job.
        """
        sample, own = self.study.cascade.sample, len(self.share)
        if self._has_drafts and sample >= own:
            raise InputError(
                f"cascade.sample={sample} examples are computed exactly under every mask, and this job has {own:,}: "
                f"take precision=float32, or a smaller cascade.sample"
            )

    def is_here(self) -> bool:
        """Whether model and data are on this machine, and the model is trained."""
        return not self.missing() and not self.study.model.needs()

    def require_fit(self) -> None:
        """Refuse a folder that cannot be written, or parts of the setting that cannot be used.

        Raises:
            WriteError: when the folder cannot be written.
            StoreError: names all parts that cannot be used.
        """
        folder = self.setting.folder(self.results)
        self.require_writable(folder)
        require_whole(folder, self.setting.id, self.metric.columns)

    @property
    def sources(self) -> Sequence[Source]:
        """See `Job.sources`."""
        choice = self.study.replacement
        reference = [choice.data] if isinstance(choice, ReferenceReplacement) and choice.data is not None else []
        return self.study.model, self.study.data, *reference

    def rehearse(self) -> None:
        """Load and certify the model, read every example, and compare the base score with the expected one.

        Nothing where the model is trained by a job of the sweep, and where only the best of several trials is measured:
        it is rehearsed when it starts.
        """
        if self.study.plan or not self.is_here() or self.study.measure.chosen_among:
            return
        self.require_fit()
        self.study.measure.check(self.evaluator.layout)
        if self.setting.is_scored:
            self._guarded_base()

    def remaining(self) -> int | None:
        """At most how many rows, and files that say what they are, are not stored yet.

        Returns:
            None while model or data are not here; 1 where no file says which heads the model has: the job finds them.
        """
        if not self.is_here():
            return None
        with suppress(InputError):  # which trial is best is not known yet
            if self._better_trial():
                return 0
        return 1 if self.layout is None else self._left()

    def estimate(self) -> float | None:
        """Seconds that the remaining rows will take at the rate of those stored, all at most; None where none is.

        Where none is of this data, at the rate of the same model on other data. Nothing is computed for it.
        """
        if not self.is_here():
            return None
        layout = self.layout or layout_elsewhere(self.setting, self.results)
        if layout is None or not self.study.measure.suits(layout):
            return None
        evaluator = self.evaluator if self.layout else self._open(layout)
        request = self.study.measure.request(evaluator)
        if request.probe is not None:
            return None  # nothing stored tells how long a training takes
        missing = missing_rows(evaluator, request)
        rates = {table: seconds_a_row(self.setting, self.results, table) for table in missing}
        known = [count * rate for table, count in missing.items() if count and (rate := rates[table]) is not None]
        return float(sum(known)) if len(known) == sum(map(bool, missing.values())) else None

    def request(self) -> Run:
        """See `Job.request`."""
        return measuring_run(self.study)

    def plan(self) -> dict[str, Any]:
        """See `Job.plan`; some blocks are computed, and nothing is stored."""
        study = self.study
        if needs := "; ".join(self.missing()) or study.model.needs():
            log.info("%s cannot be planned yet: it needs %s", self, needs)
            trained = isinstance(study.model, TrainedModel) and not self.missing()
            return {
                "state": "cannot be planned yet",
                "needs": "its training, measure=train first" if trained else needs,
            }
        request = study.measure.request(self.evaluator)
        left = {str(table): rows for table, rows in missing_rows(self.evaluator, request).items()}
        computes = [study.device, study.threads, study.batch_tokens, study.memory_gb]
        key = short_hash([self._run.id, str(self.results), left, *computes])
        planned = self._cache.plan(key, lambda: plan(self.evaluator, request))
        if self._seconds_of_means:
            planned = planned.with_means(len(self.reference), self._seconds_of_means)
        log.info("%s: %s", self, planned)
        if request.needs and not self._for_training:  # a training runs what is needed itself
            log.info("%s", request.needs)
        values = {
            "state": "done already" if not planned.missing else "planned",
            "masks": max(planned.masks.values()),
            "missing": planned.missing,
            "expected": Duration(planned.seconds),
        }
        if request.needs and (source := study.measure.source(study.data.name)):
            values["needs"] = f"measure={source[0]}"
        return values

    def compute(self) -> dict[str, Any]:
        """The base score first, then every mask of the measure that is not stored yet."""
        measure, began = self.study.measure, time.monotonic()
        if needs := self.study.model.needs():
            raise InputError(needs)
        if better := self._better_trial():
            log.info("%s: not measured, %s", self, better)
            return {"state": "not chosen", "chosen": better}
        evaluator = self.evaluator
        measure.check(evaluator.layout)
        run = with_distinct_id(self._run, self.results)
        history = OutcomesHistory(evaluator.store.folder, run.id, run.examples)
        left = self._left()
        if left and (stored := self._stored()):
            log.info("%s: goes on, %s of its rows are stored", self, f"{stored:,}")
        with report(self.study, run, evaluator.store.folder, history, left) as reported:
            evaluator.when_stored = reported.stored
            base = self._guarded_base() if self.setting.is_scored else None
            evaluator.store.describe()
            measure.run(evaluator)
            while self._has_drafts and self._auditor(evaluator).run():
                measure.run(evaluator)  # what is computed anew may decide which masks come next
            request = measure.request(evaluator)
            found, more = self._read(request) if base is None else self._scored(request, base)
            reported.finish({**found, **more})
        seconds = time.monotonic() - began
        done = f"{evaluator.computed:,} rows computed in {seconds:.0f} s" if evaluator.computed else "nothing to do"
        log.info("%s", done)
        return {**found, "computed": evaluator.computed}

    def _read(self, request: "MaskRequest") -> tuple[dict[str, Any], dict[str, Any]]:
        """What there is to say of texts that were only read, and what the measure found in them."""
        masks = len({key for one in request.others for key in self.evaluator.keys(one.masks)})
        found = self.study.measure.findings(self.evaluator)
        counted = f"{masks} {'mask' if masks == 1 else 'masks'} × {len(self.share):,} texts stored"
        log.info("%s: %s", self, "; ".join([counted, *(f"{name} {value:,.6g}" for name, value in found.items())]))
        return {"masks": masks, **found}, {}

    def _scored(self, request: "MaskRequest", base: float) -> tuple[dict[str, Any], dict[str, Any]]:
        """The base score and the number of masks; and the strongest effects."""
        evaluator, scored = self.evaluator, self.evaluator.metric
        masks = np.concatenate([evaluator.layout.full()[None], request.outcomes])
        scores = evaluator.scores(masks)
        found = {"base": base, "unit": scored.score_unit, "masks": len(scores)}
        extreme = extremes(scores, evaluator.layout)
        answer, mask = self.study.measure.answer(evaluator), extreme.get("lowest_effect_of", "")
        if not answer and mask and " off from " not in mask:  # of many heads off it says the first
            answer = f"{extreme['lowest_effect']:+.{scored.digits}f} {scored.unit} with {mask}"
        number = "1 mask" if len(scores) == 1 else f"{len(scores):,} masks"
        words = "%s: base score %s%s, %s stored%s"
        log.info(words, self, scored.shown(base), self._share_words(), number, answer and f"; {answer}")
        return found, extreme

    def _share_words(self) -> str:
        """Words for the examples behind a score, where they are not all that the job's shards measure together."""
        if self.study.shards == 1:
            return ""
        return f" (of this shard's {len(self.share):,} of {len(self.view):,} examples)"

    def _open(self, layout: HeadLayout) -> Evaluator:
        study, share = self.study, self.share
        examples = several(self.examples, study.replacement.num_draws)
        store = Store(self.results, self.setting, layout, examples)
        return Evaluator(
            store,
            self.setting,
            share,
            self._engine,
            provenance={**versions_here(), RUN: self._run.id},
            whole=self.view,
            max_unknown=study.data.max_unknown,
            prove=lambda engine, rows, tables: prove(engine, share, rows, store.folder, study.precision, tables),
            gates=study.model.gates,
        )

    def _engine(self) -> "Engine":
        study, subject = self.study, self.subject()
        from study.engine.choose import choose_engine  # not before an outcome is missing: it takes torch

        tokens, memory = study.batch_tokens, study.memory_gb

        def choose(precision: Precision, exact: "Engine | None" = None) -> "Engine":
            careful, sizes = study.cascade, {"batch_tokens": tokens, "memory_gb": memory}
            return choose_engine(subject, precision, study.screening, cascade=careful, exact=exact, **sizes)

        def kept(precision: Precision) -> "Engine":
            return self._cache.engine(subject, short_hash([precision, tokens, memory]), lambda: choose(precision))

        match study.precision:
            case Precision.screened:  # learns of the examples of this job
                return choose(Precision.screened)
            case Precision.cascade:  # thresholds and gradients are of a setting
                key, folder = short_hash([Precision.cascade, tokens, memory]), str(self.setting.folder(self.results))
                return self._cache.engine(
                    subject, key, lambda: choose(Precision.cascade, kept(Precision.float32)), of=folder
                )
        return kept(study.precision)

    def _load(self) -> "Subject":
        study = self.study
        level = logging.INFO if study.model.epoch is None else logging.DEBUG  # a training has many checkpoints
        log.log(level, "loading %s", study.model.name)  # before the first package that takes seconds
        study.model.check_texts(self.view, study.data.max_unknown)
        import torch

        from study.certification.certify import certify

        if study.threads:
            torch.set_num_threads(study.threads)
        subject = study.model.load(torch.device(self.device()))
        certificate = certify(subject)
        log.debug("loaded %s", subject.loaded)
        words = "%s: %d heads (%s), on %s, certified (masking is exact within %.1g)"
        heads, exact = subject.layout, certificate.largest_difference
        log.log(level, words, study.model.name, len(heads), heads, subject.device, exact)
        if not study.replacement.is_usual:
            study.measure.check(subject.layout)  # before anything is read for what stands in
            self._replace_units(subject)
        return subject

    def _replace_units(self, subject: "Subject") -> None:
        """Let what is chosen stand in the place of units that are off, and prove it."""
        from study.certification.stand_ins import certify_stand_in
        from study.replacement.make import Texts, replace_units

        study, choice, reference = self.study, self._choice, self.reference
        source, options = self._source, choice.options(self.examples, reference, self._source.task)
        digest = short_hash([self._model_identity, reference.digest, choice.name, options])
        file = self.results / study.model.name / MEANS / f"{digest}.safetensors"
        studied = Texts(study.data.name, self._once, study.data.max_unknown)
        if study.plan and not file.exists():  # nothing is stored for a plan
            if isinstance(choice, (Mean, MeanByPosition)):
                self._plan_means(subject, choice, studied, Texts(source.name, reference, source.max_unknown))
                return
            file = None
        replace_units(subject, choice, studied, Texts(source.name, reference, source.max_unknown), file)
        exact = certify_stand_in(subject)
        log.info("%s stands in the place of what is masked, certified (within %.1g)", choice.words(), exact)

    def _plan_means(self, subject: "Subject", choice: Mean | MeanByPosition, studied: "Texts", every: "Texts") -> None:
        """Let the mean of a few reference examples stand in, with which rows take as long; time it for all of them."""
        from study.replacement.make import replace_units, require_positions
        from study.replacement.means import means

        if isinstance(choice, MeanByPosition):
            require_positions(subject, studied, every)
        few = replace(every, examples=_first(every.examples, PLANNED_EXAMPLES))
        replace_units(subject, Mean(acts_on=choice.acts_on), studied, few, None)
        began = time.perf_counter()
        means(subject, few.encode(subject), choice)  # by position all alternatives of a choice are read
        letters, own = (sum(len(text) for row in each.examples.texts for text in row) for each in (every, few))
        self._seconds_of_means = (time.perf_counter() - began) * letters / max(own, 1)
        words = "%s: the mean of %d reference examples stands in for this plan; all %s are read before the study"
        log.info(words, choice.words(), len(few.examples), f"{len(every.examples):,}")

    def _better_trial(self) -> str:
        """The trial that was chosen in place of the model under study, in words; empty where that is to be measured.

        Raises:
            InputError: when the results folder does not have its training.
        """
        model, options = self.study.model, self.study.measure.chosen_among
        if not options or not isinstance(model, TrainedModel):
            return ""
        return better_trial(self.results, training_run(self.study, model), options, usual_options(model.training))

    def _left(self) -> int:
        """At most how many rows, curves, designs and probes are not stored yet; 1 where only their setting is not."""
        evaluator = self.evaluator
        request = self.study.measure.request(evaluator)
        rows = sum(missing_rows(evaluator, request).values())
        curves = sum(not evaluator.keeps(curve) for curve in request.curves)
        designs = sum(not evaluator.keeps_design(design) for design in request.designs)
        left = rows + curves + designs + (request.probe is not None) + (not rows and not evaluator.store.described)
        return left or int(self._has_drafts and not self._auditor(evaluator).passed)

    def _stored(self) -> int:
        """How many of the rows that its measure asks for are stored."""
        evaluator = self.evaluator
        asked = table_requests(evaluator, self.study.measure.request(evaluator))
        lacking = sum(len(rows) for one in asked for rows in evaluator.lacking(one).values())
        return sum(map(evaluator.needed, asked)) - lacking

    @property
    def _has_drafts(self) -> bool:
        """Whether some of its outcomes are drafts that an audit speaks for."""
        return self.study.precision is Precision.cascade and self.setting.is_scored

    def _auditor(self, evaluator: Evaluator) -> Auditor:
        """What audits all outcomes that its measure asks for."""
        study = self.study
        asked = table_requests(evaluator, study.measure.request(evaluator))
        outcomes = [one for one in asked if one.table == OUTCOMES]
        return Auditor(evaluator, outcomes, study.cascade, study.shard, study.shards)

    def _guarded_base(self) -> float:
        """The base score, once it is seen to be what it should."""
        model, base = self.study.model, self.evaluator.base_score()
        if model.fresh_seed is not None:  # nothing is expected of a model that has learned nothing
            return base
        check_labels = isinstance(model, ClassifierConfig) and model.check_labels
        asks = self._is_asked and not isinstance(model, TrainedModel)
        guard(self.evaluator, base, model.expected, check_labels=check_labels, asks=asks)
        return base


def _first(examples: Examples, limit: int | None) -> Examples:
    return examples.take(range(min(limit or len(examples), len(examples))))


def _merged(examples: Examples) -> dict[str, Any]:
    """What the examples call labels that they do not tell apart, as JSON values; mostly nothing."""
    return {"merged": dict(examples.merged)} if examples.merged else {}


def _precision(study: StudyConfig) -> str:
    """The precision as it stands in a setting; how careful a screening or a cascade is belongs to it."""
    match study.precision:
        case Precision.screened:
            careful, names = study.screening, ("sample", "safety", "audit")
        case Precision.cascade:
            careful, names = study.cascade, ("sample", "safety", "bound", "confidence", "purposive")
        case _:
            return study.model.weights_precision() or str(study.precision)
    return "|".join([study.precision, *(f"{name}:{_exact(getattr(careful, name))}" for name in names)])


def _exact(number: float) -> str:
    """A number as short as it can be while no other has the same words."""
    if isinstance(number, int):
        return str(number)
    return short if float(short := f"{number:g}") == number else repr(number)
