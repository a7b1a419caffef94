"""What the stand-in answers to `wandb sweep` and `wandb agent`: a grid is handed out, a run at a time."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import yaml

ENTITY = {"id": "e1", "name": "lab"}


class Sweeps:
    """Sweeps by grid, each with one agent.

    Attributes:
        sweeps: configurations as they arrived, by id.
        handed: what was handed out: sweep, run and the parameters of the run.
    """

    sweeps: dict[str, dict[str, Any]]
    handed: list[tuple[str, str, dict[str, Any]]]
    agents: dict[str, tuple[str, Iterator[dict[str, Any]]]]

    def _upsert_sweep(self, given: dict[str, Any]) -> dict[str, Any]:
        id_ = f"sweep{len(self.sweeps)}"
        self.sweeps[id_] = yaml.safe_load(given["config"])
        project = {"id": "p1", "name": given["projectName"], "entity": ENTITY}
        return {"upsertSweep": {"sweep": {"name": id_, "project": project}, "configValidationWarnings": []}}

    def _sweep_with_runs(self, given: dict[str, Any]) -> dict[str, Any]:
        config = yaml.safe_dump(self.sweeps[given["sweep"]])
        known = {"id": given["sweep"], "name": given["sweep"], "state": "RUNNING", "config": config}
        return {"project": {"sweep": {**known, "method": "grid", "runs": {"edges": []}}}}

    def _create_agent(self, given: dict[str, Any]) -> dict[str, Any]:
        id_ = f"agent{len(self.agents)}"
        self.agents[id_] = given["sweep"], _grid(self.sweeps[given["sweep"]]["parameters"])
        return {"createAgent": {"agent": {"id": id_}}}

    def _heartbeat(self, given: dict[str, Any]) -> dict[str, Any]:
        commands = [] if any(json.loads(given["runState"]).values()) else [self._next(given["id"])]
        return {"agentHeartbeat": {"agent": {"id": given["id"]}, "commands": json.dumps(commands)}}

    def _next(self, agent: str) -> dict[str, Any]:
        sweep, rest = self.agents[agent]
        parameters = next(rest, None)
        if parameters is None:
            return {"type": "exit"}
        run = f"{sweep}run{len(self.handed)}"
        self.handed.append((sweep, run, parameters))
        values = {name: {"value": value} for name, value in parameters.items()}
        return {"type": "run", "run_id": run, "program": self.sweeps[sweep]["program"], "args": values}


def _grid(parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
    values = [given["values"] if "values" in given else [given["value"]] for given in parameters.values()]
    return (dict(zip(parameters, chosen, strict=True)) for chosen in itertools.product(*values))
