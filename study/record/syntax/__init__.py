"""Words of a text, and the dependency trees over them."""

from study.record.syntax.tree import Tree
from study.record.syntax.words import Span, split_words

__all__ = ["Span", "Tree", "split_words"]
