"""The measure `attention`: what it asks for, as a job through the store, of texts that are scored or only read."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
import transformers as tf
from fixtures.jobs import NUM_PAIRS, overrides

import study.engine.engine as engines
from study.config import compose, to_study
from study.engine.row_alone.proof import PROOF_FILE
from study.jobs.measuring import MeasuringJob
from study.jobs.task import StudyTask
from study.record.curves import Curve, write_curve
from study.record.errors import InputError
from study.record.maps.stored_maps import read_maps
from study.record.setting import read_setting
from study.record.store import read_parts
from study.record.tables import OUTCOMES, AttendedWords, Attention, Divergence, Special, stored_tables
from study.record.units import HeadLayout

TASK = StudyTask()
FEW = 12
SHORT = f"data.limit={FEW}"

TREEBANK = """
# sent_id = a
# text = w1 w2 w3
1\tw1\tw1\tNOUN\t_\t_\t2\tnsubj\t_\t_
2\tw2\tw2\tVERB\t_\t_\t0\troot\t_\t_
3\tw3\tw3\tNOUN\t_\t_\t2\tobj\t_\t_

# sent_id = b
# text = w4 w5
1\tw4\tw4\tVERB\t_\t_\t0\troot\t_\t_
2\tw5\tw5\tNOUN\t_\t_\t1\tobj\t_\t_
"""


def job(place: Path, *more: str):
    return compose(*overrides(place, "measure=attention", *more))


def treebank(place: Path) -> list[str]:
    (place / "tree.conllu").write_text(TREEBANK.lstrip())
    return ["data=ud_file", f"data.path={place / 'tree.conllu'}"]


def folder(place: Path, data: str = "pairs") -> Path:
    (found,) = (path.parent for path in (place / "results").glob(f"*/{data}/*/setting.json"))
    return found


def test_the_base_score_comes_first_and_no_row_is_computed_twice(place: Path) -> None:
    assert TASK.remaining(job(place, SHORT)) == 1, "no file says which heads there are"
    assert TASK(job(place, SHORT))["computed"] == 2 * FEW
    assert stored_tables(folder(place)) == [Attention(), OUTCOMES]
    assert (TASK.remaining(job(place, SHORT)), TASK(job(place, SHORT))["computed"]) == (0, 0)
    rest = job(place)
    assert TASK.remaining(rest) == 2 * (NUM_PAIRS - FEW)
    assert TASK.estimate(rest) > 0
    planned = TASK(job(place, "plan=true"))
    assert (planned["state"], planned["masks"], planned["missing"]) == ("planned", 1, 2 * (NUM_PAIRS - FEW))
    more = job(place, SHORT, "measure.special=left_out", "measure.divergence=true", "measure.words=always")
    assert TASK.remaining(more) == 3 * FEW
    assert TASK(more)["computed"] == 3 * FEW
    kinds = {Attention(), Attention(Special.left_out), Divergence(Special.left_out), AttendedWords(), OUTCOMES}
    assert set(stored_tables(folder(place))) == kinds
    assert "attention, on cpu" in json.loads((folder(place) / PROOF_FILE).read_text())


def test_what_is_stored_is_what_transformers_computes(place: Path) -> None:
    TASK(job(place, SHORT))
    rows = read_parts(folder(place), Attention()).rows
    model = tf.AutoModelForSequenceClassification.from_pretrained(place / "model", attn_implementation="eager")
    tokenizer = tf.AutoTokenizer.from_pretrained(place / "model")
    pairs = pl.read_csv(place / "pairs.tsv", separator="\t").head(FEW)
    for row, pair in zip(rows.sort(pl.col("example").cast(int)).rows(named=True), pairs.rows(named=True), strict=True):
        text = tokenizer(pair["premise"], pair["hypothesis"], return_tensors="pt")
        with torch.no_grad():
            maps = torch.cat(model(**text, output_attentions=True).attentions, dim=1)[0].double().numpy()
        np.testing.assert_allclose(row["first"], maps[:, :, 0].sum(axis=1), rtol=1e-5)
        np.testing.assert_allclose(row["previous"], np.trace(maps, offset=-1, axis1=1, axis2=2), rtol=1e-5)
        np.testing.assert_allclose(row["entropy"], -(maps * np.log(maps)).sum(axis=(1, 2)), rtol=1e-5)
        assert row["queries"] == [maps.shape[-1]] * len(maps)


def test_texts_that_are_only_read_have_no_score(place: Path) -> None:
    found = TASK(compose(*overrides(place, "measure=attention", *treebank(place))))
    assert found == {"masks": 1, "computed": 4}
    own = folder(place, "tree")
    assert stored_tables(own) == [AttendedWords(), Attention()]
    assert not read_setting(own).is_scored
    words = read_parts(own, AttendedWords()).rows.sort("example")
    heads = len(read_setting(own).layout)
    assert words["row"].list.len().to_list() == words["column"].list.len().to_list() == [3 * heads, 2 * heads]
    assert [*words["row"].to_list()[1]] == [1, 0] * heads, "of two words each attends to the other"
    with pytest.raises(InputError, match="is only read, there is no answer that measure=ablation could score"):
        TASK.check(compose(*overrides(place, "measure=ablation", *treebank(place))))
    with pytest.raises(InputError, match="data 'tree' is only read"):
        TASK.check(compose(*overrides(place, "measure=attention", "data.metric=accuracy", *treebank(place))))


def test_tables_are_seen_in_one_pass_and_only_what_is_missing_is_seen_again(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    observe = engines.observe

    def spy(subject, rows, masks, tables):
        seen.append(([table.kind for table in tables], len(rows)))
        return observe(subject, rows, masks, tables)

    monkeypatch.setattr(engines, "observe", spy)
    more = job(place, SHORT, "measure.divergence=true", "measure.words=always")
    TASK(more)
    assert seen == [(["attention", "divergence", "attended_words"], FEW)]
    next(folder(place).glob("divergence-*")).unlink()
    seen.clear()
    assert TASK.remaining(more) == FEW
    TASK(more)
    assert seen == [(["divergence"], FEW)]


def test_shards_share_the_examples(place: Path) -> None:
    for shard in (0, 1):
        assert TASK(job(place, SHORT, "shards=2", f"shard={shard}"))["computed"] == FEW
    assert TASK.remaining(job(place, SHORT)) == 0


def removal(layout: HeadLayout, order: str, seed: int = 0) -> Curve:
    """A curve that takes away half of the heads, then all."""
    heads = layout.heads[:: -1 if seed else 1]
    masks = [layout.without(heads[:count]) for count in (0, 4, 8)]
    keys = tuple(layout.key(mask) for mask in masks)
    return Curve(order, {"seed": seed}, (), 8, (0, 4, 8), keys, FEW, tuple(map(str, heads)))


def test_attention_is_looked_at_with_heads_removed(place: Path) -> None:
    asked = [SHORT, "measure.kept=[0.5]", "measure.curve=random"]
    with pytest.raises(
        InputError, match="'pairs' has no curve 'random' of this model: run measure=pruning measure.order=random first"
    ):
        TASK(job(place, *asked))
    own = folder(place)
    layout = read_setting(own).layout
    curve = removal(layout, "random")
    write_curve(curve, own)
    assert TASK(job(place, *asked, "measure.without=[encoder_self.1.0,encoder_self.1.1]"))["computed"] == 3 * FEW
    masks = read_parts(own, Attention()).rows["mask"].unique()
    assert set(masks) == {layout.full_key, curve.masks[1], layout.key(layout.without(layout.heads[4:6]))}
    with pytest.raises(InputError, match="the curve random has no such point, it keeps 1, 0.5 and 0"):
        TASK(job(place, SHORT, "measure.kept=[0.8]", "measure.curve=random"))
    write_curve(removal(layout, "random", seed=1), own)
    with pytest.raises(InputError, match=f"2 curves random: measure.curve takes one of .*{curve.id} .seed 0"):
        TASK(job(place, *asked))
    assert TASK(job(place, SHORT, "measure.kept=[0.5]", f"measure.curve={curve.id}"))["computed"] == 0
    read = compose(
        *overrides(place, *treebank(place), "measure=attention", "measure.kept=[0.5]"),
        f"measure.curve={curve.id}",
        "measure.curve_data=pairs",
    )
    TASK(read)
    assert curve.masks[1] in read_parts(folder(place, "tree"), Attention()).rows["mask"].to_list()


def test_what_a_curve_keeps_is_looked_at_in_one_sweep_with_the_curve(place: Path) -> None:
    jobs = [
        compose(*overrides(place, SHORT, f"measure={name}")) for name in ("importance", "pruning", "attention_kept")
    ]
    stages = [TASK.stage(each) for each in jobs]
    assert stages == sorted(set(stages))
    assert TASK.stage(job(place)) < stages[-1], "without a curve there is nothing to wait for"
    planned = TASK(compose(*overrides(place, SHORT, "measure=attention_kept", "plan=true")))
    assert planned["needs"] == "measure=pruning"
    for each in jobs:
        TASK(each)
    masks = read_parts(folder(place), Attention()).rows["mask"].unique()
    assert sorted(mask.count("1") for mask in masks) == [3, 8]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["measure.kept=[1.2]", "measure.curve=x"], "measure.kept=1.2: a share of heads is between 0 and 1"),
        (["measure.kept=[0.4]"], "measure.curve says which"),
        (["measure.without=[encoder_self.7.1]"], "no head encoder_self.7.1"),
        (["measure.curve=importance"], "measure.curve has no effect here: it is of measure.kept"),
        (["measure.kinds=[CROSS]"], "measure.kinds has no effect here"),
    ],
)
def test_options_that_make_no_sense_are_refused(place: Path, options: list[str], says: str) -> None:
    with pytest.raises(InputError, match=says.replace("[", r"\[")):
        MeasuringJob(to_study(job(place, *options))).run()


def test_maps_of_a_few_examples_are_kept_once(place: Path) -> None:
    header, first, *others = (place / "pairs.tsv").read_text().splitlines()
    longer = first.replace("\tw", "\tw1 w2 w", 1)  # not all are of one length
    (place / "pairs.tsv").write_text("\n".join([header, longer, *others]) + "\n")
    TASK(job(place, SHORT, "measure.maps=3"))
    kept = read_maps(folder(place), read_setting(folder(place)).layout)
    assert len({len(maps.source.words) for maps in kept}) == 2
    assert len(kept) == 3
    assert TASK(job(place, SHORT, "measure.maps=3"))["computed"] == 0
    assert TASK(job(place, SHORT, "measure.maps=4"))["computed"] == 1
    with pytest.raises(InputError, match=r"measure.maps=-1"):
        TASK(job(place, SHORT, "measure.maps=-1"))
