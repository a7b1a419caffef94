"""Where a decoder language model of transformers is, and how it is run. No tensor is imported before it is loaded."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from study.record.files import file_digest
from study.record.metrics import Task
from study.subjects.huggingface.decoder_checks import require_decoder
from study.subjects.huggingface.hub_folder import UNTRAINED, HubFolder
from study.subjects.language_model.answers import right_choices
from study.subjects.language_model.options import Begin, ReadingOptions
from study.subjects.model import ModelConfig
from study.subjects.model_files import model_digests, require_tokenizer, tokenizer_files

if TYPE_CHECKING:
    import torch

    from study.record.examples import Examples
    from study.subjects.language_model.subject import LanguageModel

CHAT_TEMPLATE = "chat_template.jinja"


class Dtype(StrEnum):
    """How weights and hidden states are held; log-probabilities are float32 whatever they are."""

    float32 = "float32"
    float16 = "float16"
    bfloat16 = "bfloat16"


@dataclass(kw_only=True)
class DecoderConfig(ModelConfig):
    """A decoder language model of transformers, wherever its folder is.

    It scores choices and texts alike.

    Attributes:
        begin: what stands before every text: what the `tokenizer` itself puts there, `bos`, `eos` or `none`.
        window: most tokens read at once; as many as the model has positions for when 0.
        stride: tokens of a long text that each window but the first scores; the whole window when 0.
        truncate: cut contexts that are too long from the left; they are refused otherwise.
        dtype: float32, float16 or bfloat16.
        device_map: how accelerate spreads the layers over devices (`auto`, `balanced`, `sequential`); on one when None.
        unconditional: score every continuation without its context, too, for accuracy by mutual information (PMI).
        chat_template: put contexts into the tokenizer's chat template, as what a user says.
    """

    task: Task = Task.CHOICE
    begin: Begin = Begin.tokenizer
    window: int = 0
    stride: int = 0
    truncate: bool = False
    dtype: Dtype = Dtype.float32
    device_map: str | None = None
    unconditional: bool = False
    chat_template: bool = False

    @classmethod
    def usual_tasks(cls) -> tuple[Task, ...]:
        """Choices and texts."""
        return (Task.CHOICE, Task.TEXT)

    def weights_precision(self) -> str | None:
        """See `ModelConfig.weights_precision`."""
        return None if self.dtype is Dtype.float32 else str(self.dtype)

    def identity(self) -> dict[str, Any]:
        """Digests of the files, and how texts are read."""
        folder = self.folder()
        require_decoder(folder)
        files = model_digests(folder)
        require_tokenizer(folder)
        stride = 0 if self.stride == self.window else self.stride
        reading = {"begin": str(self.begin), "window": self.window, "stride": stride, "truncate": self.truncate}
        more: dict[str, Any] = {"unconditional": True} if self.unconditional else {}
        if self.dtype is not Dtype.float32:
            more["frequencies"] = "float32"  # an earlier version rounded those of positions as well
        if self.chat_template:
            template = folder / CHAT_TEMPLATE  # in tokenizer_config.json where there is no such file
            more["chat_template"] = file_digest(template) if template.is_file() else "of the tokenizer"
        if self.fresh_seed is not None:
            more[UNTRAINED] = self.fresh_seed
        return {"files": files, **reading, "dtype": str(self.dtype), "masked_by": "zero", **more}

    def check_targets(self, examples: Examples) -> None:
        """Every choice must have its right alternative."""
        right_choices(examples)

    def check_texts(self, examples: Examples, max_unknown: float) -> None:
        """See `ModelConfig.check_texts`; takes the tokenizer alone."""
        from study.subjects.huggingface.load_decoder import load_text

        load_text(self.folder(), self.reading()).encode(examples, max_unknown)

    def load(self, device: torch.device) -> LanguageModel:
        """The model with weights of its dtype."""
        from study.subjects.huggingface.load_decoder import load_decoder

        return load_decoder(
            self.folder(),
            device,
            self.reading(),
            dtype=str(self.dtype),
            device_map=self.device_map or None,
            fresh_seed=self.fresh_seed,
        )

    def reading(self) -> ReadingOptions:
        """How it reads texts."""
        return ReadingOptions(**{option.name: getattr(self, option.name) for option in fields(ReadingOptions)})

    def text_files(self) -> dict[Path, str]:
        """The files of the tokenizer, its chat template among them."""
        folder = self.folder()
        return {file: file.name for file in [*tokenizer_files(folder), *folder.glob(CHAT_TEMPLATE)]}

    def pruned(self, folder: Path) -> DecoderConfig:
        """See `ModelConfig.pruned`."""
        reading = {option.name: getattr(self, option.name) for option in fields(ReadingOptions)}
        return HubDecoder(name="", path=str(folder), dtype=self.dtype, **reading)


@dataclass(kw_only=True)
class HubDecoder(DecoderConfig, HubFolder):
    """Any decoder language model of transformers, by hub name or local folder."""

    ENTRY: ClassVar[str] = "hf_decoder"
