"""Whether W&B can be reached, and what it says of a key: asked before a sweep starts, never in the middle of one."""

import os
from functools import lru_cache

import wandb
from wandb.env import SERVICE
from wandb.errors import AuthenticationError
from wandb.sdk.lib import wbauth
from wandb.sdk.lib.service.service_token import WandbServiceConnectionError

from study.tracking.options import Mode

NO_KEY = "W&B is to be online, and no key is found: `wandb login`, or tracking.mode=auto"


def is_online(mode: Mode) -> bool:
    """Whether runs go to the server: asked for, or a key is found; $WANDB_MODE decides where the mode is `auto`."""
    asked = os.environ.get("WANDB_MODE", "") if mode is Mode.auto else str(mode)
    return asked == "online" or (asked in ("", "shared", "run") and key_is_known())


def key_is_known() -> bool:
    """Whether W&B would find a key: in the environment, or where `wandb login` has put it."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    try:
        return wbauth.read_netrc_auth(host=quiet().base_url) is not None
    except AuthenticationError:  # there is one, of a wrong form: the server is to say so
        return True


def quiet() -> wandb.Settings:
    """Set W&B up so that it prints nothing, as what matters is said in our own log; gives what it is set to.

    W&B's service is a process of its own, of which the environment tells every child. A job may outlive whoever submits
    it, and run on another machine: each has a service of its own, and does without one that was inherited and is gone.
    """
    inherited = SERVICE in os.environ
    settings = wandb.Settings(silent=True)
    try:
        ready = wandb.setup(settings=settings)
    except (WandbServiceConnectionError, ValueError):
        if not inherited:
            raise
        del os.environ[SERVICE]
        return quiet()
    if not inherited:
        os.environ.pop(SERVICE, None)
    return ready.settings


@lru_cache(maxsize=8)
def online_refusal(mode: Mode, entity: str | None, patience: float) -> str:
    """Why runs of this mode would be refused, see `refusal`; asked once a process, and only where they go online."""
    if not is_online(mode):
        return ""
    return refusal(entity, patience) if key_is_known() else NO_KEY


def refusal(entity: str | None, patience: float) -> str:
    """Why the server refuses, in words; empty where it does not, or does not answer in time.

    Args:
        entity: owner that the runs are to have; None: the owner of the key.
        patience: seconds to wait for an answer.
    """
    quiet()
    try:
        viewer = wandb.Api(timeout=max(1, round(patience))).viewer
    except Exception as error:  # noqa: BLE001 wandb raises errors of many kinds, most of which mean: no answer
        if _is_refusal(error):
            return f"W&B does not accept the key ({error}): `wandb login --relogin`, or stay offline"
        return ""
    mine = [viewer.entity, viewer.username, *viewer.teams]
    if entity is not None and entity not in mine:
        known = ", ".join(dict.fromkeys(name for name in mine if name))
        return f"W&B: the key may not write to the entity '{entity}'; it may to {known}"
    return ""


def _is_refusal(error: Exception) -> bool:
    """Whether this says that the key is wrong, and not that nobody answered: wandb says both by the same error."""
    return isinstance(error, AuthenticationError) and "Failed to execute API request" not in str(error)
