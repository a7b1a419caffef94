"""Interval, significance and equivalence of the effects of masks on one domain."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from analysis.inference import resampling
from analysis.inference.discordant_pairs import flip_changes
from analysis.inference.multiplicity import check_correction
from analysis.inference.options import Inference, check_interval
from analysis.inference.resampled_effects import ResampledEffects
from analysis.inference.significance import PairedTest, check_test, p_values
from analysis.results.domain import Domain
from analysis.results.sample import EXAMPLE, Sample
from study.record.errors import InputError

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


DIFFERENCE = ("low", "high", "p", "p_corrected", "significant", "equivalent")
"""What `DomainInference.differences` says of each difference; as in `COLUMNS`."""


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
    return DomainInference.of(domain, families, options).effects(families)


@dataclass(frozen=True, eq=False)
class DomainInference:
    """The masks of a domain, resampled once: each effect by itself, and differences of effects.

    Attributes:
        sample: the base mask and these masks.
        options: how intervals and p values are made.
        margin: effects within it do not matter.
        resampled: what resampling says; None where nothing can be resampled.
    """

    sample: Sample
    options: Inference
    margin: float
    resampled: ResampledEffects | None

    @classmethod
    def of(cls, domain: Domain, families: Mapping[str, Sequence[str]], options: Inference) -> "DomainInference":
        """The masks of some families; arguments and errors are those of `infer`."""
        check_test(options.test, domain)
        check_interval(options.interval, domain)
        for keys in families.values():
            check_correction(options.corrects_by, options.test, len(keys), options.resamples, options.alpha)
        keys = [key for family in families.values() for key in family]
        sample = _selected(domain, options.groups, keys)
        margin = options.margin_of(domain.metric)
        resampled = _resampled(domain, sample, margin, options) if keys and sample.groups > 1 else None
        return cls(sample, options, margin, resampled)

    def effects(self, families: Mapping[str, Sequence[str]]) -> pl.DataFrame:
        """The rows of `infer`, of these families."""
        sample, options = self.sample, self.options
        told = {
            "groups": sample.groups,
            "group": sample.unit,
            "alpha": options.alpha,
            "margin": self.margin,
            "test": str(options.test),
            "correction": str(options.corrects_by),
            "resamples": options.resamples,
            "seed": options.seed,
            "reason": f"{sample}: at least two must be there to resample" if sample.groups < 2 else None,
        }
        frames = [pl.DataFrame(schema={"family": pl.String, "mask": pl.String, **COLUMNS})]
        for family, members in families.items():
            numbers = self.resampled.family_columns(self._places(members)) if self.resampled else {}
            frames.append(pl.DataFrame({"family": family, "mask": list(members), **numbers, **told}))
        return pl.concat(frames, how="diagonal_relaxed").select("family", "mask", *COLUMNS)

    def differences(self, wholes: Sequence[str], parts: Sequence[Sequence[str]]) -> pl.DataFrame:
        """The effect of each of some masks less the sum of the effects of others, on the same resamples.

        Args:
            wholes: keys of masks.
            parts: for each, keys of the masks whose effects are taken from its effect.

        Returns:
            Columns sum (of the effects of the parts), difference, then `DIFFERENCE`, a row for each whole; p is
            corrected over the rows. Nulls where nothing can be resampled.
        """
        at = self._places(wholes)
        weights = np.zeros((len(self.sample.masks) - 1, len(wholes)))
        weights[at, np.arange(len(wholes))] = 1
        for column, those in enumerate(parts):
            np.add.at(weights[:, column], self._places(those), -1)
        effects, difference = self.sample.effects, self.sample.effects @ weights
        schema = {"sum": pl.Float64, "difference": pl.Float64} | {name: COLUMNS[name] for name in DIFFERENCE}
        columns: Mapping[str, object] = {}
        if self.resampled is not None and len(wholes):
            columns = self.resampled.combined(weights).family_columns(np.arange(len(wholes)))
        rows = {"sum": effects[at] - difference, "difference": difference}
        rows |= {name: columns.get(name, [None] * len(wholes)) for name in DIFFERENCE}
        return pl.DataFrame(rows, schema=schema)

    def _places(self, masks: Sequence[str]) -> Int[np.ndarray, " masks"]:
        """Places of masks among the effects of the sample."""
        places = {key: at for at, key in enumerate(self.sample.masks[1:])}
        return np.array([places[key] for key in masks], dtype=int)


def _selected(domain: Domain, groups: str, masks: Sequence[str]) -> Sample:
    """The sample of some masks; where the base is among them, it has an effect too, which is 0.

    In a layer of one head, that head alone is the whole model.
    """
    sample = domain.sample(groups).select(masks)
    base = sample.masks[0]
    if base not in masks:
        return sample
    return replace(sample, masks=(*sample.masks, base), sums=np.concatenate([sample.sums, sample.sums[:1]]))


def _resampled(domain: Domain, sample: Sample, margin: float, options: Inference) -> ResampledEffects:
    draws = None
    if options.interval.needs_bootstrap or options.test.needs_bootstrap:
        draws = resampling.bootstrap(sample, options.resamples, options.seed)
    if options.test.is_of_examples and sample.draws > 1:
        raise InputError(
            f"{domain.data}: {options.test} takes examples for independent, and the {sample.draws} draws of an example "
            f"are not: take --test {PairedTest.randomisation}"
        )
    by_example = _selected(domain, EXAMPLE, sample.masks[1:]) if options.test.is_of_examples else None
    p, null = p_values(options.test, sample, by_example, draws, resamples=options.resamples, seed=options.seed)
    return ResampledEffects(
        effects=sample.effects,
        without_each=sample.effects_without_each,
        draws=draws,
        null=null,
        unit=sample.swap_deviation if options.test is PairedTest.randomisation else None,
        change=flip_changes(sample) if domain.has_flips else None,
        p=p,
        margin=margin,
        examples=sample.examples,
        options=options,
        more={"changed": sample.changed, "undefined": _undefined(domain, sample, options)},
    )


def _undefined(domain: Domain, sample: Sample, options: Inference) -> Float[np.ndarray, " others"]:
    """The share of resamples in which the score of each mask, or of the base, is 0/0; says so where there are any."""
    share = resampling.undefined(sample, min(options.resamples, resampling.ENOUGH_FOR_AN_INTERVAL), options.seed)
    if share.any():
        words = (
            "%s of %s on %s is 0/0 where all answers are the same, and counts as 0: under %d masks, on up to %.3g %% %s"
        )
        about = domain.metric.label, domain.subject, domain.data, (share > 0).sum(), 100 * share.max(), "of resamples"
        log.warning(words, *about)
    return share
