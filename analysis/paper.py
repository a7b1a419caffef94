"""The paper's numbers, as tables that stand beside ours.

Michel, Levy, Neubig: "Are Sixteen Heads Really Better than One?", NeurIPS 2019, arXiv:1905.10650. A row belongs to ours
when model and data have the paper's name in `conf/` and the metric is the paper's. Layers and heads count from 0 here,
as in every file. Only what is known of significance is given: table 1 and the translation columns of table 2 mark
p < .01.
"""

from collections.abc import Mapping
from typing import Any

import polars as pl

from study.record.units import AttentionKind

SOURCE = "Michel, Levy, Neubig (2019), arXiv:1905.10650"

WMT = ("wmt14_en_fr_big", "newstest2013", "bleu")
MTNT = ("wmt14_en_fr_big", "mtnt", "bleu")
MNLI = ("bert_mnli", "mnli_matched", "accuracy")
MNLI_MM = ("bert_mnli", "mnli_mismatched", "accuracy")

BASE_SCORES = {WMT: 36.05, MNLI: 84.0}
"""Scores of the untouched models: BLEU (caption of table 1); accuracy in percent, which the paper gives as about 84."""

CORRELATIONS = {frozenset((WMT, MTNT)): 0.56, frozenset((MNLI, MNLI_MM)): 0.68}
"""Pearson's r of single-head effects between two domains, figure 2; both p < .01."""

PRUNABLE = {WMT: 0.20, MNLI: 0.40}
"""Share of heads that go "without any noticeable negative impact" by order of importance; read off figure 3."""

TABLE_4 = {1: (17.0, 17.3), 4: (67.3, 69.1), 16: (114.0, 134.0), 64: (124.7, 146.6)}
"""Examples a second of BERT by batch size on a GTX 1080 Ti: with every head, and with half of them removed for good."""

FIGURE_5 = {
    ("iwslt14_de_en", epoch, "bleu"): bleu
    for epoch, bleu in {1: 3.0, 2: 6.2, 3: 18.1, 5: 26.9, 10: 30.6, 20: 34.5, 30: 34.7, 40: 34.9}.items()
}
"""BLEU of the un-pruned IWSLT model by epoch, read off figure 5."""

_TABLE_1 = """
 .03  .07  .05  -.06  .03  -.53* .09  -.33* .06  .03  .11  .04  .01  -.04  .04  .00
 .01  .04  .10   .20* .06   .03  .00   .09  .10  .04  .15* .03  .05   .04  .14  .04
 .05 -.01  .08   .09  .11   .02  .03   .03 -.00  .13  .09  .09 -.11   .24* .07 -.04
-.02  .03  .13   .06 -.05   .13  .14   .05  .02  .14  .05  .06  .03  -.06 -.10 -.06
-.31*-.11 -.04   .12  .10   .02  .09   .08  .04  .21*-.02  .02 -.03  -.04  .07 -.02
 .06  .07 -.31*  .15 -.19   .15  .11   .05  .01 -.08  .06  .01  .01   .02  .07  .05
"""

_TABLE_2 = {
    AttentionKind.ENCODER_SELF: "-1.31* -.16 .12 -.15 .02 -.36*",
    AttentionKind.CROSS: ".24* .06 .05 -.24 -1.55* -13.56*",
    AttentionKind.DECODER_SELF: "-.03 .12 .18 .17 -.04 .24",
}

_TABLE_3 = "-.01 .10 -.14 -.53 -.29 -.52 .05 -.72 -.96 .07 -.19 -.12"

_COLUMNS = {
    "subject": pl.String,
    "domain": pl.String,
    "metric": pl.String,
    "kind": pl.String,
    "layer": pl.Int64,
    "head": pl.Int64,
    "paper_effect": pl.Float64,
    "paper_p01": pl.Boolean,
}


def correlation(row: Mapping[str, Any]) -> float | None:
    """R of figure 2 for a row of the table of correlations; None where it is not of the paper's domains and metric."""
    pair = ((row["subject"], row[f"domain_{side}"], row["metric"]) for side in "ab")
    return CORRELATIONS.get(frozenset(pair))


def one_head_off() -> pl.DataFrame:
    """Table 1: change of BLEU when one encoder self-attention head is removed; `paper_p01` is its star, p < .01."""
    lines = _TABLE_1.strip().splitlines()
    return pl.DataFrame(
        [
            (*WMT, str(AttentionKind.ENCODER_SELF), layer, head, *cell)
            for layer, line in enumerate(lines)
            for head, cell in enumerate(_cells(line))
        ],
        schema=_COLUMNS,
        orient="row",
    )


def one_head_left() -> pl.DataFrame:
    """Tables 2 and 3: change of score when only the best head of a layer is left; which one is not given."""
    rows = [
        (*WMT, str(kind), layer, None, *cell)
        for kind, line in _TABLE_2.items()
        for layer, cell in enumerate(_cells(line))
    ]
    rows += [
        (*MNLI, str(AttentionKind.ENCODER_SELF), layer, None, effect, None)  # table 3 marks nothing
        for layer, (effect, _) in enumerate(_cells(_TABLE_3))
    ]
    return pl.DataFrame(rows, schema=_COLUMNS, orient="row").drop("head")


def _cells(line: str) -> list[tuple[float, bool]]:
    """`.24* -.05` as (effect, has a star)."""
    words = line.replace("*", "* ").split()
    return [(float(word.rstrip("*")), word.endswith("*")) for word in words]
