import re
import shutil
import subprocess

import pytest
from fixtures.latex_parser import check_latex
from hypothesis import given
from hypothesis import strategies as st

from analysis.tables.latex import LATEX, LONG, Sheet, latex, latex_escaped, markdown

SHEET = Sheet(
    name="table1",
    caption="Effect of 50 % of the heads on a_b & c",
    head=("layer", "one", "none"),
    rows=(("1", "−0.53*", "+1.20"), ("2_x", "–", "0.00")),
    groups=(("", 1), ("cross", 2)),
    note="n = 30.",
)


def test_latex_has_the_cells_and_rules_of_booktabs():
    text = latex(SHEET)
    assert text.count(r"\toprule") == text.count(r"\midrule") == text.count(r"\bottomrule") == 1
    assert r"\begin{tabular}{lrr}" in text
    assert r"1 & $-$0.53* & +1.20 \\" in text
    assert r"2\_x & -- & 0.00 \\" in text
    assert r" & \multicolumn{2}{c}{cross} \\" in text
    assert r"\cmidrule(lr){2-3}" in text
    assert r"\caption{Effect of 50 \% of the heads on a\_b \& c n = 30.}\label{tab:table1}" in text
    assert "|" not in text


def test_latex_is_well_formed():
    check_latex(latex(SHEET))
    assert r"\label{tab:toy-table1}" in latex(SHEET, "toy")


def test_a_long_table_runs_over_pages():
    rows = [[str(i), "0.00", "0.00"] for i in range(LONG + 1)]
    text = latex(Sheet("heads", "All", SHEET.head, rows))
    assert r"\begin{longtable}{rrr}" in text
    assert text.index(r"\endfirsthead") < text.index(r"\endhead") < text.index(r"\endlastfoot") < text.index("0 & 0.00")
    assert text.count(r"\label") == 1
    assert "tabular" not in text
    check_latex(text)


def test_a_table_of_many_columns_has_smaller_type():
    wide = [Sheet("w", "", ("x",) * count, [["1"] * count]) for count in (6, 7, 9, 13)]
    sizes = [re.findall(r"\\(small|footnotesize|scriptsize)\\", latex(sheet)) for sheet in wide]
    assert sizes == [[], ["small"], ["footnotesize"], ["scriptsize"]]
    for sheet in wide:
        check_latex(latex(sheet))


def test_what_is_no_latex_is_found():
    for text in (
        r"\begin{table}\end{tabular}",
        "\\begin{tabular}{ll}\na & b & c \\\\\n\\end{tabular}",
        r"\caption{never closed",
        "\\begin{tabular}{ll}\n\\multicolumn{3}{l}{x} \\\\\n\\end{tabular}",
    ):
        with pytest.raises(AssertionError):
            check_latex(text)


@given(st.text(alphabet=[*LATEX, "a", "1", " "], max_size=30))
def test_escaped_latex_is_balanced_and_has_no_bare_command(text):
    escaped = latex_escaped(text)
    bare = re.sub(r"\\[&%$#_{}]", "", escaped)
    assert bare.count("{") == bare.count("}")
    assert re.sub(r"\\text\w+\{\}", "", bare).replace("$-$", "").count("\\") == sum(
        text.count(letter) for letter, written in LATEX.items() if written.startswith("$\\")
    )
    assert bare.count("$") % 2 == 0
    for letter in "&%#_~^":
        assert letter not in bare


def test_markdown_is_a_table_whose_names_say_their_group():
    lines = markdown(SHEET).splitlines()
    assert lines[0] == r"**Effect of 50 % of the heads on a\_b & c**"
    assert lines[2:] == [
        "| layer | cross: one | cross: none |",
        "| :--- | ---: | ---: |",
        r"| 1 | −0.53\* | +1.20 |",
        r"| 2\_x | – | 0.00 |",
        "",
        "n = 30.",
    ]


def test_a_row_with_a_cell_too_few_is_refused():
    with pytest.raises(AssertionError, match="cells and columns"):
        Sheet("a", "b", ("x", "y"), (("1",),))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX: apt install texlive-latex-recommended")
def test_latex_compiles(tmp_path):
    letters = Sheet("letters", "".join(LATEX), SHEET.head, [["".join(LATEX), "1.00", "2"]] * 2)
    long = Sheet("long", "All", SHEET.head, [[str(i), "0.00", "0.00"] for i in range(LONG + 1)], SHEET.groups)
    tables = "\n".join(latex(sheet) for sheet in (SHEET, letters, long))
    text = r"\documentclass{article}\usepackage{booktabs,longtable}\begin{document}" + tables + r"\end{document}"
    (tmp_path / "paper.tex").write_text(text, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.pdf").is_file()
