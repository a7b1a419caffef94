"""What every section of the page is: data, and the template that shows it."""

from dataclasses import dataclass
from typing import ClassVar

from analysis.figures import Drawing


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page; its template finds it as `section`.

    Attributes:
        template: its file in `templates/sections`, without the ending.
        anchor: what a link to it ends with, after the id of the subject.
        title: its heading; empty where it has none, and no link leads to it.
        link: what stands for the title in the navigation, where that is shorter.
        drawings: every figure of it.
    """

    template: ClassVar[str]
    anchor: ClassVar[str] = ""
    title: ClassVar[str] = ""
    link: ClassVar[str] = ""
    drawings: tuple[Drawing, ...] = ()
