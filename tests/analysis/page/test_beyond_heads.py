"""The page of a language model: groups, layers and MLPs beside heads, choices in the dialog of a head, texts."""

import json
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from fixtures.language_results import LAYOUT, every_unit, fill_language, needed

from analysis import Analysis, Inference, analyse, read_results, write_report
from analysis.page.unit_verdicts import adding_up
from analysis.page.verdicts import Verdict
from study.record.units import AttentionKind, Head, UnitLevel, parse_unit

HIDING = tuple(Head(AttentionKind.DECODER_SELF, 1, index) for index in (0, 1))


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, str]:
    """A model whose heads L1H0 and L1H1 stand in for each other, on choices and on articles."""
    results = tmp_path_factory.mktemp("language") / "results"
    costs = needed(LAYOUT, np.random.default_rng(5), [HIDING])
    fill_language(results, "ioi", costs=costs)
    fill_language(results, "wikitext", texts=True, costs=costs, seed=3, count=24)
    analysis = analyse(read_results(results), Inference(resamples=199), splits=8)
    return analysis, write_report(analysis, results.parent / "out").read_text()


def words(page: str) -> str:
    text = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text)))


def test_the_page_shows_what_single_heads_cannot(shown) -> None:
    analysis, page = shown
    text = words(page)
    assert "8 heads in 4 groups of decoder self-attention (2 layers × 4), 2 MLPs" in text
    assert "Beyond single heads: groups, layers, MLPs" in text
    assert "The difference is largest in L1G0" in text
    assert "in 1 of these no head does so alone" in text
    domains = {domain.setting_id: domain.data for domain in analysis.results.domains}
    group, layer = adding_up(analysis.units, domains)
    assert {finding.verdict for finding in group.findings} == {Verdict.FAILS}
    assert [finding.where for finding in layer.findings] == ["ioi", "wikitext"]


def test_heads_that_add_up_are_not_said_to_hide(tmp_path: Path) -> None:
    costs = {(i,): 0.0 for i in range(LAYOUT.width)}
    fill_language(tmp_path, "wikitext", texts=True, costs=costs, count=60)
    analysis = analyse(read_results(tmp_path), Inference(resamples=199, margin=1.0), splits=8)
    ids = {domain.setting_id: domain.data for domain in analysis.results.domains}
    assert [claim.marks for claim in adding_up(analysis.units, ids)] == [(Verdict.HOLDS,), (Verdict.HOLDS,)]


def test_words_are_those_of_choices_and_texts(shown) -> None:
    text = words(shown[1])
    assert "choice accuracy" in text
    assert "20 templates" in text or "one template of 20" in text or "templates are resampled" in text
    assert "log-likelihood" in text, "an accuracy hardly moves under one head"
    for wrong in ("translat", "premise", "hypothesis", "Cohen", "reference half"):
        assert wrong not in text.rpartition("Glossary")[0], wrong


def test_the_dialog_knows_what_was_chosen_and_how_likely(shown) -> None:
    analysis, page = shown
    sections = [json.loads(found) for found in re.findall(r'class="heads-data">(.*?)</script>', page, re.DOTALL)]
    domains = {domain["label"]: (domain, section) for section in sections for domain in section["domains"]}
    choice, about = domains["ioi"]
    assert (choice["names"], about["labelled"]) == (["context"], True)
    domain = next(domain for domain in analysis.results.domains if domain.data == "ioi")
    rows = {(row["mask"], row["example"]): row for row in domain.rows.iter_rows(named=True)}
    texts = {row["text_1"]: row for row in domain.examples.rows(named=True)}
    seen = 0
    for address, (*_, shown_changes) in choice["heads"].items():
        mask = LAYOUT.key(LAYOUT.without([parse_unit(address)]))
        for number, *_, before, after in shown_changes:
            *said, target = choice["texts"][number]
            example = texts[said[0]]
            assert target == example["target"]
            for key, likely in ((LAYOUT.full_key, before), (mask, after)):
                assert likely == pytest.approx(rows[key, example["example"]]["loglik"], abs=0.006)
                assert len(likely) == len(said) - 1
            seen += 1
    assert seen > 3
    text, about = domains["wikitext"]
    assert (text["names"], about["labelled"], about["digits"]) == (["text"], False, 4)
    assert max(len(row[0]) for row in text["texts"]) <= 602


def test_groups_alone_have_a_first_screen(tmp_path: Path) -> None:
    """What a model of many heads is asked first costs a third: measure.unit=group, and no head alone."""
    masks = every_unit(LAYOUT, [UnitLevel.group])
    costs = needed(LAYOUT, np.random.default_rng(5), [HIDING])
    fill_language(tmp_path, "hellaswag", costs=costs, masks=masks)
    analysis = analyse(read_results(tmp_path), Inference(resamples=199), splits=8)
    text = words(write_report(analysis, tmp_path / "out").read_text())
    assert "Groups that matter" in text
    assert re.search(r"of 4 largest −\d+\.\d+ \(L1G0\)", text)
    assert analysis.units["sum"].null_count() == 4
