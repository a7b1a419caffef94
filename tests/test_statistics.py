import numpy as np
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from study.statistics import Accuracy, Bleu, MetricName, metric

WORDS = st.lists(st.sampled_from(["a", "b", "c", "d.", "e, f", "don't", "«g»", "1.5"]), max_size=9).map(" ".join)
PAIRS = st.lists(st.tuples(WORDS, WORDS.filter(bool)), min_size=1, max_size=6)


@settings(deadline=None)
@given(PAIRS)
def test_bleu_of_summed_statistics_is_sacrebleus(pairs: list[tuple[str, str]]) -> None:
    hypotheses, references = (list(texts) for texts in zip(*pairs, strict=True))
    bleu = Bleu()
    sums = bleu.of_sentences(hypotheses, references).sum(axis=0)
    expected = sacrebleu.corpus_bleu(hypotheses, [references])
    assert list(sums) == [expected.sys_len, expected.ref_len, *expected.counts, *expected.totals]
    assert np.isclose(bleu.score(sums), expected.score, rtol=1e-12, atol=1e-12)


def test_bleu_of_many_sums_at_once() -> None:
    bleu = Bleu()
    rows = bleu.of_sentences(["a b c d e", "the cat", ""], ["a b c d f", "the dog sat", "x"])
    stacked = bleu.score(np.stack([rows.sum(axis=0), rows[:2].sum(axis=0), rows[2]]))
    each = [bleu.score(rows.sum(axis=0)), bleu.score(rows[:2].sum(axis=0)), bleu.score(rows[2])]
    assert stacked.tolist() == [float(score) for score in each]
    assert stacked[2] == 0.0


def test_bleu_signature_is_sacrebleus() -> None:
    scorer = sacrebleu.BLEU()
    scorer.corpus_score(["x"], [["x"]])
    assert Bleu().signature == str(scorer.get_signature())


def test_accuracy_is_a_percentage() -> None:
    assert Accuracy().score(np.array([[3, 4], [0, 2]])).tolist() == [75.0, 0.0]
    assert np.isnan(Accuracy().score(np.array([0, 0])))


def test_metrics_by_name() -> None:
    for name in MetricName:
        assert metric(name).name == name
