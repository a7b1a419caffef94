"""The report: everything that a results folder says, as tables, figures and one page."""

import shutil
from pathlib import Path

import polars as pl

from analysis.compute import Analysis
from analysis.effects.head_effects import Measure
from analysis.page import AgreementPage, AttentionPage, ImportedPage, ResultsPage
from analysis.roles import HeadAttention
from analysis.tables import paper_tables
from analysis.tables.components_sheet import components_sheet
from analysis.tables.gates_sheet import gates_sheet
from analysis.tables.kept_sets_sheet import kept_sets_sheet
from analysis.tables.latex import latex, markdown
from analysis.tables.latex_tables import sheets
from analysis.tables.second_tasks_sheet import second_tasks_sheet
from analysis.tables.set_sheets import set_sheets
from analysis.tables.syntax_sheet import syntax_sheets
from study.record.files import whole_file
from study.record.units import UnitLevel


def write_report(
    analysis: Analysis, out: Path, *, pdf: bool = False, png: bool = False, page: ResultsPage | None = None
) -> Path:
    """Write `tables/`, `figures/` and `report/index.html` under `out`, replacing files of the same names.

    Args:
        analysis: what is reported.
        out: folder to write to.
        pdf: write every figure as PDF besides; it costs a third of a second each.
        png: write every figure as PNG besides; a twentieth of a second each.
        page: the page of the analysis, where it has been made already.

    Returns:
        The path of the page.

    Raises:
        WriteError: when `out` cannot be written.
    """
    page = page or ResultsPage.of(analysis)
    for name, table in result_tables(analysis).items():
        paper_tables.write(table, out / "tables", name)
    _write_sheets(analysis, out / "tables" / "paper")
    return write_page(page, out, pdf=pdf, png=png)


def write_readings(page: AttentionPage, out: Path, *, pdf: bool = False, png: bool = False) -> Path:
    """Write the tables, figures and page of sentences that were only read; the path of the page."""
    for name, table in page.tables.items():
        if table.height:
            paper_tables.write(table, out / "tables", name)
    shutil.rmtree(out / "tables" / "paper", ignore_errors=True)
    if page.found is not None:
        _write_syntax_sheets(page.found, out / "tables" / "paper")
    return write_page(page, out, pdf=pdf, png=png)


def result_tables(analysis: Analysis) -> dict[str, pl.DataFrame]:
    """Every table of an analysis, under the name of its files."""
    tables = {"effects": analysis.effects, "units": analysis.units, "base": analysis.base}
    tables |= paper_tables.paper_tables(analysis.effects)
    heads = analysis.parts.filter(level=UnitLevel.head).drop("level")
    tables |= {"effects_by_part": heads, "units_by_part": analysis.parts.filter(pl.col("level") != UnitLevel.head)}
    tables |= {"differences": analysis.differences}
    tables |= analysis.correlations.tables
    for found in analysis.larger.values():
        tables |= found.tables
    tables |= analysis.influence.tables
    if analysis.sliced is not None:
        tables |= {f"slices_{name}": table for name, table in analysis.sliced.tables.items()}
    tables |= {
        "curve_points": analysis.points,
        "curves": analysis.curves,
        "curve_contrasts": analysis.contrasts,
        "dynamics": analysis.dynamics,
        "trainings": analysis.results.trainings,
        "taylor": analysis.taylor,
    }
    if analysis.along is not None:
        tables |= analysis.along.tables
    if analysis.kept is not None:
        tables |= analysis.kept.tables
    if analysis.components is not None and analysis.components.table.height:
        tables["components"] = analysis.components.table
    if analysis.speed is not None:
        tables["table4"] = analysis.speed.rows
    if analysis.cascade is not None:
        tables |= {"effects": analysis.cascade.beside(analysis.effects, Measure.ABLATION)}
    for found in (analysis.probes, analysis.gates, analysis.second_tasks, analysis.sets, analysis.cascade):
        if found is not None:
            tables |= found.tables
    return tables if analysis.attention is None else tables | analysis.attention.tables


def _write_sheets(analysis: Analysis, folder: Path) -> None:
    """Tables for a paper: each as LaTeX, those of a subject together as Markdown."""
    shutil.rmtree(folder, ignore_errors=True)
    if analysis.kept is not None:
        with whole_file(folder / "kept_sets.tex") as draft:
            draft.write_text(latex(kept_sets_sheet(analysis.kept)), encoding="utf-8")
    if analysis.components is not None and analysis.components.table.height:
        with whole_file(folder / "components.tex") as draft:
            draft.write_text(latex(components_sheet(analysis.components)), encoding="utf-8")
    if analysis.gates is not None and analysis.gates.curves.height:
        with whole_file(folder / "gates.tex") as draft:
            draft.write_text(latex(gates_sheet(analysis.gates)), encoding="utf-8")
    if analysis.second_tasks is not None and analysis.second_tasks.curves.height:
        with whole_file(folder / "second_tasks.tex") as draft:
            draft.write_text(latex(second_tasks_sheet(analysis.second_tasks)), encoding="utf-8")
    if analysis.sets is not None:
        for sheet in set_sheets(analysis.sets):
            with whole_file(folder / f"{sheet.name}.tex") as draft:
                draft.write_text(latex(sheet), encoding="utf-8")
    if analysis.attention is not None:
        _write_syntax_sheets(analysis.attention, folder)
    for subject, own in sheets(analysis).items():
        with whole_file(folder / f"{subject}.md") as draft:
            draft.write_text("\n".join(map(markdown, own)), encoding="utf-8")
        for sheet in own:
            with whole_file(folder / subject / f"{sheet.name}.tex") as draft:
                draft.write_text(latex(sheet, subject), encoding="utf-8")


def _write_syntax_sheets(found: HeadAttention, folder: Path) -> None:
    """Heads as parsers, a table for each reading with trees."""
    for sheet in syntax_sheets(found.syntax) if found.syntax else ():
        with whole_file(folder / f"{sheet.name}.tex") as draft:
            draft.write_text(latex(sheet), encoding="utf-8")


def write_page(
    page: ResultsPage | ImportedPage | AgreementPage | AttentionPage, out: Path, *, pdf: bool = False, png: bool = False
) -> Path:
    """Write the figures of a page, each with the data behind it, and the page itself; its path."""
    folder, path = out / "figures", out / "report" / "index.html"
    for subject in {folder / drawing.name.split("/")[0] for drawing in page.drawings}:
        shutil.rmtree(subject, ignore_errors=True)  # figures of domains that were dropped would look current
    for drawing in page.drawings:
        files = {"svg": drawing.file.encode(), "csv": drawing.csv.encode()}
        files |= {"pdf": drawing.pdf()} if pdf else {}
        files |= {"png": drawing.png()} if png else {}
        for ending, content in files.items():
            with whole_file(folder / f"{drawing.name}.{ending}") as draft:
                draft.write_bytes(content)
    with whole_file(path) as draft:
        draft.write_text(page.html(pdf=pdf), encoding="utf-8")
    return path
