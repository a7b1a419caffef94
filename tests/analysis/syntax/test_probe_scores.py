"""From stored heads to the scores of a probe, its page and its sentence, with heads whose rightness is known."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

from analysis.__main__ import main
from analysis.inference import Inference
from analysis.page.attention_page import AttentionPage
from analysis.results.read import read_results
from analysis.syntax.probe_scores import Probes, probes
from analysis.syntax.probe_words import probe_sentence
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.metrics import metric
from study.record.setting import Setting
from study.record.store import Store
from study.record.syntax import Tree
from study.record.syntax.probe import ProbeEpoch, ProbeTraining, ProbeWeights, SyntaxProbe, probe_path, write_probe
from study.record.tables import ProbedHeads
from study.record.units import AttentionKind, HeadLayout

SENTENCES, WORDS = 40, 6
HEADS = (0, 1, 2, 3, 1, 1)
"""Each word depends on the one before it, but for the last two, which depend on the first."""

RELATIONS = ("root", "near", "near", "near", "far", "punct")
LAYOUT = HeadLayout({AttentionKind.ENCODER_SELF: (2, 2)})
TRAINING = ProbeTraining(("a", "b"), "digest", 100, learning_rates=(0.002, 0.02), epochs=2, held_out=0.1, seed=0)
FAST = Inference(resamples=200)


def sentences() -> Examples:
    """Sentences of one tree, two a document."""
    starts = tuple(range(0, 3 * WORDS, 3))
    tree = Tree(starts, tuple(start + 2 for start in starts), HEADS, RELATIONS, ("X",) * WORDS)
    ids = tuple(f"s{i}" for i in range(SENTENCES))
    texts = tuple((" ".join(f"{'abcdefgh'[(i + at) % 8]}{at}" for at in range(WORDS)),) for i in range(SENTENCES))
    groups = {"group": tuple(f"d{i // 2}" for i in range(SENTENCES))}
    return Examples(ids, texts, ("",) * SENTENCES, groups, trees=(tree,) * SENTENCES)


def fill_probe(results: Path, found: np.ndarray, *, model: str = "toy", untrained: bool = False) -> Path:
    """Store the heads that a probe finds, a row a sentence; a single head always finds the word before."""
    examples = sentences()
    about = {"digest": examples.digest, "count": len(examples)}
    subject = {"weights": "w", **({"untrained": 0} if untrained else {})}
    setting = Setting(model, "bank", "unscored", subject, about, metric("unscored").signature)
    store = Store(results, setting, LAYOUT, examples)
    rows = {
        "mask": [LAYOUT.full_key] * SENTENCES,
        "example": list(examples.ids),
        "head": list(found.astype(np.int16)),
        "single": [np.arange(WORDS, dtype=np.int16)] * SENTENCES,
    }
    table = ProbedHeads(TRAINING.id)
    known = {"device": "cpu", "seconds": 1.0, "rows": SENTENCES}
    store.write(pl.DataFrame(rows, schema_overrides=table.types), known, table)
    probe = SyntaxProbe(
        training=TRAINING,
        heads=tuple(map(str, LAYOUT.heads)),
        weights=ProbeWeights((1.0, 2.0, 3.0, 4.0), (0.0, -1.0, 0.0, 1.0)),
        learning_rate=0.02,
        course=(ProbeEpoch(2.0, 1.5, 40), ProbeEpoch(1.2, 1.6, 38)),
        epoch=1,
        held_out_sentences=10,
        held_out_words=50,
        loss_without=(1.5, 1.75, 1.5, 2.0),
        offset=-1,
        single_head="encoder_self.1.1",
        single_to_head=True,
        seen=("s0", "s1"),
    )
    write_probe(probe, store.folder)
    return store.folder


def drawn(seed: int, share: float) -> np.ndarray:
    """Heads that are right with a probability, but for those of the two sentences that training has seen."""
    rng = np.random.default_rng(seed)
    right = rng.random((SENTENCES, WORDS)) < share
    right[:2] = False
    return np.where(right, HEADS, 6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("results")
    fill_probe(results, drawn(0, 0.9))
    fill_probe(results, drawn(1, 0.2), model="toy-untrained", untrained=True)
    return results


@pytest.fixture(scope="module")
def found(folder: Path) -> Probes:
    computed = probes(read_results(folder).probes, FAST)
    assert computed is not None
    return computed


def row(found: Probes, relation: str) -> dict:
    (reading,) = found.shown
    return found.rows(reading).filter(relation=relation).row(0, named=True)


def test_scores_are_shares_of_words_that_training_has_not_seen(found: Probes) -> None:
    right = (drawn(0, 0.9) == HEADS)[2:]
    counted = right[:, :5]
    own = row(found, "all_but_punct")
    assert (own["words"], own["right"]) == (counted.size, counted.sum())
    assert own["uas"] == pytest.approx(100 * counted.mean())
    assert row(found, "all")["uas"] == pytest.approx(100 * right.mean())
    assert row(found, "near")["right"] == right[:, 1:4].sum()
    assert (own["sentences"], own["seen"], own["groups"]) == (38, 2, 19)
    assert set(found.rows(found.shown[0])["relation"]) == {"all_but_punct", "all", "near"}, "38 words are too few"
    assert own["held_out_uas"] == pytest.approx(80)


def test_intervals_are_of_documents(found: Probes) -> None:
    hits = (drawn(0, 0.9) == HEADS)[2:, :5].reshape(19, 10).sum(axis=1)
    error = hits.std(ddof=1) / np.sqrt(19) / 10  # documents are of one size: the jackknife is the usual error
    half = 100 * stats.t.ppf(0.975, 18) * error
    own = row(found, "all_but_punct")
    assert 190 - hits.sum() >= 20, "fewer would have exact binomial limits"
    assert (own["low"], own["high"]) == pytest.approx((own["uas"] - half, own["uas"] + half))


def test_what_it_is_compared_with_is_of_the_same_words(found: Probes) -> None:
    own, everywhere = row(found, "all_but_punct"), row(found, "all")
    assert own["single"] == own["offset"] == pytest.approx(60), "the word before is the head of three words of five"
    assert everywhere["single"] == pytest.approx(50), "the root is never found"
    control = (drawn(1, 0.2) == HEADS)[2:, :5]
    assert own["control"] == pytest.approx(100 * control.mean())
    assert own["above_control"] == pytest.approx(own["uas"] - own["control"])
    assert own["above_control_low"] < own["above_control"] < own["above_control_high"]
    assert own["above_single"] == pytest.approx(own["uas"] - 60)


def test_weights_are_told_by_head(found: Probes) -> None:
    heads = found.heads(found.shown[0])
    assert heads.select("layer", "head").rows() == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert heads["loss_without"].to_list() == pytest.approx([0, 0.25, 0, 0.5])
    assert heads["to_dependent"].to_list() == [0, -1, 0, 1]


def test_the_sentence_and_the_page_say_it(folder: Path, found: Probes) -> None:
    own = row(found, "all_but_punct")
    sentence = probe_sentence(found, found.shown[0])
    assert sentence.startswith(
        f"toy on bank: a probe of the attention of 4 heads, trained on a + b, finds the head of {own['uas']:.1f} % "
    )
    assert "of 190 words (punctuation aside, 2 sentences that training has seen left out)" in sentence
    assert "the best single head, L1H1, 60.0 %, the previous word 60.0 %, a probe of random weights" in sentence
    page = AttentionPage.of(None, found)
    (section,) = page.sections
    assert (section.anchor, len(section.drawings)) == ("probe", 2)
    assert 'id="probe"' in page.html()


def test_a_folder_of_probes_alone_has_a_report(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main([str(folder), "--out", str(tmp_path)]) == 0
    assert "finds the head of" in " ".join(capsys.readouterr().out.split())
    assert pl.read_csv(tmp_path / "tables" / "probe.csv").height == 6
    assert pl.read_csv(tmp_path / "tables" / "probe_heads.csv").height == 8
    assert "All heads as a parser" in (tmp_path / "report" / "index.html").read_text()


def test_rows_without_their_probe_are_left_out_and_said(tmp_path: Path) -> None:
    own = fill_probe(tmp_path, drawn(0, 0.9))
    probe_path(TRAINING.id, own).unlink()
    with pytest.raises(InputError, match="are stored, but not the probe: run the study again"):
        read_results(tmp_path)


def test_nothing_is_found_where_no_probe_was_trained() -> None:
    assert probes((), FAST) is None
