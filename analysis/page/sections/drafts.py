"""Drafted decisions: at which stage they were taken, and how many of them may be wrong, by audits of random samples."""

from dataclasses import dataclass

from analysis.cascade import DomainBounds
from analysis.cascade.words import STAGE_NAMES, bound_words, mask_name
from analysis.page.section import Section
from analysis.page.views import DomainView, SubjectView


@dataclass(frozen=True)
class Drafts(Section):
    """What was drafted on each domain of a subject.

    Attributes:
        found: the bounds of each domain that was drafted.
    """

    template, anchor, title = "drafts", "drafts", "Drafted decisions"
    link = "Drafts"
    found: tuple[tuple[DomainView, DomainBounds], ...]

    @classmethod
    def of(cls, subject: SubjectView) -> "Drafts | None":
        """The section, where some domain was drafted."""
        every = subject.analysis.cascade
        if every is None:
            return None
        bounds = ((view, every.of(view.domain.setting_id)) for view in subject.domains)
        found = tuple((view, own) for view, own in bounds if own is not None)
        return cls(found) if found else None

    @property
    def sentences(self) -> list[str]:
        """What there is to say of each domain."""
        return [line for _, own in self.found for line in bound_words(own)]

    @property
    def stages(self) -> dict[str, str]:
        """The stages by the names that they have in files, in words."""
        return {str(stage): words for stage, words in STAGE_NAMES.items()}

    def name(self, bounds: DomainBounds, mask: str) -> str:
        """What a mask takes away."""
        return mask_name(bounds.domain, mask)
