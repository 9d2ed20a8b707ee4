"""As much of a server of wandb as its own client needs to upload runs and to make a workspace."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

OWNER = {"id": "E", "name": "me"}
PROJECT = {"id": "P", "internalId": "1", "name": "babelscope", "entity": OWNER}


@dataclass
class Server:
    """What was uploaded."""

    url: str = ""
    history: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Lines of every run, by its id, each put at the offset that the client said."""
    exits: dict[str, list[int]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    views: list[dict[str, Any]] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)

    def answer(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        """Answer one question of GraphQL."""
        run = given.get("name") or ""
        lines = self.history.get(run)
        if name == "RunResumeStatus":
            tail = json.dumps([json.dumps({"_step": lines[-1]["_step"], "_runtime": 1})]) if lines else "[]"
            known = {"name": run, "historyLineCount": len(lines or []), "eventsLineCount": 0, "logLineCount": 0}
            known |= {"historyTail": tail, "eventsTail": "[]", "summaryMetrics": "{}", "config": "{}", "tags": []}
            known |= {"displayName": run, "wandbConfig": '{"t": 1}'}
            return {"model": {**PROJECT, "bucket": None if lines is None else known}}
        if name == "UpsertBucket":
            self.groups.setdefault(run, given.get("groupName") or "")
            bucket = {"id": "B", "name": run, "displayName": run, "historyLineCount": len(lines or [])}
            return {"upsertBucket": {"bucket": {**bucket, "project": PROJECT}, "inserted": lines is None}}
        if name == "CreateRunFiles":
            files = [{"name": file, "uploadUrl": f"{self.url}/upload/{file}"} for file in given["files"]]
            return {"createRunFiles": {"runID": "B", "uploadHeaders": [], "files": files}}
        if name == "UpsertView2":
            self.views.append(given)
            return {"upsertView": {"view": {"id": "V", "name": given["name"]}, "inserted": True}}
        viewer = {"id": "U", "entity": "me", "username": "me", "flags": "{}", "teams": {"edges": []}}
        return {"viewer": viewer, "serverInfo": {}}

    def stream(self, run: str, said: dict[str, Any]) -> None:
        """Take what the client streams."""
        history = (said.get("files") or {}).get("wandb-history.jsonl")
        if history:
            lines = self.history.setdefault(run, [])
            lines[history["offset"] :] = map(json.loads, history["content"])
        if "exitcode" in said:
            self.exits.setdefault(run, []).append(said["exitcode"])


@contextmanager
def wandb_server() -> Iterator[Server]:
    """Serve on a free port of this machine."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def _body(self) -> bytes:
            body = b""
            if self.headers.get("Transfer-Encoding") == "chunked":
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            else:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

        def _answer(self, answer: Any) -> None:
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_PUT(self) -> None:
            self._body()
            server.files.append(self.path.removeprefix("/upload/"))
            self._answer({})

        def do_POST(self) -> None:
            body = self._body()
            if self.path.endswith("/graphql"):
                asked = json.loads(body)
                name = asked.get("operationName") or asked["query"].split("(")[0].split("{")[0].split()[-1]
                self._answer({"data": server.answer(name, asked.get("variables") or {})})
                return
            if self.path.endswith("/file_stream"):
                server.stream(self.path.split("/")[-2], json.loads(body))
            self._answer({})

    class Http(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A client that hangs up is no matter."""

    with Http(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_port}"
        thread = Thread(target=http.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
