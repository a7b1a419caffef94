"""The page of a results folder as one file: styles, script and figures inside, nothing from the network."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analysis.compute import Analysis
from analysis.figures import Drawing
from analysis.formatting import after_correction
from analysis.page.environment import page_environment
from analysis.page.methods import bibtex, methods
from analysis.page.section import Section
from analysis.page.sections import OF_A_SUBJECT, OF_ALL
from analysis.page.sections.attention.head_looks import HeadLooks
from analysis.page.views import SubjectView, subject_views


@dataclass(frozen=True)
class ResultsPage:
    """The page of a results folder.

    Attributes:
        analysis: what it shows.
        subjects: every subject with its sections.
        sections: the sections below, about all of them.
    """

    analysis: Analysis
    subjects: Sequence[tuple[SubjectView, Sequence[Section]]]
    sections: Sequence[Section]

    @classmethod
    def of(cls, analysis: Analysis) -> "ResultsPage":
        """The page of an analysis, its figures drawn."""
        subjects = [(view, _there(make(view) for make in OF_A_SUBJECT)) for view in subject_views(analysis)]
        return cls(analysis, subjects, _there(make(analysis) for make in OF_ALL))

    @property
    def subject_drawings(self) -> list[Drawing]:
        """The figures of every subject."""
        return [drawing for _, sections in self.subjects for section in sections for drawing in section.drawings]

    @property
    def drawings(self) -> list[Drawing]:
        """Every figure of the page."""
        return [*self.subject_drawings, *(drawing for section in self.sections for drawing in section.drawings)]

    @property
    def with_attention(self) -> bool:
        """Whether the dialog of a head of some subject shows what it looks at."""
        return any(isinstance(section, HeadLooks) for _, sections in self.subjects for section in sections)

    def html(self, *, pdf: bool = False) -> str:
        """The page, self-contained and whole also where scripts do not run; it links to figures as PDF if there are."""
        base = self.analysis.base
        signatures = dict(base.select("setting_id", "signature").iter_rows())
        environment = page_environment(1 - base["alpha"][0], signatures, pdf=pdf)
        corrections = self.analysis.effects["correction"].drop_nulls()
        text = methods(self.analysis)
        return environment.get_template("page.html.j2").render(
            page=self,
            labels={view.subject_id: view.label for view, _ in self.subjects},
            after_correction=after_correction(next(iter(corrections), None)),
            methods=text,
            bibtex=bibtex(text),
        )


def _there(made: Iterable[Section | None]) -> list[Section]:
    """The sections of which there is anything to show."""
    return [section for section in made if section is not None]
