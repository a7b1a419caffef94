"""The page: what it shows of each subject, and how that becomes one file."""

from analysis.page.render import render
from analysis.page.views import SubjectView, TrainingView, subject_views, training_views

__all__ = ["SubjectView", "TrainingView", "render", "subject_views", "training_views"]
