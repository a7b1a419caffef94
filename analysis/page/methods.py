"""How the numbers were made, in words: beside a number, and as a paragraph fit for a paper with what it cites."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from analysis.compute import Analysis
from analysis.gates.kept_heads import FROZEN
from analysis.inference import Interval
from analysis.inference.base_interval import BINOMIAL
from analysis.inference.multiplicity import Correction
from analysis.inference.significance import PairedTest
from analysis.replacements import Replacement
from study.record.metrics import METRICS, Metric, Task
from study.record.metrics.loss import LogLikelihood, SquaredError

DEALT = "the score of a model’s own answers dealt out to other examples"

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

REPLACEMENTS = {
    "mean": "wang2023interpretability",
    "mean_by_position": "wang2023interpretability",
    "resample": "chan2022causal",
    "uniform": "kovaleva2019revealing",
    "value_bias": "nanda2022transformerlens",
}
"""Who has put it in the place of a head, by the name of the replacement."""

REFERENCES = {
    entry.partition("{")[2].partition(",")[0]: entry
    for entry in Path(__file__).with_name("references.bib").read_text(encoding="utf-8").strip().split("\n\n")
}
"""What a paper that uses these numbers cites, as BibTeX, by key."""

ROLE_SOURCES = {
    **dict.fromkeys(("positional", "syntactic", "rare_words"), "voita2019analyzing"),
    **dict.fromkeys(("previous", "next", "separator", "beginning", "punctuation", "broad"), "clark2019what"),
    "duplicate": "wang2023interpretability",
    **dict.fromkeys(("induction", "copy"), "olsson2022context"),
    "retrieval": "wu2024retrieval",
    "inactive": "sandoval2025identifying",
}
"""What introduced a role, by the beginning of its name."""

CITED = re.compile(r" \[([\w, ]+)\]")


def corrected(name: str) -> str:
    """Name of a correction: `max-T`."""
    return "max-T" if name == Correction.max_t else name.replace("_", "-").title()


def methods(analysis: Analysis) -> str:
    """A paragraph that says how everything was computed; empty where no effect has an interval. Cites in brackets."""
    known = analysis.effects.drop_nulls("low")
    if known.is_empty() and analysis.gates is None and analysis.second_tasks is None:
        return ""
    effects = [lambda _: _effects(known, known.row(0, named=True))] if known.height else []
    parts = (_scores, _base, *effects, _correlations, _along, _curves, _gates, _second_tasks, _sets, _attention)
    return " ".join(sentence for part in parts for sentence in part(analysis))


def _attention(analysis: Analysis) -> Iterator[str]:
    """What heads look at, and the roles that some have."""
    found = analysis.attention
    if found is None:
        return
    yield (
        "What heads look at is told in statistics of their attention weights [clark2019what, voita2019analyzing] and "
        "of the norms of what they add [kobayashi2020attention], means over query tokens with jackknife intervals."
    )
    had = found.assigned.filter("decided")["role"].unique()
    cited = dict.fromkeys(key for name, key in ROLE_SOURCES.items() if any(role.startswith(name) for role in had))
    sources = f" [{', '.join(cited)}]" if cited else ""
    yield f"A head has a role where the one-sided 95 % limit of its statistic is beyond a threshold{sources}."
    if found.effects["p"].count():
        yield (
            "Effects of heads with a role are compared with those of the other heads of their layers, on other "
            "examples than roles are assigned on, by permutation within layers, corrected by max-T "
            "[westfall1993resampling] over all roles and statistics."
        )


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


def _scores(analysis: Analysis) -> Iterator[str]:
    replacements = {domain.replacement.label: domain.replacement for domain in analysis.results.domains}
    if any(each.is_usual for each in replacements.values()):
        yield (
            "We turn attention heads off by multiplying their output by zero before the output projection "
            "[michel2019sixteen]."
        )
    for each in replacements.values():
        yield from () if each.is_usual else _replacement(each)
    yield "An effect is the score without the heads minus the score with all, on the same examples."
    used = dict.fromkeys((domain.metric.name, domain.signature) for domain in analysis.results.domains)
    for key, kind in METRICS.items():
        signatures = [signature for metric, signature in used if metric == key]
        if signatures and kind.method:
            yield f"{kind.method}, signature {' or '.join(signatures)}."
    weighted = dict.fromkeys(domain.data for domain in analysis.results.domains if domain.weighted)
    if weighted:
        yield f"Examples of {' and '.join(weighted)} count by their weights."


def _replacement(own: Replacement) -> Iterator[str]:
    """What is put in the place of a head before the output projection, after whom, and what intervals hold."""
    _, *more = own.sentences
    after = f" [{REPLACEMENTS[own.name]}]" if own.name in REPLACEMENTS else ""
    where = ", at the tokens that are scored alone" if own.is_at_scored_tokens else ""
    given = f"before the output projection{where}, {own.gives}{after}"
    yield f"With replacement {own.label}, a head that is off gives, {given}."
    yield from more


def _base(analysis: Analysis) -> Iterator[str]:
    made = analysis.base.drop_nulls("low")
    drawn = made["resamples"].drop_nulls()
    few = made.filter(interval=BINOMIAL).height
    if drawn.len():
        exact = (
            "; where fewer than 20 examples are wrong, or right, exact binomial ones [clopper1934use]" if few else ""
        )
        yield f"Intervals of base scores are a bootstrap over groups ({drawn[0]:,} times){exact}."
    elif few:
        yield "Intervals of base scores are exact binomial ones [clopper1934use]."
    if analysis.base["chance"].count():
        yield _chance([domain.metric for domain in analysis.results.domains], analysis.base)


def _chance(metrics: Sequence[Metric], base: pl.DataFrame) -> str:
    known = set(base.drop_nulls("chance")["metric"])
    metrics = [metric for metric in metrics if metric.name in known]
    said = dict.fromkeys(map(_chance_of, metrics))
    words = [what if len(said) == 1 or not of else f"{of} {what}" for of, what in sorted(said)]
    labels = any(metric.task is Task.CLASSIFICATION and metric.name != LogLikelihood.name for metric in metrics)
    cohen = " [cohen1960coefficient]" if labels else ""
    at = base.filter(above_chance=False).height
    left = f"; {at} base score{'s are' if at > 1 else ' is'} not shown to be above it" if at else ""
    return f"Chance is {', and '.join(words).replace(DEALT, DEALT + cohen)}{left}."


def _chance_of(metric: Metric) -> tuple[str, str]:
    """Which scores are meant, and what chance is of them, see `analysis.effects.chance`."""
    match metric.task:
        case Task.CHOICE:
            return "of choices", "the score of a model that finds every continuation equally likely"
        case Task.CLASSIFICATION if metric.name == LogLikelihood.name:
            return "of log-likelihoods", "the score of a model that finds each label as likely as it is frequent"
        case Task.REGRESSION if metric.name == SquaredError.name:
            return "of squared errors", "the score of a model that always gives the mean of the targets"
        case _:
            return "", DEALT


def _effects(known: pl.DataFrame, row: Mapping[str, Any]) -> Iterator[str]:
    made = sorted(known["interval"].unique(), key=lambda name: name == Interval.flips)  # that of few flips comes last
    intervals = " or, where few examples flip, ".join(INTERVALS[Interval(name)] for name in made)
    units = " or ".join(f"{unit}s" for unit in known["group"].unique(maintain_order=True))
    margins = " or ".join(
        f"{margin:g} {unit}" for margin, unit in known.select("margin", "unit").unique(maintain_order=True).iter_rows()
    )
    yield (
        f"Intervals of effects, at {100 * (1 - row['alpha']):g} %, are {intervals}; whole {units} are resampled "
        f"({row['resamples']:,} times, seed {row['seed']}), the same for every mask."
    )
    yield (
        f"Each effect is tested by {TESTS[PairedTest(row['test'])]}; over the heads of a domain p values are corrected "
        f"{CORRECTIONS[Correction(row['correction'])]}, and those up to {row['alpha']:g} are called significant."
    )
    yield (
        f"That a head loses less than a margin of {margins} is shown by an interval above it; that it does not matter "
        "(column equivalent) by two one-sided tests [schuirmann1987comparison], corrected over the heads."
    )


def _correlations(analysis: Analysis) -> Iterator[str]:
    found = analysis.correlations
    known, halves = found.correlation.drop_nulls("pearson_low"), found.reliability
    if known.is_empty():
        return
    yield (
        "The correlation of effects between two domains is Pearson’s r as measured, and r of the true effects, whose "
        "variances are corrected for sampling noise by moments [fuller1987measurement]; the intervals of both are "
        f"jackknives over the groups of both domains, at {100 * known['level'][0]:g} %."
    )
    if analysis.influence.correlation.height:
        yield (
            "Influences of single groups of examples are of leaving one out [belsley1980regression]; one that makes "
            "more than half of a sampling variance is named."
        )
    if halves.height:
        yield f"The noise ceiling is from {halves['splits'][0]} random halves of the examples."
    if found.null.height:
        yield (
            "r is held against outcomes whose groups have changed places with those of the full model for all heads "
            "at once, and against heads that have changed places (one-sided)."
        )


def _gates(analysis: Analysis) -> Iterator[str]:
    found = analysis.gates
    if found is None or found.curves.is_empty():
        return
    known = set(found.curves["gates"])
    learned = {
        "hard_concrete": "Hard Concrete gates under an L0 penalty [louizos2018learning, voita2019analyzing]",
        "subset": "differentiable subsets of a given size [li2021differentiable]",
    }
    ways = [words for name, words in learned.items() if name in known]
    methods = [method for own in found.comparisons for method in own.methods]
    frozen = {method.weights == FROZEN for method in methods if method.is_learned}
    if ways:
        weights = " or ".join({False: "together with the weights", True: "with weights frozen"}[one] for one in frozen)
        yield f"Heads to keep are learned {weights} by {' and '.join(ways)}; what is scored has gates of 0 and 1 alone."
    if any(method.scratch for method in methods):
        yield (
            "The same heads trained from random weights are the control of structure alone [voita2019analyzing, "
            "behnke2020losing]."
        )
    yield (
        "Trainings are compared after equal updates, with the un-pruned model trained as long; methods are compared at "
        "equal numbers of heads of each kind, paired by seed, by a bootstrap over groups of examples with the seeds "
        "held, and of five seeds or more by Student’s t with the examples held."
    )
    if found.survival.height:
        yield (
            "In how many seeds heads survive is held against seeds that each keep as many heads at random, exactly or "
            f"by {found.survival['draws'][0]:,} draws, corrected by Holm’s method [holm1979simple]."
        )


def _second_tasks(analysis: Analysis) -> Iterator[str]:
    found = analysis.second_tasks
    if found is None or found.curves.is_empty():
        return
    yield (
        "A later task is taught to the heads that an earlier task does without, all other weights held, as PackNet "
        "does with single weights [mallya2018packnet]."
    )
    sources = {
        "biases_and_norms": "biases and norms alone [benzaken2022bitfit]",
        "lora": "low-rank updates [hu2022lora]",
    }
    known = set(found.curves["name"])
    controls = [words for name, words in sources.items() if name in known]
    if controls:
        yield f"Controls are {' and '.join(controls)}, which each task has for itself."
    yield (
        "Trainings are compared after equal updates, paired by seed, by a bootstrap over groups of examples with the "
        "seeds held, and of five seeds or more by Student’s t with the examples held."
    )
    if found.curves["reached_seeds_low"].count():
        yield (
            "The share of the gain of all weights that is reached has Fieller’s interval over seeds "
            "[fieller1954problems]."
        )
    if found.head_tests["p"].count():
        yield (
            "Whether the heads that were taught matter more is tested by permutation within layers, of the mean sizes "
            "of the effects of single heads."
        )


def _sets(analysis: Analysis) -> Iterator[str]:
    found = analysis.sets
    if found is None:
        return
    if found.pairs.height:
        yield (
            "The interaction of two heads is the effect of removing both less the effects of removing each; it is "
            "tested by a studentised bootstrap over groups of examples, centred on the interaction [hall1991two], and "
            "corrected by max-T over the pairs. Redundant partners of a head are selected on one half of the groups "
            "and their interactions summed on the other."
        )
    if found.shapley.height:
        exact = found.shapley["exact"].all()
        how = "from all sets" if exact else "from coalitions drawn in pairs of complements by the kernel's weight"
        yield (
            f"Shapley values [shapley1953value] are computed {how}"
            f"{'' if exact else ', by least squares with equal weights [lundberg2017unified]'}; intervals are over "
            f"groups of examples and draws of coalitions together."
        )
        if (found.shapley["looks"] > 1).any():
            yield (
                "Samples of coalitions ended where intervals were as narrow as asked for, at one of a few numbers "
                "fixed beforehand; the chance of an error is divided by how many these are."
            )


def _along(analysis: Analysis) -> Iterator[str]:
    found = analysis.along
    if found is None:
        return
    if (found.pairs["groups_shared"] > 0).any():
        yield (
            "Cells measured on the same examples share their noise: its covariance between both is taken out of the "
            "true r, and a group is left out, swapped and dealt into halves in both at once."
        )
    if found.heads["spread"].count():
        yield (
            "The spread of a head’s effect over cells is corrected for noise by moments; its interval holds every "
            "variance that Q does not refuse [viechtbauer2007confidence], with the covariance of cells that share "
            "examples."
        )
    if found.matched.height:
        yield (
            "Heads are matched within layers so that the total cosine of what each group of examples adds to their "
            "effects is largest [kuhn1955hungarian]."
        )


def _curves(analysis: Analysis) -> Iterator[str]:
    if analysis.curves.height:
        yield (
            "Bands of pruning curves, and differences of the mean scores along two curves, are paired percentile "
            f"intervals over the same groups ({analysis.curves['resamples'][0]:,} times)."
        )
    if analysis.taylor.height:
        yield (
            "Importance is the mean of |dL/dξ| over examples, also normalised within layers [molchanov2017pruning], or "
            "the mean of −dL/dξ."
        )
