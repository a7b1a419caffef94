"""Clusters: heads in the plane by what they look at, coloured by role and by effect."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from analysis import figures
from analysis.attention.clusters import Form
from analysis.attention_kinds import kind_name
from analysis.compute import Analysis
from analysis.effects.head_effects import Measure
from analysis.figures import Drawing
from analysis.figures.attention import plane_map
from analysis.formatting import decimal, slug
from analysis.page.section import Section
from analysis.page.sections.attention.attention_maps import FOLDER
from analysis.results.readings import READING
from analysis.roles import HeadAttention
from analysis.roles.words import cluster_words, role_title, roles_of_heads

NAMES = {Form.root: "root of the divergence", Form.divergence: "divergence"}


@dataclass(frozen=True)
class Clusters(Section):
    """Planes of every reading with divergences."""

    template, anchor = "attention/clusters", "attention-clusters"
    title, link = "Heads that look at the same tokens", "Clusters"
    sentences: tuple[str, ...]
    stresses: tuple[str, ...]

    @classmethod
    def of(cls, analysis: Analysis) -> "Clusters | None":
        """None where no divergence between heads was measured."""
        return None if analysis.attention is None else cls.showing(analysis.attention, analysis)

    @classmethod
    def showing(cls, found: HeadAttention, analysis: Analysis | None = None) -> "Clusters | None":
        """The section of these readings; effects are those of an analysis, where there is one."""
        if found.clusters.is_empty():
            return None
        drawings = tuple(_drawings(found, analysis))
        distinct = found.clusters.unique([*READING, "kind", "distance"], keep="first", maintain_order=True)
        stresses = tuple(
            f"{row['subject']} on {row['domain']}, {kind_name(row['kind'])}, by the {NAMES[Form(row['distance'])]}: "
            f"stress {decimal(row['stress'], 3)}"
            for row in distinct.rows(named=True)
        )
        return cls(tuple(cluster_words(found.clusters, found.alpha)), stresses, drawings=drawings)


def _drawings(found: HeadAttention, analysis: Analysis | None) -> Iterator[Drawing]:
    for reading in found.readings:
        own = found.clusters.filter(**reading.names)
        roles = roles_of_heads(found.assigned.filter(**reading.names))
        effects = None if analysis is None else _effects(analysis, reading.model_id)
        for (kind, form), part in own.group_by("kind", "distance", maintain_order=True):
            heads = [tuple(row) for row in part.select("kind", "layer", "head").rows()]
            titles = [[role_title(role) for role in roles.get(head, ())] for head in heads]  # type: ignore[arg-type]
            shown = part.select("kind", "layer", "head", "x", "y").with_columns(
                role=pl.Series([own[0] if own else None for own in titles], dtype=pl.String),
                roles=pl.Series([", ".join(own) for own in titles], dtype=pl.String),
            )
            read = f"{reading.model}-{reading.data}-{reading.special}-{reading.setting.id[:6]}"
            name = f"{FOLDER}/plane-{slug(read)}-{kind}-{form}"
            title = f"{reading.label}, {NAMES[Form(str(form))]}"
            yield plane_map(shown, title, f"{name}-roles")
            if effects is not None and form == Form.root:
                joined = shown.join(effects, on=["kind", "layer", "head"], how="left", maintain_order="left")
                limit, unit = figures.colour_limit(effects), str(effects["unit"][0])
                yield plane_map(joined, f"{title}, by effect", f"{name}-effects", unit=unit, limit=limit)


def _effects(analysis: Analysis, model_id: str) -> pl.DataFrame | None:
    """Effects of single heads of the first domain of the same weights, by zero if there are any; None if none."""
    for domain in sorted(analysis.results.distinct, key=lambda domain: not domain.replacement.is_usual):
        single = analysis.effects.filter(setting_id=domain.setting_id, measure=Measure.ABLATION)
        if single.height and domain.model_id == model_id:
            return single.select("kind", "layer", "head", "effect", "unit")
    return None
