"""`python -m analysis [RESULTS]`: tables, figures and a page from stored outcomes; needs no model and no torch."""

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape

from analysis.along import Match
from analysis.attention.statistics import Neighbours
from analysis.compute import Analysis, analyse
from analysis.defaults import DEFAULTS, configured, sized
from analysis.importing import agree, command
from analysis.inference import Inference, Interval
from analysis.inference.multiplicity import Correction
from analysis.inference.significance import PairedTest
from analysis.page import AttentionPage
from analysis.report import write_readings, write_report
from analysis.results.cells import DATA, check_axes
from analysis.results.read import NothingMeasuredError, Results, Selection, read_results, scored_by
from analysis.results.together import together
from analysis.roles import AttentionOptions, head_attention
from analysis.roles.rules import BY_NAME, roles
from analysis.syntax.probe_scores import probes
from analysis.terminal import (
    components_table,
    correlation_table,
    print_along,
    print_attention,
    print_cascade,
    print_gates,
    print_probes,
    print_second_tasks,
    print_sets,
    print_summary,
)
from study.record.errors import InputError, StudyError
from study.record.factors import AXES
from study.record.metrics import METRICS
from study.record.units import UnitLevel

DEFAULT_COMMAND = "report"


def main(arguments: Sequence[str] | None = None, prog: str = "python -m analysis") -> int:
    """Run a command.

    Args:
        arguments: the command line; None: that of this process.
        prog: what the user types before the command.

    Returns:
        The exit status: 0; 1 when the report is written, but files that were stored cannot be used and were left out;
        2 for an error of the user's; 130 when interrupted.
    """
    logging.basicConfig(
        level=logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=Console(stderr=True), show_time=False, show_path=False)],
    )
    options = parse(list(sys.argv[1:] if arguments is None else arguments), prog)
    try:
        return options.run(options) or 0
    except NothingMeasuredError as nothing:
        print(nothing)
    except StudyError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; what was written is whole", file=sys.stderr)
        return 130
    return 0


def read(options: argparse.Namespace) -> Results:
    """The results that the options name."""
    limits = dict(options.limit)
    selection = Selection(options.model, options.data, limits.pop("", None), limits)
    results = together([read_results(folder, selection) for folder in (options.results, *options.compare)])
    return scored_by(results, options.metric)


def analysed(results: Results, options: argparse.Namespace) -> Analysis:
    """The analysis that the options ask for."""
    chosen = _chosen(options)
    own = {name: chosen[name] for name in ("within", "splits", "least_r")}
    heads = _attention_options(options, chosen)
    how = {"by": options.by, "axes": options.along, "match": options.match, "level": options.unit, "attention": heads}
    return analyse(results, Inference.of(chosen), **how, **own)


def _attention_options(options: argparse.Namespace, chosen: dict[str, Any]) -> AttentionOptions:
    """How roles of heads are decided."""
    neighbours = chosen["neighbours"]
    if neighbours not in list(Neighbours):
        raise InputError(f"neighbours '{neighbours}' is none of {', '.join(Neighbours)}")
    return AttentionOptions(Neighbours(neighbours), dict(options.role), options.frequencies)


def _chosen(options: argparse.Namespace) -> dict[str, Any]:
    """The options of `defaults.yaml`: as flags have them, else a user's file, else that one."""
    given = {name: getattr(options, name) for name in DEFAULTS if getattr(options, name) is not None}
    usual = configured(options.config)
    named = {name: sized(usual[name], given[name]) for name in ("margin", "within") if name in given}
    return usual | given | named


def push(options: argparse.Namespace) -> None:
    """Analyse a results folder and fill W&B with all of it."""
    from analysis.tracking.push import push_results  # wandb takes a second to import
    from analysis.tracking.wandb_project import WandbProject, not_online

    offline = options.offline or not_online()
    place = WandbProject.parse(options.wandb or "", offline=offline)
    inference = asdict(Inference.of(_chosen(options)))
    try:
        results = read(options)
        analysis = analysed(results, options) if results.domains else None
    except NothingMeasuredError:
        analysis = None
    print(
        push_results(
            options.results,
            analysis,
            place,
            inference=inference,
            models=options.model,
            weights=options.weights,
            offline=offline,
            wait=float(options.wait),
        )
    )


def fetch(options: argparse.Namespace) -> None:
    """Bring what others have pushed into a results folder."""
    from analysis.tracking.fetch import fetch_outcomes
    from analysis.tracking.wandb_project import WandbProject

    print(fetch_outcomes(WandbProject.parse(options.place), options.results, float(options.wait)))


def report(options: argparse.Namespace) -> int:
    """Analyse a results folder, print the summary, write the page; its path is the last line.

    Returns:
        1 when stored files cannot be used: the report is of the others; else 0.
    """
    place, out = None, options.out or options.results / "analysis"
    if options.wandb:
        from analysis.tracking.wandb_project import WandbProject

        place = WandbProject.parse(options.wandb)
    began, console, results = time.time(), Console(), read(options)
    if not results.domains:
        return _report_readings(results, options, out, console)
    analysis = analysed(results, options)
    _print_analysis(analysis, options, console)
    if place:
        from analysis.tracking.wandb_report import save_report

        print(save_report(analysis, place, out / "report" / "wandb.json"))
    page = write_report(analysis, out, pdf=options.pdf, png=options.png)
    os.utime(page, (began, began))  # what is stored while it is made is not on it: the page is older than that
    print(page)
    return int(analysis.results.damaged)


def _print_analysis(analysis: Analysis, options: argparse.Namespace, console: Console) -> None:
    """Print all that an analysis says on a terminal."""
    print_summary(analysis, console)
    print_cascade(analysis.cascade, console)
    for line in analysis.namesakes:
        console.print(escape(f"Not compared: {line}."))
    if analysis.attention is not None:
        print_attention(analysis.attention, console)
    print_probes(analysis.probes, console)
    _print_trainings(analysis, console)
    print_sets(analysis.sets, console)
    if analysis.sliced is not None:
        for own in analysis.sliced.correlation.partition_by("subject_id", maintain_order=True):
            title = f"Correlation of {analysis.sliced.level.noun} effects by {options.by}"
            console.print(correlation_table(own, title, analysis.sliced.level.plural))
    if analysis.along is not None:
        print_along(analysis.along, Inference.of(_chosen(options)).alpha, console)
    if analysis.components is not None:
        for own in analysis.components.table.partition_by("grid", maintain_order=True):
            console.print(components_table(own))
        for line in analysis.components.sentences:
            console.print(escape(line))


def _print_trainings(analysis: Analysis, console: Console) -> None:
    """Print what trainings with gates, and those of later tasks, come to."""
    if analysis.gates is not None:
        print_gates(analysis.gates, console)
    if analysis.second_tasks is not None:
        print_second_tasks(analysis.second_tasks, console)


def _report_readings(results: Results, options: argparse.Namespace, out: Path, console: Console) -> int:
    """The report of sentences that were only read, without any score; as `report`."""
    chosen = _chosen(options)
    inference = Inference.of(chosen)
    found = head_attention(results, inference, _attention_options(options, chosen))
    page = AttentionPage.of(found, probes(results.probes, inference), results.left_out)
    if found is not None:
        print_attention(found, console)
    print_probes(page.probes, console)
    print(write_readings(page, out, pdf=options.pdf, png=options.png))
    return int(results.damaged)


def parse(arguments: list[str], prog: str) -> argparse.Namespace:
    """The options of a command line; `prog` as for `main`."""
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    commands = parser.add_subparsers(title="commands", required=True)
    first = commands.add_parser(
        DEFAULT_COMMAND,
        help="tables, figures and a page of a results folder (default)",
        description=f"{__doc__} Without a command: `{DEFAULT_COMMAND}`.",
        epilog=f"Other commands: import, agree, push, pull; `{prog} COMMAND --help` tells of them.",
    )
    _add_report(first)
    imported = commands.add_parser(
        "import", help="tables of effects or importances made elsewhere", description=command.__doc__
    )
    command.add_command(imported, _positive)
    agreeing = commands.add_parser(
        "agree", help="do seeds or tasks keep the same heads, beyond chance?", description=agree.__doc__
    )
    agree.add_command(agreeing, _positive)
    _add_push(commands.add_parser("push", help="fill Weights & Biases from a results folder, as often as one likes"))
    _add_fetch(
        commands.add_parser(
            "pull", aliases=["fetch"], help="bring outcomes from Weights & Biases into a results folder"
        )
    )
    if not arguments or arguments[0] not in commands.choices:
        arguments = [DEFAULT_COMMAND, *arguments]
    return parser.parse_args(arguments)


def _add_report(parser: argparse.ArgumentParser) -> None:
    _add_results(parser)
    parser.add_argument("--out", type=Path, help="where to write (RESULTS/analysis)")
    parser.add_argument("--pdf", action="store_true", help="write every figure as PDF too, for a paper")
    parser.add_argument("--png", action="store_true", help="write every figure as PNG too, for slides")
    parser.add_argument("--wandb", metavar="[ENTITY/]PROJECT", help="save a report in Weights & Biases besides")
    parser.add_argument(
        "--compare",
        action="append",
        default=[],
        type=Path,
        metavar="RESULTS",
        help="another results folder, whose models stand on the same page, side by side on request; repeatable",
    )
    parser.set_defaults(run=report)


def _add_push(parser: argparse.ArgumentParser) -> None:
    _add_results(parser)
    usual = "as tracking=wandb: $WANDB_ENTITY or yours, $WANDB_PROJECT or sixteen-heads"
    parser.add_argument("--wandb", metavar="[ENTITY/]PROJECT", help=f"where to ({usual})")
    parser.add_argument("--weights", action="store_true", help="send the folders of the models as well")
    parser.add_argument("--offline", action="store_true", help="leave it for `wandb sync`; so without a key")
    _add_wait(parser, "for a run, and for an answer; a second more for each MB to send")
    parser.set_defaults(run=push, compare=[])


def _add_fetch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("place", metavar="[ENTITY/]PROJECT", help="where from")
    parser.add_argument("results", nargs="?", type=Path, default=Path("results"), help="results folder (results)")
    _add_wait(parser, "without a byte from W&B's storage")
    parser.set_defaults(run=fetch)


def _add_wait(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--wait", type=_positive, default=90, metavar="SECONDS", help=f"at most, {what} (90)")


def _add_results(parser: argparse.ArgumentParser) -> None:
    """What is analysed, and how."""
    parser.add_argument("results", nargs="?", type=Path, default=Path("results"), help="results folder (results)")
    parser.add_argument("--model", action="append", default=[], metavar="NAME", help="only this model; repeatable")
    parser.add_argument("--data", action="append", default=[], metavar="NAME", help="only this data set; repeatable")
    parser.add_argument(
        "--metric",
        action="append",
        default=[],
        choices=list(METRICS),
        help="only what it can score, scored by it, from the stored answers; repeatable",
    )
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        type=_limit,
        metavar="[DATA=]N",
        help="only the first N examples of each data set, or of one, as data.limit; repeatable",
    )
    parser.add_argument(
        "--within",
        action="append",
        type=_size,
        metavar="[METRIC=]LOSS",
        help="loss of score that heads may cost, in its unit (that of the metric: 1 point, 0.02 nats); repeatable",
    )
    parser.add_argument(
        "--least-r",
        type=float,
        metavar="R",
        help=f"true correlation from which on the same heads matter on two domains ({DEFAULTS['least_r']:g})",
    )
    parser.add_argument(
        "--by", metavar="COLUMN", help="compare the values of a column of the examples (genre) as domains besides"
    )
    parser.add_argument(
        "--along",
        type=_axes,
        default=[DATA],
        metavar="AXIS[,AXIS]",
        help=f"compare heads along other axes besides: {', '.join(AXES)}",
    )
    parser.add_argument(
        "--unit",
        type=_one_of(UnitLevel),
        choices=list(UnitLevel),
        help="units that --along and --by compare (heads, or what was removed where no head was)",
    )
    parser.add_argument(
        "--match",
        type=_one_of(Match),
        choices=list(Match),
        help="compare models that start from different weights: heads matched by what they do, or by their position",
    )
    parser.add_argument(
        "--neighbours",
        type=_one_of(Neighbours),
        choices=list(Neighbours),
        help=f"what weight on the previous and next token is divided by ({DEFAULTS['neighbours']})",
    )
    parser.add_argument(
        "--role",
        action="append",
        default=[],
        type=_threshold,
        metavar="ROLE=THRESHOLD",
        help=f"another threshold of a role, such as positional=0.8; repeatable ({', '.join(BY_NAME)})",
    )
    parser.add_argument(
        "--frequencies",
        type=Path,
        metavar="FILE",
        help="words and their counts in a corpus, a tab between: which words are rare (those of the data itself)",
    )
    parser.add_argument(
        "--splits",
        type=_positive,
        metavar="N",
        help=f"into halves, for the noise ceiling of correlations ({DEFAULTS['splits']})",
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="YAML with other defaults for these options (analysis/defaults.yaml)",
    )
    _add_inference(parser)


def _add_inference(parser: argparse.ArgumentParser) -> None:
    """The options of `Inference`, under their names there; None where `defaults.yaml` decides."""
    usual = DEFAULTS
    group = parser.add_argument_group("how sure one can be of an effect (reasons: design/statistics.md)")
    group.add_argument("--alpha", type=float, help=f"level of tests; intervals hold 1 - alpha ({usual['alpha']:g})")
    group.add_argument("--resamples", type=_positive, metavar="N", help=f"resamples ({usual['resamples']:,})")
    group.add_argument("--seed", type=int, help=f"of the resamples ({usual['seed']})")
    group.add_argument("--groups", help="what is resampled: auto (premise, document), example, or a column (auto)")
    for name, names in (("interval", Interval), ("test", PairedTest)):
        group.add_argument(f"--{name}", type=_one_of(names), choices=list(names), help=f"({usual[name]})")
    group.add_argument(
        "--correction", type=_one_of(Correction), choices=list(Correction), help="over the heads of a measure (max_t)"
    )
    group.add_argument(
        "--margin",
        action="append",
        type=_size,
        metavar="[METRIC=]SIZE",
        help="effects within it do not matter, in the unit of the score (that of the metric); repeatable",
    )


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number of 1 or more")
    return int(text)


def _limit(text: str) -> tuple[str, int]:
    """A data set, or nothing for each, and how many of its examples are read."""
    data, _, number = text.rpartition("=")
    return data, _positive(number)


def _size(text: str) -> tuple[str, float]:
    """A metric, or nothing for all of them, and a size in its unit."""
    name, _, number = text.rpartition("=")
    if name and name not in METRICS:
        raise argparse.ArgumentTypeError(f"'{name}' is no metric: there are {', '.join(METRICS)}")
    try:
        return name, float(number)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{number}' is no number: write 1, or accuracy=1") from None


def _axes(text: str) -> list[str]:
    axes = [axis.strip() for axis in text.split(",")]
    try:
        check_axes(axes)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return axes


def _threshold(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        roles({name: 0.0})
        return name, float(number)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' gives no threshold: write {name}=0.8") from None


def _one_of(names: type[StrEnum]) -> Callable[[str], StrEnum]:
    """What makes a name of an option's text, or says which there are."""

    def named(text: str) -> StrEnum:
        try:
            return names(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{text}' is none of {', '.join(names)}") from None

    return named


if __name__ == "__main__":
    sys.exit(main())
