"""Base scores: what each domain scores with every head on, with its interval and what chance would score."""

from collections.abc import Sequence

import polars as pl

from analysis import paper
from analysis.effects.chance import chance_columns
from analysis.effects.head_effects import DEFAULT
from analysis.inference import Inference, base_interval
from analysis.results.domain import Domain


def base_table(domains: Sequence[Domain], inference: Inference = DEFAULT) -> pl.DataFrame:
    """One row a domain: examples, base score with its interval and signature, masks, the paper's base score.

    Returns:
        Columns of the domain; metric, n (examples, the draws of one counted once), base_score; low, high, interval,
        resamples, groups, group, alpha, seed: as in `effects`, of the base score (`base_interval`); chance,
        above_chance (`analysis.effects.chance`); paper_base_score, signature, heads, masks, close_calls.

    Raises:
        InputError: when there is no column to group the examples by.
    """
    return pl.DataFrame(
        [
            {
                **domain.identity,
                "metric": domain.metric.name,
                "n": domain.different_examples,
                "base_score": domain.sample(inference.groups).base_score,
                **base_interval(domain, inference),
                **chance_columns(domain, inference),
                "paper_base_score": paper.BASE_SCORES.get(domain.names),
                "signature": domain.signature,
                "heads": len(domain.layout),
                "masks": len(domain.masks),
                "close_calls": domain.close_calls,
            }
            for domain in domains
        ],
        schema_overrides={
            **dict.fromkeys(["low", "high", "chance", "paper_base_score"], pl.Float64),
            "above_chance": pl.Boolean,
            "interval": pl.String,
            "resamples": pl.Int64,
        },
    )
