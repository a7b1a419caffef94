"""Tables of the terminal keep to its width."""

from itertools import combinations

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from analysis.correlation import CorrelationOptions, DomainEffects, correlate
from analysis.terminal import correlation_table
from study.record.units import AttentionKind, Head


def correlations(domains: int) -> pl.DataFrame:
    """Between slices, as `--by genre` makes them, of random effects."""
    rng = np.random.default_rng(0)
    heads = tuple(Head(AttentionKind.ENCODER_SELF, 0, i) for i in range(12))
    made = []
    for i in range(domains):
        names = {"subject": "toy", "subject_id": "s", "metric": "accuracy", "domain": f"dev_matched/genre{i:02}"}
        made.append(DomainEffects(names | {"setting_id": str(i)}, heads, rng.normal(size=12)))
    return correlate(made, CorrelationOptions(resamples=19, splits=1)).correlation


@pytest.mark.parametrize(("domains", "most"), [(2, 12), (6, 12), (8, 12)])
def test_many_domains_take_a_line_each(domains, most) -> None:
    table = correlations(domains)
    console = Console(width=80, record=True)
    console.print(correlation_table(table))
    lines = console.export_text().splitlines()
    assert len(lines) <= most + 3
    assert max(map(len, lines)) <= 80
    if domains < 8:
        return
    r = {(a, b): r for a, b, r in table.select("domain_a", "domain_b", "pearson").iter_rows()}
    for name in {name for pair in r for name in pair}:
        own = [r[pair] for pair in combinations(sorted({n for p in r for n in p}), 2) if name in pair]
        (line,) = (line for line in lines if name in line)
        expected = [f"{value:.2f}".replace("-", "−") for value in (np.mean(own), min(own), max(own))]
        assert line.split()[1:] == expected
