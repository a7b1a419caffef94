"""What a tokenizer alone tells: that it is there, that it knows the words, how long texts are."""

import json
from pathlib import Path

import pytest
import torch
from fixtures import cases
from safetensors.torch import save_file
from tokenizers import Tokenizer, models

from study.config import compose, to_study
from study.jobs.measuring import MeasuringJob
from study.record.errors import InputError
from study.record.examples import Examples
from study.subjects.huggingface.load_classifier import load_classifier, load_text
from study.subjects.model_files import require_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder whose weights are none, so that whoever needs them fails."""
    folder = tmp_path_factory.mktemp("model")
    config = cases.build(cases.CLASSIFIERS["bert"]).config
    config.id2label = dict(enumerate(cases.LABELS))
    config.architectures = ["BertForSequenceClassification"]
    config.save_pretrained(folder)
    cases.tiny_tokenizer().save_pretrained(folder)
    save_file({"nothing": torch.zeros(1)}, folder / "model.safetensors", {"format": "pt"})
    return folder


def examples(*texts: str) -> Examples:
    return Examples(
        ids=tuple(f"e{i}" for i in range(len(texts))),
        texts=tuple((text,) for text in texts),
        targets=cases.LABELS[:1] * len(texts),
    )


def encode(folder: Path, *texts: str, max_unknown: float = 0.05) -> list:
    return load_text(folder, cases.LABELS, max_length=12, truncate=False).encode(examples(*texts), max_unknown)


def test_too_many_unknown_words_are_refused(folder: Path) -> None:
    texts = ["w1 w2 w3 w4", "w5 hello w6 w7", "w8 w9"]
    with pytest.raises(InputError, match=r"1 of 10 tokens \(10\.0 %; first in example 'e1'\).*data\.max_unknown=0\.1$"):
        encode(folder, *texts)
    assert len(encode(folder, *texts, max_unknown=0.1)) == 3
    assert len(encode(folder, *texts * 2, *["w1 w2 w3 w4 w5"] * 4)) == 10, "2 of 40"


def test_the_share_that_the_refusal_names_is_accepted(folder: Path) -> None:
    known, unknown = ["w1"] * 71, ["hello"] * 29
    with pytest.raises(InputError, match=r"29 of 100 tokens .*data\.max_unknown=0\.29$"):
        encode(folder, *known, *unknown)
    assert len(encode(folder, *known, *unknown, max_unknown=0.29)) == 100


def test_an_end_token_that_stands_for_unknown_words_as_well_is_not_counted(folder: Path, tmp_path: Path) -> None:
    tokenizer = cases.tiny_tokenizer()
    tokenizer.unk_token = tokenizer.eos_token = "[SEP]"
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    assert len(encode(tmp_path, "w1")) == 1


def test_a_text_without_any_token_is_refused(folder: Path, tmp_path: Path) -> None:
    tokenizer = cases.tiny_tokenizer()
    tokenizer.backend_tokenizer.post_processor = None
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(InputError, match="the text of example 'e1' becomes no token at all"):
        encode(tmp_path, "w1", "\u2028")


@pytest.mark.parametrize("files", [(), ("tokenizer_config.json",), ("special_tokens_map.json", "merges.txt")])
def test_a_folder_without_a_tokenizer_is_refused_by_name(tmp_path: Path, files: tuple[str, ...]) -> None:
    for name in ("config.json", *files):
        (tmp_path / name).write_text('{"model_type": "gpt2"}')
    with pytest.raises(InputError, match=rf"{tmp_path} has no tokenizer: no tokenizer\.json and no vocabulary"):
        require_tokenizer(tmp_path)


@pytest.mark.parametrize(
    "files",
    [
        ("tokenizer.json",),
        ("vocab.txt",),
        ("vocab.json", "merges.txt"),
        ("spiece.model",),
        ("sentencepiece.bpe.model",),
    ],
)
def test_the_files_of_a_tokenizer(tmp_path: Path, files: tuple[str, ...]) -> None:
    (tmp_path / "config.json").write_text("{}")
    for name in files:
        (tmp_path / name).write_text("")
    require_tokenizer(tmp_path)


def test_letters_need_no_vocabulary(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "canine"}')
    require_tokenizer(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "ByT5Tokenizer"}')
    require_tokenizer(tmp_path)


def test_a_tokenizer_that_knows_no_word_is_refused_before_the_weights_are_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    empty = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    (tmp_path / "tokenizer.json").write_text(empty.to_str())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"unk_token": "[UNK]"}))
    with pytest.raises(InputError, match=f"the tokenizer in {tmp_path} knows no word"):
        load_classifier(tmp_path, torch.device("cpu"), labels=cases.LABELS, max_length=12, truncate=False)


def test_a_job_reads_its_texts_before_the_weights_and_max_unknown_is_no_identity(folder: Path, tmp_path: Path) -> None:
    lines = ["sentence1\tsentence2\tlabel", *(f"w{i} w{i + 1}\tw{i} hello\tneutral" for i in range(20))]
    (tmp_path / "pairs.tsv").write_text("\n".join(lines) + "\n")
    columns = ["data.premise=sentence1", "data.hypothesis=sentence2", "data.id=null"]
    job = [
        "model=hf_classifier",
        f"model.path={folder}",
        "data=nli_file",
        f"data.path={tmp_path / 'pairs.tsv'}",
        *columns,
    ]
    strict, lenient, short = (
        MeasuringJob(to_study(compose(*job, *more)))
        for more in (["model.max_length=32"], ["model.max_length=32", "data.max_unknown=.3"], ["model.max_length=5"])
    )
    assert strict.setting.id == lenient.setting.id
    assert strict.study.data.identity() == lenient.study.data.identity()
    with pytest.raises(InputError, match=r"does not know 20 of 80 tokens .*data\.max_unknown=0\.25"):
        strict.subject()
    with pytest.raises(InputError, match="20 of 20 examples are over 5 tokens"):
        short.subject()
    with pytest.raises(InputError, match="the weights lack or misfit"):
        lenient.subject()
