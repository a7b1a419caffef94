"""The page as one file: styles, script and figures inside, nothing from the network."""

from collections.abc import Sequence
from importlib.metadata import version

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined

from analysis import paper
from analysis.compute import Analysis
from analysis.effects.head_effects import ALL_KINDS
from analysis.formatting import (
    KIND_LABELS,
    KIND_NAMES,
    NULL_NAMES,
    SCORE_NAMES,
    after_correction,
    decimal,
    interval,
    p_value,
    score,
    signed,
    unsure,
)
from analysis.page.claims import in_words
from analysis.page.methods import bibtex, corrected, methods, traced, uncited
from analysis.page.views import SubjectView, TrainingView


def render(analysis: Analysis, subjects: Sequence[SubjectView], trainings: Sequence[TrainingView]) -> str:
    """The page, self-contained and whole also where scripts do not run."""
    environment = page_environment(1 - analysis.base["alpha"][0])
    corrections = analysis.effects["correction"].drop_nulls()
    environment.globals["after_correction"] = after_correction(next(iter(corrections), None))
    words = methods(analysis)
    return environment.get_template("page.html.j2").render(
        results=analysis.results,
        namesakes=analysis.namesakes,
        subjects=subjects,
        trainings=trainings,
        speed=analysis.speed,
        methods=words,
        bibtex=bibtex(words),
        row_of_any=next(iter(analysis.effects.filter(pl.col("low").is_not_null()).rows(named=True)), None),
    )


def page_environment(level: float) -> Environment:
    """The templates, with what all of them use.

    Args:
        level: of the intervals on the page.
    """
    environment = Environment(
        loader=PackageLoader("analysis.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "decimal": decimal,
        "signed": lambda value: "–" if value is None else signed(value),
        "score": score,
        "interval": interval,
    }
    environment.globals |= {
        "kind_names": KIND_NAMES,
        "kind_labels": KIND_LABELS,
        "score_names": SCORE_NAMES,
        "null_names": NULL_NAMES,
    }
    environment.filters |= {
        "traced": traced,
        "corrected": corrected,
        "claimed": in_words,
        "p": p_value,
        "uncited": uncited,
        "unsure": unsure,
    }
    environment.globals |= {
        "all_kinds": ALL_KINDS,
        "source": paper.SOURCE,
        "percent": 100 * level,
        "version": version("sixteen-heads"),
    }
    return environment
