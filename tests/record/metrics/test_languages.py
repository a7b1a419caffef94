"""Languages of models and data: which way round a translation is, and whether a text has words to count."""

import pytest

from study.config import compose, to_study
from study.jobs.check import check_values
from study.record.errors import InputError
from study.record.metrics.languages import has_no_spaces, main_language, require_direction


def test_codes_of_one_language() -> None:
    codes = ("zh", "zh_CN", "zh-TW", "ZH", "zho_Hans", "cmn", "ja", "jpn_Jpan", "ko_KR", "kor_Hang", "en_XX", "yue")
    assert [main_language(code) for code in codes] == [*["zh"] * 6, "ja", "ja", "ko", "ko", "en", "yue"]


def test_scripts_without_spaces() -> None:
    assert has_no_spaces(["我们 are", "中文,。"])
    assert has_no_spaces(["ภาษาไทย"])
    assert has_no_spaces(["ひらがなとカタカナ"])
    assert not has_no_spaces(["한국어 문장", "русский"])
    assert not has_no_spaces(["the sign 酒 is one of eight"])
    assert not has_no_spaces(["12 . !", ""])


@pytest.mark.parametrize(
    "known", [("en", "fr"), ("en_XX", "fr_XX"), ("eng", "fr"), (None, None), (None, "fr"), ("en", None), ("fr", "fr")]
)
def test_the_right_way_round(known: tuple[str | None, str | None]) -> None:
    require_direction(("en", "fr"), known, "x")


@pytest.mark.parametrize("known", [("fr", "en"), ("fr_FR", "en-GB"), (None, "en"), ("fr", None), ("fr", "de")])
def test_the_wrong_way_round(known: tuple[str | None, str | None]) -> None:
    with pytest.raises(InputError, match=r"source_lang=en model.target_lang=fr is the wrong way round: x is from"):
        require_direction(("en", "fr"), known, "x")


MODEL = ("model=fairseq_folder", "model.path=m", "model.source_lang=fr", "model.target_lang=en")
FILES = ("data=parallel_file", "data.source=a/test.en", "data.target=b/test.fr")


@pytest.mark.parametrize(
    "data",
    [
        FILES,
        ("data=parallel_file", "data.source=x.en.txt", "data.target=x.fr.txt"),
        ("data=parallel_file", "data.source=c.fr-en.en", "data.target=c.fr-en.fr"),
        ("data=newstest2013",),
    ],
    ids=lambda data: data[-1],
)
def test_data_tells_that_a_model_is_asked_the_wrong_way_round(data: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="wrong way round: data '.*' is from en to fr"):
        check_values(to_study(compose(*MODEL, *data)))
    check_values(to_study(compose(*MODEL, "model.source_lang=en", "model.target_lang=fr", *data)))


@pytest.mark.parametrize("names", [("a.src", "a.ref"), ("a", "b"), ("a/x.txt", "b/x.txt"), ("fr.txt", "en.txt")])
def test_names_that_tell_no_language(names: tuple[str, str]) -> None:
    check_values(to_study(compose(*MODEL, FILES[0], f"data.source={names[0]}", f"data.target={names[1]}")))


def test_tokenisers_are_checked_in_words() -> None:
    english = (*MODEL[:2], "model.source_lang=en", "model.target_lang=fr", *FILES)
    check_values(to_study(compose(*english, "metric.tokenize=char")))
    with pytest.raises(InputError, match="metric.tokenize=flores200: expected one of sacreBLEU's 13a, .*, ko-mecab"):
        check_values(to_study(compose(*english, "metric.tokenize=flores200")))
    with pytest.raises(InputError, match="metric.tokenize=char is for BLEU: classification"):
        check_values(to_study(compose("model=toy_classifier", "data=toy_matched", "metric.tokenize=char")))
