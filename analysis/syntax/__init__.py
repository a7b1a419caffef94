"""Which words heads look at: single heads as parsers, relation by relation, and heads that look at rare words."""

from analysis.syntax.tables import Syntax, syntax

__all__ = ["Syntax", "syntax"]
