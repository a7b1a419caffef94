"""The measure `pairs` as a job: its masks, what they share with single heads, and what is refused."""

from itertools import combinations
from pathlib import Path

import polars as pl
import pytest
from fixtures.jobs import NUM_PAIRS, overrides
from scipy import stats

from analysis import read_results
from analysis.inference import Inference
from analysis.sets.pairs import Pairs as StoredPairs
from analysis.sets.pairs import pair_table
from study.config import compose
from study.jobs.task import StudyTask
from study.measures.sets.pairs import Pairs
from study.record.designs import DesignKind, read_designs
from study.record.errors import InputError
from study.record.setting import read_setting
from study.record.store import read_parts
from study.record.units import AttentionKind, HeadLayout, UnitLevel

TASK = StudyTask()
FEW = 10
LAYERS, HEADS = 2, 4
SHORT = f"data.limit={FEW}"


def job(place: Path, *more: str):
    return compose(*overrides(place, "measure=pairs", SHORT, *more))


def folder(place: Path) -> Path:
    (found,) = (path.parent for path in (place / "results").glob("*/*/*/setting.json"))
    return found


def test_pairs_share_single_heads_with_an_ablation_and_say_what_they_are(place: Path) -> None:
    pairs = LAYERS * HEADS * (HEADS - 1) // 2
    assert TASK(job(place, "plan=true"))["masks"] == 1 + LAYERS * HEADS + pairs
    TASK(compose(*overrides(place, "measure=ablation", SHORT)))
    assert TASK.remaining(job(place)) == pairs * FEW + 1, "rows, and the design"
    assert TASK(job(place))["computed"] == pairs * FEW
    assert (TASK.remaining(job(place)), TASK(job(place))["computed"]) == (0, 0)
    layout = read_setting(folder(place)).layout
    (design,) = (design for design in read_designs(folder(place), layout)[0] if design.kind is DesignKind.PAIR)
    assert set(design.keys(layout)) < set(read_parts(folder(place)).rows["mask"])
    expected = [(str(a), str(b)) for a, b in combinations(layout.heads, 2) if a.layer == b.layer]
    assert [design.off(number) for number in range(len(design))] == expected
    next((folder(place) / "designs").glob("*.json")).unlink()
    assert TASK.remaining(job(place)) == 1, "a design that is gone is written anew"
    assert TASK(job(place))["computed"] == 0
    every = TASK(job(place, "measure.within=all"))
    assert every["computed"] == (28 - pairs) * FEW


def test_its_answer_is_the_largest_interactions_of_the_report(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    TASK(job(place))
    (stored,) = read_results(place / "results").designs
    rows = pair_table(StoredPairs.of(stored, Inference(resamples=50))).filter(scale="loss")
    largest = rows.sort(pl.col("interaction").abs(), descending=True).head(3)
    t = stats.t.ppf(1 - 0.025 / rows.height, rows["groups"][0] - 1)
    told = [
        f"{row['a']} and {row['b']} {row['interaction']:+.4f} ± {t * row['standard_error']:.4f}"
        for row in largest.rows(named=True)
    ]
    words = "largest interactions of 12 pairs (nats, intervals hold for all together): "
    assert words + "; ".join(told) in caplog.text


def test_pairs_of_layers_are_pairs_of_any_two(place: Path) -> None:
    assert TASK(job(place, "measure.unit=layer", "measure.within=all"))["computed"] == (1 + LAYERS + 1) * FEW


def test_pairs_of_a_file_take_their_own_single_heads_alone(place: Path) -> None:
    (place / "heads.txt").write_text("encoder_self.0.1\nencoder_self.1.1\nencoder_self.1.3\n")
    assert TASK(job(place, f"measure.within={place / 'heads.txt'}"))["computed"] == (1 + 3 + 3) * FEW
    layout = read_setting(folder(place)).layout
    options = read_designs(folder(place), layout)[0][-1].options
    assert options["within"] == "heads.txt"
    (place / "heads.txt").write_text("encoder_self.0.1\nencoder_self.0.2\n")
    TASK(job(place, f"measure.within={place / 'heads.txt'}"))
    assert len(read_designs(folder(place), layout)[0]) == 5, "another file of that name is another design"


@pytest.mark.parametrize(
    ("counts", "options", "says"),
    [
        ([1, 1, 1], {}, "no two of the 3 heads stand in one layer, .* take measure.within=kind or all"),
        ([2, 2], {"unit": UnitLevel.layer}, "no two of the 2 layers stand in one layer"),
        ([1], {"within": "all"}, "takes two units, and here there is one: encoder_self.0.0"),
        ([2, 2], {"within": "heads.tsv"}, "cannot read the order in heads.tsv"),
        ([2, 2], {"kinds": [AttentionKind.CROSS]}, "no cross attention"),
    ],
)
def test_what_makes_no_pair_is_refused(counts: list[int], options: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Pairs(**options).check(HeadLayout({AttentionKind.ENCODER_SELF: counts}))


def test_rows_of_pairs_are_of_all_examples(place: Path) -> None:
    TASK(compose(*overrides(place, "measure=pairs", "measure.kinds=[ENCODER_SELF]", "shards=2", "shard=1")))
    assert read_parts(folder(place)).rows["example"].n_unique() == NUM_PAIRS // 2
