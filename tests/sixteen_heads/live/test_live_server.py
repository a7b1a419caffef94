"""The live page over HTTP: what it shows, and what it gives to nobody."""

import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from fixtures.results import fill

from sixteen_heads.live.command import serve
from sixteen_heads.live.page import LivePage
from sixteen_heads.live.server import LiveServer
from study.tracking.progress import Agenda
from study.tracking.progress import Request as Job


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    results = tmp_path / "results"
    fill(results, "accuracy", model="model", data="pairs")
    Agenda("first <sweep>", (Job("1", "ablation of model on pairs", "ablation", "model"),)).write(results)
    with LiveServer(LivePage(results, tmp_path / "sweeps")) as live:
        thread = threading.Thread(target=live.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield live
        live.shutdown()
        thread.join()


def get(server: LiveServer, path: str, **headers: str) -> tuple[int, str]:
    """Status and text of an answer; names of headers with `_` in place of `-`."""
    request = Request(server.url.rstrip("/") + path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    try:
        with urlopen(request, timeout=120) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_page_shows_jobs_and_effects_and_what_is_renewed_is_in_it(server: LiveServer) -> None:
    status, page = get(server, "/")
    assert status == 200
    for words in ("first &lt;sweep&gt;", "ablation of model on pairs", "queued", "model on pairs", "Effects so far"):
        assert words in page
    assert get(server, "/content")[1] in page


def test_only_this_machine_is_listened_to(server: LiveServer) -> None:
    assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    "headers",
    [{"Host": "attacker.example"}, {"Host": "127.0.0.1.attacker.example"}, {"Sec_Fetch_Site": "cross-site"}],
)
def test_a_foreign_name_or_site_is_refused(server: LiveServer, headers: dict[str, str]) -> None:
    for path in ("/", "/content", "/page", "/analysis/report/index.html"):
        status, text = get(server, path, **headers)
        assert (status, "model" in text) == (403, False)


def test_a_forwarded_port_is_no_foreign_name(server: LiveServer) -> None:
    assert get(server, "/", Host="localhost:9999")[0] == 200


def test_nothing_outside_the_report_is_given(server: LiveServer, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    analysis = tmp_path / "results" / "analysis"
    (analysis / "tables").mkdir(parents=True)
    (analysis / "tables" / "base.csv").write_text("a,b\n")
    (analysis / "link").symlink_to(tmp_path / "secret")
    assert get(server, "/analysis/tables/base.csv") == (200, "a,b\n")
    (setting,) = (tmp_path / "results").glob("*/*/*/setting.json")
    inside = setting.relative_to(tmp_path / "results")
    ways = [
        "/../secret",
        "/%2e%2e/secret",
        "/analysis/../../secret",
        "/analysis/link",
        f"/{inside}",
        "/analysis",
        "/%00",
    ]
    assert {get(server, way)[0] for way in [*ways, f"/{tmp_path}/secret"]} == {404}


def test_nothing_is_taken(server: LiveServer) -> None:
    request = Request(server.url, data=b"x", method="POST")
    with pytest.raises(HTTPError, match="501"):
        urlopen(request, timeout=20)


@pytest.mark.slow
def test_the_full_page_is_made_when_it_is_asked_for_and_anew_once_there_is_more(
    server: LiveServer, tmp_path: Path
) -> None:
    status, page = get(server, "/page")
    assert status == 200
    assert "<title>" in page
    file = tmp_path / "results" / "analysis" / "report" / "index.html"
    written = file.stat().st_ino
    get(server, "/page")
    assert file.stat().st_ino == written, "nothing has come"
    fill(tmp_path / "results", "accuracy", model="model", data="more")
    assert "more" in get(server, "/page")[1]
    assert file.stat().st_ino != written


def test_what_keeps_the_full_page_from_being_made_is_said(tmp_path: Path) -> None:
    with LiveServer(LivePage(tmp_path, tmp_path / "sweeps")) as live:
        assert "holds no outcomes" in live.make_full_page()


def test_a_port_that_is_taken_is_named(server: LiveServer, capsys: pytest.CaptureFixture[str]) -> None:
    port = server.server_address[1]
    assert serve([str(server.page.results), "--port", str(port), "--no-browser"], "study") == 2
    assert f"port {port}" in capsys.readouterr().err


def test_ctrl_c_ends_it_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(self: LiveServer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LiveServer, "serve_forever", interrupted)
    assert serve([str(tmp_path), "--no-browser"], "study") == 0
    said = capsys.readouterr()
    assert "http://127.0.0.1:" in said.out
    assert "what runs goes on" in said.err
