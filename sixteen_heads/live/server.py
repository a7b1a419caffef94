"""The server of the live page: on loopback, for reading alone, and for this machine's own browser.

No other machine can reach it. A web site that is open in the same browser cannot read it either: a request must name
this machine as its host, and must not come from another site. Of the disk it gives the report's own files and no other.
"""

import mimetypes
import subprocess
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from sixteen_heads.live.page import LivePage
from sixteen_heads.page import is_current, report_page

LOOPBACK = "127.0.0.1"
OWN_NAMES = {LOOPBACK, "localhost"}
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline' data: blob:; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
REPORT = [sys.executable, "-P", "-m", "sixteen_heads", "report"]
"""`-P`: files of the working directory never stand in for the project's own."""


class LiveServer(ThreadingHTTPServer):
    """Serves the live page of a results folder, and its full page."""

    daemon_threads = True

    def __init__(self, page: LivePage, port: int = 0) -> None:
        """Listen on a port of loopback; 0: any that is free.

        Raises:
            OSError: when the port is taken.
        """
        super().__init__((LOOPBACK, port), Answer)
        self.page = page
        self.analysis = page.results / "analysis"
        self._one_at_a_time = threading.Lock()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{LOOPBACK}:{self.server_address[1]}/"

    def make_full_page(self) -> str:
        """Make the full page anew where results have changed; what went wrong, in words."""
        page = report_page(self.page.results)
        with self._one_at_a_time:
            if is_current(page, self.page.results):
                return ""
            done = subprocess.run([*REPORT, str(self.page.results)], capture_output=True, text=True, check=False)
        return "" if page.exists() and done.returncode in (0, 1) else (done.stderr or done.stdout).strip()


class Answer(BaseHTTPRequestHandler):
    """The answer to one request."""

    server_version, sys_version = "study", ""

    def do_GET(self) -> None:
        """Give a page or a file, or say why not."""
        if not self._is_ours():
            self._send("This page is for the browser of this machine.", "text/plain", HTTPStatus.FORBIDDEN)
            return
        path = unquote(urlsplit(self.path).path)
        if path == "/":
            self._send(self._live.page.whole())
        elif path == "/content":
            self._send(self._live.page.content())
        elif path == "/page":
            self._full_page()
        else:
            self._file(path)

    do_HEAD = do_GET  # noqa: N815 as http.server calls it

    @property
    def _live(self) -> LiveServer:
        """The server, which is of no other class."""
        return cast(LiveServer, self.server)

    def _is_ours(self) -> bool:
        """Whether the request names this machine as its host, and no other web site makes it."""
        name = self.headers.get("Host", "").partition(":")[0].lower()
        return name in OWN_NAMES and self.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin")

    def _full_page(self) -> None:
        if fault := self._live.make_full_page():
            self._send(f"The full page cannot be made yet.\n\n{fault}\n", "text/plain", HTTPStatus.SERVICE_UNAVAILABLE)
            return
        self.send_response(HTTPStatus.SEE_OTHER)
        self.send_header("Location", "/analysis/report/index.html")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _file(self, path: str) -> None:
        """A file of the report; links are followed first, so that none leads out of its folder."""
        folder = self._live.analysis.resolve()
        try:
            file = (self._live.page.results / path.lstrip("/")).resolve()
            content = file.read_bytes() if file.is_relative_to(folder) else None
        except (OSError, ValueError):
            content = None
        if content is None:
            self._send("There is no such page.", "text/plain", HTTPStatus.NOT_FOUND)
        else:
            self._send(content, mimetypes.guess_type(path)[0] or "application/octet-stream")

    def _send(self, content: str | bytes, kind: str = "text/html", status: HTTPStatus = HTTPStatus.OK) -> None:
        body = content.encode() if isinstance(content, str) else content
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", f"{kind}; charset=utf-8" if kind.startswith("text/") else kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *given: Any) -> None:
        """Say nothing of a request."""
