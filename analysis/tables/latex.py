"""Tables as text for a paper: Markdown, and LaTeX in the manner of booktabs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

LONG = 40
"""Rows beyond which a LaTeX table runs over pages."""

SIZES = ((13, "\\scriptsize"), (9, "\\footnotesize"), (7, "\\small"))
"""Size of the type of a table with at least so many columns, so that it fits on a page."""

LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "κ": r"$\kappa$",
    "λ": r"$\lambda$",
    "ρ": r"$\rho$",
    "τ": r"$\tau$",
    "ξ": r"$\xi$",
    "α": r"$\alpha$",
    "–": "--",
    "’": "'",
    "“": "``",
    "”": "''",
}
"""What LaTeX would read as a command or a font may lack; other letters are UTF-8, as LaTeX takes it."""

NUMBER = re.compile(r"[-−+]?[\d.,]+(\s?%)?\*?( to [-−+]?[\d.]+)?|–|")
"""A cell that is set to the right: a number, perhaps with a percent sign or a star; two with "to" between; nothing."""


@dataclass(frozen=True)
class Sheet:
    """A table as a paper prints it.

    Attributes:
        name: name of its files.
        caption: what it shows, a sentence without markup.
        head: name of each column.
        rows: cells as text, as many as there are columns.
        groups: names above several columns, with how many they span; empty for none.
        note: how the numbers were made: n, method, seed.
    """

    name: str
    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    groups: Sequence[tuple[str, int]] = ()
    note: str = ""

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.head) for row in self.rows), f"{self.name}: cells and columns differ in number"
        assert not self.groups or sum(span for _, span in self.groups) == len(self.head), f"{self.name}: groups"

    @property
    def numeric(self) -> list[bool]:
        """Which columns hold numbers alone."""
        columns = zip(*self.rows, strict=True) if self.rows else ([""] for _ in self.head)
        return [all(NUMBER.fullmatch(cell) for cell in column) for column in columns]


def markdown(sheet: Sheet) -> str:
    """A table of GitHub's Markdown under its caption; groups of columns stand in the names of the columns."""
    head = [
        f"{group}: {name}" if group else name for group, name in zip(_group_of_each(sheet), sheet.head, strict=True)
    ]
    marks = ["---:" if numeric else ":---" for numeric in sheet.numeric]
    lines = [_line(map(_markdown, head)), _line(marks), *(_line(map(_markdown, row)) for row in sheet.rows)]
    parts = [f"**{_markdown(sheet.caption)}**", "\n".join(lines), *([_markdown(sheet.note)] if sheet.note else [])]
    return "\n\n".join(parts) + "\n"


def latex(sheet: Sheet, subject: str = "") -> str:
    r"""A table for `\input`; needs the package booktabs, and longtable where it has more than `LONG` rows.

    Its label is `tab:NAME`, or `tab:SUBJECT-NAME`, so that tables of several subjects stand in one paper.
    """
    columns = "".join("r" if numeric else "l" for numeric in sheet.numeric)
    heading = [r"\toprule", *_latex_groups(sheet), _latex_row(sheet.head), r"\midrule"]
    body = [_latex_row(row) for row in sheet.rows]
    title = rf"\caption{{{latex_escaped(' '.join(filter(None, (sheet.caption, sheet.note))))}}}"
    title += rf"\label{{tab:{'-'.join(filter(None, (subject, sheet.name)))}}}"
    long = len(sheet.rows) > LONG
    lines = _over_pages(columns, title, heading, body) if long else _on_a_page(columns, title, heading, body)
    return "\n".join([f"% needs \\usepackage{{booktabs{',longtable' if long else ''}}}", *lines]) + "\n"


def _on_a_page(columns: str, title: str, heading: Sequence[str], body: Sequence[str]) -> list[str]:
    return [
        r"\begin{table}",
        r"\centering",
        *_size(columns),
        title,
        rf"\begin{{tabular}}{{{columns}}}",
        *heading,
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


def _over_pages(columns: str, title: str, heading: Sequence[str], body: Sequence[str]) -> list[str]:
    """A longtable: its heading is repeated on every page, and the foot says that it goes on."""
    across = rf"\multicolumn{{{len(columns)}}}"
    return [
        r"\begingroup",
        *_size(columns),
        rf"\begin{{longtable}}{{{columns}}}",
        rf"{title}\\",
        *heading,
        r"\endfirsthead",
        rf"{across}{{l}}{{\tablename~\thetable, continued}} \\",
        *heading,
        r"\endhead",
        r"\midrule",
        rf"{across}{{r}}{{continued on the next page}} \\",
        r"\endfoot",
        r"\bottomrule",
        r"\endlastfoot",
        *body,
        r"\end{longtable}",
        r"\endgroup",
    ]


def _size(columns: str) -> list[str]:
    """Smaller type, and columns nearer to each other, for a table of many columns."""
    return [rf"{size}\setlength{{\tabcolsep}}{{3pt}}" for least, size in SIZES if len(columns) >= least][:1]


def latex_escaped(text: str) -> str:
    """Text as LaTeX prints it, letter for letter."""
    return "".join(LATEX.get(letter, letter) for letter in text)


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(map(latex_escaped, cells)) + r" \\"


def _latex_groups(sheet: Sheet) -> list[str]:
    """The line above the names of columns, with a rule under each group."""
    if not sheet.groups:
        return []
    cells, rules, first = [], [], 1
    for name, span in sheet.groups:
        cells.append(rf"\multicolumn{{{span}}}{{c}}{{{latex_escaped(name)}}}" if name else " & ".join([""] * span))
        rules += [rf"\cmidrule(lr){{{first}-{first + span - 1}}}"] if name else []
        first += span
    return [" & ".join(cells) + r" \\", "".join(rules)]


def _group_of_each(sheet: Sheet) -> list[str]:
    return [name for name, span in sheet.groups for _ in range(span)] if sheet.groups else [""] * len(sheet.head)


def _line(cells) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown(text: str) -> str:
    """Without what Markdown reads as markup."""
    return re.sub(r"([\\`*_|<>\[\]#])", r"\\\1", text)
