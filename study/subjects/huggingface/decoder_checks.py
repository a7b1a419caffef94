"""What a folder must hold to be studied as a decoder language model, as far as its files tell without transformers."""

import re
from pathlib import Path
from typing import Any

from study.record.errors import InputError
from study.subjects.model_files import read_json

OTHER_HEAD = re.compile(r"For(MaskedLM|PreTraining|\w+Classification|QuestionAnswering|MultipleChoice)$")
"""Endings of classes of transformers whose output is no next word."""

PLAIN_BY_CONFIG = {
    "fp8": "FineGrainedFP8Config",
    "mxfp8": "FineGrainedFP8Config",
    "mxfp4": "Mxfp4Config",
    "compressed-tensors": "CompressedTensorsConfig",
}
"""Kinds of quantised weights that transformers makes plain while it reads them, and the config that tells it to."""

PLAIN_BY_METHOD = ("bitsandbytes", "higgs")
"""Kinds that it makes plain afterwards, by the model's `dequantize()`."""


def require_decoder(folder: Path) -> None:
    """Refuse weights that masking cannot be proved on, and models of another kind.

    Raises:
        InputError: for GGUF files, quantised weights, and encoder-decoders; says what to do.
    """
    if not (folder / "config.json").is_file() and (gguf := sorted(folder.glob("*.gguf"))):
        raise InputError(
            f"{folder} holds a GGUF file, whose weights are packed. Make a folder of plain weights of it, once:\n"
            "  from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig\n"
            f"  source = dict(pretrained_model_name_or_path={str(folder)!r}, gguf_file={gguf[0].name!r})\n"
            "  AutoModelForCausalLM.from_pretrained(**source, quantization_config=GgufConfig(dequantize=True))"
            ".save_pretrained('plain')\n"
            "  AutoTokenizer.from_pretrained(**source).save_pretrained('plain')\n"
            "and study it: model.path=plain. Compare its tokens with those of the original model: a GGUF file names "
            "the rules by which it splits text, and transformers may not know them"
        )
    config = read_json(folder / "config.json") if (folder / "config.json").is_file() else {}
    if quantised := config.get("quantization_config"):
        method = quantised.get("quant_method", "an unknown method") if isinstance(quantised, dict) else quantised
        raise InputError(
            f"the weights of {folder} are quantised ({method}). Masking is proved on plain weights: float32, float16 "
            f"or bfloat16. {_made_plain(folder, str(method))}"
        )
    _require_next_word(folder, config)


def _made_plain(folder: Path, method: str) -> str:
    """How a plain folder is made of quantised weights, as far as transformers can."""
    config = PLAIN_BY_CONFIG.get(method)
    if config is None and method not in PLAIN_BY_METHOD:
        return "transformers cannot make plain weights of these: take the model that they were made from"
    option, after = (f", quantization_config={config}(dequantize=True)", "") if config else ("", ".dequantize()")
    written = ", save_original_format=False" if config else ""  # by the names of plain weights
    return (
        "Make a plain folder of it, once:\n"
        f"  from transformers import AutoModelForCausalLM, AutoTokenizer{f', {config}' if config else ''}\n"
        f"  AutoModelForCausalLM.from_pretrained({str(folder)!r}{option}){after}.save_pretrained('plain'{written})\n"
        f"  AutoTokenizer.from_pretrained({str(folder)!r}).save_pretrained('plain')\n"
        "and study it: model.path=plain"
    )


def _require_next_word(folder: Path, config: dict[str, Any]) -> None:
    """Refuse a model that is for something else than the next word, by what its config says."""
    named = config.get("architectures") or [""]
    if OTHER_HEAD.search(str(named[0])):
        cure = ": model=hf_classifier studies it" if "SequenceClassification" in str(named[0]) else ""
        raise InputError(f"{folder} is a {named[0]}, which does not predict the next word{cure}")
    if config.get("is_encoder_decoder"):
        raise InputError(
            f"{folder} is an encoder-decoder ({config.get('model_type')}), which reads one text and writes another: "
            "model=hf_decoder studies decoders that read and write the same text"
        )
