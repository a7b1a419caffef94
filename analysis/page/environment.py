"""The templates of both pages, with the words and numbers that all of them use."""

from collections.abc import Mapping
from importlib.metadata import version

from jinja2 import BytecodeCache, Environment, PackageLoader, StrictUndefined
from jinja2.bccache import Bucket

from analysis import paper
from analysis.attention_kinds import kind_label, kind_name
from analysis.effects.head_effects import ALL_KINDS
from analysis.formatting import (
    NULL_NAMES,
    decimal,
    decimals,
    head_name,
    interval,
    p_value,
    score,
    signed,
    unit_name,
    unsure,
)
from analysis.page.citations import Citations
from analysis.page.claims import claims_sentences
from analysis.page.glossary import TERMS, term, term_id
from analysis.page.methods import corrected, uncited
from study.record.metrics import METRICS

TITLE = "What attention heads are worth"

MOST_LINKS = 4
"""Models of a page that have a link each; of more one is picked and shown at a time, where scripts run."""

MOST_LETTERS = 36
"""Letters of the names of all models up to which they stand side by side; longer ones are picked from a list."""

MOST_FINDINGS = 12
"""Domains, or pairs of them, whose part in a verdict is shown; the others are counted."""

MOST_OPEN = 8
"""Rows up to which a table of pairs of domains is open."""


class Compilations(BytecodeCache):
    """Templates as they were compiled first: every page has an environment of its own, but they have the same ones."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill a template's bucket with what is kept of it, if anything is."""
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template."""
        self._kept[bucket.key] = bucket.bytecode_to_string()


COMPILED = Compilations()


def page_environment(level: float, signatures: Mapping[str, str] | None = None, *, pdf: bool = False) -> Environment:
    """The templates of a page.

    Args:
        level: level of its intervals.
        signatures: signatures of the metric by setting id, for those who cite its numbers.
        pdf: whether every figure lies beside the page as PDF.
    """
    citations = Citations(signatures or {}, level)
    environment = Environment(
        loader=PackageLoader("analysis.page"),
        bytecode_cache=COMPILED,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "claimed": claims_sentences,
        "corrected": corrected,
        "decimal": decimal,
        "decimals": decimals,
        "digits": lambda metric: METRICS[metric].digits if metric in METRICS else 2,  # of a table made elsewhere
        "head_name": head_name,
        "interval": interval,
        "kind_label": kind_label,
        "kind_name": kind_name,
        "p": p_value,
        "score": score,
        "signed": lambda value, digits=2: "–" if value is None else signed(value, digits),
        "term_id": term_id,
        "unit_name": unit_name,
        "uncited": uncited,
        "unsure": unsure,
    }
    environment.globals |= {
        "all_kinds": ALL_KINDS,
        "citations": citations,
        "pdf": pdf,
        "null_names": NULL_NAMES,
        "percent": 100 * level,
        "most_findings": MOST_FINDINGS,
        "most_letters": MOST_LETTERS,
        "most_links": MOST_LINKS,
        "most_open": MOST_OPEN,
        "source": paper.SOURCE,
        "term": term,
        "terms": TERMS,
        "title": TITLE,
        "version": version("sixteen-heads"),
    }
    return environment
