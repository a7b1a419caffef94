import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from study.record.errors import InputError
from study.record.metrics import METRICS, Accuracy, Answers, Bleu, Chrf, metric

WORDS = st.lists(st.sampled_from(["a", "b", "c", "d.", "e, f", "don't", "«g»", "1.5"]), max_size=9).map(" ".join)
PAIRS = st.lists(st.tuples(WORDS, WORDS.filter(bool)), min_size=1, max_size=6)


@settings(deadline=None)
@given(PAIRS)
def test_bleu_of_summed_statistics_is_sacrebleus(pairs: list[tuple[str, str]]) -> None:
    hypotheses, references = (list(texts) for texts in zip(*pairs, strict=True))
    bleu = Bleu()
    sums = bleu.sentence_statistics(hypotheses, references).sum(axis=0)
    expected = sacrebleu.corpus_bleu(hypotheses, [references])
    assert list(sums) == [expected.sys_len, expected.ref_len, *expected.counts, *expected.totals]
    assert np.isclose(bleu.score(sums), expected.score, rtol=1e-12, atol=1e-12)


def test_bleu_of_many_sums_at_once() -> None:
    bleu = Bleu()
    rows = bleu.sentence_statistics(["a b c d e", "the cat", ""], ["a b c d f", "the dog sat", "x"])
    stacked = bleu.score(np.stack([rows.sum(axis=0), rows[:2].sum(axis=0), rows[2]]))
    each = [bleu.score(rows.sum(axis=0)), bleu.score(rows[:2].sum(axis=0)), bleu.score(rows[2])]
    assert stacked.tolist() == [float(score) for score in each]
    assert stacked[2] == 0.0


def test_bleu_signature_is_sacrebleus() -> None:
    scorer = sacrebleu.BLEU()
    scorer.corpus_score(["x"], [["x"]])
    assert Bleu().signature == str(scorer.get_signature())


CHINESE = [("我们在这里。", "他们在这里!"), ("一二三四五 abc", "一二三四六 abc"), ("不", "不 是")]


@pytest.mark.parametrize(
    ("language", "tokenize", "chosen"),
    [("zh", None, "zh"), ("zh_CN", None, "zh"), ("zh", "char", "char"), ("zh", "13a", "13a"), ("fr", None, "13a")],
)
def test_tokens_of_bleu_are_those_of_the_target_language(language: str, tokenize: str | None, chosen: str) -> None:
    hypotheses, references = (list(texts) for texts in zip(*CHINESE, strict=True))
    bleu = metric("bleu", Answers(language=language, tokenize=tokenize))
    assert isinstance(bleu, Bleu)
    sums = bleu.sentence_statistics(hypotheses, references).sum(axis=0)
    expected = sacrebleu.corpus_bleu(hypotheses, [references], tokenize=chosen)
    assert list(sums) == [expected.sys_len, expected.ref_len, *expected.counts, *expected.totals]
    assert f"|tok:{chosen}|" in bleu.signature
    assert bleu.identity == ({"tokenize": "13a"} if (language, chosen) == ("zh", "13a") else {})


@pytest.mark.parametrize("language", ["zh", "de", "th"])
def test_the_command_line_of_sacrebleu_says_the_same(tmp_path: Path, language: str) -> None:
    """Its `-l en-zh` chooses the tokeniser."""
    for name, texts in zip(("hypotheses", "references"), zip(*CHINESE, strict=True), strict=True):
        (tmp_path / name).write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    command = [sys.executable, "-m", "sacrebleu", tmp_path / "references", "-i", tmp_path / "hypotheses"]
    command += ["-l", f"en-{language}", "-w", "6"]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    bleu = Bleu(Answers(language=language))
    sums = bleu.sentence_statistics(*(list(texts) for texts in zip(*CHINESE, strict=True))).sum(axis=0)
    assert bleu.score(sums) == pytest.approx(said["score"], abs=1e-6)
    assert bleu.signature == said["signature"]


@pytest.mark.parametrize("language", ["ja", "ko"])
def test_tokens_of_japanese_and_korean(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they need is installed or named."""
    module = f"sacrebleu.tokenizers.tokenizer_{language}_mecab"
    if importlib.import_module(module).MeCab is not None:
        scorer = sacrebleu.BLEU(trg_lang=language)
        texts = (["東京に行きます。"], ["東京へ行く。"]) if language == "ja" else (["서울에 갑니다."], ["서울로 간다."])
        score = scorer.corpus_score(texts[0], [texts[1]])
        bleu = Bleu(Answers(language=language))
        found = bleu.sentence_statistics(*texts)[0].tolist()
        assert found == [
            score.sys_len,
            score.ref_len,
            *score.counts,
            *score.totals,
        ]
        assert bleu.signature == str(scorer.get_signature())
    monkeypatch.setattr(f"{module}.MeCab", None)
    with pytest.raises(InputError, match=rf"pip install 'sacrebleu\[{language}\]'. Or choose metric.tokenize=char"):
        _ = Bleu(Answers(language=language)).signature
    assert "tok:char" in Bleu(Answers(language=language, tokenize="char")).signature


TEXTS = st.text(st.sampled_from("abc é\u3000\u200b中𝄞"), max_size=30)


@settings(deadline=None)
@given(st.lists(st.tuples(st.lists(TEXTS, min_size=1, max_size=4), TEXTS), min_size=1, max_size=4))
def test_chrf_of_summed_statistics_is_sacrebleus(sentences: list[tuple[list[str], str]]) -> None:
    chrf = Chrf()
    counted = [chrf.hypothesis_statistics(hypotheses, reference) for hypotheses, reference in sentences]
    hypotheses = [text for texts, _ in sentences for text in texts]
    references = [reference for texts, reference in sentences for _ in texts]
    scorer = sacrebleu.CHRF()
    statistics = np.concatenate(counted)
    assert statistics.tolist() == scorer._extract_corpus_statistics(hypotheses, [references])
    assert np.isclose(
        chrf.score(statistics.sum(axis=0)), scorer.corpus_score(hypotheses, [references]).score, rtol=1e-9, atol=1e-9
    )


def test_chrf_of_many_sums_at_once() -> None:
    chrf = Chrf()
    rows = chrf.hypothesis_statistics(["the cat sat", "a cat", "", "zzz"], "the cat sat on the mat")
    stacked = chrf.score(np.stack([rows, rows + rows[:1]]))
    assert stacked.shape == (2, 4)
    assert stacked.tolist() == [[float(chrf.score(row)) for row in part] for part in (rows, rows + rows[:1])]
    assert stacked[0, 2:].tolist() == [0.0, 0.0]


def test_chrf_signature_is_sacrebleus() -> None:
    scorer = sacrebleu.CHRF()
    scorer.corpus_score(["x"], [["x"]])
    assert Chrf().signature == str(scorer.get_signature())
    assert scorer.corpus_score(["x"], [["x"]]).name == "chrF2"


def test_accuracy_is_a_percentage() -> None:
    assert Accuracy().score(np.array([[3, 4], [0, 2]])).tolist() == [75.0, 0.0]
    assert np.isnan(Accuracy().score(np.array([0, 0])))


def test_metrics_by_name() -> None:
    for name in METRICS:
        assert metric(name).name == name
