"""Time limits for W&B, whose client gives up on a server after ten minutes only, on storage after twenty."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from unittest.mock import patch

import psutil
import wandb
from requests import PreparedRequest, RequestException, Response
from requests.adapters import HTTPAdapter

USUAL_WAIT = 90.0
"""Seconds that an answer is waited for."""

BYTES_A_SECOND = 1e6
"""The slowest line that what is sent is waited for on."""


@contextmanager
def service_timeout(seconds: float, size: int = 0) -> Iterator[None]:
    """End W&B's service, which every request goes through, once the time is over: what waits for it then fails at once.

    Args:
        seconds: to wait for answers.
        size: bytes that may have to be sent, which take time of their own.

    Raises:
        TimeoutError: when it was over.
    """
    over = threading.Event()
    timer = threading.Timer(seconds + size / BYTES_A_SECOND, lambda: (over.set(), _end_service()))
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:
        if over.is_set():
            raise TimeoutError(no_answer(seconds)) from error
        raise
    finally:
        timer.cancel()


def _end_service() -> None:
    for child in psutil.Process().children():
        if child.name() == "wandb-core":
            child.kill()


def release_service() -> None:
    """Leave nothing behind that the end of this process would wait for, whether the service still answers or not."""
    process = None
    with suppress(Exception):  # there may be none
        process = wandb.setup().assert_service()._proc
    with suppress(Exception):
        wandb.teardown()
    if process:
        process.join()  # which `teardown` does not come to where the service was ended


@contextmanager
def storage_timeout(seconds: float) -> Iterator[None]:
    """Let files that W&B's client reads come to an end where for so many seconds nothing arrives.

    Its sessions have no such limit, and no option for one: it is set in the one place that they all go through.

    Raises:
        TimeoutError: when nothing arrived.
    """
    usual = HTTPAdapter.send

    def send(self: HTTPAdapter, request: PreparedRequest, *given: Any, **options: Any) -> Response:
        self.max_retries = self.max_retries.new(total=2, read=0)
        return usual(self, request, *given, **(options | {"timeout": seconds}))

    try:
        with patch.object(HTTPAdapter, "send", send):
            yield
    except RequestException as error:
        if "timed out" in str(error):
            raise TimeoutError(no_answer(seconds)) from error
        raise


def no_answer(seconds: float) -> str:
    """What is said of a server that has not answered in time."""
    return f"no answer within {seconds:g} seconds"
