import json
import logging
from dataclasses import replace

import polars as pl
import pytest
from fixtures.results import CLASSIFIER, curve_of, every_mask

from analysis.__main__ import main
from analysis.effects.head_effects import effects
from analysis.results.read import Selection, read_domain, read_results
from study.record.curves import write_curve
from study.record.errors import InputError, StudyError
from study.record.setting import SettingError
from study.record.units import Head
from study.tracking.run import Run, write_run


def test_reads_what_the_store_wrote(make, results):
    store = make(count=25)
    [domain] = read_results(results).domains
    assert (domain.model, domain.data, domain.setting_id) == ("toy", "home", store.folder.name)
    assert domain.rows.sort("mask", "example").equals(store.read().rows.sort("mask", "example"))
    assert domain.examples.height == 25
    assert domain.layout == CLASSIFIER
    assert len(domain.masks) == 37
    assert domain.signature == "accuracy|percent"
    assert domain.provenance["torch"] == ("2.0",)
    assert domain.left_out == ()


def test_bleu_of_13a_tokens_of_chinese_is_left_out_by_name(make, results):
    """Counted so before the target language chose the tokens; who insists on them has them."""
    old = make("bleu", data="old", count=6, subject={"text": {"target_lang": "zh_CN"}})
    make("bleu", data="french", count=6, subject={"text": {"target_lang": "fr"}})
    make("bleu", data="insisted", count=6, subject={"text": {"target_lang": "zh"}, "tokenize": "13a"})
    found = read_results(results)
    assert {domain.data for domain in found.domains} == {"french", "insisted"}
    [line] = found.left_out
    assert line.startswith(f"{old.folder.relative_to(results)}: its BLEU is of 13a tokens")
    assert "not of zh tokens: run the same command again" in line


def lone(rows: pl.DataFrame, mask: str, keep: int) -> pl.DataFrame:
    """All masks, but of `mask` only the first `keep` examples."""
    whole, part = rows.filter(pl.col("mask") != mask), rows.filter(pl.col("mask") == mask)
    return pl.concat([whole, part.head(keep)])


def test_incomplete_masks_are_left_out_named_and_logged(make, results, caplog):
    store = make(count=20)
    mask = CLASSIFIER.key(CLASSIFIER.without([Head.parse("encoder_self.2.1")]))
    rows = lone(store.read().rows, mask, 7)
    next(store.folder.glob("part-*")).unlink()
    store.write(rows, {})
    with caplog.at_level(logging.WARNING):
        (domain,) = read_results(results).domains
    assert mask not in domain.rows["mask"]
    assert len(domain.masks) == 36
    [line] = domain.left_out
    assert "encoder_self.2.1 off (7)" in line
    assert caplog.messages == [f"{domain.model} on home: {line}"]
    assert effects(domain).filter(measure="ablation").height == 15


def test_masks_are_compared_on_the_examples_of_the_base_score(make):
    store = make(count=20)
    rows = lone(store.read().rows, "1" * 16, 12)
    next(store.folder.glob("part-*")).unlink()
    store.write(rows, {})
    domain = read_domain(store.folder)
    assert len(domain.masks) == 37
    assert set(effects(domain)["n"]) == {12}
    assert domain.examples.height == 12
    assert "12 of the 20 examples" in domain.left_out[0]


def test_what_several_settings_lack_is_said_once(make, results, caplog):
    for model in ("first", "second"):
        store = make(model=model, count=20)
        rows = lone(store.read().rows, "1" * 16, 12)
        next(store.folder.glob("part-*")).unlink()
        store.write(rows, {})
    with caplog.at_level(logging.WARNING):
        found = read_results(results)
    [line] = {line for domain in found.domains for line in domain.left_out}
    assert caplog.messages == [f"first on home; second on home: {line}"]


def test_limit_takes_the_first_examples_of_the_data_set(make):
    store = make(count=20)
    domain = read_domain(store.folder, limit=5)
    assert domain.examples["example"].to_list() == [f"home-{i}" for i in range(5)]
    assert set(domain.rows["example"]) == {f"home-{i}" for i in range(5)}
    assert domain.left_out == ()


def without_base(store):
    masks = every_mask(CLASSIFIER)
    del masks["1" * 16]
    rows = store.read().rows.filter(pl.col("mask").is_in(list(masks)))
    next(store.folder.glob("part-*")).unlink()
    store.write(rows, {})


def another_schema(store):
    stored = json.loads((store.folder / "setting.json").read_text())
    stored["identity"]["schema"] = 99
    (store.folder / "setting.json").write_text(json.dumps(stored))


def without_heads(store):
    stored = json.loads((store.folder / "setting.json").read_text())
    del stored["heads"]
    (store.folder / "setting.json").write_text(json.dumps(stored))


def replace_parts(store, rows):
    """As an earlier version would have written them: without a seal."""
    next(store.folder.glob("part-*")).unlink()
    rows.write_parquet(store.folder / "part-20260101T000000.000000-0123456789ab.parquet")


def other_columns(store):
    replace_parts(store, store.read().rows.drop("correct"))


def other_heads(store):
    replace_parts(store, store.read().rows.with_columns(pl.col("mask") + "1"))


DAMAGE = {
    "no base": (without_base, "base score is missing"),
    "schema": (another_schema, "outcome schema 99"),
    "setting lacks heads": (without_heads, "is not a setting file"),
    "setting is not JSON": (lambda store: (store.folder / "setting.json").write_text("{"), "is not a setting file"),
    "setting is binary": (lambda store: (store.folder / "setting.json").write_bytes(b"\xff\xfe"), "not a setting"),
    "part is cut": (lambda store: next(store.folder.glob("part-*")).write_bytes(b"PAR1"), "it was cut or changed"),
    "no setting": (lambda store: (store.folder / "setting.json").unlink(), "setting.json cannot be read (No such file"),
    "no examples": (lambda store: (store.folder / "examples.parquet").unlink(), "cannot be read: No such file"),
    "other columns": (other_columns, "they need the columns correct"),
    "other heads": (other_heads, "masks of a model that has not 16 heads"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_setting_is_left_out_and_the_others_are_read(make, results, name):
    damage, message = DAMAGE[name]
    make(data="whole", seed=1)
    store = make(data="damaged", seed=2)
    damage(store)
    found = read_results(results)
    assert [domain.data for domain in found.domains] == ["whole"]
    [line] = found.left_out
    assert line.startswith(f"toy/damaged/{store.folder.name}: ")
    assert message in line
    assert found.damaged == (name != "no base")
    with pytest.raises(StudyError, match="nothing that can be analysed"):
        read_results(results, Selection(data=["damaged"]))


def test_parts_with_unlike_columns_are_refused(make):
    store = make()
    store.write(store.read().rows.with_columns(extra=pl.lit(1)), {})
    with pytest.raises(StudyError):
        read_domain(store.folder)


def test_a_part_of_unknown_origin_counts(make):
    store = make()
    replace_parts(store, store.read().rows)
    assert read_domain(store.folder).provenance == {"written": ("unknown",)}


def test_nothing_to_read_is_an_error_in_words(results):
    with pytest.raises(InputError, match="there is no results folder"):
        read_results(results)
    results.mkdir()
    with pytest.raises(InputError, match="holds no outcomes"):
        read_results(results)


def test_selection_by_model_and_data(make, results):
    make(model="bert", data="home")
    make(model="bert", data="away")
    make("bleu", model="fairy", data="home", count=5)

    def names(**selection) -> list[tuple[str, str]]:
        return [(domain.model, domain.data) for domain in read_results(results, Selection(**selection)).domains]

    assert names() == [("bert", "away"), ("bert", "home"), ("fairy", "home")]
    assert names(models=["fairy"]) == [("fairy", "home")]
    assert names(data=["home"]) == [("bert", "home"), ("fairy", "home")]
    with pytest.raises(InputError, match="no results of model brt: there are bert, fairy"):
        names(models=["brt"])


def test_what_trainings_chose_heads_by_is_shown_where_it_is_asked_for(make, results):
    """Also where nothing else is there; and as soon as one of its jobs was asked for."""
    helping, run = make(model="start", data="more"), Run("a", "b", "start", "more", "importance", 25, {})
    write_run(replace(run, for_training=True), helping.folder)

    def models(**selection) -> list[str]:
        return [domain.model for domain in read_results(results, Selection(**selection)).domains]

    assert models() == ["start"]
    make(model="gated", data="home")
    assert models() == ["gated"]
    found = read_results(results)
    assert found.left_out == (
        "start on more: measured by trainings to choose heads, on their training data. `study report --model start` "
        "shows it",
    )
    assert (found.for_trainings, found.damaged) == ((helping.folder,), False)
    assert models(models=["start"]) == models(data=["more"]) == ["start"]
    write_run(replace(run, id="c"), helping.folder)
    assert models() == ["gated", "start"]


def test_wrong_setting_is_a_setting_error(make):
    store = make()
    without_heads(store)
    with pytest.raises(SettingError):
        read_domain(store.folder)


def test_a_job_that_came_to_nothing_is_no_news(make, results):
    """A job that fails before its first row leaves at most the file of its run; earlier versions left a setting."""
    make(data="whole", seed=1)
    tried = make(data="tried", seed=2)
    [part] = tried.folder.glob("part-*")
    part.unlink()
    write_run(Run("0", tried.folder.name, "toy", "tried", "ablation", 30, {}), tried.folder)
    found = read_results(results)
    assert ([domain.data for domain in found.domains], found.left_out, found.damaged) == (["whole"], (), False)
    write_run(Run("0", tried.folder.name, "toy", "tried", "ablation", 30, {}, summary={"base": 1.0}), tried.folder)
    found = read_results(results)
    [line] = found.left_out
    assert "no outcomes of its examples are stored; run the study again" in line
    assert found.damaged


def test_a_damaged_curve_is_named_and_the_domain_stays(make, results, capsys):
    store = make(curves=[curve_of(CLASSIFIER.heads), curve_of(CLASSIFIER.heads[::-1], order="random", seed=1)])
    path = store.folder / "curves" / f"{curve_of(CLASSIFIER.heads).id}.json"
    path.write_text(path.read_text().replace('"heads": 16', '"heads": 19'))
    [domain] = read_results(results).domains
    assert [curve.order for curve in domain.curves] == ["random"]
    assert f"{path} is not a whole pruning curve (its content is not what its digest says" in domain.left_out[0]
    assert main([str(results), "--resamples", "39", "--splits", "2"]) == 1
    assert str(path) in (results / "analysis" / "report" / "index.html").read_text()
    write_curve(curve_of(CLASSIFIER.heads), store.folder)
    assert len(read_results(results).domains[0].curves) == 2
