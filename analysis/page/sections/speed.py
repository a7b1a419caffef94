"""Table 4: how fast a model is whose heads are really removed."""

from dataclasses import dataclass

from analysis.compute import Analysis
from analysis.page.section import Section
from analysis.results import speed


@dataclass(frozen=True)
class Speed(Section):
    """Examples a second by share of heads removed."""

    template, anchor, title = "speed", "speed", "Speed of pruned models"
    link = "Speed"
    speed: speed.Speed

    @classmethod
    def of(cls, analysis: Analysis) -> "Speed | None":
        """What was timed."""
        return None if analysis.speed is None else cls(analysis.speed)
