"""What the stand-in answers to those who read: the public API of the client, as `push`, `fetch` and `report` use it."""

import base64
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stand_in import Artifact, Run

ENTITY = "lab"
WHEN = "2026-01-01T00:00:00Z"


class Reads:
    """Answers from the memory of the stand-in."""

    url: str
    runs: "dict[str, Run]"
    artifacts: "dict[str, Artifact]"
    views: dict[str, dict[str, Any]]

    def _viewer(self, _: dict[str, Any]) -> dict[str, Any]:
        viewer = {"id": "u1", "entity": ENTITY, "username": ENTITY, "name": ENTITY, "email": "", "flags": "{}"}
        return {"viewer": {**viewer, "admin": False, "deletedAt": None, "apiKeys": None, "teams": {"edges": []}}}

    _get_viewer = _viewer
    _get_default_entity = _viewer

    def _server_features_query(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"serverInfo": {"features": []}}

    def _organization_core_weave_organization_i_d(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"entity": {"organization": None}}

    def _get_projects(self, _: dict[str, Any]) -> dict[str, Any]:
        about = {"__typename": "Project", "entityName": ENTITY, "createdAt": WHEN, "isBenchmark": False, "user": None}
        names = {run.project for run in self.runs.values()}
        return {"models": page([{**about, "id": name, "name": name} for name in sorted(names)])}

    def _create_project(self, given: dict[str, Any]) -> dict[str, Any]:
        about = {"__typename": "Project", "entityName": ENTITY, "description": None, "access": None, "views": None}
        return {"upsertModel": {"project": {**about, "id": "p1", "name": given["input"]["name"]}, "inserted": True}}

    def _run(self, given: dict[str, Any]) -> dict[str, Any]:
        run = self.runs.get(given["name"])
        if run is None or run.project != given["project"]:
            return {"project": {"run": None}}
        return {"project": {"run": fragment(run)}}

    # -- artifacts --

    def _versions(self, collection: str) -> "list[Artifact]":
        return [made for made in self.artifacts.values() if made.collection == collection]

    def _project_artifact_type(self, given: dict[str, Any]) -> dict[str, Any]:
        known = any(made.type == given["type"] for made in self.artifacts.values())
        about = {"__typename": "ArtifactType", "id": "t", "name": given["type"], "description": None}
        return {"project": {"artifactType": {**about, "createdAt": WHEN} if known else None}}

    def _artifact_type_artifact_collections(self, given: dict[str, Any]) -> dict[str, Any]:
        kind = given["type"]
        made = {version.collection: version for version in self.artifacts.values() if version.type == kind}
        nodes = [
            {
                "__typename": "ArtifactSequence",
                "id": f"s-{name}",
                "name": name,
                "type": {"name": kind},
                "description": None,
                "createdAt": WHEN,
                "updatedAt": WHEN,
                "project": project(version.project),
                "tags": {"edges": []},
                "aliases": {"edges": []},
            }
            for name, version in made.items()
        ]
        return {"project": {"artifactType": {"__typename": "ArtifactType", "artifactCollections": page(nodes)}}}

    def _project_artifacts(self, given: dict[str, Any]) -> dict[str, Any]:
        committed = [made for made in self._versions(given["collection"]) if made.state == "COMMITTED"]
        found = page([artifact(made) for made in committed])
        for edge, made in zip(found["edges"], committed, strict=True):
            edge["version"] = f"v{made.version}"
        collection = {"__typename": "ArtifactSequence", "artifacts": found}
        return {"project": {"artifactType": {"artifactCollection": collection}}}

    def _artifact_membership_by_name(self, given: dict[str, Any]) -> dict[str, Any]:
        name, _, alias = given["name"].partition(":")
        found = self._versions(name)
        if not found:
            return {"project": {"artifactCollectionMembership": None}}
        made = found[-1] if alias == "latest" else found[int(alias[1:])]
        collection = {"__typename": "ArtifactSequence", "name": name, "project": project(made.project)}
        about = {"__typename": "ArtifactCollectionMembership", "id": "m", "versionIndex": made.version, "aliases": []}
        found_as = {**about, "createdAt": WHEN, "artifactCollection": collection, "artifact": artifact(made)}
        return {"project": {"artifactCollectionMembership": found_as}}

    def _artifact_by_i_d(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"artifact": artifact(self.artifacts[given["id"]])}

    def _fetch_artifact_manifest(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"artifact": {"currentManifest": {"file": {"directUrl": f"{self.url}/manifest/{given['id']}"}}}}

    def _get_artifact_membership_file_urls(self, given: dict[str, Any]) -> dict[str, Any]:
        made = self._versions(given["collection"])[int(given["alias"][1:])]
        nodes = [
            {"__typename": "File", "name": name, "directUrl": f"{self.url}/blob/{hexadecimal(entry['digest'])}"}
            for name, entry in made.manifest["contents"].items()
        ]
        collection = {"__typename": "ArtifactSequence", "artifactMembership": {"files": page(nodes)}}
        return {"project": {"artifactCollection": collection}}

    # -- reports --

    def _project_views(self, given: dict[str, Any]) -> dict[str, Any]:
        user = {"username": ENTITY, "photoUrl": None, "email": ""}
        nodes = [{**view, "user": user} for view in self.views.values() if view["project"]["name"] == given["project"]]
        return {"project": {"allViews": page(nodes)}}

    def _upsert_view(self, given: dict[str, Any]) -> dict[str, Any]:
        new = given["id"] is None
        name = f"v{len(self.views)}" if new else given["id"]
        about = {key: given[key] for key in ("name", "displayName", "description", "spec", "type")}
        where = {"id": "p1", "name": given["projectName"], "entityName": given["entityName"]}
        self.views[name] = {"id": name, **about, "project": where, "createdAt": WHEN, "updatedAt": WHEN}
        return {"upsertView": {"view": self.views[name], "inserted": new}}


def page(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    """All in one page."""
    info = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
    edges = [{"cursor": "", "node": node} for node in nodes]
    return {"pageInfo": info, "edges": edges, "totalCount": len(nodes)}


def project(name: str) -> dict[str, Any]:
    """A project of the one entity."""
    return {"id": "p1", "internalId": "p1", "name": name, "entity": {"id": "e1", "name": ENTITY}}


def named(run: "Run") -> dict[str, Any]:
    """What every answer says of a run."""
    config = json.dumps({name: {"value": value} for name, value in run.config.items()})
    about = {"id": f"r-{run.id}", "name": run.id, "displayName": run.name, "description": "", "config": config}
    return {**about, "sweepName": None, "project": project(run.project)}


def fragment(run: "Run") -> dict[str, Any]:
    """What the public API asks of a run."""
    about = {"state": "finished", "commit": None, "readOnly": False, "createdAt": WHEN, "heartbeatAt": WHEN}
    more = {"notes": None, "systemMetrics": "{}", "historyKeys": None, "user": {"name": "", "username": ENTITY}}
    kept = {"tags": run.tags, "group": run.group, "jobType": run.job_type, "historyLineCount": len(run.history)}
    return {**named(run), **about, **more, **kept, "projectId": "1", "summaryMetrics": json.dumps(run.summary)}


def resumed(run: "Run") -> dict[str, Any]:
    """What a client needs to go on with a run."""
    last = json.dumps(run.history[max(run.history)]) if run.history else "{}"
    counts = {"historyLineCount": len(run.history), "logLineCount": 0, "eventsLineCount": 0}
    tails = {"historyTail": json.dumps([last] if run.history else []), "eventsTail": "[]"}
    about = {"tags": run.tags, "notes": None, "wandbConfig": '{"t": 1}', "summaryMetrics": json.dumps(run.summary)}
    return {**named(run), **counts, **tails, **about}


def artifact(made: "Artifact") -> dict[str, Any]:
    """A version of an artifact."""
    sequence = {"__typename": "ArtifactSequence", "name": made.collection, "project": project(made.project)}
    size = sum(entry.get("size", 0) for entry in made.manifest["contents"].values())
    about = {"__typename": "Artifact", "id": made.id, "versionIndex": made.version, "description": None}
    more = {"ttlDurationSeconds": -2, "ttlIsInherited": True, "tags": [], "historyStep": None, "commitHash": "c"}
    kept = {"state": made.state, "size": size, "digest": made.digest, "fileCount": len(made.manifest["contents"])}
    when = {"createdAt": WHEN, "updatedAt": WHEN, "aliases": []}
    what = {"artifactSequence": sequence, "artifactType": {"name": made.type}, "metadata": json.dumps(made.metadata)}
    return {**about, **more, **kept, **when, **what}


def hexadecimal(digest: str) -> str:
    """The md5 that a client sends in base64."""
    return base64.b64decode(digest).hex()
