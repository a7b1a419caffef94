"""What stands beside the runs of W&B, for people: the sentence that the first screen of the page begins with."""

from analysis.compute import Analysis
from analysis.page.tiles import sentence
from analysis.page.views import subject_views


def notes(analysis: Analysis) -> dict[str, str]:
    """The sentence of each subject, by its id."""
    return dict(zip(analysis.subjects, map(sentence, subject_views(analysis)), strict=True))
