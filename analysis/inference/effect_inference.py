"""Interval, significance and equivalence of the effects of masks on one domain."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from analysis.inference import equivalence, resampling
from analysis.inference.discordant_pairs import Flips, conditional_interval, flip_interval, flips
from analysis.inference.minimum_detectable_effect import minimum_detectable_effect
from analysis.inference.multiplicity import Correction, check_correction, corrected, critical_size
from analysis.inference.options import Inference, Interval, check_interval
from analysis.inference.significance import PairedTest, check_test, p_values
from analysis.results.domain import Domain
from analysis.results.sample import EXAMPLE, Sample

log = logging.getLogger(__name__)

COLUMNS = {
    "groups": pl.Int64,
    "group": pl.String,
    "changed": pl.Int64,
    "undefined": pl.Float64,
    "standard_error": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "interval": pl.String,
    "alpha": pl.Float64,
    "p": pl.Float64,
    "test": pl.String,
    "p_corrected": pl.Float64,
    "correction": pl.String,
    "significant": pl.Boolean,
    "detectable": pl.Float64,
    "margin": pl.Float64,
    "p_equivalence": pl.Float64,
    "p_equivalence_corrected": pl.Float64,
    "equivalent": pl.Boolean,
    "resamples": pl.Int64,
    "seed": pl.Int64,
    "reason": pl.String,
}
"""What `infer` says of an effect; `analysis.effects.head_effects.effects` documents them."""


def infer(domain: Domain, families: Mapping[str, Sequence[str]], options: Inference) -> pl.DataFrame:
    """Interval, p and equivalence of the effects of masks.

    Args:
        domain: its outcomes.
        families: keys of masks, by the name of the family within which p values are corrected.
        options: how.

    Returns:
        Columns family, mask, then `COLUMNS`; a row for each mask of each family. Where nothing can be resampled,
        `reason` says why and the numbers are null.

    Raises:
        InputError: when the test or the correction does not fit the domain, or there is no such column of groups.
    """
    check_test(options.test, domain)
    check_interval(options.interval, domain)
    for keys in families.values():
        check_correction(options.corrects_by, options.test, len(keys), options.resamples, options.alpha)
    keys = [key for family in families.values() for key in family]
    sample = domain.sample(options.groups).select(keys)
    reason = f"{sample}: at least two must be there to resample" if sample.groups < 2 else None
    margin = options.margin_of(domain.metric)
    told = {
        "groups": sample.groups,
        "group": sample.unit,
        "alpha": options.alpha,
        "margin": margin,
        "test": str(options.test),
        "correction": str(options.corrects_by),
        "resamples": options.resamples,
        "seed": options.seed,
        "reason": reason,
    }
    frames = [pl.DataFrame(schema={"family": pl.String, "mask": pl.String, **COLUMNS})]
    known = None if reason or not keys else _known(domain, sample, margin, options)
    for family, members in families.items():
        at = np.array([sample.masks.index(key) - 1 for key in members], dtype=int)
        numbers = known.family_columns(at, options) if known else {}
        frames.append(pl.DataFrame({"family": family, "mask": list(members), **numbers, **told}))
    return pl.concat(frames, how="diagonal_relaxed").select("family", "mask", *COLUMNS)


@dataclass(frozen=True)
class _Masks:
    """What is known of each mask by itself, before any correction; rows as in `Sample.effects`."""

    effects: Float[np.ndarray, " others"]
    p: Float[np.ndarray, " others"]
    null: Float[np.ndarray, "draws others"] | None
    unit: Float[np.ndarray, " others"] | None
    p_equivalence: Float[np.ndarray, " others"]
    groups: int
    columns: Mapping[str, np.ndarray]

    def family_columns(self, at: Int[np.ndarray, " heads"], options: Inference) -> dict[str, object]:
        """The columns of one family, corrected within it."""
        null = None if self.null is None else self.null[:, at]
        unit = None if self.unit is None else self.unit[at]
        p = corrected(self.p[at], options.corrects_by, null=null, effects=self.effects[at], unit=unit)
        # the tests of equivalence are not drawn jointly, so that Holm takes the place of max-T
        by = Correction.holm if options.corrects_by is Correction.max_t else options.corrects_by
        p_equivalence = corrected(self.p_equivalence[at], by)
        critical = critical_size(
            options.corrects_by, options.alpha, null, self.effects[at], test=options.test, groups=self.groups, unit=unit
        )
        return {
            **{name: column[at] for name, column in self.columns.items()},
            "p": self.p[at],
            "p_corrected": p,
            "significant": p <= options.alpha,
            "detectable": minimum_detectable_effect(self.columns["standard_error"][at], critical, self.groups - 1),
            "p_equivalence": self.p_equivalence[at],
            "p_equivalence_corrected": p_equivalence,
            "equivalent": p_equivalence <= options.alpha,
        }


def _known(domain: Domain, sample: Sample, margin: float, options: Inference) -> _Masks:
    error = resampling.standard_error(sample.effects_without_each)
    draws = None
    if options.interval.needs_bootstrap or options.test.needs_bootstrap:
        draws = resampling.bootstrap(sample, options.resamples, options.seed)
    by_example = domain.sample(EXAMPLE).select(sample.masks) if options.test.is_of_examples else None
    p, null = p_values(options.test, sample, by_example, draws, resamples=options.resamples, seed=options.seed)
    p_equivalence = equivalence.equivalence_p(sample.effects, error, sample.groups - 1, margin)
    of_flips = flips(sample) if domain.has_flips else None
    low, high, interval = _intervals(sample, of_flips, draws, options)
    if of_flips:
        exact = equivalence.equivalence_p_of_flips(of_flips, margin)
        p_equivalence = np.where(of_flips.few, exact, p_equivalence)
    columns = {
        "changed": sample.changed,
        "undefined": _undefined(domain, sample, options),
        "standard_error": error,
        "low": low,
        "high": high,
        "interval": interval,
    }
    unit = sample.swap_deviation if options.test is PairedTest.randomisation else None
    return _Masks(sample.effects, p, null, unit, p_equivalence, sample.groups, columns)


def _undefined(domain: Domain, sample: Sample, options: Inference) -> Float[np.ndarray, " others"]:
    """The share of resamples in which the score of each mask, or of the base, is 0/0; says so where there are any."""
    share = resampling.undefined(sample, min(options.resamples, resampling.ENOUGH_FOR_AN_INTERVAL), options.seed)
    if share.any():
        words = (
            "%s of %s on %s is 0/0 where all answers are the same, and counts as 0: under %d masks, on up to %.3g %% %s"
        )
        about = domain.metric.label, domain.model, domain.data, (share > 0).sum(), 100 * share.max(), "of resamples"
        log.warning(words, *about)
    return share


def _intervals(
    sample: Sample,
    of_flips: Flips | None,
    draws: Float[np.ndarray, "draws others"] | None,
    options: Inference,
) -> tuple[Float[np.ndarray, " others"], Float[np.ndarray, " others"], np.ndarray]:
    """Low and high end, and how each was made."""
    if not options.interval.needs_bootstrap:
        make = flip_interval if options.interval is Interval.flips else conditional_interval
        assert of_flips is not None  # see check_interval
        low, high = make(of_flips, options.alpha)
        return low, high, np.full(len(low), str(options.interval))
    assert draws is not None
    if options.interval is Interval.bca:
        low, high = resampling.bca(draws, sample.effects, sample.effects_without_each, options.alpha)
    else:
        low, high = resampling.percentile(draws, options.alpha)
    made = np.full(len(low), str(options.interval), dtype=object)
    if of_flips:
        exact = flip_interval(of_flips, options.alpha)
        low, high = (np.where(of_flips.few, *ends) for ends in zip(exact, (low, high), strict=True))
        made[of_flips.few] = str(Interval.flips)
    return low, high, made
