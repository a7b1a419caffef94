"""JSON files of a model that a broken download or an editor left: a sentence, whoever reads them first."""

from collections.abc import Callable
from pathlib import Path

import pytest

from study.record.errors import InputError
from study.subjects.huggingface.corrections import corrections
from study.subjects.huggingface.label_names import label_names
from study.subjects.huggingface.read_model import read_config
from study.subjects.model_files import require_tokenizer


@pytest.mark.parametrize(
    "read",
    [
        lambda folder: label_names(folder, []),
        lambda folder: read_config(folder, 3),
        corrections,
        require_tokenizer,
    ],
)
@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b'{"model_type": "be', r"config\.json is not whole, copy or download it again: "),
        (b"\xff\xfe", r"config\.json is not whole"),
        (b"[1]", r"config\.json is no JSON object"),
    ],
)
def test_a_config_that_is_not_whole_is_said_to_be(
    tmp_path: Path, read: Callable[[Path], object], content: bytes, complaint: str
) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(InputError, match=complaint):
        read(tmp_path)


def test_a_tokenizer_config_that_is_not_whole_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama", "eos_token_id": 2}')
    (tmp_path / "tokenizer_config.json").write_text('{"pad_token"')
    with pytest.raises(InputError, match=r"tokenizer_config\.json is not whole"):
        corrections(tmp_path)
