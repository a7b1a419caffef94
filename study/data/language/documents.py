"""A plain text as documents: all of it, or its lines, paragraphs or articles."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from study.data.language.wikitext import is_title


class DocumentKind(StrEnum):
    """What a document of a text is.

    Attributes:
        whole: all of it.
        line: a line.
        paragraph: what stands between blank lines.
        article: from one title, written `= Title =` as in WikiText, to the next.
    """

    whole = "whole"
    line = "line"
    paragraph = "paragraph"
    article = "article"


@dataclass(frozen=True)
class Document:
    """A document.

    Attributes:
        text: what stands in it.
        line: the line on which it begins, from 1.
        article: the title above it; empty where there is none.
    """

    text: str
    line: int
    article: str = ""


def split_documents(lines: Sequence[str], kind: DocumentKind) -> list[Document]:
    """The documents of a text, in order, without those that are blank."""
    found = {
        DocumentKind.whole: _whole,
        DocumentKind.line: _lines,
        DocumentKind.paragraph: _paragraphs,
        DocumentKind.article: _articles,
    }
    return [document for document in found[kind](lines) if document.text.strip()]


def _whole(lines: Sequence[str]) -> Iterator[Document]:
    yield Document("\n".join(lines), 1)


def _lines(lines: Sequence[str]) -> Iterator[Document]:
    for line, (text, article) in enumerate(zip(lines, _titles(lines), strict=True), start=1):
        yield Document(text, line, article)


def _paragraphs(lines: Sequence[str]) -> Iterator[Document]:
    rows = enumerate(zip(lines, _titles(lines), strict=True), start=1)
    for _, run in groupby(rows, key=lambda row: bool(row[1][0].strip())):
        paragraph = list(run)
        line, (_, article) = paragraph[0]
        yield Document("\n".join(text for _, (text, _) in paragraph), line, article)


def _articles(lines: Sequence[str]) -> Iterator[Document]:
    """As lm-evaluation-harness's data set parts WikiText: the line break before a title is none of the text."""
    rows = enumerate(zip((*lines, ""), _titles((*lines, "")), strict=True), start=1)
    for article, run in groupby(rows, key=lambda row: row[1][1]):
        page = list(run)
        yield Document("\n".join(text for _, (text, _) in page), page[0][0], article)


def _titles(lines: Sequence[str]) -> list[str]:
    """The title above each line, or on it; of several articles of one title, later ones name their line as well."""
    titles, current, seen = [], "", set[str]()
    for line, text in enumerate(lines, start=1):
        if is_title(text):
            title = text.strip().strip("=").strip()
            current = f"{title} (line {line})" if title in seen else title
            seen.add(title)
        titles.append(current)
    return titles
