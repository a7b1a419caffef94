"""The page: what it shows of each subject, and how that becomes one file."""

from analysis.page.render import render
from analysis.page.views import SubjectView, subject_views

__all__ = ["SubjectView", "render", "subject_views"]
