"""What every head looks at in one sentence, for a notebook: weights as tables, pictures for a paper, the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import polars as pl

from analysis.figures import Drawing
from analysis.figures.attention import sentence_map
from analysis.figures.attention.sentence_maps import MAP_COLUMNS
from analysis.formatting import slug
from analysis.page.maps.sentence_page import SentencePage
from sixteen_heads.attention.request import Request
from sixteen_heads.attention.sentence import sentence_page, short_name
from study.record.errors import InputError
from study.record.files import made_folder, whole_file

HEIGHT = 720
"""Pixels of the page in a notebook."""


@dataclass(frozen=True, repr=False)
class AttentionMaps:
    """What every head of a model looks at in one sentence; a notebook shows the page of it.

    Attributes:
        page: the page, and all that stands on it.
    """

    page: SentencePage

    @property
    def heads(self) -> tuple[str, ...]:
        """The address of every head that has a map."""
        return tuple(map(str, self.page.first.weights))

    @property
    def table(self) -> pl.DataFrame:
        """A row for each head: its address, and means over its query tokens (entropy in nats, weights from 0 to 1)."""
        return pl.DataFrame([{"head": str(head), **numbers} for head, numbers in self.page.numbers.items()])

    def weights(self, head: str, *, tokens: bool = False, off: bool = False) -> pl.DataFrame:
        """How much of the attention of each word goes to each word; rows of one word sum to 1.

        Args:
            head: an address, or `L2H3` where the model has one kind of attention.
            tokens: between tokens in place of words.
            off: with the heads off that were named, in place of every head on.

        Returns:
            A row for each two words: `from_at`, `from` (the word that looks), `to_at`, `to` (what it looks at),
            `weight`.

        Raises:
            InputError: when there is no such head, or no head was off.
        """
        if off and len(self.page.conditions) < 2:
            raise InputError("no head was off: maps(..., heads_off=['L2H3']) names some")
        maps = self.page.conditions[int(off)]
        found = maps.find(head)
        if found not in maps.weights:
            raise InputError(f"{head} has no map here: layers= left its layer out")
        queries, keys = maps.queries(found.kind), maps.keys(found.kind)
        weights = maps.weights[found] if tokens else maps.word_weights(found)
        rows, columns = (side.tokens if tokens else side.words for side in (queries, keys))
        i, j = np.indices(weights.shape).reshape(2, -1)
        texts = {"from": [rows[at] for at in i], "to": [columns[at] for at in j]}
        frame = pl.DataFrame({"from_at": i, "to_at": j, **texts, "weight": weights.ravel().astype(np.float64)})
        return frame.select(*MAP_COLUMNS)

    def picture(self, head: str, *, tokens: bool = False, off: bool = False) -> Drawing:
        """The map of a head as a drawing: `png()`, `pdf()`, `svg`; arguments and errors are those of `weights`."""
        rows = self.weights(head, tokens=tokens, off=off)
        name = short_name(self.page.first.find(head), self.page.first.layout)
        without = f" {self.page.names[1]}" if off else ""
        title = f"{self.page.model}, {name}{without}"
        return sentence_map(rows, title, f"attention/{slug(title)}")

    def save(self, path: str | Path) -> Path:
        """Write the page of every head, one file that needs no network; the file."""
        out = Path(path)
        made_folder(out.parent)
        with whole_file(out) as draft:
            draft.write_text(self.page.html(), encoding="utf-8")
        return out

    def __repr__(self) -> str:
        """The model, the sentence, and what was counted."""
        texts = "; ".join(f"{name}: {text}" for name, text in self.page.texts.items())
        return f"{self.page.model} on {texts}\n" + "\n".join(self.page.facts)

    def _repr_html_(self) -> str:
        page = escape(self.page.html(), quote=True)
        return f'<iframe srcdoc="{page}" style="width:100%;height:{HEIGHT}px;border:0" title="attention maps"></iframe>'


def maps(
    model: str,
    *overrides: str,
    text: str | tuple[str, str],
    target: str = "",
    heads_off: Sequence[str] = (),
    layers: Sequence[int] = (),
) -> AttentionMaps:
    """What every head of a model looks at in a sentence; nothing is stored.

    Args:
        model: name of a model (`study list`), such as `hf_classifier`.
        overrides: options as on the command line: `model.path=FOLDER`, `device=cpu`.
        text: the sentence, or the two of a pair.
        target: the translation to look at; empty: the model's own.
        heads_off: names of heads, groups, layers and MLPs that are off in a second look.
        layers: the layers that are looked at; all where none is named.

    Raises:
        StudyError: when there is no such model, head or layer, or the text cannot be read.
    """
    texts = (text,) if isinstance(text, str) else tuple(text)
    if not all(each.strip() for each in texts):
        raise InputError('text= is empty: expected a sentence, as in text="A man is sleeping."')
    request = Request(
        texts=texts,
        target=target,
        heads_off=tuple(heads_off),
        layers=tuple(layers),
        overrides=(f"model={model}", *overrides),
    )
    return AttentionMaps(sentence_page(request.checked()))
