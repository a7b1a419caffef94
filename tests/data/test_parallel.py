import logging
import os
import subprocess
import sys
import urllib.request

import pytest
import sacrebleu.utils
from sacrebleu.dataset import DATASETS

from study.data.parallel import ParallelFile, SacrebleuSet
from study.record.errors import InputError, StudyError


def write(folder, **texts):
    """Files of these names (with a dot for an underscore) in the folder, as what ParallelFile is made of."""
    for name, content in texts.items():
        (folder / f"test.{name}").write_bytes(content if isinstance(content, bytes) else content.encode())
    return {"source": folder / "test.en", "target": folder / "test.fr"}


def test_two_files(tmp_path):
    paths = write(tmp_path, en="One, two.\nThree.\r\n", fr="Un, deux.\nTrois.")
    examples = ParallelFile(name="x", **paths).examples()
    assert examples.ids == ("1", "2")
    assert examples.texts == (("One, two.",), ("Three.",))
    assert examples.targets == ("Un, deux.", "Trois.")
    assert examples.columns == {}


def test_documents_group_the_lines(tmp_path):
    paths = write(tmp_path, en="A.\nB.\n", fr="A.\nB.\n", doc="news-1\nnews-1\n")
    examples = ParallelFile(name="x", documents=tmp_path / "test.doc", **paths).examples()
    assert examples.columns == {"group": ("news-1", "news-1")}


def test_a_line_separator_within_a_text_does_not_shift_the_lines(tmp_path):
    paths = write(tmp_path, en="A\u2028a.\nB\u0085b.\n", fr="A.\nB.\n")
    assert ParallelFile(name="x", **paths).examples().texts == (("A\u2028a.",), ("B\u0085b.",))


@pytest.mark.parametrize(
    ("en", "fr", "message"),
    [
        ("A.\nB.\n", "A.\n", r"not parallel: .*test\.en has 2 lines, .*test\.fr has 1 lines"),
        ("A.\nB.\n", "A.\n \n", r"test\.fr:2: the line is empty"),
        ("A.\n", "", r"test\.fr is empty"),
        ("A.\nB.\n", b"A.\ncaf\xe9\n", r"test\.fr:2: not UTF-8"),
        ("A dog , a cat .\n", "Un chien.\n", r"test\.en looks tokenised"),
        ("A dog.\n", "Un ch@@ ien .\n", r"test\.fr looks BPE'd already"),
    ],
)
def test_unfit_files_are_refused_in_words(tmp_path, en, fr, message):
    with pytest.raises(InputError, match=message):
        ParallelFile(name="x", **write(tmp_path, en=en, fr=fr)).examples()


def test_documents_must_be_as_many(tmp_path):
    paths = write(tmp_path, en="A.\nB.\n", fr="A.\nB.\n", doc="1\n2\n3\n")
    with pytest.raises(InputError, match=r"test\.doc has 3 lines"):
        ParallelFile(name="x", documents=tmp_path / "test.doc", **paths).examples()


def test_missing_file_names_the_nearest(tmp_path):
    paths = write(tmp_path, en="A.\n", fr="A.\n")
    with pytest.raises(InputError, match=r"test\.enn does not exist; did you mean 'test\.en'"):
        ParallelFile(name="x", source=tmp_path / "test.enn", target=paths["target"]).examples()


def test_processed_text_is_taken_when_asked_for(tmp_path):
    paths = write(tmp_path, en="A dog , a cat .\n", fr="Un ch@@ ien .\n")
    assert ParallelFile(name="x", raw=False, **paths).examples().targets == ("Un ch@@ ien .",)


# What sacrebleu downloads and unpacks, by set: SGML files of the news tests, a TSV of MTNT.
SGML = """<{kind}set setid="newstest2013" srclang="any">
<doc docid="cnn-1" genre="news" origlang="en">
<hl>
<seg id="1">{first}</seg>
</hl>
<p>
<seg id="2">  Two   spaces. </seg>
</p>
</doc>
<doc docid="bbc-2" genre="news" origlang="fr">
<seg id="1">Third.</seg>
</doc>
</{kind}set>
"""
MTNT = "0\tTIL u can\tJ'ai appris\n1\tno way!\tpas possible !\n2\t\tvide\n"


def fill(cache):
    """Fill a cache with what sacrebleu would have unpacked; the archives are there in name only."""
    raw = cache / "wmt13" / "raw" / "test"
    raw.mkdir(parents=True)
    (raw.parent / "wmt13.test.tgz").write_text("unpacked already")
    (raw / "newstest2013-src.en.sgm").write_text(SGML.format(kind="src", first="A first, then."))
    (raw / "newstest2013-src.fr.sgm").write_text(SGML.format(kind="ref", first="Un premier, puis."))
    raw = cache / "mtnt1.1" / "test" / "raw" / "MTNT" / "test"
    raw.mkdir(parents=True)
    (raw.parents[1] / "mtnt1.1_test.MTNT.1.1.tar.gz").write_text("unpacked already")
    (raw / "test.en-fr.tsv").write_text(MTNT)


@pytest.fixture
def downloads(monkeypatch):
    """The addresses that something tried to download; every try fails."""
    tried = []

    def refuse(url, *_, **__):
        tried.append(url)
        raise OSError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    return tried


@pytest.fixture
def cache(tmp_path, monkeypatch, downloads):
    """An empty cache of sacrebleu, which reads $SACREBLEU only once, when it is imported."""
    monkeypatch.setattr(sacrebleu.utils, "SACREBLEU_DIR", str(tmp_path))
    for name in ("wmt12", "wmt13", "mtnt1.1/test"):
        monkeypatch.setattr(DATASETS[name], "_outdir", str(tmp_path / name))
        monkeypatch.setattr(DATASETS[name], "_rawdir", str(tmp_path / name / "raw"))
    return tmp_path


def test_news_test_from_a_filled_cache(cache, downloads):
    fill(cache)
    source = SacrebleuSet(name="newstest2013", test_set=["wmt13"], langpair="en-fr")
    assert len(source.missing()) == 1  # not yet in sacrebleu's text files
    source.fetch()
    assert source.missing() == []
    examples = source.examples()
    assert examples.ids == ("wmt13:0", "wmt13:1", "wmt13:2")
    assert examples.texts == (("A first, then.",), ("Two spaces.",), ("Third.",))
    assert examples.targets == ("Un premier, puis.", "Two spaces.", "Third.")
    assert examples.columns == {"group": ("wmt13:cnn-1", "wmt13:cnn-1", "wmt13:bbc-2")}
    assert downloads == []


def test_sets_stand_one_after_the_other_without_empty_pairs(cache, caplog):
    fill(cache)
    source = SacrebleuSet(name="x", test_set=["mtnt1.1/test", "wmt13"], langpair="en-fr")
    source.fetch()
    with caplog.at_level(logging.WARNING):
        examples = source.examples()
    assert examples.ids == ("mtnt1.1/test:0", "mtnt1.1/test:1", "wmt13:0", "wmt13:1", "wmt13:2")
    assert examples.texts[1] == ("no way!",)
    assert examples.targets[1] == "pas possible !"
    assert examples.columns == {}  # MTNT has no documents
    assert "mtnt1.1/test: 1 of 3 pairs left out" in caplog.text


def test_reading_never_downloads(cache, downloads):
    source = SacrebleuSet(name="x", test_set=["wmt12", "wmt13"], langpair="en-fr")
    assert [line.split(" (")[0] for line in source.missing()] == [
        "sacrebleu's test set wmt12",
        "sacrebleu's test set wmt13",
    ]
    with pytest.raises(InputError, match=r"not in sacrebleu's cache .*wmt12.*wmt13.*study fetch"):
        source.examples()
    assert downloads == []
    assert list(cache.iterdir()) == []


def test_failed_download_is_told_in_words(cache, downloads):
    with pytest.raises(StudyError, match=r"cannot fetch sacrebleu's test set wmt13: no network.*Remove .*wmt13"):
        SacrebleuSet(name="x", test_set=["wmt13"], langpair="en-fr").fetch()
    assert downloads == ["https://statmt.org/wmt13/test.tgz"]


def test_half_a_cache_is_told_in_words(cache):
    fill(cache)
    source = SacrebleuSet(name="x", test_set=["wmt13"], langpair="en-fr")
    source.fetch()
    (cache / "wmt13" / "wmt13.en-fr.ref").write_text("Un premier, puis.\n")
    with pytest.raises(
        InputError, match=r"en-fr\.src has 3 lines, .*en-fr\.ref has 1 lines, .*docid has 3 lines.*study fetch"
    ):
        source.examples()


@pytest.mark.parametrize(
    ("test_set", "langpair", "message"),
    [
        (["wmt14/ful"], "en-fr", r"no test set 'wmt14/ful'; did you mean 'wmt14/full'"),
        (["wmt13"], "en-xx", r"wmt13 has no language pair 'en-xx', only cs-en, .*en-fr"),
        (["wmt13", "wmt13"], "en-fr", r"each once: \['wmt13', 'wmt13'\]"),
        ([], "en-fr", r"one or more sets"),
        (["wmt22"], "en-de", r"newer XML format.*sacrebleu -t wmt22 -l en-de.*parallel_file"),
    ],
)
@pytest.mark.parametrize("method", ["missing", "fetch", "examples"])
def test_unknown_sets_are_refused_in_words(cache, downloads, test_set, langpair, message, method):
    with pytest.raises(InputError, match=message):
        getattr(SacrebleuSet(name="x", test_set=test_set, langpair=langpair), method)()
    assert downloads == []


def test_the_first_of_several_references_is_taken(cache, monkeypatch):
    monkeypatch.setitem(DATASETS["wmt13"].langpairs, "en-fr", ["a.src.sgm", "a.first.sgm", "a.second.sgm"])
    (cache / "wmt13").mkdir()
    for field, line in {"src": "A.", "ref-0": "First.", "ref-1": "Second.", "docid": "d"}.items():
        (cache / "wmt13" / f"wmt13.en-fr.{field}").write_text(line + "\n")
    assert SacrebleuSet(name="x", test_set=["wmt13"], langpair="en-fr").examples().targets == ("First.",)


def test_same_sentences_as_the_sacrebleu_command(tmp_path):
    """In processes of their own, since $SACREBLEU is read once; sacrebleu unpacks, both read."""
    fill(tmp_path)
    environment = {**os.environ, "SACREBLEU": str(tmp_path)}
    ours = (
        "from study.data.parallel import SacrebleuSet\n"
        "for text, in SacrebleuSet(name='x', test_set=['wmt13'], langpair='en-fr').examples().texts: print(text)"
    )
    commands = [["-m", "sacrebleu", "-t", "wmt13", "-l", "en-fr", "--echo", "src"], ["-c", ours]]
    printed = [
        subprocess.run([sys.executable, *command], env=environment, check=True, capture_output=True, text=True).stdout
        for command in commands
    ]
    assert printed[0].splitlines() == ["A first, then.", "Two spaces.", "Third."]
    assert printed[1] == printed[0]


def test_a_file_that_is_not_there_is_named_with_its_option(tmp_path):
    paths = write(tmp_path, en="A.\n")
    with pytest.raises(InputError, match=r"data 'x': target=.*test\.fr cannot be read: No such file"):
        ParallelFile(name="x", **paths).identity()
