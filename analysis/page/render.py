"""The page as one file: styles, script and figures inside, nothing from the network."""

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from analysis import paper
from analysis.correlation import ALL_KINDS
from analysis.page.views import SubjectView
from analysis.read import Results
from analysis.words import KIND_LABELS, KIND_NAMES, SCORE_NAMES, interval, score, signed


def render(results: Results, subjects: Sequence[SubjectView]) -> str:
    """The page, self-contained and whole also where scripts do not run."""
    environment = Environment(
        loader=PackageLoader("analysis"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "signed": lambda value: "–" if value is None else signed(value),
        "score": score,
        "interval": interval,
    }
    environment.globals |= {"kind_names": KIND_NAMES, "kind_labels": KIND_LABELS, "score_names": SCORE_NAMES}
    environment.globals |= {"all_kinds": ALL_KINDS, "source": paper.SOURCE}
    return environment.get_template("page.html.j2").render(results=results, subjects=subjects)
