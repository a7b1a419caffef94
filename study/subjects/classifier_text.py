"""The text side of a classifier: its tokenizer, its labels, how long a text may be. No weights are needed for it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import Tensor
from transformers import AutoConfig, AutoTokenizer, PretrainedConfig, PreTrainedTokenizerBase

from study.record.errors import InputError
from study.record.examples import Examples
from study.subjects.huggingface.files import read_json
from study.subjects.labels import label_index, require_labels
from study.subjects.subject import TokenRow
from study.subjects.vocabulary import Vocabulary

NAMES_OF_OUTPUTS = ("id2label", "label2id", "num_labels", "_num_labels")
"""Fields of a config."""


class ClassifierText:
    """Turns examples into tokens and indices of labels.

    Attributes:
        tokenizer: that of the model.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, labels: Sequence[str], *, max_length: int, truncate: bool, of: str
    ) -> None:
        """Take a tokenizer.

        Args:
            tokenizer: that of the model.
            labels: name of each output of the model, in order.
            max_length: most tokens of an example, special tokens included.
            truncate: cut longer examples; refuse them otherwise.
            of: the model, for messages.
        """
        self.tokenizer = tokenizer
        self._labels, self._max_length, self._truncate = tuple(labels), max_length, truncate
        self._vocabulary = Vocabulary(of, _unknown(tokenizer), frozenset(tokenizer.all_special_ids))

    def encode(self, examples: Examples, max_unknown: float) -> list[TokenRow]:
        """Tokenise texts and pairs; targets become indices of the model's labels.

        Args:
            examples: the texts and their labels.
            max_unknown: largest share of tokens that the tokenizer may not know.

        Raises:
            InputError: for labels that the model does not have, for examples over the longest length or without any
                token, and for too many unknown tokens.
        """
        require_labels(examples.targets, self._labels)
        index = label_index(self._labels)
        first = [texts[0] for texts in examples.texts]
        second = [texts[1] for texts in examples.texts] if len(examples.texts[0]) > 1 else None
        ids = self.tokenizer(first, second, truncation=self._truncate, max_length=self._most, verbose=False)
        self._check_lengths(examples, [len(row) for row in ids["input_ids"]])
        types = ids.get("token_type_ids")
        rows = [
            TokenRow(
                example=name,
                source=tuple(source),
                segments=tuple(types[i]) if types else None,
                target=index[examples.targets[i].casefold()],
                cost=len(source),
            )
            for i, (name, source) in enumerate(zip(examples.ids, ids["input_ids"], strict=True))
        ]
        self._vocabulary.require_known(rows, max_unknown)
        return rows

    def alone(self, texts: Sequence[str]) -> Mapping[str, Tensor]:
        """What the tokenizer makes of one example, as transformers' models take it: one row, never padded."""
        first, second = (*texts, None)[:2]
        return self.tokenizer(first, second, truncation=self._truncate, max_length=self._most, return_tensors="pt")

    @property
    def _most(self) -> int | None:
        return self._max_length if self._truncate else None

    def _check_lengths(self, examples: Examples, lengths: Sequence[int]) -> None:
        if not all(lengths):
            raise InputError(f"the text of example '{examples.ids[lengths.index(0)]}' becomes no token at all")
        too_long = [i for i, length in enumerate(lengths) if length > self._max_length]
        if too_long:
            raise InputError(
                f"{len(too_long)} of {len(examples)} examples are over {self._max_length} tokens, the longest "
                f"('{examples.ids[max(too_long, key=lengths.__getitem__)]}') has {max(lengths)}: choose "
                "model.truncate=true to cut them, or a larger model.max_length"
            )


def read_text(folder: Path, labels: Sequence[str], *, max_length: int, truncate: bool) -> ClassifierText:
    """The text side of the model in a folder.

    Raises:
        InputError: when its tokenizer cannot be read.
    """
    tokenizer = read_tokenizer(folder, read_config(folder, len(labels)))
    return ClassifierText(tokenizer, labels, max_length=max_length, truncate=truncate, of=f"the tokenizer in {folder}")


def read_config(folder: Path, num_labels: int) -> PretrainedConfig:
    """The config with so many outputs, also where it names another number of labels, or names them in a list.

    Raises:
        InputError: when transformers cannot read it.
    """
    settings = read_json(folder / "config.json")
    names = settings.get("id2label")
    try:
        if names is None or (isinstance(names, dict) and len(names) == num_labels):
            return AutoConfig.from_pretrained(folder, num_labels=num_labels, local_files_only=True)
        settings = {name: value for name, value in settings.items() if name not in NAMES_OF_OUTPUTS}
        with TemporaryDirectory() as place:
            (Path(place) / "config.json").write_text(json.dumps(settings))
            return AutoConfig.from_pretrained(place, num_labels=num_labels, local_files_only=True)
    except Exception as error:  # transformers raises errors of many kinds
        raise InputError(f"cannot load the classifier in {folder}: {type(error).__name__}: {error}") from error


def read_tokenizer(folder: Path, config: PretrainedConfig) -> PreTrainedTokenizerBase:
    """The tokenizer in a model's folder.

    Raises:
        InputError: when it cannot be read, or knows special tokens alone: transformers makes such a one of nothing
            where files are missing.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, config=config, local_files_only=True)
    except Exception as error:  # json, tokenizers and transformers each raise errors of their own
        raise InputError(f"cannot load the tokenizer in {folder}: {type(error).__name__}: {error}") from error
    if tokenizer.vocab_size <= len(set(tokenizer.all_special_ids)):
        raise InputError(f"the tokenizer in {folder} knows no word: its vocabulary is missing or empty")
    return tokenizer


def _unknown(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """The token of unknown words; None where there is none, or it stands for something else as well (GPT-2's)."""
    others = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id)
    unknown = tokenizer.unk_token_id
    return unknown if isinstance(unknown, int) and unknown not in others else None
