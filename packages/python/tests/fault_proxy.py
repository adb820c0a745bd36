"""A proxy between the client and the service, on which a test can put faults.

Invariant: nothing is changed on the way unless a fault says so, the Host header least of all, since it is signed.
"""

import http.client
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable
from urllib.parse import urlsplit

PIECE_BYTES = 16 * 1024


@dataclass
class Fault:
    """What the next request with this method and a path that contains `path` meets."""

    method: str
    path: str
    #: The connection breaks once so much of the request's body has come.
    cut_request_after: int | None = None
    #: All is passed on, and the connection breaks instead of an answer.
    lose_answer: bool = False
    #: The connection breaks once so much of the answer's body went out.
    cut_answer_after: int | None = None
    #: Answered here: status, headers, body.
    answer: tuple[int, dict[str, str], bytes] | None = None
    #: The answer's body is another.
    rewrite: Callable[[bytes], bytes] | None = None
    #: How many requests meet it.
    times: int = 1


@dataclass
class FaultProxy:
    target: str
    faults: list[Fault] = field(default_factory=list)
    #: Method, path, headers with names in lower case.
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def __enter__(self) -> "FaultProxy":
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_any(self) -> None:
                proxy.passed(self)

            do_GET = do_PUT = do_POST = do_DELETE = do_any

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def seen(self, method: str, path: str) -> list[dict[str, str]]:
        """The headers of those requests."""
        return [headers for own, at, headers in self.requests if own == method and path in at]

    def passed(self, handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.requests.append((handler.command, handler.path, headers))
        fault = self._fault_for(handler)
        body = self._read(handler, int(headers.get("content-length", "0")), fault)
        if body is None:
            return
        if fault.answer is not None:
            status, given, content = fault.answer
            self._answer(handler, status, given | {"Content-Length": str(len(content))}, content)
            return
        target = urlsplit(self.target)
        connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)
        connection.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
        for name, value in handler.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        if fault.lose_answer:
            return
        given = dict(response.getheaders())
        if fault.rewrite is not None:
            content = fault.rewrite(content)
            given = {name: value for name, value in given.items() if name.lower() != "content-length"}
            given["Content-Length"] = str(len(content))
        self._answer(handler, response.status, given, content[: fault.cut_answer_after])

    def _fault_for(self, handler: BaseHTTPRequestHandler) -> Fault:
        for fault in self.faults:
            if fault.times > 0 and fault.method == handler.command and fault.path in handler.path:
                fault.times -= 1
                return fault
        return Fault("", "")

    def _read(self, handler: BaseHTTPRequestHandler, length: int, fault: Fault) -> bytes | None:
        body = b""
        while len(body) < length:
            if fault.cut_request_after is not None and len(body) >= fault.cut_request_after:
                return None
            piece = handler.rfile.read(min(PIECE_BYTES, length - len(body)))
            if not piece:
                return None
            body += piece
        return body

    def _answer(self, handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes) -> None:
        handler.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("connection", "transfer-encoding"):
                handler.send_header(name, value)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(body)
