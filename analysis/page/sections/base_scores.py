"""Base scores, the strongest head, how many masks were evaluated, and what is to be known before one reads on."""

from dataclasses import dataclass
from functools import partial

from analysis.formatting import head_name
from analysis.influence.groups import deciding
from analysis.page.section import Section
from analysis.page.views import SubjectView

TEXT = 160
"""Letters of an example's text that a sentence shows."""


@dataclass(frozen=True)
class BaseScores(Section):
    """Base scores; `deciding` has a sentence for each group of examples that decides on a number."""

    template, anchor, title = "base_scores", "base", "Base scores"
    deciding: tuple[str, ...]

    @classmethod
    def of(cls, subject: SubjectView) -> "BaseScores":
        """Every subject has base scores."""
        named = partial(head_name, several=subject.several)
        return cls(tuple(deciding(subject.analysis.influence, subject.labels, named, TEXT)))
