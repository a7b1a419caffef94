import io
import re
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from fixtures.results import fill
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from analysis import figures
from analysis.attention_kinds import STYLES
from analysis.effects.head_effects import effects
from analysis.figures import heat_maps
from analysis.figures.canvas import direct_labels, lettering, panel, style
from analysis.formatting import interval, signed
from analysis.results.read import read_domain
from study.record.units import AttentionKind

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    results = tmp_path_factory.mktemp("figures")
    return effects(read_domain(fill(results, "bleu", model="toy", data="a<b & $c$", count=8).folder))


@pytest.fixture(scope="module")
def drawn_once(table: pl.DataFrame) -> dict[str, figures.Drawing]:
    return drawings(table)


def drawings(table: pl.DataFrame) -> dict[str, figures.Drawing]:
    ablation, encoder = table.filter(measure="ablation"), table.filter(kind="encoder_self")
    alone, none = encoder.filter(measure="all_but_one"), encoder.filter(measure="no_head")
    both = ablation.with_columns(pl.col("effect", "low", "high").name.suffix(side) for side in ("_a", "_b"))
    return {
        "distribution": figures.distribution(ablation, "f/1"),
        "scatter": figures.scatter(both, ("a<b", "c"), ("BLEU", "BLEU"), "r = 1.00, 36 heads", "f/2"),
        "heat_map": figures.heat_map(encoder.filter(measure="ablation"), [4, 4, 4], 2.0, "f/heat"),
        "one_head": figures.one_head_against_none(alone, none, "f/one"),
    }


def words(drawn: figures.Drawing) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(drawn.file).iter(f"{SVG}text")]


def text(drawn: figures.Drawing) -> str:
    return " ".join(words(drawn))


def texts_in_pixels(drawn: figures.Drawing) -> list[tuple[str, float, tuple[float, float, float, float]]]:
    """Every text of a figure as drawn: what, size of its type in pixels of a page, left, bottom, right, top."""
    canvas = FigureCanvasAgg(drawn.figure)
    with style.styled():
        canvas.draw()
        out_of_sight = [
            label
            for axes in drawn.figure.axes
            for axis in (axes.xaxis, axes.yaxis)
            for tick in axis.get_major_ticks()
            if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
            for label in (tick.label1, tick.label2)
        ]
        visible = [text for text in drawn.figure.findobj(Text) if text.get_text() and text.get_visible()]
        shown = [text for text in visible if text not in out_of_sight]
        scale = drawn.figure.dpi / 96
        boxes = [text.get_window_extent().extents / scale for text in shown]
    return [
        (text.get_text(), text.get_fontsize() / 72 * 96, tuple(box)) for text, box in zip(shown, boxes, strict=True)
    ]


def test_every_figure_is_well_formed_and_takes_the_colour_of_the_page(drawn_once):
    for drawn in drawn_once.values():
        root = ElementTree.fromstring(drawn.file)
        assert root.tag == f"{SVG}svg"
        assert root.get("aria-label") == drawn.title
        assert style.INK not in drawn.svg
        assert "currentColor" in drawn.svg
        assert "date" not in drawn.svg.lower()
        ids = [node.get("id") for node in root.iter() if node.get("id")]
        assert len(ids) == len(set(ids))
        references = re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', drawn.svg)
        assert {a or b for a, b in references} <= set(ids)


def test_text_is_text_and_names_are_not_read_as_markup_or_mathematics(table, drawn_once):
    found = drawn_once
    assert "a<b & $c$" in text(found["distribution"])
    assert "BLEU with one head removed" in text(found["distribution"])
    assert "r = 1.00, 36 heads" in text(found["scatter"])
    assert "effect on c (BLEU)" in text(found["scatter"])
    assert "effect (BLEU)" in text(found["one_head"])
    assert f"base {table['base_score'][0]:.2f}" in text(found["distribution"])


def test_the_same_numbers_give_the_same_bytes(table, drawn_once):
    assert {name: d.svg for name, d in drawings(table).items()} == {name: d.svg for name, d in drawn_once.items()}


def test_heat_map_has_a_cell_for_each_head_with_its_number(table):
    encoder = table.filter(measure="ablation", kind="encoder_self").filter(pl.col("head") != 3)
    drawn = figures.heat_map(encoder, [4, 4, 4], 2.0, "h")
    tips = [node.text for node in ElementTree.fromstring(drawn.svg).iter(f"{SVG}title")]
    assert len(tips) == 12
    row = encoder.row(by_predicate=(pl.col("layer") == 1) & (pl.col("head") == 2), named=True)
    said = f"encoder_self.1.2: {signed(row['effect'])} BLEU{interval(row)}"
    assert said in [tip.split(", sig")[0] for tip in tips]
    assert "encoder_self.0.3: not measured" in tips


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


@pytest.mark.parametrize("name", ["6f95010407f0-heat", "3b-model/heat", r"a\1b"])
def test_a_name_begins_every_id_whatever_it_begins_with(table, name):
    single = table.filter(measure="ablation", kind="cross")
    drawn = figures.heat_map(single, (4, 4, 4), figures.colour_limit(single), name)
    ids = re.findall(r'\bid="([^"]*)"', drawn.svg)
    assert ids
    assert all(found.startswith(f"{name.replace('/', '.')}.") for found in ids)


def test_constant_effects_and_one_kind_draw(table):
    flat = table.with_columns(effect=pl.lit(0.0), score=pl.col("base_score"))
    for drawn in drawings(flat).values():
        ElementTree.fromstring(drawn.svg)
    assert list(STYLES) == list(AttentionKind)


def test_pdf_has_its_fonts_embedded_and_is_the_same_each_time(table, drawn_once):
    pdf = drawn_once["distribution"].pdf()
    assert pdf.startswith(b"%PDF-")
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    assert figures.distribution(table.filter(measure="ablation"), "f/1").pdf() == pdf


def test_the_curve_without_the_largest_has_a_band_where_r_has_an_interval():
    columns = {"pearson": [0.9, 0.6, 0.5], "pearson_low": [0.8, 0.2, None], "pearson_high": [0.95, 0.8, None]}
    without = pl.DataFrame({"left_out": [0, 1, 2], **columns, "spearman": [0.8, 0.5, 0.4], "ceiling": [None] * 3})
    drawn = figures.leave_out(without, ("home", "away"), "f/out")
    (band,) = drawn.figure.axes[0].collections
    corners = {(float(x), float(y)) for path in band.get_paths() for x, y in path.vertices}
    assert {(0, 0.8), (0, 0.95), (1, 0.2), (1, 0.8)} == corners
    assert "home and away, without the largest" in text(drawn)
    assert {"Pearson r", "Spearman ρ"} <= set(words(drawn))
    assert "noise ceiling" not in words(drawn)


@pytest.mark.parametrize(
    "names", [("dev_matched", "dev_mismatched_random1000"), ("W" * 20, "M" * 40), ("mm/genre of mmmmm", "iii")]
)
def test_a_title_fits_into_its_figure_by_the_width_of_its_letters(names):
    columns = ["pearson", "spearman", "ceiling", "pearson_low", "pearson_high"]
    rows = pl.DataFrame({"left_out": [0, 1, 2], **dict.fromkeys(columns, pl.Series([0.5, 0.4, 0.3]))})
    drawn = figures.leave_out(rows, names, "f/x")
    title = "".join(line.get_text() for line in drawn.panel.heading).replace(" ", "")
    assert title == f"{names[0]}and{names[1]},withoutthelargest".replace(" ", "")
    width, height = 96 * drawn.figure.get_size_inches()
    shown = [line.get_text() for line in drawn.panel.heading]
    for said, _, (left, _, right, top) in texts_in_pixels(drawn):
        if said in shown:
            assert left >= 0
            assert right <= width
            assert top <= height


def test_nothing_is_cut_off_and_type_is_large_enough_on_a_phone(drawn_once):
    """Drawn at its natural size, a figure is as wide as a phone has room for, and its type can be read."""
    for drawn in drawn_once.values():
        width, height = 96 * drawn.figure.get_size_inches()
        root = ElementTree.fromstring(drawn.svg)
        assert float(root.get("width", 0)) == pytest.approx(width, abs=0.1)
        assert float(root.get("height", 0)) == pytest.approx(height, abs=0.1)
        assert width <= 350
        for said, size, (left, bottom, right, top) in texts_in_pixels(drawn):
            assert size >= 10.5, said
            assert min(left, bottom) >= -1, said
            assert right <= width + 1, said
            assert top <= height + 1, said
        smallest = min(float(size) for size in re.findall(r"font-size: ([\d.]+)px", drawn.svg))
        assert smallest * 96 / 72 >= 10.5


@pytest.mark.parametrize(("heads", "shown"), [(4, "−1.23*"), (8, "−1.2*"), (12, "*"), (40, "*")])
def test_a_cell_has_as_many_decimals_as_fit_or_a_star(heads, shown):
    rows = [{"kind": "encoder_self", "layer": 0, "head": head} for head in range(heads)]
    effects_ = pl.DataFrame(rows).with_columns(
        domain=pl.lit("d"), unit=pl.lit("points"), effect=pl.lit(-1.234), significant=pl.lit(True)
    )
    drawn = figures.heat_map(effects_, [heads], 2.0, "h")
    assert words(drawn).count(shown) == heads
    width = drawn.panel.size[0] * 96 / heads
    for said, _, (left, _, right, _) in texts_in_pixels(drawn):
        if said == shown:
            assert right - left <= width


def test_panels_that_are_compared_have_one_scale(table, drawn_once):
    one = table.filter(measure="ablation")
    other = one.with_columns(domain=pl.lit("other"), effect=3 * pl.col("effect"), base_score=pl.col("base_score") + 1)
    both = pl.concat([one, other])
    drawn = [figures.distribution(own, "f/1", both) for own in (one, other)]
    spans = {round(high - low, 6) for low, high in (each.figure.axes[0].get_xlim() for each in drawn)}
    assert len(spans) == 1
    assert len({each.figure.axes[0].get_ylim() for each in drawn}) == 1
    scatter = drawn_once["scatter"].figure.axes[0]
    assert scatter.get_xlim() == scatter.get_ylim()
    width, height = scatter.get_window_extent().size
    assert width == pytest.approx(height, abs=1)


def test_names_stand_beside_their_curves_and_cover_none():
    with style.styled():
        drawn = panel.Panel("", 2.0)
        x = [float(at) for at in range(11)]
        curves = [direct_labels.Curve(f"curve {i}", "k", x, [i + 0.02 * at * at for at in x]) for i in range(3)]
        drawn.axes.set(xlim=(0, 10), ylim=(0, 5))
        assert direct_labels.name_curves(drawn, curves)
        names = {text.get_text(): text for text in drawn.axes.texts}
        assert set(names) == {"curve 0", "curve 1", "curve 2"}
        drawn.place()
        FigureCanvasAgg(drawn.figure).draw()
        boxes = {name: text.get_window_extent() for name, text in names.items()}
    points = {c.name: drawn.axes.transData.transform(np.column_stack([c.x, c.y])) for c in curves}
    for name, box in boxes.items():
        assert not any(box.contains(*point) for path in points.values() for point in path)
        middle = np.array([(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2])
        nearest = min(points, key=lambda other: np.hypot(*(points[other] - middle).T).min())
        assert nearest == name
        assert sum(box.overlaps(other) for other in boxes.values()) == 1


def test_curves_that_lie_upon_each_other_are_not_named_beside():
    with style.styled():
        drawn = panel.Panel("", 2.0)
        curves = [direct_labels.Curve(name, "k", [0.0, 1.0], [0.0, 1.0]) for name in "ab"]
        drawn.axes.set(xlim=(0, 1), ylim=(0, 1))
        assert not direct_labels.name_curves(drawn, curves)
        assert not drawn.axes.texts


@given(st.lists(st.floats(-1, 3), min_size=1, max_size=12))
def test_names_at_ends_keep_apart_and_in_order(places):
    found = direct_labels._spread(np.array(places), 0.2, 2.4)
    assert (np.diff(np.sort(found)) >= 0.2 - 1e-9).all()
    assert found.min() >= -1e-9
    assert found.max() <= 2.4 + 1e-9
    order = np.argsort(places, kind="stable")
    assert (np.diff(found[order]) > 0).all()
    if len(places) == 1:
        assert found[0] == pytest.approx(np.clip(places[0], 0, 2.4))


def test_texts_are_as_wide_as_they_are_drawn():
    with style.styled():
        figure = Figure()
        canvas = FigureCanvasAgg(figure)
        shown = figure.text(0, 0, "encoder_self.2.3 −0.53*", fontsize=8, fontweight="bold")
        canvas.draw()
        width = shown.get_window_extent().width / figure.dpi
    assert lettering.text_width("encoder_self.2.3 −0.53*", 8, "bold") == pytest.approx(width, rel=0.03)


def test_a_drawing_carries_its_data_and_solid_pictures(table, drawn_once):
    found = drawn_once
    ablation = table.filter(measure="ablation")
    encoder = ablation.filter(kind="encoder_self")
    assert found["heat_map"].data["effect"].to_list() == encoder["effect"].to_list()
    assert pl.read_csv(found["heat_map"].csv.encode())["effect"].to_list() == encoder["effect"].to_list()
    assert found["distribution"].data["score"].to_list() == ablation["score"].to_list()
    assert found["one_head"].data.height == 15
    drawn = found["scatter"]
    image = Image.open(io.BytesIO(drawn.png()))
    width, height = drawn.figure.get_size_inches()
    assert image.size == (round(2 * 96 * width - 0.5), round(2 * 96 * height - 0.5))
    assert image.convert("RGBA").getpixel((1, image.height - 2)) == (255, 255, 255, 255)
    assert drawn.png() == drawn.png()


def test_a_pdf_leaves_the_title_to_the_caption(drawn_once):
    drawn = drawn_once["scatter"]
    boxes = re.findall(rb"/MediaBox \[([^\]]*)\]", drawn.pdf())
    _, _, width, height = map(float, boxes[0].split())
    natural = 72 * drawn.figure.get_size_inches()
    assert width == pytest.approx(natural[0], abs=0.5)
    assert height == pytest.approx(natural[1] - 72 * drawn.panel.heading_height, abs=0.5)
    assert all(line.get_visible() for line in drawn.panel.heading)


def several_domains(count: int, heads: int = 6) -> pl.DataFrame:
    """Effects of heads on domains; the mean of head i over them is i - 2, its intervals are one wide."""
    rows = [
        {
            "domain": f"d{k}",
            "kind": "encoder_self",
            "layer": 0,
            "head": head,
            "effect": head - 2 + (k - (count - 1) / 2),
        }
        for k in range(count)
        for head in range(heads)
    ]
    effect = pl.col("effect")
    return pl.DataFrame(rows).with_columns(
        low=effect - 0.5, high=effect + 0.5, significant=effect.abs() > 1, unit=pl.lit("points"), margin=pl.lit(0.5)
    )


def names_of_rows(drawn: figures.Drawing) -> list[str]:
    return [label.get_text() for label in drawn.figure.axes[0].get_yticklabels()]


@pytest.mark.parametrize("narrow", [False, True])
def test_a_forest_sorts_heads_by_their_mean_effect_with_an_interval_for_each_domain(narrow):
    effects_ = several_domains(2).sort("effect", descending=True)
    drawn = figures.forest(effects_, "f/forest", narrow=narrow)
    assert names_of_rows(drawn) == [f"L0H{head}" for head in range(6)]
    axes = drawn.figure.axes[0]
    marks = {line.get_gid(): line for line in axes.lines if (line.get_gid() or "").startswith("mark")}
    assert len(marks) == 12
    found = sorted(tuple(map(float, line.get_xdata())) for line in marks.values())
    assert found == sorted(effects_.select("low", "effect", "high").rows())
    for line in marks.values():
        (at,) = {round(float(y)) for y in line.get_ydata()}
        assert abs(line.get_xdata()[1] - (at - 2)) == 0.5
    pale = [line for line in marks.values() if line.get_alpha() < 1]
    assert len(pale) == effects_.filter(~pl.col("significant")).height
    assert drawn.data["mean"].to_list() == sorted(drawn.data["mean"])
    assert drawn.data.height == 12
    assert drawn.svg.count('data-head="encoder_self.0.5"') == 3  # its row and two marks
    assert "encoder_self.0.5 on d1: +3.50 points (+3.00 to +4.00), significant" in drawn.svg
    assert ("+3.50*" in words(drawn)) is not narrow
    width, height = 96 * drawn.figure.get_size_inches()
    assert width == pytest.approx(345 if narrow else 540, abs=1)
    for said, _, (left, bottom, right, top) in texts_in_pixels(drawn):
        assert min(left, bottom) >= -1, said
        assert right <= width + 1, said
        assert top <= height + 1, said


def test_a_forest_of_many_heads_shows_both_ends_and_counts_the_others():
    drawn = figures.forest(several_domains(1, heads=50).with_columns(pl.col("effect") - 10), "f", most=24)
    means = [head - 12 for head in range(50)]
    kept = sorted(sorted(means, key=abs, reverse=True)[:24])
    assert names_of_rows(drawn) == [f"L0H{mean + 12}" for mean in kept]
    assert "26 more heads between −12.00 and +13.00" in words(drawn)
    drawn = figures.forest(several_domains(1, heads=50).with_columns(pl.col("effect") - 20), "f", most=24)
    names = names_of_rows(drawn)
    assert (names[0], names[-1]) == ("L0H0", "L0H49")
    gap = next(text for text in drawn.figure.axes[0].texts if "more heads" in text.get_text())
    (low, high) = re.findall(r"[−+]\d+\.\d+", gap.get_text())
    shown = [int(name[3:]) - 22 for name in names]
    hidden = sorted(set(range(-22, 28)) - set(shown))
    assert (low, high) == (signed(float(hidden[0])), signed(float(hidden[-1])))
    assert gap.get_position()[1] == sum(mean < hidden[0] for mean in shown)
    whole = figures.forest(several_domains(1, heads=50), "f", most=None)
    assert len(names_of_rows(whole)) == 50
    assert not any("more heads" in word for word in words(whole))


def test_a_forest_of_two_domains_fits_on_a_first_screen():
    drawn = figures.forest(several_domains(2, heads=144), "f")
    assert 96 * drawn.figure.get_size_inches()[1] <= 500
    assert len(names_of_rows(drawn)) == 24
    assert len(names_of_rows(figures.forest(several_domains(6, heads=144), "f"))) < 24


def test_a_forest_without_intervals_or_heads():
    bare = several_domains(2).drop("low", "high", "significant", "margin")
    assert "grey" not in text(figures.forest(bare, "f"))
    assert figures.forest(several_domains(1).clear(), "f") is None


def test_miniatures_are_small_and_every_head_can_be_pointed_at(table):
    ablation = table.filter(measure="ablation")
    counts = dict.fromkeys(AttentionKind, (4, 4, 4))
    both = ablation.with_columns(pl.col("effect").name.suffix(side) for side in ("_a", "_b"))
    for drawn in (
        figures.small_heat_map(ablation, counts, 2.0, "f/small"),
        figures.small_scatter(both, ("a", "b"), ("BLEU", "BLEU"), "r = 1.00", "f/small"),
    ):
        width, height = 96 * drawn.figure.get_size_inches()
        assert width <= 261
        assert height <= 225
        assert set(re.findall(r'data-head="([^"]*)"', drawn.svg)) == {
            f"{kind}.{layer}.{head}" for kind in AttentionKind for layer in range(3) for head in range(4)
        }
        assert all(size >= 10.5 for _, size, _ in texts_in_pixels(drawn))


def test_coloured_text_turns_to_the_colour_of_the_page_and_white_stays_white(drawn_once):
    root = ElementTree.fromstring(drawn_once["heat_map"].svg)
    texts = [node.get("style", "") for node in root.iter(f"{SVG}text")]
    white = [style for style in texts if "#ffffff" in style]
    assert white
    assert not any("color-mix" in style for style in white)
    curves = leave_out_of(pearson=[0.9, 0.5, 0.2], spearman=[0.4, 0.3, -0.4])
    named = [node for node in ElementTree.fromstring(curves.svg).iter(f"{SVG}text") if node.text == "Pearson r"]
    (found,) = named
    assert f"fill: {style.BLUE}; fill: color-mix(in srgb, {style.BLUE} 60%, currentColor)" in found.get("style", "")


def leave_out_of(pearson: list[float], spearman: list[float]) -> figures.Drawing:
    none = dict.fromkeys(["ceiling", "pearson_low", "pearson_high"], [None] * len(pearson))
    rows = pl.DataFrame({"left_out": range(len(pearson)), "pearson": pearson, "spearman": spearman, **none})
    return figures.leave_out(rows, ("home", "away"), "f/out")


def test_names_of_outliers_cover_no_other_head_where_there_is_room():
    """Heads to the upper right of the outlier, where its name would stand."""
    heads = pl.DataFrame({"head": range(4), "effect_a": [-10.0, -9.0, -8.5, 0.0], "effect_b": [-10.0, -9.6, -9.6, 0.0]})
    heads = heads.with_columns(kind=pl.lit("encoder_self"), layer=pl.lit(0))
    drawn = figures.scatter(heads, ("a", "b"), ("points", "points"), "r", "f/2")
    axes = drawn.figure.axes[0]
    FigureCanvasAgg(drawn.figure).draw()
    (name,) = [text for text in axes.texts if text.get_text() == "L0H0"]
    box = name.get_window_extent()
    points = axes.transData.transform(heads.select("effect_a", "effect_b").to_numpy())
    assert not any(box.contains(*point) for point in points)
    assert axes.bbox.x0 <= box.x0
    assert box.x1 <= axes.bbox.x1


def test_names_of_many_heads_at_one_height_do_not_run_into_each_other():
    """Heads without a spread stand in a row at the foot of the picture."""
    means = [-4.4, -4.0, -3.6, -3.2, 1.0]
    heads = pl.DataFrame({"head": range(5), "mean": means, "spread": [0.0] * 4 + [3.0]}).with_columns(
        *(pl.col("mean").alias(f"mean_{end}") for end in ("low", "high")),
        *(pl.col("spread").alias(f"spread_{end}") for end in ("low", "high")),
        **{"kind": pl.lit("encoder_self"), "layer": pl.lit(0), "level": pl.lit(0.95), "unit": pl.lit("points")},
        **{"significant": pl.lit(1), "cells": pl.lit(2)},
    )
    drawn = figures.head_spreads(heads, "seeds", "toy", "f/3")
    FigureCanvasAgg(drawn.figure).draw()
    axes = drawn.figure.axes[0]
    boxes = [text.get_window_extent() for text in axes.texts if text.get_text().startswith("L0H")]
    assert boxes
    assert not any(one.overlaps(other) for at, one in enumerate(boxes) for other in boxes[:at])
    assert all(axes.bbox.y0 <= box.y0 and box.y1 <= axes.bbox.y1 for box in boxes)
