"""A stand-in for the W&B server on loopback: the real client speaks to it; it remembers and, on request, fails.

What it answers was found by recording the client of wandb 0.31; a query that it does not know fails the test by name.
"""

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from stand_in_reads import Reads, fragment, hexadecimal, project, resumed
from stand_in_sweeps import Sweeps

KEY = "planted" * 6


@dataclass
class Run:
    """What the server knows of a run; `history` by line, as a browser would show it."""

    id: str
    project: str
    name: str = ""
    group: str = ""
    job_type: str = ""
    tags: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    history: dict[int, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    exit_code: int | None = None

    @property
    def steps(self) -> list[int]:
        """Of the history, by line."""
        return [self.history[line]["_step"] for line in sorted(self.history)]


@dataclass
class Artifact:
    """One version of an artifact; `manifest` as the client sent it."""

    id: str
    collection: str
    type: str
    project: str
    digest: str
    metadata: dict[str, Any]
    run: str
    version: int
    state: str = "PENDING"
    manifest: dict[str, Any] = field(default_factory=dict)


class StandIn(Reads, Sweeps):
    """The server's memory, and how it behaves.

    Attributes:
        fault: what goes wrong with a request: gets its path, gives "cut", "slow2" (seconds), "500" (a status), or "".
    """

    def __init__(self) -> None:
        self.url = ""
        self.runs: dict[str, Run] = {}
        self.artifacts: dict[str, Artifact] = {}
        self.used: list[tuple[str, str]] = []
        self.blobs: dict[str, bytes] = {}
        self.uploads: list[str] = []
        self.views: dict[str, dict[str, Any]] = {}
        self.sweeps, self.handed, self.agents = {}, [], {}
        self.bodies: list[bytes] = []
        self.unknown: list[str] = []
        self.fault: Callable[[str], str] = lambda _path: ""
        self.lock = threading.RLock()

    def graphql(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The answer to a query, by its name."""
        found = re.search(r"(?:query|mutation)\s+(\w+)", query)
        name = found[1] if found else query.strip()[:80]
        answer = getattr(self, "_" + re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(), None)
        if answer is None:
            self.unknown.append(f"{name} {json.dumps(variables)[:300]}\n{query}")
            return {}
        with self.lock:
            try:
                return answer(variables)
            except Exception as error:
                self.unknown.append(f"{name} {json.dumps(variables)[:300]}: {error!r}")
                raise

    # -- runs --

    def _run_resume_status(self, given: dict[str, Any]) -> dict[str, Any]:
        run = self.runs.get(given["name"])
        return {"model": {**project(given["project"]), "bucket": None if run is None else resumed(run)}}

    def _upsert_bucket(self, given: dict[str, Any]) -> dict[str, Any]:
        """From a run, which gives its name, or from the public API, which gives its id."""
        id_ = given.get("name") or given["id"].removeprefix("r-")
        new = id_ not in self.runs
        run = self.runs.setdefault(id_, Run(id_, given.get("project") or ""))
        run.name, run.group = given.get("displayName") or run.name, given.get("groupName") or run.group
        run.job_type, run.tags = given.get("jobType") or run.job_type, given.get("tags") or run.tags
        if given.get("summaryMetrics"):
            run.summary = json.loads(given["summaryMetrics"])
        if given.get("config"):
            run.config = {name: entry["value"] for name, entry in json.loads(given["config"]).items()}
        bucket = {**fragment(run), "historyLineCount": len(run.history)}
        return {"upsertBucket": {"bucket": bucket, "inserted": new}}

    def _create_run_files(self, given: dict[str, Any]) -> dict[str, Any]:
        files = [{"name": name, "uploadUrl": f"{self.url}/run/{given['run']}/{name}"} for name in given["files"]]
        return {"createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": files}}

    def stream(self, run: Run, sent: dict[str, Any]) -> None:
        """Take in a message of the file stream: lines at an offset."""
        for name, part in (sent.get("files") or {}).items():
            if name == "wandb-history.jsonl":
                for place, line in enumerate(part["content"], start=part["offset"]):
                    run.history[place] = json.loads(line)
            if name == "wandb-summary.json":
                run.summary = json.loads(part["content"][-1])
        if sent.get("complete"):
            run.exit_code = sent.get("exitcode")

    # -- artifacts --

    def _artifact_type(self, given: dict[str, Any]) -> dict[str, Any]:
        found = self._versions(given["name"].partition(":")[0])
        kind = {"artifactType": {"name": found[-1].type}} if found else None
        return {"project": {"artifact": kind}}

    def _create_artifact(self, given: dict[str, Any]) -> dict[str, Any]:
        given = given["input"]
        versions = self._versions(given["artifactCollectionName"])
        same = [version for version in versions if version.digest == given["digest"]]
        if same:
            made = same[0]
        else:
            name = f"a{len(self.artifacts)}"
            metadata = json.loads(given["metadata"] or "{}")
            made = Artifact(
                name,
                given["artifactCollectionName"],
                given["artifactTypeName"],
                given["projectName"],
                given["digest"],
                metadata,
                given["runName"],
                len(versions),
            )
            self.artifacts[name] = made
        latest = {"id": versions[-1].id, "versionIndex": versions[-1].version} if versions else None
        sequence = {"id": f"s-{made.collection}", "latestArtifact": latest}
        return {"createArtifact": {"artifact": {"id": made.id, "state": made.state, "artifactSequence": sequence}}}

    def _create_artifact_manifest(self, given: dict[str, Any]) -> dict[str, Any]:
        file = {"id": "f", "uploadUrl": f"{self.url}/manifest/{given['artifactID']}", "uploadHeaders": []}
        return {"createArtifactManifest": {"artifactManifest": {"id": f"m-{given['artifactID']}", "file": file}}}

    def _create_artifact_files(self, given: dict[str, Any]) -> dict[str, Any]:
        edges = []
        for file in given["input"]["artifactFiles"]:
            place = f"blob/{hexadecimal(file['md5'])}"
            known = {"uploadHeaders": [], "uploadMultipartUrls": None, "artifact": {"id": file["artifactID"]}}
            # null where the bytes are here already: that is how the server says that nothing need be sent
            url = None if place in self.blobs else f"{self.url}/{place}"
            edges.append({"node": {"storagePath": place, "uploadUrl": url, **known}})
        return {"createArtifactFiles": {"files": {"edges": edges}}}

    def _commit_artifact(self, given: dict[str, Any]) -> dict[str, Any]:
        made = self.artifacts[given["artifactID"]]
        made.state = "COMMITTED"
        return {"commitArtifact": {"artifact": {"id": made.id, "digest": made.digest}}}

    def _use_artifact(self, given: dict[str, Any]) -> dict[str, Any]:
        self.used.append((given["input"]["runName"], given["input"]["artifactID"]))
        return {"useArtifact": {"artifact": {"id": given["input"]["artifactID"]}}}

    # -- requests --

    def answer(self, command: str, path: str, body: bytes) -> Any:
        """The answer to a request."""
        if path == "/graphql":
            asked = json.loads(body)
            return {"data": self.graphql(asked["query"], asked.get("variables") or {})}
        with self.lock:
            if found := re.fullmatch(r"/files/[^/]+/[^/]+/([^/]+)/file_stream", path):
                self.stream(self.runs[found[1]], json.loads(body))
            elif command == "PUT":
                self.put(path, body)
            elif command == "GET":
                return self.get(path.strip("/"))
        return {}

    def get(self, path: str) -> Any:
        """What was uploaded."""
        kind, _, rest = path.partition("/")
        return self.artifacts[rest].manifest if kind == "manifest" else self.blobs[path]

    def put(self, path: str, body: bytes) -> None:
        """Take in an upload."""
        self.uploads.append(path)
        kind, _, rest = path.strip("/").partition("/")
        if kind == "blob":
            assert hashlib.md5(body).hexdigest() == rest, "an upload is not what was announced"
            self.blobs[path.strip("/")] = body
        elif kind == "manifest":
            self.artifacts[rest].manifest = json.loads(body)
        elif kind == "run":
            run, _, name = rest.partition("/")
            self.runs[run].files[name] = body


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def log_message(self, *_: object) -> None:
        pass

    def handle_any(self) -> None:
        stand_in, path = self.server.stand_in, unquote(self.path.partition("?")[0])
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with stand_in.lock:
            stand_in.bodies.append(path.encode() + b" " + body)
        fault = stand_in.fault(path)
        if fault == "cut":
            self.connection.close()
            self.close_connection = True
            return
        if fault.startswith("slow"):
            time.sleep(float(fault[4:]))
        elif fault:
            self._answer(int(fault), {"errors": [{"message": f"planned fault {fault}"}]})
            return
        if self._allowed():
            self._answer(200, stand_in.answer(self.command, path, body))
        else:
            self._answer(401, {"errors": [{"message": "user is not logged in"}]})

    do_GET = do_POST = do_PUT = do_HEAD = handle_any  # noqa: N815

    def _allowed(self) -> bool:
        sent = self.headers.get("Authorization", "")
        return not sent or base64.b64decode(sent.split()[-1]).decode().endswith(f":{KEY}")

    def _answer(self, status: int, content: Any) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, stand_in: StandIn) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.stand_in = stand_in

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of the server's."""


@contextmanager
def serving() -> Iterator[StandIn]:
    """A stand-in that listens on a free port of loopback."""
    stand_in = StandIn()
    server = _Server(stand_in)
    stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
