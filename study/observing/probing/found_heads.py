"""The observer of a probe: which word it takes for the head of each word."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from study.observing.probing.scores import ProbeTensors, head_scores, single_choices
from study.observing.probing.word_links import LinkReader, WordLinks, read_heads
from study.record.syntax.probe import SyntaxProbe
from study.record.units import HeadLayout


class HeadFinder(LinkReader):
    """Finds the head of every word by a probe, and by the best single head."""

    def __init__(self, num_rows: int, layout: HeadLayout, probe: SyntaxProbe | None) -> None:
        """Take a probe; without one a blank one is timed in its place."""
        super().__init__(num_rows, layout, self._find)
        heads = read_heads(layout)
        self._probe = ProbeTensors.of(probe.weights) if probe else ProbeTensors.blank(len(heads))
        self._single = [str(head) for head in heads].index(probe.single_head) if probe else 0
        self._to_head = probe.single_to_head if probe else True
        self._found: dict[int, dict[str, Int[np.ndarray, " W"]]] = {}

    def _find(self, owner: int, links: WordLinks) -> None:
        with torch.no_grad():
            head = head_scores(self._probe, links).argmax(-1)
        alone = WordLinks(links.maps[self._single : self._single + 1], links.has_ends)
        single = single_choices(alone)[0 if self._to_head else 1, 0]
        self._found[owner] = {"head": head.numpy().astype(np.int16), "single": single.astype(np.int16)}

    def columns(self) -> dict[str, Any]:
        """The heads of the words, one list for each example."""
        return {name: [self._found[i][name] for i in range(self.num_rows)] for name in ("head", "single")}
