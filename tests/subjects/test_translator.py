"""Translation models as subjects, from their folder to their outcomes."""

import json
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sacrebleu
import torch
from fixtures.cases import TRANSLATORS, Numbers, build
from fixtures.fairseq.files import WORDS, pre_norm, settings, write_checkpoint, write_dictionary, write_folder
from fixtures.fairseq.run import fairseq_generate

from study.certification.certify import certify
from study.config import compose, to_study
from study.jobs.measuring import MeasuringJob
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.metrics import Answers, Bleu
from study.subjects.fairseq.folder import FairseqFolder
from study.subjects.translator import DecodingOptions, Translator

CPU = torch.device("cpu")
TEXTS = ("c e, xy.", "g", "f f f e c c, y y e g.", "xy xy e")


def source(folder: Path, **more: object) -> FairseqFolder:
    given = {"name": "tiny", "path": str(folder), "source_lang": "en", "target_lang": "fr", "max_len_b": 12}
    return FairseqFolder(**{**given, **more})


def examples(texts: Sequence[str] = TEXTS) -> Examples:
    return Examples(tuple(f"s{i}" for i in range(len(texts))), tuple((t,) for t in texts), ("c, xy e.",) * len(texts))


def loaded(folder: Path, **more: object) -> Translator:
    subject = source(folder, **more).load(CPU)
    assert isinstance(subject, Translator)
    return subject


@pytest.mark.parametrize("architecture", list(TRANSLATORS))
def test_every_architecture_is_certified(architecture: str) -> None:
    decoding = DecodingOptions(beam=3, lenpen=1.0, max_len_a=0.0, max_len_b=6)
    module = build(TRANSLATORS[architecture])
    subject = Translator(module, Numbers(), decoding, max_source=60, max_target=60, truncate=False, loaded=architecture)
    certificate = certify(subject)
    assert certificate.largest_difference < 1e-5
    assert not certificate.dead
    rows = subject.encode(Examples(("a", "b"), (("5 9 12",), ("7 7 8 9 30",)), ("9", "8")))
    columns = subject.outcomes(rows, np.ones((2, len(subject.layout)), dtype=bool))
    assert all(len(column) == 2 for column in columns.values())


@pytest.mark.parametrize("args", [settings(), pre_norm()])
def test_folder_to_outcomes(tmp_path: Path, args: dict) -> None:
    """Rows of one batch under their own masks come out as each does alone; BLEU's statistics are sacreBLEU's."""
    subject = loaded(write_folder(tmp_path, args))
    assert len(subject.layout) == 2 * 4 + 2 * 2 + 2 * 2
    assert certify(subject).largest_difference < 1e-5
    rows = subject.encode(examples())
    masks = np.random.default_rng(0).random((len(rows), len(subject.layout))) < 0.7
    together = subject.outcomes(rows, masks)
    for i, row in enumerate(rows):
        alone = subject.outcomes([row], masks[i : i + 1])
        assert alone["hypothesis"][0] == together["hypothesis"][i]
        assert alone["hypothesis_score"][0] == pytest.approx(together["hypothesis_score"][i], abs=1e-4)
        assert alone["margin"][0] == pytest.approx(together["margin"][i], abs=1e-4)
    sums = np.stack([together[name] for name in subject.metric.statistics], axis=1).sum(axis=0)
    references = [[str(row.target) for row in rows]]
    assert subject.metric.score(sums) == pytest.approx(sacrebleu.corpus_bleu(together["hypothesis"], references).score)


CHINESE = tuple("我你他的一是不了人在有这")


def chinese(folder: Path) -> Path:
    """A model that writes Chinese characters."""
    args = settings(share_all_embeddings=False)
    write_folder(folder, args)
    write_dictionary(folder / "dict.zh.txt", CHINESE)
    return folder


def test_bleu_of_a_chinese_translation_counts_characters(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each translation with one character changed is its reference: 13a tokens have nothing in common."""
    subject = loaded(chinese(tmp_path), target_lang="zh", max_len_b=8)
    masks = np.ones((len(TEXTS), len(subject.layout)), dtype=bool)
    hypotheses = subject.outcomes(subject.encode(examples()), masks)["hypothesis"]
    references = ["年".join((text[:1], text[2:])) for text in hypotheses]
    rows = subject.encode(replace(examples(), targets=tuple(references)))
    for tokenize in ("zh", "13a"):
        subject.metric = Bleu(Answers(language="zh", tokenize=None if tokenize == "zh" else tokenize))
        assert not caplog.messages
        subject.encode(replace(examples(), targets=tuple(references)))
        columns = subject.outcomes(rows, masks)
        assert columns["hypothesis"] == hypotheses
        sums = np.stack([columns[name] for name in subject.metric.statistics], axis=1).sum(axis=0)
        score = subject.metric.score(sums)
        assert score == pytest.approx(sacrebleu.corpus_bleu(hypotheses, [references], tokenize=tokenize).score)
        assert score > 20 or tokenize == "13a"
    [said] = caplog.messages
    assert "BLEU of 13a tokens has hardly any to count: metric.tokenize=char" in said


def test_identity_of_a_job_tells_the_tokens(tmp_path: Path) -> None:
    """Another tokeniser is another setting; 13a by hand is none of the old ones, which had it for every language."""
    folder = chinese(tmp_path / "m")
    for name in ("x.en", "x.zh", "x.fr"):
        (tmp_path / name).write_text("c e\n")
    common = ["model=fairseq_folder", f"model.path={folder}", "model.source_lang=en", "data=parallel_file"]
    common += [f"data.source={tmp_path / 'x.en'}", "data.raw=false"]

    def identity(language: str, *more: str) -> tuple[str, str, object]:
        target = [f"model.target_lang={language}", f"data.target={tmp_path / 'x'}.{language}"]
        setting = MeasuringJob(to_study(compose(*common, *target, *more))).setting
        return setting.id, setting.statistic.split("|")[3], setting.subject.get("tokenize")

    ids = [identity("zh"), identity("zh", "metric.tokenize=char"), identity("zh", "metric.tokenize=13a")]
    assert [found[1:] for found in ids] == [("tok:zh", None), ("tok:char", None), ("tok:13a", "13a")]
    assert len({found[0] for found in ids}) == 3
    assert identity("zh", "metric.tokenize=zh") == ids[0]
    assert identity("fr") == identity("fr", "metric.tokenize=13a")
    assert identity("fr")[1:] == ("tok:13a", None)


def told(folder: Path, source: str | None, target: str | None) -> None:
    """A checkpoint whose training was told its languages."""
    write_checkpoint(folder / "checkpoint_best.pt", settings(source_lang=source, target_lang=target))


def test_languages_of_the_training(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_folder(tmp_path)
    for known in (("en", "fr"), (None, None), ("en_XX", None)):
        told(folder, *known)
        loaded(folder)
    assert not caplog.messages
    told(folder, "src", "fr")
    loaded(folder)
    assert "trained from src to fr, and is read as from en to fr" in caplog.messages[0]
    told(folder, "fr", "en")
    with pytest.raises(InputError, match=r"wrong way round: the training of .*checkpoint_best.pt is from fr to en"):
        loaded(folder)


def test_length_limit_is_each_sentences_own(tmp_path: Path) -> None:
    """Half of the source's tokens and one more, whatever stands beside it in the batch."""
    folder = write_folder(tmp_path)
    write_dictionary(folder / "dict.fr.txt", tuple(f"w{i}" for i in range(len(WORDS))))
    subject = loaded(folder, max_len_a=0.5, max_len_b=1)
    rows = subject.encode(examples())
    columns = subject.outcomes(rows, np.ones((len(rows), len(subject.layout)), dtype=bool))
    lengths = [len(hypothesis.split()) for hypothesis in columns["hypothesis"]]
    assert all(length <= len(row.source) // 2 + 1 for length, row in zip(lengths, rows, strict=True))
    assert max(lengths) > min(lengths)


def test_long_sources(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    long = examples(["c", "c " * 39, "c " * 40, "c " * 57])
    with pytest.raises(InputError, match=r"2 of 4 sources are over 40 tokens, the longest \('s3'\) has 58"):
        loaded(folder).encode(long)
    cut = loaded(folder, truncate=True).encode(long)
    assert [len(row.source) for row in cut] == [2, 40, 40, 40]
    assert {row.source[-1] for row in cut} == {2}
    assert cut[1].cost == 40 * 5


def test_empty_source(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 of 2 sources are empty, the first is 's1'"):
        loaded(write_folder(tmp_path)).encode(examples(["c", "  "]))


def test_dictionary_of_another_size(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    write_dictionary(folder / "dict.fr.txt", (*WORDS, "more"))
    with pytest.raises(InputError, match=r"dict.fr.txt has 17 words .* target embedding has 16 rows"):
        source(folder).load(CPU)


@pytest.mark.parametrize(
    ("setting", "value"), [("beam", 0), ("max_len_b", 0), ("max_len_a", -1.0)], ids=["beam", "max_len_b", "max_len_a"]
)
def test_impossible_decoding(tmp_path: Path, setting: str, value: float) -> None:
    with pytest.raises(InputError, match=setting):
        source(write_folder(tmp_path), **{setting: value}).load(CPU)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model.path is not set"):
        source(tmp_path, path="").identity()
    with pytest.raises(InputError, match=r"no folder .*nowhere"):
        source(tmp_path / "nowhere").identity()
    with pytest.raises(InputError, match=r"no checkpoint: expected checkpoint_best.pt or model.pt"):
        source(tmp_path).identity()
    folder = write_folder(tmp_path)
    with pytest.raises(InputError, match=r"no target dictionary: expected dict.de.txt"):
        source(folder, target_lang="de").identity()
    with pytest.raises(InputError, match=r"no BPE codes: expected other"):
        source(folder, bpe_codes="other").identity()


def test_identity_is_of_content_and_settings(tmp_path: Path) -> None:
    one, other = write_folder(tmp_path / "one"), write_folder(tmp_path / "other")
    first = source(one)
    assert json.loads(json.dumps(first.identity())) == first.identity() == source(other).identity()
    for change in ({"beam": 4}, {"lenpen": 0.6}, {"max_len_b": 13}, {"truncate": True}, {"escape": True}):
        assert replace(first, **change).identity() != first.identity()
    write_checkpoint(other / "checkpoint_best.pt", settings(no_scale_embedding=True))
    assert source(other).identity() != first.identity()


def archive_of(folder: Path, archive: Path, top: str) -> str:
    with tarfile.open(archive, "w:bz2") as tar:
        tar.add(folder, arcname=top)
    return archive.as_uri()


@pytest.mark.parametrize("top", ["some.model", "."])
def test_fetch_unpacks_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, top: str) -> None:
    monkeypatch.setenv("SIXTEEN_HEADS_CACHE", str(tmp_path / "cache"))
    folder = write_folder(tmp_path / "made")
    model = source(folder, path="", url=archive_of(folder, tmp_path / "a.tar.bz2", top))
    assert len(model.missing()) == 1
    with pytest.raises(InputError, match="study fetch"):
        model.load(CPU)
    model.fetch()
    assert model.missing() == []
    assert model.identity() == source(folder).identity()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["tiny"]


def test_unsafe_damaged_or_absent_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIXTEEN_HEADS_CACHE", str(tmp_path / "cache"))
    folder = write_folder(tmp_path / "made")
    unsafe = archive_of(folder / "dict.en.txt", tmp_path / "unsafe.tar.bz2", "../../outside")
    whole = tmp_path / "whole.tar.bz2"
    archive_of(folder, whole, "model")
    half = tmp_path / "half.tar.bz2"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    for url in (unsafe, half.as_uri(), (tmp_path / "absent.tar").as_uri()):
        with pytest.raises(InputError, match="cannot get"):
            source(folder, path="", url=url).fetch()
        assert list((tmp_path / "cache").iterdir()) == []
    assert not (tmp_path / "outside").exists()


@pytest.mark.real
@pytest.mark.fairseq
@pytest.mark.slow
def test_translations_are_fairseqs(real: Path, tmp_path: Path) -> None:
    """The first 200 sentences by fairseq-generate: same hypotheses where the search was no close call, same scores."""
    model, data = real / "models/multi30k-en-fr", real / "data/multi30k"
    texts = (data / "test_2016_flickr.en").read_text(encoding="utf-8").splitlines()[:200]
    subject = loaded(model, max_len_b=200)
    ours = subject.outcomes(subject.encode(examples(texts)), np.ones((len(texts), len(subject.layout)), dtype=bool))
    theirs = fairseq_generate(model / "checkpoint_best.pt", texts, tmp_path)
    assert len(theirs) == len(texts)
    for i, (hypothesis, score) in enumerate(theirs):
        if ours["margin"][i] > 1e-4:
            assert ours["hypothesis"][i] == hypothesis
            assert ours["hypothesis_score"][i] == pytest.approx(score, abs=1e-4)
    assert np.mean(ours["margin"] > 1e-4) > 0.95
