"""Read a results folder: the stored outcomes of every setting, checked, without a model.

A subject is a model under one metric (settings that share a subject id); a domain is one data set of it. What cannot
be compared is left out and named: a mask that lacks examples, a setting without base score or with damaged files.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from analysis.replacements import Replacement, counted, counted_of, with_draws
from analysis.results.designs import StoredDesign, design_domains, masks_of_designs, stored_designs
from analysis.results.domain import KEPT, Domain, scoring_signature
from analysis.results.probe_readings import ProbeReading, read_probes
from analysis.results.provenance import provenance
from analysis.results.readings import Reading, read_readings
from analysis.results.rescoring import rescored
from analysis.results.trainings import TRAININGS, read_trainings
from study.record.cascade.audit_files import read_audits
from study.record.curves import FOLDER as CURVES
from study.record.curves import Curve, read_curves
from study.record.designs import Design, DesignKind
from study.record.errors import InputError, StudyError, listed
from study.record.loss import Loss
from study.record.metrics import metric
from study.record.metrics.bleu import PLAIN_TOKENS, Bleu, tokenizer_of
from study.record.parts import StoreError, require_whole
from study.record.scores import with_statistics, with_weights
from study.record.setting import ANEW, SETTING_FILE, DamagedSettingError, SettingError, StoredSetting, read_setting
from study.record.store import read_examples, read_parts
from study.record.syntax.probe import ProbeError
from study.record.tables import KINDS, Gradients, stored_tables
from study.record.units import HeadLayout, parse_mask
from study.tracking.run import RunError, read_runs, serves_trainings

log = logging.getLogger(__name__)

NOTES_FILE = "notes.txt"
"""Optional lines in the results folder that the page shows under "Left out"; written by whoever made the results."""

TOKENS_13A = f"|tok:{PLAIN_TOKENS}|"
"""What a signature of BLEU says of its tokens."""

DAMAGE = (SettingError, StoreError, ProbeError)
"""Errors of files that were stored and cannot be used; any other is of a study that is not finished."""


class NothingMeasuredError(InputError):
    """Models were trained, and nothing has been measured of them yet: the first step of a study, and no fault."""


@dataclass(frozen=True)
class Results:
    """All that a results folder holds for the analysis.

    Attributes:
        folder: where it was read.
        domains: by model, subject and data.
        left_out: folders that were left out and why, and the lines of `notes.txt`.
        damaged: whether files are among what was left out: they were stored, and cannot be used.
        trainings: the course of each training that was a job: `analysis.results.trainings.read_trainings`.
        readings: what heads look at, by model and data.
        probes: what probes of attention find, by model and data.
        for_trainings: folders of settings by which trainings have chosen heads, and which nobody asked for besides.
        designs: sets of masks that belong together, with their outcomes, in the order of the domains.
    """

    folder: Path
    domains: tuple[Domain, ...]
    left_out: tuple[str, ...] = ()
    damaged: bool = False
    trainings: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=TRAININGS))
    readings: tuple[Reading, ...] = ()
    probes: tuple[ProbeReading, ...] = ()
    for_trainings: tuple[Path, ...] = ()
    designs: tuple[StoredDesign, ...] = ()

    @property
    def distinct(self) -> tuple[Domain, ...]:
        """The domains, each setting once: the end of a training may also be stored as its last checkpoint."""
        named = {domain.setting_id for domain in self.domains if domain.checkpoint is None}
        return tuple(domain for domain in self.domains if domain.checkpoint is None or domain.setting_id not in named)

    @property
    def models(self) -> set[str]:
        """Short names of the models; of a checkpoint that of its training."""
        return {place.family for each in (*self.domains, *self.readings, *self.probes) for place in each.factors}

    @property
    def subjects(self) -> dict[str, tuple[Domain, ...]]:
        """The distinct domains of each subject, by subject id."""
        groups: dict[str, list[Domain]] = {}
        for domain in self.distinct:
            groups.setdefault(domain.subject_id, []).append(domain)
        return {subject_id: tuple(domains) for subject_id, domains in groups.items()}


@dataclass(frozen=True)
class Selection:
    """Which settings to read; empty means all.

    Attributes:
        models: short names of models.
        data: short names of data sets.
        limit: only the first `limit` examples of each data set, as `data.limit` of a study; None for all.
        limits: another limit for data sets of these names.
    """

    models: Collection[str] = ()
    data: Collection[str] = ()
    limit: int | None = None
    limits: Mapping[str, int] = field(default_factory=dict)

    def examples(self, data: str) -> int | None:
        """How many examples of a data set are read, the first ones; None for all."""
        return self.limits.get(data, self.limit)


def read_results(folder: Path, selection: Selection | None = None) -> Results:
    """Every setting under a results folder that can be analysed.

    Raises:
        NothingMeasuredError: when there are trainings alone.
        InputError: when there is no setting, or none that is selected; says what there is.
    """
    selection = selection or Selection()
    if not folder.is_dir():
        raise InputError(f"there is no results folder {folder}: run a study first, or name another folder")
    paths = setting_folders(folder)
    trainings, unread = read_trainings(folder)
    if not paths and trainings.height:
        names = ", ".join(trainings["training"].unique(maintain_order=True))
        raise NothingMeasuredError(f"{folder} holds trainings ({names}) and no outcomes yet: nothing to analyse")
    if not paths:
        raise InputError(
            f"{folder} holds no outcomes (no MODEL/DATA/SETTING/{SETTING_FILE} below it): run a study first"
        )
    wanted, helping = _apart(_selected(paths, selection), selection)
    domains, readings, probes, designs, left_out, damaged = [], [], [], [], [], bool(unread)
    for path in wanted:
        try:
            setting, limit = read_setting(path), selection.examples(path.parent.name)
            readings += read_readings(path, limit, setting)
            probes += read_probes(path, limit, setting)
            if not setting.is_scored:
                continue
            domain = read_domain(path, limit, setting=setting)
            designs += design_domains(domain, limit)
        except StudyError as error:
            left_out.append(f"{path.relative_to(folder)}: {error}")
            log.warning("left out: %s", left_out[-1])
            damaged |= isinstance(error, DAMAGE)
            continue
        domains.append(domain)
        damaged |= domain.damaged
    if not domains and not readings and not probes:
        raise InputError("\n  ".join([f"{folder} holds nothing that can be analysed:", *left_out]))
    domains.sort(key=place_of)
    for line in dict.fromkeys(line for domain in domains for line in domain.left_out):
        those = dict.fromkeys(f"{domain.subject} on {domain.data}" for domain in domains if line in domain.left_out)
        log.warning("%s: %s", "; ".join(those), line)
    readings.sort(key=lambda reading: (reading.model, reading.data, reading.setting.id, reading.special))
    probes.sort(key=lambda probe: (probe.setting.model, probe.setting.data, probe.setting.id, probe.probe.training.id))
    designs.sort(key=lambda one: place_of(one.domain))
    said = (*_notes(folder), *left_out, *unread, *_served(helping))
    read = tuple(domains), said, damaged, trainings, tuple(readings), tuple(probes)
    results = Results(folder, *read, for_trainings=tuple(helping), designs=tuple(designs))
    if not selection.models:
        return results
    return replace(results, trainings=trainings.filter(pl.col("training").is_in(results.models)))


def scored_by(results: Results, metrics: Collection[str]) -> Results:
    """The domains that each of these metrics can score, scored by it; where none is named, all as they are.

    Raises:
        InputError: when there is no such domain; says by what the domains are scored.
    """
    if not metrics:
        return results
    domains, refused = [], []
    for name in dict.fromkeys(metrics):
        for domain in results.domains:
            try:
                domains.append(rescored(domain, name))
            except InputError as error:
                refused.append(str(error))
    if not domains:
        raise InputError("\n  ".join([f"{results.folder} holds nothing with metric {', '.join(metrics)}:", *refused]))
    domains.sort(key=lambda domain: place_of(domain)[:-2])
    return replace(results, domains=tuple(domains), designs=tuple(_designs_by(results.designs, metrics)))


def _designs_by(designs: Sequence[StoredDesign], metrics: Collection[str]) -> Iterator[StoredDesign]:
    """The designs as each of these metrics scores them, where it can."""
    for name in dict.fromkeys(metrics):
        for one in designs:
            with suppress(InputError):
                yield replace(one, domain=rescored(one.domain, name))


def place_of(domain: Domain) -> tuple[str, bool, str, str, str, str]:
    """Where a domain stands among all: zero before other replacements of a model, and these by their names."""
    other = not domain.replacement.is_usual
    return domain.model, other, domain.replacement.label, domain.subject_id, domain.data, domain.setting_id


def setting_folders(results: Path) -> list[Path]:
    """The folders of settings of which rows are stored, or were once; of a job that came to nothing there are none."""
    said = {path.parent for path in results.glob(f"*/*/*/{SETTING_FILE}")}
    stored = {part.parent for kind in KINDS for part in results.glob(f"*/*/*/{kind.kind}*-*.parquet")}
    return sorted(stored | {folder for folder in said - stored if _was_measured(folder)})


def _apart(folders: Sequence[Path], selection: Selection) -> tuple[list[Path], list[Path]]:
    """The settings that people study, and those by which trainings chose heads; all of what is selected by name.

    These are studied as well where there are no others.
    """
    if selection.models or selection.data:
        return list(folders), []
    helping = [folder for folder in folders if serves_trainings(folder)]
    own = [folder for folder in folders if folder not in helping]
    return (own, helping) if own else (helping, [])


def _served(helping: Sequence[Path]) -> Iterator[str]:
    """Says of each of these settings why it is not shown."""
    for model, data in dict.fromkeys(folder.parts[-3:-1] for folder in helping):
        yield (
            f"{model} on {data}: measured by trainings to choose heads, on their training data. "
            f"`study report --model {model}` shows it"
        )


def _was_measured(folder: Path) -> bool:
    """Whether something in the folder of a setting without rows says that there were some."""
    try:
        return (folder / CURVES).is_dir() or any(run.summary for run in read_runs(folder))
    except RunError:
        return True


def read_domain(
    folder: Path, limit: int | None = None, *, under_way: bool = False, setting: StoredSetting | None = None
) -> Domain:
    """The outcomes of one setting folder, `results/<model>/<data>/<setting id>`, of its first `limit` examples.

    They are scored by the metric that their data named.

    Args:
        folder: the folder.
        limit: examples that are read; None for all.
        under_way: whether a job is writing there: masks of single heads are then read as far as they have come, on the
            examples that they have in common.
        setting: what the folder holds, where that is read already.

    Raises:
        SettingError: when `setting.json` is damaged or of another schema.
        StoreError: when a part cannot be read or two parts disagree.
        InputError: when the base mask was not evaluated, or the files do not belong together.
    """
    setting = _checked(setting or read_setting(folder), folder)
    layout, stored_metric = setting.layout, metric(setting.metric, setting.answers)
    draws = Replacement.of(setting).draws
    require_whole(folder, setting.id, stored_metric.columns)
    examples = with_draws(read_examples(folder), draws, limit)
    designs, wrong = stored_designs(folder, layout)
    curves, broken = read_curves(folder)
    others = masks_of_designs(designs, layout) - {mask for curve in curves for mask in curve.masks}
    wanted = ~pl.col("mask").is_in(pl.Series([*others]).implode()) if others else None
    outcomes = read_parts(folder, within=setting.tolerance, layout=layout, wanted=wanted)
    rows = outcomes.rows.filter(pl.col("example").is_in(examples["example"].to_list()))
    _check_rows(rows, layout)
    evaluated = _in_common(rows, layout) if under_way else rows.filter(pl.col("mask") == layout.full_key)["example"]
    complete, lacking = complete_masks(rows, evaluated)
    lacking = _besides_searches(lacking, rows, designs, examples)
    broken = [*broken, *wrong, *read_audits(folder)[1]]
    stored = set(complete["mask"].unique())
    cut = [curve for curve in curves if not stored.issuperset(curve.masks)]
    gradients = _gradients(folder, layout, evaluated)
    left_out = [*broken, *_unfinished(evaluated.len(), examples.height, draws)]
    left_out += _fewer(gradients, layout, evaluated.len(), draws)
    left_out += _incomplete(lacking, cut, len(curves), evaluated.len(), layout, folder.parent.name, draws)
    whole = [curve for curve in curves if curve not in cut]
    domain = Domain(
        model=setting.model,
        data=setting.data,
        folder=folder,
        setting=setting,
        setting_id=setting.id,
        subject_id=setting.subject_id,
        layout=layout,
        metric=stored_metric,
        signature=scoring_signature(setting.statistic, examples),
        examples=examples.filter(pl.col("example").is_in(evaluated.to_list())),
        rows=with_statistics(with_weights(complete, examples), examples, stored_metric),
        close_calls=outcomes.close_calls,
        left_out=tuple(left_out),
        provenance=provenance(folder),
        gradients={loss: with_weights(own, examples) for loss, own in gradients.items()},
        curves=tuple(curve for curve in whole if curve.order != KEPT),
        kept=tuple(curve for curve in whole if curve.order == KEPT),
        labels=setting.labels,
        factors=setting.factors,
        damaged=bool(broken),
    )
    return rescored(domain, setting.scored_by or setting.metric)


def complete_masks(rows: pl.DataFrame, examples: pl.Series) -> tuple[pl.DataFrame, dict[str, int]]:
    """The rows of the masks that have all of `examples`, and how many of them each other mask has.

    Rows of other examples are dropped, so that every mask is scored on the same ones.
    """
    rows = rows.filter(pl.col("example").is_in(examples.to_list()))
    counts = rows.group_by("mask", maintain_order=True).len()
    lacking = dict(counts.filter(pl.col("len") < examples.len()).iter_rows())
    return rows.filter(~pl.col("mask").is_in(list(lacking))), lacking


def _besides_searches(
    lacking: Mapping[str, int], rows: pl.DataFrame, designs: Sequence[Design], examples: pl.DataFrame
) -> dict[str, int]:
    """The masks that lack examples, but for those that have the ones that chose a search's steps, and no others."""
    chose = [set(design.examples) & set(examples["example"]) for design in designs if design.kind is DesignKind.STEP]
    if not chose or not lacking:
        return dict(lacking)
    own = rows.filter(pl.col("mask").is_in(pl.Series([*lacking]).implode())).group_by("mask").agg("example")
    searched = {mask for mask, had in own.iter_rows() if set(had) in chose}
    return {mask: count for mask, count in lacking.items() if mask not in searched}


def _in_common(rows: pl.DataFrame, layout: HeadLayout) -> pl.Series:
    """The examples that the full mask and single-head masks have in common, of as many of both as that allows.

    Among the masks with at least so many examples, for each such number, those are taken of which number of masks
    times number of examples is largest: a mask that has just begun costs the others none of theirs.
    """
    singles = [layout.key(mask) for mask in layout.each_off()]
    counts = rows.filter(pl.col("mask").is_in(singles)).group_by("mask").len().sort("len", "mask", descending=True)
    full = rows.filter(pl.col("mask") == layout.full_key)["example"]
    if counts.is_empty():
        return full
    number = int((counts["len"] * pl.int_range(1, counts.height + 1, eager=True)).arg_max() or 0) + 1
    chosen = rows.filter(pl.col("mask").is_in(counts["mask"][:number].to_list()))
    shared = chosen.group_by("example").len().filter(pl.col("len") == number)["example"]
    return full.filter(full.is_in(shared.to_list()))


def _selected(folders: Sequence[Path], selection: Selection) -> list[Path]:
    """The setting folders of the models and data sets asked for."""
    names = {"model": {path.parts[-3] for path in folders}, "data set": {path.parts[-2] for path in folders}}
    for what, asked in (("model", selection.models), ("data set", {*selection.data, *selection.limits})):
        unknown = set(asked) - names[what]
        if unknown:
            raise InputError(
                f"no results of {what} {', '.join(sorted(unknown))}: there are {', '.join(sorted(names[what]))}"
            )
    return [
        path
        for path in folders
        if (not selection.models or path.parts[-3] in selection.models)
        and (not selection.data or path.parts[-2] in selection.data)
    ]


def _checked(setting: StoredSetting, folder: Path) -> StoredSetting:
    """The stored setting of a folder, which must be that of its name, and counted in tokens of its language."""
    if setting.id != folder.name:
        raise DamagedSettingError(f"{folder / SETTING_FILE} is that of another setting: {ANEW}")
    if setting.metric == Bleu.name and "tokenize" not in setting.subject:
        _require_tokens(setting.target_language, setting.statistic)
    return setting


def _require_tokens(language: str, signature: str) -> None:
    """Refuse outcomes that count a sentence without spaces as one word: BLEU was of 13a tokens for every language."""
    own = tokenizer_of(language)
    if own != PLAIN_TOKENS and TOKENS_13A in signature:
        raise InputError(
            f"its BLEU is of {PLAIN_TOKENS} tokens, for which a text in {language} has hardly any words, and not of "
            f"{own} tokens: run the same command again, and this folder can go. "
            f"metric.tokenize={PLAIN_TOKENS} insists on them"
        )


def _check_rows(rows: pl.DataFrame, layout: HeadLayout) -> None:
    """Refuse rows that are not of these heads, and rows without the base mask."""
    if rows.is_empty():
        raise StoreError(f"no outcomes of its examples are stored; {ANEW}")
    for mask in rows["mask"].unique():
        parse_mask(mask, layout)
    if layout.full_key not in rows["mask"]:
        raise InputError(
            f"the base score is missing: none of the {rows['mask'].n_unique()} masks has every head on. "
            f"Run the study again, it evaluates the full mask first"
        )


def _unfinished(evaluated: int, every: int, draws: int) -> Iterator[str]:
    if evaluated < every:
        yield f"scores are of {counted_of(evaluated, every, draws)}: the others were not evaluated"


def _fewer(gradients: Mapping[Loss, pl.DataFrame], layout: HeadLayout, evaluated: int, draws: int) -> Iterator[str]:
    """One line for each loss whose gradients were taken on fewer examples than have outcomes."""
    for loss, rows in gradients.items():
        taken = rows.filter(pl.col("mask") == layout.full_key).height
        if taken < evaluated:
            yield f"importances (loss {loss}) are of {counted_of(taken, evaluated, draws)} that have outcomes"


def _incomplete(
    lacking: Mapping[str, int],
    cut: Sequence[Curve],
    curves: int,
    evaluated: int,
    layout: HeadLayout,
    data: str,
    draws: int,
) -> Iterator[str]:
    """One line on all that lacks outcomes: the curves that cannot be drawn, and the masks of no curve by name."""
    of_curves = {mask for curve in cut for mask in curve.masks}
    alone = {mask: count for mask, count in lacking.items() if mask not in of_curves}
    said = []
    if cut:
        orders = ", ".join(sorted({curve.order for curve in cut}))
        said.append(f"pruning curves that lack outcomes are not drawn: {len(cut)} of {curves} ({orders})")
    if alone:
        named = [f"{layout.describe(parse_mask(mask, layout))} ({count:,})" for mask, count in alone.items()]
        masks = "1 mask lacks" if len(alone) == 1 else f"{len(alone)} masks lack"
        outcomes = f"{evaluated:,}" if draws == 1 else f"{counted(evaluated, draws)}: {evaluated:,} draws"
        said.append(f"{masks} examples that the base score has ({outcomes}): {listed(named)}")
    if fewest := min(lacking.values(), default=0) // draws:  # a limit counts examples, each with all of its draws
        said.append("a job that was stopped goes on when it is run again")
        said.append(f"if they were run with data.limit={fewest}, `--limit {data}={fewest}` shows them")
    if said:
        yield "; ".join(said)


def _gradients(folder: Path, layout: HeadLayout, evaluated: pl.Series) -> dict[Loss, pl.DataFrame]:
    """Gradient rows by loss, of the masks that have all examples of the full mask that were evaluated."""
    full, found = layout.full_key, {}
    for table in stored_tables(folder):
        if not isinstance(table, Gradients):
            continue
        rows = read_parts(folder, table, layout=layout).rows
        rows = rows.filter(pl.col("example").is_in(evaluated.implode()))
        examples = rows.filter(pl.col("mask") == full)["example"]
        if examples.len():
            found[table.loss], _ = complete_masks(rows, examples)
    return found


def _notes(folder: Path) -> tuple[str, ...]:
    path = folder / NOTES_FILE
    if not path.is_file():
        return ()
    return tuple(
        line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()
    )
