"""The text side of a classifier: its tokenizer, its labels, how long a text may be. No weights are needed for it.

A regression has no labels: its targets are numbers.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor
from transformers import PreTrainedTokenizerBase

from study.record.errors import InputError
from study.record.examples import Examples
from study.record.metrics.numbers import numbers, on_grid
from study.subjects.labels import outputs_by_label, require_labels
from study.subjects.subject import TokenRow
from study.subjects.tokens.facts import NOWHERE, TokenFacts
from study.subjects.tokens.spelling import Spans
from study.subjects.tokens.tokenizer import bare_spans, facts_by_tokenizer, text_spans, unknown_token
from study.subjects.vocabulary import require_known


class ClassifierText:
    """Turns examples into tokens and indices of labels.

    Attributes:
        tokenizer: tokenizer of the model.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, labels: Sequence[str], *, max_length: int, truncate: bool, owner: str
    ) -> None:
        """Take a tokenizer, and what `Classifier` is told of its texts; messages name the owner."""
        self.tokenizer = tokenizer
        self._labels, self._max_length, self._truncate, self._owner = tuple(labels), max_length, truncate, owner

    def encode(self, examples: Examples, max_unknown: float) -> list[TokenRow]:
        """Tokenise texts and pairs; targets become indices of the model's labels.

        Raises:
            InputError: for labels that the model does not have, targets that should be numbers and are none, for
                examples over the longest length or without any token, and for too many unknown tokens.
        """
        targets = self._targets(examples)
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
                target=targets[i],
                cost=len(source),
            )
            for i, (name, source) in enumerate(zip(examples.ids, ids["input_ids"], strict=True))
        ]
        unknown, special = unknown_token(self.tokenizer), self.tokenizer.all_special_ids
        require_known(rows, max_unknown, owner=self._owner, unknown=unknown, special=special)
        return rows

    def _targets(self, examples: Examples) -> list[int | tuple[int, ...]]:
        """The output of each example's label, or all that are right; without labels its number, in units of 2^-20.

        Of texts that are only read no output is right.
        """
        if not any(examples.targets):
            return [()] * len(examples)
        if not self._labels:
            return on_grid(numbers(examples.targets)).tolist()
        require_labels(examples.targets, self._labels, examples.merged)
        right = outputs_by_label(self._labels, examples.merged)
        single = {label: outputs[0] if len(outputs) == 1 else outputs for label, outputs in right.items()}
        return [single[target.casefold()] for target in examples.targets]

    def alone(self, texts: Sequence[str]) -> Mapping[str, Tensor]:
        """What the tokenizer makes of one example, as transformers' models take it: one row, never padded."""
        first, second = (*texts, None)[:2]
        return self.tokenizer(first, second, truncation=self._truncate, max_length=self._most, return_tensors="pt")

    def facts(self, row: TokenRow) -> TokenFacts:
        """What is known of the tokens of a row."""
        spans, text = self._places(row) if row.texts else (None, None)
        return facts_by_tokenizer(self.tokenizer, row.source, spans, text)

    def _places(self, row: TokenRow) -> tuple[Spans | None, list[int | None] | None]:
        """The characters of each token, and which text they belong to; None where the tokenizer does not tell."""
        first, second = (*row.texts, None)[:2]
        if not self.tokenizer.is_fast:
            return self._spelled(row)
        options = {"truncation": self._truncate, "max_length": self._most, "verbose": False}
        encoded = self.tokenizer(first, second, return_offsets_mapping=True, **options)
        if encoded["input_ids"] != list(row.source):
            return None, None
        text = encoded.sequence_ids(0)
        spans = encoded["offset_mapping"]
        bare = [bare_spans([span], row.texts[i or 0])[0] for span, i in zip(spans, text, strict=True)]
        return bare, text

    def _spelled(self, row: TokenRow) -> tuple[Spans | None, list[int | None] | None]:
        """By spelling, where there is one text that was not cut."""
        special = set(self.tokenizer.all_special_ids)
        own = [i for i, token in enumerate(row.source) if token not in special]
        spans = text_spans(self.tokenizer, [row.source[i] for i in own], row.texts[0]) if len(row.texts) == 1 else None
        if spans is None:
            return None, None
        every: Spans = [(NOWHERE, NOWHERE)] * len(row.source)
        for i, span in zip(own, spans, strict=True):
            every[i] = span
        return every, [0 if i in own else None for i in range(len(row.source))]

    @property
    def _most(self) -> int | None:
        return self._max_length if self._truncate else None

    def _check_lengths(self, examples: Examples, lengths: Sequence[int]) -> None:
        if not all(lengths):
            raise InputError(f"the text of example '{examples.ids[lengths.index(0)]}' becomes no token at all")
        if too_long := [i for i, length in enumerate(lengths) if length > self._max_length]:
            raise InputError(
                f"{len(too_long)} of {len(examples)} examples are over {self._max_length} tokens, the longest "
                f"('{examples.ids[max(too_long, key=lengths.__getitem__)]}') has {max(lengths)}: choose "
                "model.truncate=true to cut them, or a larger model.max_length"
            )
