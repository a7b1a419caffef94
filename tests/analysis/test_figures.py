import re
from xml.etree import ElementTree

import matplotlib as mpl
import polars as pl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from analysis import figures
from analysis.attention_kinds import STYLES
from analysis.effects.head_effects import effects
from analysis.figures import drawing, heat_maps
from analysis.formatting import interval, signed
from analysis.results.read import read_domain
from study.record.heads import AttentionKind
from study.record.metrics import MetricName

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def table(make) -> pl.DataFrame:
    return effects(read_domain(make(MetricName.BLEU, data="a<b & $c$", count=8).folder))


def drawings(table: pl.DataFrame) -> dict[str, figures.Drawing]:
    ablation, encoder = table.filter(measure="ablation"), table.filter(kind="encoder_self")
    alone, none = encoder.filter(measure="all_but_one"), encoder.filter(measure="no_head")
    both = ablation.with_columns(pl.col("effect", "low", "high").name.suffix(side) for side in ("_a", "_b"))
    return {
        "distribution": figures.distribution(ablation, "f/1"),
        "scatter": figures.scatter(both, ("a<b", "c"), "BLEU", "r = 1.00, 36 heads", "f/2"),
        "heat_map": figures.heat_map(encoder.filter(measure="ablation"), [4, 4, 4], 2.0, "f/heat"),
        "one_head": figures.one_head_against_none(alone, none, "f/one"),
    }


def text(drawn: figures.Drawing) -> str:
    return " ".join(node.text or "" for node in ElementTree.fromstring(drawn.file).iter(f"{SVG}text"))


def test_every_figure_is_well_formed_and_takes_the_colour_of_the_page(table):
    for drawn in drawings(table).values():
        root = ElementTree.fromstring(drawn.file)
        assert root.tag == f"{SVG}svg"
        assert root.get("aria-label") == drawn.title
        assert drawing.INK not in drawn.svg
        assert "currentColor" in drawn.svg
        assert "date" not in drawn.svg.lower()
        ids = [node.get("id") for node in root.iter() if node.get("id")]
        assert len(ids) == len(set(ids))
        references = re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', drawn.svg)
        assert {a or b for a, b in references} <= set(ids)


def test_text_is_text_and_names_are_not_read_as_markup_or_mathematics(table):
    found = drawings(table)
    assert "a<b & $c$" in text(found["distribution"])
    assert "BLEU with one head removed" in text(found["distribution"])
    assert "r = 1.00, 36 heads" in text(found["scatter"])
    assert "effect on c (BLEU)" in text(found["scatter"])
    assert "effect (BLEU)" in text(found["one_head"])
    assert f"base {table['base_score'][0]:.2f}" in text(found["distribution"])


def test_the_same_numbers_give_the_same_bytes(table):
    assert {name: d.svg for name, d in drawings(table).items()} == {name: d.svg for name, d in drawings(table).items()}


def test_a_long_title_is_broken_and_not_cut(table):
    long = "newstest2013, one kind only, by importance (from newstest2009_12)"
    drawing = figures.distribution(table.with_columns(domain=pl.lit(long)), "f/1")
    drawing.figure.draw_without_rendering()
    (axes,) = drawing.figure.axes
    assert axes.get_title(loc="left").replace("\n", " ") == long
    assert axes._left_title.get_window_extent().x1 <= drawing.figure.bbox.x1


def test_heat_map_has_a_cell_for_each_head_with_its_number(table):
    encoder = table.filter(measure="ablation", kind="encoder_self").filter(pl.col("head") != 3)
    drawn = figures.heat_map(encoder, [4, 4, 4], 2.0, "h")
    tips = [node.text for node in ElementTree.fromstring(drawn.svg).iter(f"{SVG}title")]
    assert len(tips) == 12
    row = encoder.row(by_predicate=(pl.col("layer") == 1) & (pl.col("head") == 2), named=True)
    assert f"layer 2, head 3: {signed(row['effect'])} BLEU{interval(row)}" in [tip.split(", sig")[0] for tip in tips]
    assert "layer 1, head 4: not measured" in tips


def test_colours_are_symmetric_and_clear_at_zero():
    clear, harm, gain = (heat_maps.DIVERGING(value) for value in (0.5, 0.0, 1.0))
    assert clear[3] == pytest.approx(0, abs=1e-6)
    assert (harm[3], gain[3]) == pytest.approx((1, 1))
    assert harm[:3] == pytest.approx(heat_maps.HARM)
    assert gain[:3] == pytest.approx(heat_maps.GAIN)


def test_colour_limit_is_the_98th_percentile_of_sizes_and_never_zero():
    assert figures.colour_limit(pl.DataFrame({"effect": [-float(i) for i in range(101)]})) == 98.0
    assert figures.colour_limit(pl.DataFrame({"effect": [0.0] * 99 + [-3.0]})) == 3.0
    assert figures.colour_limit(pl.DataFrame({"effect": [0.0, 0.0]})) == 1.0
    assert figures.colour_limit(pl.DataFrame({"effect": []}, schema={"effect": pl.Float64})) == 1.0


def test_constant_effects_and_one_kind_draw(table):
    flat = table.with_columns(effect=pl.lit(0.0), score=pl.col("base_score"))
    for drawn in drawings(flat).values():
        ElementTree.fromstring(drawn.svg)
    assert list(STYLES) == list(AttentionKind)


def test_pdf_has_its_fonts_embedded_and_is_the_same_each_time(table):
    pdf = drawings(table)["distribution"].pdf()
    assert pdf.startswith(b"%PDF-")
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    assert drawings(table)["distribution"].pdf() == pdf


def test_the_curve_without_the_largest_has_a_band_where_r_has_an_interval():
    columns = {"pearson": [0.9, 0.6, 0.5], "pearson_low": [0.8, 0.2, None], "pearson_high": [0.95, 0.8, None]}
    without = pl.DataFrame({"left_out": [0, 1, 2], **columns, "spearman": [0.8, 0.5, 0.4], "ceiling": [None] * 3})
    drawn = figures.leave_out(without, ("home", "away"), "f/out")
    (band,) = drawn.figure.axes[0].collections
    corners = {(float(x), float(y)) for path in band.get_paths() for x, y in path.vertices}
    assert {(0, 0.8), (0, 0.95), (1, 0.2), (1, 0.8)} == corners
    assert "home and away, without the largest" in text(drawn)


@pytest.mark.parametrize(
    "names", [("dev_matched", "dev_mismatched_random1000"), ("W" * 20, "M" * 40), ("mm/genre of mmmmm", "iii")]
)
def test_a_title_fits_into_its_figure_by_the_width_of_its_letters(names):
    columns = ["pearson", "spearman", "ceiling", "pearson_low", "pearson_high"]
    rows = pl.DataFrame({"left_out": [0, 1, 2], **dict.fromkeys(columns, pl.Series([0.5, 0.4, 0.3]))})
    drawn = figures.leave_out(rows, names, "f/x").figure
    canvas = FigureCanvasAgg(drawn)
    with mpl.rc_context(drawing.RC):
        canvas.draw()
        title = drawn.axes[0].get_title(loc="left")
        (shown,) = [text for text in drawn.axes[0].findobj(Text) if text.get_text() == title]
        extent = shown.get_window_extent()
    assert title.replace("\n", "").replace(" ", "") == f"{names[0]}and{names[1]},withoutthelargest".replace(" ", "")
    assert extent.x1 <= drawn.bbox.width
    assert extent.y1 <= drawn.bbox.height
