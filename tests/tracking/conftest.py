"""A W&B that no test leaves this machine with."""

from fixtures.wandb.home import _at_home, pytest_collection_modifyitems, server

__all__ = ["_at_home", "pytest_collection_modifyitems", "server"]
