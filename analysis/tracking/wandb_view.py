"""The saved view of a project in W&B: a row for each model on each data set, with what one wants to know of it first.

Runs of effects alone, grouped by experiment and by the factor that they differ in; the summary's columns pinned; a plot
of parallel coordinates from the factors to the scores. It is found again by a name of its own, so that each push renews
the one view of a project; who wants another one saves a copy.
"""

from collections.abc import Sequence

import wandb
import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws
from wandb_workspaces import expr

from analysis.results.domain import Domain
from analysis.tracking.timeouts import service_timeout
from analysis.tracking.wandb_project import TIMEOUT, WandbProject
from analysis.tracking.wandb_runs import FACTORS, factors_of_run

NAME = "Which heads matter"
OWN_NAME = "sixteenheads"
"""What the view is found by, in its address too."""

SUMMARY = ("base", "unit", "strongest", "effect", "significant", "heads")
"""Columns that are pinned, from the summary of a run of effects."""

WIDE = wr.Layout(w=24, h=10)


def save_view(domains: Sequence[Domain], project: WandbProject, wait: float) -> str:
    """Make the view, or renew it; its address.

    Raises:
        WandbError: when W&B refuses, or does not answer in time.
    """
    with project.as_study_errors(), service_timeout(wait):
        view = build(domains, project)
        try:
            there = ws.Workspace.from_url(f"{_host()}/{project}?nw={OWN_NAME}")
        except (ValueError, KeyError):  # there is none yet
            view._internal_name = f"nw-{OWN_NAME}-v"  # the library gives no other way to name one
        else:
            there.sections, there.settings, there.runset_settings = view.sections, view.settings, view.runset_settings
            view = there
        return view.save().url


def build(domains: Sequence[Domain], project: WandbProject) -> ws.Workspace:
    """The view; asks no one."""
    known = [factors_of_run(domain) for domain in domains]
    varying = [name for name in FACTORS if len({each.get(name) for each in known}) > 1]
    groups = [expr.Metric("Group"), *(expr.Config(name) for name in varying[:1])]
    return ws.Workspace(
        entity=project.entity or "",
        project=project.project,
        name=NAME,
        sections=[_scores(varying), _jobs()],
        settings=ws.WorkspaceSettings(max_runs=100),
        runset_settings=ws.RunsetSettings(
            filters="Config('job') = 'effects'",
            groupby=groups,
            order=[expr.Ordering(expr.Summary("base"), ascending=False)],
            pinned_columns=[*(f"summary:{name}" for name in SUMMARY), *(f"config:{name}" for name in varying)],
        ),
    )


def _scores(varying: Sequence[str]) -> ws.Section:
    """What the factors come to."""
    names = {"base": "base score", "effect": "effect of the strongest head", "significant": "heads that matter"}
    columns = [wr.ParallelCoordinatesPlotColumn(wr.Config(name), display_name=name) for name in varying]
    columns += [
        wr.ParallelCoordinatesPlotColumn(wr.SummaryMetric(name), display_name=words) for name, words in names.items()
    ]
    panels = [
        wr.ParallelCoordinatesPlot(title="From factors to scores", columns=columns, layout=WIDE),
        wr.BarPlot(title="Base score", metrics=["base"]),
        wr.BarPlot(title="Heads that matter", metrics=["significant"]),
        wr.WeavePanelSummaryTable(table_name="effects", layout=WIDE),
    ]
    return ws.Section(name="Effects", panels=panels, is_open=True)


def _jobs() -> ws.Section:
    """How jobs went; they are shown once the filter of the runs is taken away."""
    return ws.Section(
        name="Jobs", panels=[wr.LinePlot(title="Rows a second", x="progress/seconds", y=["progress/rows_per_second"])]
    )


def _host() -> str:
    """The address of W&B's pages."""
    return wandb.Api(timeout=TIMEOUT).settings["base_url"].replace("https://api.", "https://").rstrip("/")
