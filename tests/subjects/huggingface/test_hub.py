"""The hub, where there is no network: asked once, and said once."""

import huggingface_hub.constants
import huggingface_hub.utils._http
import pytest

from study.record.errors import StudyError
from study.subjects.huggingface.hub import download


def test_a_hub_that_cannot_be_reached_is_asked_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(huggingface_hub.utils._http.time, "sleep", lambda _: pytest.fail("it is asked again"))
    with pytest.raises(StudyError, match="'some/model' is no folder, and cannot be downloaded from the hub: "):
        download("some/model", None)
    assert "Retrying" not in capsys.readouterr().err
