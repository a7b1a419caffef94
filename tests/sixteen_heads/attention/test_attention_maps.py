"""Maps in a notebook: weights are those of transformers, pictures and the page hold them, and what is wrong is said."""

from pathlib import Path

import polars as pl
import pytest
import torch
import transformers as tf
from fixtures.jobs import make_place, overrides

import sixteen_heads as heads
from sixteen_heads.__main__ import main
from study.record.errors import InputError

TEXTS = ("w1, w2 w3's", "w4")


def model_of(place: Path) -> list[str]:
    """Options of the tiny classifier."""
    return [f"model.path={place / 'model'}", "model.max_length=32"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_place(tmp_path_factory.mktemp("place"))


@pytest.fixture(scope="module")
def maps(place: Path) -> heads.AttentionMaps:
    return heads.maps("hf_classifier", *model_of(place), text=TEXTS, heads_off=["L0H1"])


def test_weights_are_those_of_transformers_and_words_add_up(maps: heads.AttentionMaps, place: Path) -> None:
    model = tf.AutoModelForSequenceClassification.from_pretrained(place / "model", attn_implementation="eager")
    text = tf.AutoTokenizer.from_pretrained(place / "model")(*TEXTS, return_tensors="pt")
    with torch.no_grad():
        true = model(**text, output_attentions=True).attentions[1][0, 2].double()
    found = maps.weights("L1H2", tokens=True)
    assert found["weight"].to_list() == pytest.approx(true.flatten().tolist(), abs=1e-6)
    assert found.filter(from_at=0)["to"].to_list()[0] == "[CLS]"
    words = maps.weights("encoder_self.1.2")
    assert words.group_by("from_at").agg(pl.col("weight").sum())["weight"].to_list() == pytest.approx([1.0] * 10)
    assert [word for word in words.filter(from_at=0)["to"] if word.startswith("w")] == ["w1", "w2", "w3", "w4"]
    assert maps.weights("L1H2", off=True)["weight"].to_list() != words["weight"].to_list()


def test_a_picture_holds_every_weight_and_is_a_file_for_a_paper(maps: heads.AttentionMaps, tmp_path: Path) -> None:
    drawing = maps.picture("L1H2", off=True)
    assert drawing.data.equals(maps.weights("L1H2", off=True))
    first = drawing.data.row(0, named=True)
    assert f"[CLS] to [CLS]: {first['weight']:.3f}" in drawing.svg
    assert "L1H2 without L0H1" in drawing.svg
    assert drawing.pdf().startswith(b"%PDF")
    assert drawing.png().startswith(b"\x89PNG")
    assert "encoder_self.1.2" in maps.save(tmp_path / "map.html").read_text()
    assert "<iframe srcdoc=" in maps._repr_html_()
    assert maps.table["head"].to_list() == list(maps.heads)
    assert "w1, w2 w3's" in repr(maps)


def test_an_example_of_the_data_is_looked_at_by_its_id(place: Path, tmp_path: Path) -> None:
    options = [word for word in overrides(place) if not word.startswith(("model=", "data=", "results="))]
    model = heads.Model("hf_classifier", "nli_file", *options, results=tmp_path)
    found, again = model.maps("7"), heads.maps("hf_classifier", *model_of(place), text=_pair(place, 7))
    assert found.page.texts == again.page.texts
    assert found.weights("L0H0").equals(again.weights("L0H0"))
    with pytest.raises(InputError, match="has no such example among 120; its ids are 0, 1, 2"):
        model.maps("no such id")


def _pair(place: Path, row: int) -> tuple[str, str]:
    return pl.read_csv(place / "pairs.tsv", separator="\t").select("premise", "hypothesis").row(row)  # type: ignore[return-value]


def test_what_cannot_be_shown_is_said(maps: heads.AttentionMaps, place: Path) -> None:
    one = heads.maps("hf_classifier", *model_of(place), text="w1 w2", layers=[1])
    for ask, words in (
        (lambda: one.weights("L1H0", off=True), "no head was off"),
        (lambda: one.weights("L0H0"), "layers= left its layer out"),
        (lambda: maps.picture("L9H9"), "no head is called 'L9H9'"),
        (lambda: heads.maps("hf_classifier", text=" "), "is empty"),
    ):
        with pytest.raises(InputError, match=words):
            ask()


def test_the_command_writes_the_picture_of_a_head(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("BROWSER", raising=False)
    asked = ["attention", "model=hf_classifier", *model_of(place), "text=w1 w2"]
    assert main([*asked, "head=L1H2", "out=pictures/a.pdf"]) == 0
    assert Path("pictures/a.pdf").read_bytes().startswith(b"%PDF")
    for wrong, words in (
        (["out=a.png"], "head=L2H3 says of which head"),
        (["head=L1H2"], "head=L1H2 is for a picture"),
    ):
        assert main([*asked, *wrong]) == 1
        assert words in capsys.readouterr().err
