"""The jobs of a sweep, composed as Hydra composes them: the costly part once for all jobs that choose the same groups.

Most jobs of a sweep differ from another in plain values only (`seed=3`): these are set on a copy of what Hydra made, by
Hydra's own function.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf, open_dict

from launchers.sweep.composed import plain_values
from launchers.sweep.reading import Loader
from launchers.sweep.template import Template

WHOLE_NUMBER = re.compile(r"([\w./]+=)(0|-?[1-9][0-9]{0,99})")
"""An override that sets a whole number."""


@dataclass(frozen=True)
class Composition:
    """What the config of one job is made of.

    Attributes:
        template: the config, composed for all overrides but `values`.
        values: overrides of plain values, which are set on a copy of the template.
        overrides: all overrides of the job that are not Hydra's own.
        number: number of the job in its sweep.
    """

    template: Template
    values: Sequence[Override]
    overrides: Sequence[Override]
    number: int

    def task_config(self) -> DictConfig:
        """What the task function sees: the config without Hydra's own node."""
        return self._filled(self.template.task())

    def config(self) -> DictConfig:
        """The whole, as Hydra itself would compose it."""
        config = self._filled(self.template.whole())
        with open_dict(config):
            for where, value in self._own_words():
                OmegaConf.update(config, f"hydra.{where}", value, merge=False)
        return config

    def plain(self) -> dict[str, Any]:
        """The values of `config`, as `plain_values` gives them."""
        hydra = dict(self.template.hydra)
        for where, value in self._own_words():
            node, _, key = where.partition(".")
            hydra[node] = {**hydra[node], key: value}
        return {**plain_values(self.task_config()), "hydra": hydra}

    def _filled(self, config: DictConfig) -> DictConfig:
        ConfigLoaderImpl._apply_overrides_to_config(list(self.values), config)
        return config

    def _own_words(self) -> Iterator[tuple[str, Any]]:
        """What Hydra's node says of this job alone."""
        how = self.template.hydra["job"]["config"]["override_dirname"]
        yield "overrides.task", [override.input_line for override in self.overrides]
        yield (
            "job.override_dirname",
            get_overrides_dirname(list(self.overrides), how["exclude_keys"], how["item_sep"], how["kv_sep"]),
        )
        yield "job.id", str(self.number)
        yield "job.num", self.number


class Composer:
    """Composes the jobs of one sweep."""

    def __init__(self, loader: ConfigLoader, sweep: DictConfig) -> None:
        """Nothing is composed yet; the config is that of the sweep itself."""
        self._loader = Loader(loader) if isinstance(loader, ConfigLoaderImpl) else loader
        self._sweep = sweep
        self._parser = OverridesParser.create(config_loader=loader)
        self._templates: dict[tuple[str, ...], Template] = {}
        self._groups: dict[str, bool] = {}
        self._parsed: dict[str, Override] = {}

    def compose(self, overrides: Sequence[str], number: int) -> Composition:
        """Compose the job of a number in its sweep.

        Raises:
            HydraException: when its groups cannot be composed; values are looked at when the config is made.
        """
        parsed = [self._parse(override) for override in overrides]
        values = [each for place, each in enumerate(parsed) if self._is_set_later(each, parsed[place + 1 :])]
        first = tuple(str(override.input_line) for override in parsed if override not in values)
        if first not in self._templates:
            self._templates[first] = Template(self._loader.load_sweep_config(self._sweep, list(first)))
        own = [override for override in parsed if not override.is_hydra_override()]
        return Composition(self._templates[first], values, own, number)

    def _parse(self, override: str) -> Override:
        """As Hydra parses it, each text once: it takes a millisecond. One that only has another number is a copy."""
        number = WHOLE_NUMBER.fullmatch(override)
        text = f"{number[1]}0" if number else override
        if text not in self._parsed:
            (self._parsed[text],) = self._parser.parse_overrides([override])
        parsed = self._parsed[text]
        return replace(parsed, _value=int(number[2]), input_line=override) if number else parsed

    def _is_set_later(self, override: Override, following: Sequence[Override]) -> bool:
        """Whether an override can be set after all those that follow it: it is plain and touches none of them."""
        return self._is_plain(override) and not any(
            _overlap(override.key_or_group, other.key_or_group) for other in following if not self._is_plain(other)
        )

    def _is_plain(self, override: Override) -> bool:
        return (
            override.type is OverrideType.CHANGE
            and override.package is None
            and "[" not in override.key_or_group
            and not override.is_hydra_override()
            and not override.is_sweep_override()
            and isinstance(override.value(), str | int | float)
            and not self._is_group(override.key_or_group)
        )

    def _is_group(self, key: str) -> bool:
        if key not in self._groups:
            hydra = self._sweep.hydra
            where = {"config_name": hydra.job.config_name, "overrides": list(hydra.overrides.hydra)}
            self._groups[key] = bool(self._loader.get_group_options(key, results_filter=None, **where))
        return self._groups[key]


def _overlap(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")
