"""Bounds of a stored cascade: which audits speak for what stands, what is said where none does, where it is shown."""

import re
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from fixtures.results import fill
from rich.console import Console
from scipy.stats import beta

from analysis.cascade import cascade, domain_bounds
from analysis.compute import analyse
from analysis.inference import Inference
from analysis.page import ResultsPage
from analysis.report import result_tables
from analysis.results.cells import grids
from analysis.results.read import read_domain, read_results
from analysis.terminal import print_cascade
from study.record.cascade import Audit, MaskSample, PartialRequest, Stage, Thresholds
from study.record.cascade.audit_files import write_audit
from study.record.cascade.limits import round_alpha, wrong_limit
from study.record.factors import Factors
from study.record.store import Store

COUNT = 200
PRECISION = {"precision": "cascade|sample:20|safety:2|bound:0.05|confidence:0.95|purposive:20"}


@pytest.fixture
def store(results: Path) -> Store:
    """A stored cascade: of every mask but the full one three decisions of four are drafts."""
    made = fill(results, "accuracy", model="toy", data="home", count=COUNT, subject=PRECISION)
    rows = made.read().rows
    for part in made.folder.glob("part-*"):
        part.unlink()
    full = made.layout.full_key
    place = pl.int_range(pl.len()).over("mask")
    is_draft = (pl.col("mask") != full) & (place % 4 > 0)
    staged = rows.with_columns(
        stage=pl.when(is_draft).then(pl.lit("first_order")).otherwise(pl.lit("float32")),
        margin=pl.lit(1.0, pl.Float32),
    )
    masks = [mask for mask in staged["mask"].unique() if mask != full]
    made.write(staged, {}, thresholds=Thresholds({Stage.first_order: dict.fromkeys(masks, 0.5)}))
    return made


def audit_of(store: Store, *, number: int = 1, share: int = 0, shards: int = 1, drawn: int = 10, **more) -> Audit:
    """A passed audit of what stands in a share; the first drafts of each mask were drawn, and are exact now."""
    rows = store.read().rows.filter(stage="first_order")
    ids = pl.read_parquet(store.folder / "examples.parquet")["example"].to_list()
    places = {name: place for place, name in enumerate(ids)}
    masks, sample = {}, {}
    for (mask,), own in rows.group_by("mask"):
        inside = [places[name] for name in own["example"] if places[name] % shards == share]
        sample[str(mask)] = tuple(sorted(inside)[:drawn])
        masks[str(mask)] = MaskSample(len(inside), len(sample[str(mask)]))
    exact = pl.concat(
        rows.filter(pl.col("mask") == mask, pl.col("example").is_in([ids[place] for place in own]))
        for mask, own in sample.items()
    )
    store.write(exact.with_columns(stage=pl.lit("float32")), {})
    alpha = round_alpha(0.95, number, shards)
    return Audit(number, 7, share, shards, COUNT, 0.05, 0.95, alpha, masks, sample, flips=12, passed=True, **more)


def test_one_audit_bounds_all_masks_and_each(store: Store) -> None:
    audit = audit_of(store)
    write_audit(audit, store.folder)
    found = domain_bounds(read_domain(store.folder))
    assert found is not None
    number, per_mask = len(audit.masks), COUNT * 3 // 4
    assert found.drafts == number * (per_mask - 10) == found.stages[Stage.first_order]
    assert found.decisions == (number + 1) * COUNT
    assert found.limit == wrong_limit(0, 10 * number, per_mask * number, 0.025)
    own = min(found.limit, per_mask - 10)
    assert {mask.limit for mask in found.masks} == {own}, "all that are left may be of one mask"
    by_itself = wrong_limit(0, 10, per_mask, 0.025 / number)
    assert by_itself > own, "the part of the sample that is of one mask says less"
    assert found.worst is not None
    assert found.worst.points == pytest.approx(100 * own / COUNT), "each wrong draft may cost one example of 200"
    assert found.mean_points == pytest.approx(100 * found.limit / found.decisions)
    assert found.flips_limit == pytest.approx(1 - 0.025 ** (1 / 12)) == pytest.approx(beta.ppf(0.975, 1, 12))


def test_shares_of_a_job_are_one_and_two_jobs_divide_what_may_be_missed(store: Store) -> None:
    shares = [audit_of(store, share=share, shards=2, drawn=5) for share in (0, 1)]
    for audit in shares:
        write_audit(audit, store.folder)
    domain = read_domain(store.folder)
    found = domain_bounds(domain)
    assert found is not None
    assert (found.jobs, found.lacking, len(found.audits)) == (1, 0, 2)
    assert found.limit == sum(audit.together.unseen(0.0125) for audit in shares)
    later = audit_of(store, drawn=3)
    half = dict(list(later.masks.items())[:5])
    one = replace(later, masks=half, drawn={mask: later.drawn[mask] for mask in half}, flips=0)
    for path in (store.folder / "audits").iterdir():
        path.unlink()
    write_audit(one, store.folder)
    assert (few := domain_bounds(read_domain(store.folder))) is not None
    assert few.limit is None
    assert few.lacking == (len(later.masks) - 5) * (COUNT * 3 // 4 - 13)
    assert few.worst is not None
    assert few.worst.limit is None, "of whose score nothing is known comes first"
    rest = {mask: own for mask, own in later.masks.items() if mask not in half}
    other = replace(later, masks=rest, drawn={mask: later.drawn[mask] for mask in rest}, flips=0)
    write_audit(other, store.folder)
    assert (both := domain_bounds(read_domain(store.folder))) is not None
    assert both.jobs == 2
    assert both.limit == sum(audit.together.unseen(0.0125) for audit in (one, other))


def test_audits_that_do_not_know_of_all_drafts_say_nothing(store: Store) -> None:
    audit = audit_of(store)
    mask = next(iter(audit.masks))
    older = replace(audit, masks={**audit.masks, mask: MaskSample(20, 10)})
    for stored, said in [
        (older, "no audit of them was passed"),
        (replace(audit, passed=None), "their audit is under way"),
        (replace(audit, examples=100), "no audit of them was passed"),
    ]:
        path = write_audit(stored, store.folder)
        found = cascade([read_domain(store.folder)])
        assert found is not None
        assert found.domains[0].limit is None
        assert any(said in line for line in found.sentences)
        assert not any("pooled" in line for line in found.sentences)
        path.unlink()


def test_a_larger_threshold_leaves_the_count_and_exact_rows_need_no_audit(store: Store) -> None:
    audit = audit_of(store)
    write_audit(audit, store.folder)
    before = domain_bounds(read_domain(store.folder))
    rows = store.read().rows.filter(stage="first_order")
    mask = rows["mask"][0]
    exact = rows.filter(mask=mask).with_columns(stage=pl.lit("float32"))
    store.write(exact, {}, thresholds=Thresholds({Stage.first_order: {mask: 2.0}}))
    after = domain_bounds(read_domain(store.folder))
    assert before is not None
    assert after is not None
    assert after.limit == before.limit
    assert after.drafts < before.drafts
    assert mask not in {own.mask for own in after.masks}


def test_of_a_mask_that_was_asked_on_some_examples_an_audit_speaks_for_these_alone(store: Store) -> None:
    audit = audit_of(store)
    mask = next(iter(audit.masks))
    write_audit(replace(audit, partly=(PartialRequest((mask,), tuple(range(100))),)), store.folder)
    found = domain_bounds(read_domain(store.folder))
    assert found is not None
    assert found.lacking == 100 * 3 // 4, "the other half came later, however few drafts there are"
    assert found.worst is not None
    assert found.worst.mask == mask


def test_drafts_under_masks_that_are_not_shown_one_by_one_are_told_too(store: Store) -> None:
    audit, layout = audit_of(store), store.layout
    mask = layout.key(layout.without(layout.heads[:2]))
    rows = store.read().rows
    some = rows.filter(pl.col("mask") == rows["mask"].min(), pl.col("margin") > 0).head(100)
    low = Thresholds({Stage.first_order: {mask: 0.5}})
    searched = some.with_columns(mask=pl.lit(mask), stage=pl.lit("first_order"), margin=pl.lit(1.0, pl.Float32))
    store.write(searched, {}, thresholds=low)
    drawn = {**audit.drawn, mask: tuple(range(10))}
    counts = {**audit.masks, mask: MaskSample(100, 10)}
    audit = replace(audit, masks=counts, drawn=drawn, partly=(PartialRequest((mask,), tuple(range(100))),))
    write_audit(audit, store.folder)
    found = cascade([read_domain(store.folder)])
    assert found is not None
    (own,) = found.domains
    limit = min(90, audit.together.unseen(0.025))
    assert (own.elsewhere, own.elsewhere_masks, own.elsewhere_limit, own.lacking) == (90, 1, limit, 0)
    said = f"besides, 90 drafted decisions under 1 mask that are not shown one by one, .*: at most {limit} are wrong"
    assert re.search(said, "\n".join(found.sentences))


@pytest.mark.parametrize(
    ("asked", "drafts"),
    [
        ([(0, 100), (100, 200)], 99 + 99),
        ([(0, 100), (0, 200)], 199),
        ([(0, 100), (0, 100)], 99),
        ([(0, 100), (50, 150)], 99 + 50),
    ],
)
def test_what_searches_left_by_other_examples_of_a_mask_is_added(store: Store, asked: list, drafts: int) -> None:
    audit, mask = audit_of(store), store.layout.key(store.layout.without(store.layout.heads[:2]))
    write_audit(audit, store.folder)
    rounds = [
        replace(
            audit,
            round=number,
            alpha=round_alpha(0.95, number, 1),
            masks={mask: MaskSample(end - begin, 1)},
            drawn={mask: (begin,)},
            flips=0,
            partly=(PartialRequest((mask,), tuple(range(begin, end))),),
        )
        for number, (begin, end) in enumerate(asked, start=2)
    ]
    for one in rounds:
        write_audit(one, store.folder)
    found = domain_bounds(read_domain(store.folder))
    assert found is not None
    limit = sum(one.together.unseen(one.alpha) for one in rounds)
    assert (found.elsewhere, found.elsewhere_masks, found.elsewhere_limit) == (drafts, 1, min(limit, drafts))


def test_it_is_shown_on_the_terminal_in_tables_and_on_the_page(store: Store, results: Path) -> None:
    write_audit(audit_of(store), store.folder)
    fill(results, "accuracy", model="other", data="home", count=60)
    analysis = analyse(read_results(results), Inference(resamples=200))
    assert analysis.cascade is not None
    console = Console(width=200, record=True)
    print_cascade(analysis.cascade, console)
    said = console.export_text()
    assert "home: 7,400 decisions: 68.1 % to first order" in said.replace("\n", " ")
    assert "none of 360 drawn at random is wrong; pooled over all masks at most 53 of 5,040" in said
    tables = result_tables(analysis)
    assert tables["cascade"].height == 1
    effects = tables["effects"].filter(measure="ablation")
    worst = tables["cascade"]["worst_points"][0]
    assert effects.filter(subject="toy")["draft_points"].unique().to_list() == [worst]
    assert effects.filter(subject="other")["draft_points"].null_count() == effects.filter(subject="other").height
    assert tables["effects"].drop("draft_points").equals(analysis.effects)
    page = ResultsPage.of(analysis).html()
    assert page.count("Drafted decisions</") + page.count("Drafted decisions <a") == 1, "one subject was drafted"
    assert f"≤ {worst:.2g} points" in page


def test_folders_without_stages_have_none(make) -> None:
    assert cascade([read_domain(make().folder)]) is None


def test_along_precision_a_cascade_stands_beside_float32_and_says_how_careful_it_was(
    store: Store, results: Path
) -> None:
    precision = PRECISION["precision"]
    fill(results, "accuracy", model="toy", data="home", count=COUNT)
    found = read_results(results)
    places = {domain.setting.precision: Factors("toy", "home", domain.setting.precision) for domain in found.domains}
    domains = tuple(replace(domain, factors=(places[domain.setting.precision],)) for domain in found.domains)
    (grid,) = grids(replace(found, domains=domains), ["precision"]).grids
    assert {key for (key,) in grid.cells} == {"float32", precision}
    labels = {cell.label(["precision"]) for cell in grid.cells.values()}
    assert labels == {"float32", "cascade, sample 20, safety 2, bound 0.05, confidence 0.95, purposive 20"}
