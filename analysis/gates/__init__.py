"""Gates of trainings: heads kept against score, methods paired by seed, which heads survive, gates over steps."""

from analysis.gates.tables import Gates, gates

__all__ = ["Gates", "gates"]
