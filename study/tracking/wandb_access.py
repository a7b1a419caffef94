"""Whether W&B can be reached, and what it says of a key: asked before a sweep starts, never in the middle of one."""

import os

import wandb
from wandb.errors import AuthenticationError
from wandb.sdk.lib import wbauth

from study.tracking.options import Mode


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
    """Set W&B up so that it prints nothing, as what matters is said in our own log; gives what it is set to."""
    return wandb.setup(settings=wandb.Settings(silent=True)).settings


def refusal(entity: str | None, patience: float) -> str:
    """Why the server refuses, in words; empty where it does not, or does not answer in time.

    Args:
        entity: that is to own the runs; None: the owner of the key.
        patience: seconds to wait for an answer.
    """
    quiet()
    try:
        viewer = wandb.Api(timeout=max(1, round(patience))).viewer
    except Exception as error:  # noqa: BLE001 wandb raises errors of many kinds, most of which mean: no answer
        if _is_refusal(error):
            return f"W&B does not accept the key: {error}. `wandb login --relogin`, or tracking.mode=offline"
        return ""
    mine = [viewer.entity, viewer.username, *viewer.teams]
    if entity is not None and entity not in mine:
        known = ", ".join(dict.fromkeys(name for name in mine if name))
        return f"W&B: the key may not write to tracking.entity={entity}; it may to {known}"
    return ""


def _is_refusal(error: Exception) -> bool:
    """Whether this says that the key is wrong, and not that nobody answered: wandb says both by the same error."""
    return isinstance(error, AuthenticationError) and "Failed to execute API request" not in str(error)
