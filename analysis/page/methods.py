"""How the numbers were made, in words: beside a number, and as a paragraph fit for a paper with what it cites."""

import re
from collections.abc import Mapping
from typing import Any

import polars as pl

from analysis.compute import Analysis
from analysis.inference import Interval
from analysis.inference.multiplicity import Correction
from analysis.inference.significance import PairedTest
from analysis.page.references import REFERENCES
from study.statistics import MetricName

TESTS = {
    PairedTest.randomisation: "approximate randomisation [riezler2005pitfalls]",
    PairedTest.bootstrap: "the paired bootstrap, centred [koehn2004statistical]",
    PairedTest.sacrebleu: "the paired bootstrap as sacreBLEU has it [koehn2004statistical, post2018call]",
    PairedTest.jackknife: "a jackknife t-test",
    PairedTest.mcnemar: "McNemar’s exact test, which takes examples for independent [mcnemar1947note]",
    PairedTest.mcnemar_mid_p: "McNemar’s mid-p test, which takes examples for independent [mcnemar1947note]",
    PairedTest.ttest_ind: "an unpaired t-test, which takes examples for independent",
    PairedTest.ttest_rel: "a paired t-test, which takes examples for independent",
}

CORRECTIONS = {
    Correction.max_t: "by max-T [westfall1993resampling]",
    Correction.holm: "by Holm’s method [holm1979simple]",
    Correction.benjamini_hochberg: "for the false discovery rate [benjamini1995controlling]",
    Correction.benjamini_yekutieli: "for the false discovery rate under dependence [benjamini2001control]",
    Correction.none: "not at all",
}

INTERVALS = {
    Interval.percentile: "percentile intervals of the paired bootstrap [koehn2004statistical]",
    Interval.bca: "bias-corrected and accelerated bootstrap intervals [efron1987better]",
    Interval.flips: "intervals of two binomial rates [zou2008construction]",
    Interval.conditional: "exact intervals given the number of examples that flip",
}

CITED = re.compile(r" \[([\w, ]+)\]")


def traced(row: Mapping[str, Any]) -> str:
    """What stands beside an effect when it is pointed at: the p value, n, method and seed; empty for none."""
    if row.get("low") is None:
        return row.get("reason") or ""
    by = "" if row["correction"] == Correction.none else f" ({corrected(row['correction'])} {p(row['p_corrected'])})"
    return (
        f"p {p(row['p'])}{by}; {row['groups']:,} {row['group']}s, n = {row['n']:,}; {row['interval']} interval, "
        f"{row['test'].replace('_', ' ')}, {row['resamples']:,} resamples, seed {row['seed']}"
    )


def corrected(name: str) -> str:
    """Name of a correction: `max-T`."""
    return "max-T" if name == Correction.max_t else name.replace("_", "-").title()


def p(value: float) -> str:
    """`= .012`, or `< .001`: a p value is never 0."""
    return "< .001" if value < 0.001 else f"= {value:.3f}".replace("0.", ".", 1)


def methods(analysis: Analysis) -> str:
    """A paragraph that says how everything was computed; empty where no effect has an interval. Cites in brackets."""
    known = analysis.effects.filter(pl.col("low").is_not_null())
    if known.is_empty():
        return ""
    row = known.row(0, named=True)
    return " ".join([*_scores(analysis), *_effects(known, row), *_curves(analysis)])


def bibtex(text: str) -> str:
    """The entries that a text cites in brackets, and the paper's own, in their order."""
    keys = ["michel2019sixteen", *(key for found in CITED.findall(text) for key in found.split(", "))]
    return "\n\n".join(REFERENCES[key] for key in dict.fromkeys(keys))


def uncited(text: str) -> str:
    """The text with authors and years for keys: `[westfall1993resampling]` as `(Westfall and Young 1993)`."""
    return CITED.sub(lambda found: f" ({', '.join(map(_short, found[1].split(', ')))})", text)


def _short(key: str) -> str:
    entry = REFERENCES[key]
    names = [name.split(",")[0].strip() for name in re.search(r"author = \{(.*?)\}", entry)[1].split(" and ")]  # type: ignore[index]
    authors = names[0] if len(names) == 1 else " and ".join(names) if len(names) == 2 else f"{names[0]} et al."
    return f"{authors} {key[len(re.match(r'[a-z]+', key)[0]) :][:4]}"  # type: ignore[index]


def _scores(analysis: Analysis) -> list[str]:
    metrics = {domain.metric.name: domain.signature for domain in analysis.results.domains}
    names = {
        MetricName.BLEU: "BLEU [papineni2002bleu]",
        MetricName.CHRF: "ChrF [popovic2015chrf], of the stored translations,",
    }
    parts = [
        "We turn attention heads off by multiplying their output by zero before the output projection "
        "[michel2019sixteen]. An effect is the score without the heads less the score with all, on the same examples."
    ]
    shown = ((name, metrics[key]) for key, name in names.items() if key in metrics)
    parts += [f"{name} is sacreBLEU’s [post2018call], signature {signature}." for name, signature in shown]
    weighted = [domain.data for domain in analysis.results.domains if domain.weighted]
    if weighted:
        parts.append(f"Examples of {' and '.join(dict.fromkeys(weighted))} count by their weights.")
    return parts


def _effects(known: pl.DataFrame, row: Mapping[str, Any]) -> list[str]:
    made = sorted(known["interval"].unique(), key=lambda name: name == Interval.flips)  # that of few flips comes last
    intervals = [INTERVALS[Interval(name)] for name in made]
    units = " or ".join(f"{unit}s" for unit in known["group"].unique(maintain_order=True))
    margins = " or ".join(
        f"{margin:g} {unit}" for margin, unit in known.select("margin", "unit").unique(maintain_order=True).iter_rows()
    )
    return [
        f"Intervals at {100 * (1 - row['alpha']):g} % are {' or, where few examples flip, '.join(intervals)}; "
        f"whole {units} are resampled ({row['resamples']:,} times, seed {row['seed']}), the same for every mask.",
        f"Each effect is tested by {TESTS[PairedTest(row['test'])]}; over the heads of a domain p values are corrected "
        f"{CORRECTIONS[Correction(row['correction'])]}, and those up to {row['alpha']:g} are called significant.",
        "That a head does not matter is shown by two one-sided tests [schuirmann1987comparison] "
        f"with a margin of {margins}.",
    ]


def _curves(analysis: Analysis) -> list[str]:
    parts = []
    if analysis.curves.height:
        parts.append(
            "Bands of pruning curves, and differences of the mean scores along two curves, are paired bootstrap "
            "intervals over the same groups."
        )
    if analysis.taylor.height:
        parts.append(
            "Importance is the mean of |dL/dξ| over examples, normalised within layers [molchanov2017pruning]."
        )
    return parts
