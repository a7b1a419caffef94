"""The sections of the page, in the order in which they stand there.

A new one takes three things: a file here with a `Section`, whose `of` takes what there is to show from a subject (or
from the whole analysis) and gives None where there is nothing; a template in `templates/sections`, which finds it as
`section`, and the subject as `subject`; a line below.
"""

from collections.abc import Callable, Sequence
from functools import partial

from analysis.compute import Analysis
from analysis.page.section import Section
from analysis.page.sections.across.agreement import Agreement
from analysis.page.sections.across.along import Along
from analysis.page.sections.across.comparison import Comparison
from analysis.page.sections.across.components import Components
from analysis.page.sections.attention.attention_maps import AttentionMaps
from analysis.page.sections.attention.clusters import Clusters
from analysis.page.sections.attention.correlations import Correlations
from analysis.page.sections.attention.head_looks import HeadLooks
from analysis.page.sections.attention.parsers import Parsers
from analysis.page.sections.attention.probe import Probe
from analysis.page.sections.attention.role_effects import RoleEffects
from analysis.page.sections.attention.roles import Roles
from analysis.page.sections.base_scores import BaseScores
from analysis.page.sections.correlation import Correlation
from analysis.page.sections.curves import Curves
from analysis.page.sections.drafts import Drafts
from analysis.page.sections.first_screen import FirstScreen
from analysis.page.sections.gates import Gates
from analysis.page.sections.head_details import HeadDetails
from analysis.page.sections.heads import Heads
from analysis.page.sections.importance import Importance
from analysis.page.sections.layers import Layers
from analysis.page.sections.paper_claims import PaperClaims
from analysis.page.sections.second_tasks import SecondTasks
from analysis.page.sections.sets.chosen import ChosenSection
from analysis.page.sections.sets.pairs import PairsSection
from analysis.page.sections.sets.shapley import ShapleySection
from analysis.page.sections.speed import Speed
from analysis.page.sections.trainings import Trainings
from analysis.page.sections.units import Units
from analysis.page.views import SubjectView
from study.record.units import UnitLevel

OF_A_SUBJECT: Sequence[Callable[[SubjectView], Section | None]] = (
    FirstScreen.of,
    Heads.of,
    Drafts.of,
    Layers.of,
    Units.of,
    *(partial(Correlation.of, level=level) for level in UnitLevel),
    Curves.of,
    Importance.of,
    BaseScores.of,
    PaperClaims.of,
    HeadDetails.of,
    HeadLooks.of,
)
"""Sections that every subject has."""

OF_ALL: Sequence[Callable[[Analysis], Section | None]] = (
    AttentionMaps.of,
    Parsers.of,
    Probe.of,
    Roles.of,
    RoleEffects.of,
    Correlations.of,
    Clusters.of,
    Along.of,
    Components.of,
    Agreement.of,
    Comparison.of,
    Gates.of,
    SecondTasks.of,
    Trainings.of,
    PairsSection.of,
    ShapleySection.of,
    ChosenSection.of,
    Speed.of,
)
"""Sections that stand below those of the subjects, about all of them."""
