"""Facts of the tokens that a tokenizer of transformers makes."""

from collections.abc import Sequence

import numpy as np
from transformers import PreTrainedTokenizerBase

from study.subjects.tokens.facts import MARKS, NOWHERE, TokenFacts, describe
from study.subjects.tokens.spelling import Spans, spelled_spans


def unknown_token(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """The token of unknown words; None where there is none, or it stands for something else as well (GPT-2's)."""
    others = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id)
    unknown = tokenizer.unk_token_id
    return unknown if isinstance(unknown, int) and unknown not in others else None


def facts_by_tokenizer(
    tokenizer: PreTrainedTokenizerBase,
    ids: Sequence[int],
    spans: Spans | None = None,
    text: Sequence[int | None] | None = None,
) -> TokenFacts:
    """The facts of tokens of a tokenizer; where they stand in a text is known only when it is given."""

    def known(*names: str) -> list[int]:
        return [token for name in names if isinstance(token := getattr(tokenizer, name), int)]

    unknown = unknown_token(tokenizer)
    return describe(
        ids,
        [piece or "" for piece in tokenizer.convert_ids_to_tokens(list(ids))],  # a model may have more words than it
        special=[token for token in tokenizer.all_special_ids if token != unknown],
        beginnings=known("cls_token_id", "bos_token_id"),
        separators=known("sep_token_id", "eos_token_id"),
        spans=spans,
        text=text,
    )


def text_spans(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], text: str) -> Spans | None:
    """The characters that the tokens of one text stand for, those of tokens that are added to it left out.

    A tokenizer tells them itself, or they are found by spelling its pieces; None where neither tells them.
    """
    if tokenizer.is_fast:
        encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return bare_spans(encoded["offset_mapping"], text) if encoded["input_ids"] == list(ids) else None
    return spelled_spans([piece.strip(MARKS) for piece in tokenizer.convert_ids_to_tokens(list(ids))], text)


def bare_spans(spans: Sequence[tuple[int, int]], text: str) -> Spans:
    """Spans without the blanks at their ends, which some tokenizers count to a piece; nowhere where nothing is left."""
    cut = []
    for start, end in np.asarray(spans).reshape(-1, 2).tolist():
        own = text[start:end]
        first = start + len(own) - len(own.lstrip())
        cut.append((first, first + len(own.strip())) if own.strip() else (NOWHERE, NOWHERE))
    return cut
