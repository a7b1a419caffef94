"""What the identity of a classifier says of corrections, told by the files of its folder."""

import json
from pathlib import Path

import pytest

from study.subjects.huggingface.corrections import corrections

CAUSAL = {"model_type": "llama", "eos_token_id": 3}
WORDS = {"pad_token": "[PAD]", "eos_token": "[SEP]", "unk_token": "[UNK]"}
UNPADDED = {"rows": "unpadded"}


@pytest.mark.parametrize(
    ("config", "tokens", "expected"),
    [
        ({"model_type": "bert", "type_vocab_size": 2, "eos_token_id": 3}, {}, {}),
        ({"model_type": "bert", "pad_token_id": 0}, {}, {}),
        ({"model_type": "bart", "is_encoder_decoder": True, "eos_token_id": 3}, {}, {}),
        ({"model_type": "nystromformer", "type_vocab_size": 2}, WORDS, UNPADDED),
        ({"model_type": "big_bird", "type_vocab_size": 2}, WORDS, UNPADDED),
        ({"model_type": "big_bird", "type_vocab_size": 2, "attention_type": "original_full"}, WORDS, {}),
        ({**CAUSAL, "pad_token_id": 0}, WORDS, {}),
        ({**CAUSAL}, WORDS, {}),
        ({**CAUSAL, "pad_token_id": 3}, {**WORDS, "pad_token": {"content": "[SEP]"}}, {}),
        ({**CAUSAL, "pad_token_id": 3}, {}, {}),
        ({**CAUSAL, "pad_token_id": 0}, {}, UNPADDED),
        ({**CAUSAL, "pad_token_id": None}, {}, UNPADDED),
        ({**CAUSAL, "pad_token_id": 0}, {**WORDS, "pad_token": "[SEP]"}, UNPADDED),
        ({**CAUSAL, "pad_token_id": 3}, WORDS, UNPADDED),
        ({**CAUSAL, "pad_token_id": None}, {**WORDS, "pad_token": "[UNK]"}, UNPADDED),
        ({**CAUSAL, "pad_token_id": 1}, {**WORDS, "pad_token": "[UNK]"}, {}),
    ],
)
def test_only_models_that_padding_changed_have_another_identity(
    tmp_path: Path, config: dict, tokens: dict, expected: dict
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(tokens))
    assert corrections(tmp_path) == expected
