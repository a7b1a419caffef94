"""Several results folders as one: each setting once, so that models of all can be compared on one page."""

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from analysis.results.domain import Domain
from analysis.results.read import Results, place_of


def together(folders: Sequence[Results]) -> Results:
    """All that several results folders hold; a setting that is in more than one is taken from the first.

    The folder is the first one; what was left out is said with the folder that it is in.
    """
    first, *others = folders
    if not others:
        return first
    domains: list[Domain] = []
    left_out: list[str] = []
    for results in folders:
        known = {domain.setting_id: domain.folder for domain in domains}
        left_out += [f"{results.folder}: {line}" for line in results.left_out]
        left_out += [
            f"{domain.folder}: the same setting as in {known[domain.setting_id]}, so the same outcomes; shown once"
            for domain in results.domains
            if domain.setting_id in known
        ]
        domains += [domain for domain in results.domains if domain.setting_id not in known]
    return replace(
        first,
        domains=tuple(sorted(domains, key=lambda domain: place_of(domain)[:3])),
        left_out=tuple(left_out),
        damaged=any(results.damaged for results in folders),
        trainings=pl.concat([results.trainings for results in folders]).unique(maintain_order=True),
        readings=tuple({tuple(each.names.values()): each for all_ in folders for each in all_.readings}.values()),
        probes=tuple({each.key: each for all_ in folders for each in all_.probes}.values()),
        for_trainings=tuple(folder for results in folders for folder in results.for_trainings),
    )
