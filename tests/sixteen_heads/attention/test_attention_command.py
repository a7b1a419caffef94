"""`study attention` writes the page of a sentence, and says in words what it cannot do."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from fixtures.jobs import make_place, overrides

from sixteen_heads.__main__ import main
from sixteen_heads.attention.request import Request
from sixteen_heads.completion import candidates
from study.record.errors import InputError


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The model, and the data, of a tiny classifier of pairs."""
    place = make_place(tmp_path_factory.mktemp("place"))
    return [word for word in overrides(place) if not word.startswith("results=")]


def content(page: Path) -> dict[str, Any]:
    found = re.search(r'class="heads-data">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return json.loads(found[1])


def without_data(options: list[str]) -> list[str]:
    return [word for word in options if not word.startswith("data")]


def test_a_pair_with_heads_off_and_an_example_of_data(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("BROWSER", raising=False)
    own = without_data(options)
    assert (
        main(["attention", *own, "text=w1, w2 w3's", "text=w4", "heads_off=[L0H1,encoder_self.0.0]", "out=a.html"]) == 0
    )
    assert capsys.readouterr().out.strip() == str(tmp_path / "a.html")
    page = content(Path("a.html"))
    assert page["names"] == ["every head on", "without L0H1, L0H0"]
    assert all(len(texts) == 2 for texts in page["maps"].values())
    assert [word for word in page["texts"]["source"]["words"] if word.startswith("w")] == ["w1", "w2", "w3", "w4"]

    assert main(["attention", *options, "example=7", "layers=1"]) == 0
    [made] = Path("attention").glob("*.html")
    page = content(made)
    assert {address.split(".")[1] for address in page["maps"]} == {"1"}
    assert made.name.startswith("model-w")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["text=w1", "heads_off=L9H9"], "no head is called 'L9H9'"),
        (["text=w1", "layers=7"], "the model has layers 0 to"),
        (["text=" + "w1 " * 60], "60|62"),
        (["text=w1", "taget=w2"], "Did you mean target?"),
        (["text=w1", "out=."], "is a folder"),
        (["text=w1", "target=w2"], "does not translate"),
        (["data=nli_file", "data.path=nowhere.tsv", "example=1"], "nowhere.tsv"),
    ],
)
def test_what_cannot_be_done_is_said(
    options: list[str], more: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["attention", *without_data(options), *more]) == 1
    assert re.search(words, capsys.readouterr().err)


def test_an_example_that_is_not_there(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["attention", *options, "example=nobody"]) == 1
    assert "no such example among 120" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["text=a"], "no model is chosen"),
        (["model=m"], "nothing to look at"),
        (["model=m", "text= "], "text= is empty"),
        (["model=m", "text=@/nowhere.txt"], "No such file"),
        (["model=m", "text=a", "text=b", "text=c"], "text= stands 3 times"),
        (["model=m", "text=a", "data=d"], "exclude each other"),
        (["model=m", "data=d", "example=1", "target=b"], "goes with text="),
        (["model=m", "text=a", "layers=x"], "expected numbers of layers"),
    ],
)
def test_requests_that_are_not_clear(arguments: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Request.parse(arguments)


def test_texts_are_taken_as_they_stand(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A text, with [brackets].\n", encoding="utf-8")
    found = Request.parse(["model=m", "text=a=b, it's {c}", f"text=@{tmp_path / 'a.txt'}", "heads_off=[L0H1, 1.2]"])
    assert found.texts == ("a=b, it's {c}", "A text, with [brackets].")
    assert found.heads_off == ("L0H1", "1.2")
    assert found.overrides == ("model=m",)


def test_its_options_are_completed() -> None:
    assert candidates(["attention", "he"]) == ["head=", "heads_off="]
    assert "model=" in candidates(["attention", "mo"])
