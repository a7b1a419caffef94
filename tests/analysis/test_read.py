import json
import logging

import polars as pl
import pytest
from made_results import CLASSIFIER, every_mask

from analysis.effects import effects
from analysis.read import Selection, read_domain, read_results
from study.errors import InputError, StudyError
from study.heads import Head, mask_key
from study.setting import SettingError
from study.statistics import MetricName


def test_reads_what_the_store_wrote(make, results):
    store = make(count=25)
    [domain] = read_results(results).domains
    assert (domain.model, domain.data, domain.setting_id) == ("toy", "home", store.folder.name)
    assert domain.rows.sort("mask", "example").equals(store.read().rows.sort("mask", "example"))
    assert domain.examples.height == 25
    assert domain.layout == CLASSIFIER
    assert domain.masks == 37
    assert domain.signature == "accuracy|percent"
    assert domain.provenance["torch"] == ("2.0",)
    assert domain.left_out == ()


def lone(rows: pl.DataFrame, mask: str, keep: int) -> pl.DataFrame:
    """All masks, but of `mask` only the first `keep` examples."""
    whole, part = rows.filter(pl.col("mask") != mask), rows.filter(pl.col("mask") == mask)
    return pl.concat([whole, part.head(keep)])


def test_incomplete_masks_are_left_out_named_and_logged(make, results, caplog):
    store = make(count=20)
    mask = mask_key(CLASSIFIER.without([Head.parse("encoder_self.2.1")]))
    rows = lone(store.read().rows, mask, 7)
    next(store.folder.glob("part-*")).unlink()
    store.write(rows, {})
    with caplog.at_level(logging.WARNING):
        (domain,) = read_results(results).domains
    assert mask not in domain.rows["mask"]
    assert domain.masks == 36
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
    assert domain.masks == 37
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
    assert caplog.messages == [f"first on home, second on home: {line}"]


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


def other_columns(store):
    store.read().rows.drop("correct").write_parquet(next(store.folder.glob("part-*")))


def other_heads(store):
    rows = store.read().rows.with_columns(pl.col("mask") + "1")
    rows.write_parquet(next(store.folder.glob("part-*")))


DAMAGE = {
    "no base": (without_base, "base score is missing"),
    "schema": (another_schema, "outcome schema 99"),
    "setting lacks heads": (without_heads, "is not a setting file"),
    "setting is not JSON": (lambda store: (store.folder / "setting.json").write_text("{"), "is not a setting file"),
    "setting is binary": (lambda store: (store.folder / "setting.json").write_bytes(b"\xff\xfe"), "not a setting"),
    "part is cut": (lambda store: next(store.folder.glob("part-*")).write_bytes(b"PAR1"), "cannot read"),
    "no parts": (lambda store: next(store.folder.glob("part-*")).unlink(), "no outcomes"),
    "no examples": (lambda store: (store.folder / "examples.parquet").unlink(), "cannot read examples.parquet"),
    "other columns": (other_columns, "need the columns correct"),
    "other heads": (other_heads, "is no mask of this model"),
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
    with pytest.raises(StudyError, match="nothing that can be analysed"):
        read_results(results, Selection(data=["damaged"]))


def test_parts_with_unlike_columns_are_refused(make):
    store = make()
    store.write(store.read().rows.with_columns(extra=pl.lit(1)), {})
    with pytest.raises(StudyError):
        read_domain(store.folder)


def test_a_part_of_unknown_origin_counts(make):
    store = make()
    part = next(store.folder.glob("part-*"))
    pl.read_parquet(part).write_parquet(part)
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
    make(MetricName.BLEU, model="fairy", data="home", count=5)

    def names(**selection) -> list[tuple[str, str]]:
        return [(domain.model, domain.data) for domain in read_results(results, Selection(**selection)).domains]

    assert names() == [("bert", "away"), ("bert", "home"), ("fairy", "home")]
    assert names(models=["fairy"]) == [("fairy", "home")]
    assert names(data=["home"]) == [("bert", "home"), ("fairy", "home")]
    with pytest.raises(InputError, match="no results of model brt: there are bert, fairy"):
        names(models=["brt"])


def test_wrong_setting_is_a_setting_error(make):
    store = make()
    without_heads(store)
    with pytest.raises(SettingError):
        read_domain(store.folder)
