"""The report in W&B: words with numbers, the paper's beside ours, and panels on the runs that a push has made.

Building it asks no one: the runs of a panel are those of the report's own project, by filter. Without a key it is
written as JSON, to look at; with one it is saved, and the one of the same title is updated.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl
import wandb_workspaces.reports.v2 as wr
from wandb_workspaces.reports.v2.interface import BlockTypes

from analysis import paper
from analysis.attention_kinds import kind_label
from analysis.compute import Analysis
from analysis.curves.order_names import units_removed
from analysis.effects.head_effects import ALL_KINDS, Measure, strongest_head
from analysis.formatting import address, base_score, effect, interval, score
from analysis.results.domain import Domain
from analysis.tracking.timeouts import USUAL_WAIT, service_timeout
from analysis.tracking.wandb_project import WandbProject
from study.record.files import whole_file
from study.record.units import UnitLevel
from study.tracking.run import training_folders
from study.tracking.wandb_access import key_is_known

TITLE = "Which attention heads are needed: "
LONGEST_TITLE = 128
WIDE = wr.Layout(w=24, h=9)


def save_report(analysis: Analysis, project: WandbProject, path: Path) -> str:
    """Save the report, and besides (without a key alone) its JSON at a path; where it is, in words.

    Raises:
        WandbError: when W&B refuses or is not there.
    """
    report = build(analysis, project)
    with whole_file(path) as draft:
        spec = report._to_model().spec  # what W&B would be given
        draft.write_text(spec.model_dump_json(by_alias=True, exclude_none=True, indent=1) + "\n", encoding="utf-8")
    if not key_is_known():
        return f"no W&B key is found: the report is in {path}, and `wandb login` lets it be saved"
    project.require_writable()
    with project.as_study_errors(), service_timeout(USUAL_WAIT):
        same = [view for view in project.api.reports(str(project)) if view.display_name == report.title]
        if same:
            report.id = same[0].id
        report.save()
        return f"W&B: {'updated' if same else 'saved'} {report.url}"


def build(analysis: Analysis, project: WandbProject) -> wr.Report:
    """The report; asks no one."""
    models = ", ".join(dict.fromkeys(domain.model for domain in analysis.results.domains))
    blocks: list[BlockTypes] = [
        wr.P("Every number is computed from stored outcomes; the artifacts beside the runs hold them all."),
        wr.TableOfContents(),
    ]
    for domains in analysis.subjects.values():
        blocks += list(_subject(domains, analysis))
    if training_folders(analysis.results.folder):
        blocks += [wr.H2("Trainings"), _panels("trainings", "Config('job') = 'train'", _training())]
    blocks += [wr.H2("Every job"), _panels("jobs", "Config('job') != 'report'", _progress())]
    return wr.Report(
        entity=project.entity or "",
        project=project.project,
        title=(TITLE + models)[:LONGEST_TITLE],
        description=f"Beside the paper's numbers: {paper.SOURCE}",
        blocks=blocks,
        width="fluid",
    )


def _subject(domains: tuple[Domain, ...], analysis: Analysis) -> Iterator[BlockTypes]:
    """One model on its domains: what it reaches, its heads, how domains agree, how many heads can go."""
    subject = domains[0].subject_id
    yield wr.H1(domains[0].subject)
    level = next((f"{1 - alpha:.0%}" for alpha in analysis.effects["alpha"].drop_nulls()), "")
    yield wr.P(f"{domains[0].layout} heads. Effects in {domains[0].metric.unit}, with their {level} intervals.")
    yield wr.MarkdownBlock(_domains(analysis, subject))
    for domain in domains:
        yield wr.H2(domain.data)
        panels = [wr.WeavePanelSummaryTable(table_name="effects", layout=WIDE)]
        yield _panels("effects", f"Config('setting') = '{domain.setting_id}' and Config('job') = 'effects'", panels)
    for found in (analysis.correlations, *analysis.larger.values()):
        correlations = found.overall.filter(subject_id=subject)
        if correlations.height:
            yield wr.H2(f"Do the same {found.level.plural} matter elsewhere?")
            yield wr.MarkdownBlock(_correlations(correlations, found.level.plural))
    curves = analysis.curves.filter(subject_id=subject)
    if curves.height:
        yield wr.H2(f"How many {units_removed(curves)} can go?")
        yield wr.MarkdownBlock(_curves(curves))


def _domains(analysis: Analysis, subject: str) -> str:
    rows = []
    for row in analysis.base.filter(subject_id=subject).rows(named=True):
        off = analysis.effects.filter(setting_id=row["setting_id"], measure=Measure.ABLATION)
        largest, theirs = strongest_head(off), row["paper_base_score"]
        rows.append(
            {
                "domain": row["domain"],
                "examples": f"{row['n']:,}",
                "base score": base_score(row),
                "paper": "" if theirs is None else score(theirs, row["metric"]),
                "strongest head": "" if largest is None else address(largest),
                "effect": "" if largest is None else effect(largest) + interval(largest),
                "significant heads": f"{off.filter(significant=True).height} of {off.height}" if off.height else "",
            }
        )
    return _markdown(rows)


def _correlations(correlations: pl.DataFrame, units: str) -> str:
    rows = []
    for row in correlations.rows(named=True):
        ours, theirs = row["reason"] or f"{row['pearson']:.2f}", paper.correlation(row)
        names = {"domains": f"{row['domain_a']} / {row['domain_b']}", units: str(row["heads"])}
        rows.append(names | {"Pearson r": ours, "paper": "" if theirs is None else f"{theirs:.2f}"})
    return _markdown(rows)


def _curves(curves: pl.DataFrame) -> str:
    rows = []
    for row in curves.rows(named=True):
        units = UnitLevel(row["level"]).plural if row["kinds"] == ALL_KINDS else kind_label(row["kinds"])
        names = {"domain": row["domain"], "of": units, "order": row["curve"]}
        theirs = "" if row["paper_share"] is None else f"{row['paper_share']:.0%}"
        rows.append(
            names | {f"share that goes for a loss of {row['within']:g}": f"{row['share']:.0%}", "paper": theirs}
        )
    return _markdown(rows)


def _markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """A table in Markdown, a column for each name; what could end a cell is escaped."""
    names = [*rows[0]] if rows else []
    lines = [names, ["---"] * len(names), *([*row.values()] for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _panels(name: str, filters: str, panels: list) -> wr.PanelGrid:
    """Panels on runs of the report's own project."""
    return wr.PanelGrid(runsets=[wr.Runset(name=name, filters=filters)], panels=panels)


def _progress() -> list:
    return [
        wr.LinePlot(title="Rows a second", x="progress/seconds", y=["progress/rows_per_second"]),
        wr.BarPlot(title="Base score", metrics=["base"]),
        wr.BarPlot(title="Lowest effect", metrics=["lowest_effect"]),
    ]


def _training() -> list:
    curves = {"Training loss": "loss", "Dev loss": "dev_loss", "Dev score": "dev_score", "Rate": "learning_rate"}
    return [wr.LinePlot(title=title, x="training/epoch", y=[f"training/{name}"]) for title, name in curves.items()]
