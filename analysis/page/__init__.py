"""The page: what it shows of each subject, and how that becomes one file."""

from analysis.page.imported import imported_views, render_imported
from analysis.page.render import render
from analysis.page.views import SubjectView, TrainingView, subject_views, training_views

__all__ = [
    "SubjectView",
    "TrainingView",
    "imported_views",
    "render",
    "render_imported",
    "subject_views",
    "training_views",
]
