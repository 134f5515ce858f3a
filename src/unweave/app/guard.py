"""What is asked of a request before the explorer sees it: where it comes from, and how much its visitor asks for.

A page of another site that a person has open can send requests to this machine, too. On loopback a request must name
this machine (`Host`), and whatever says where it comes from (`Origin`) must name the host that it goes to.
"""

import json
import re
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from unweave.data.disk_space import NoSpaceError, check_picture_space

LOOPBACK = ("127.0.0.1", "localhost", "::1")
HOUR = 3600.0  # seconds that an upload counts for
QUEUE_PLACES = 256  # events that wait at a time
MAX_WAITING = 192  # of them those of one address, behind which a whole class may be
MAX_OF_PAGE = 24  # and those of one page that a person has open
BESIDE_QUEUE = re.compile(r"(/open/[^/]+)?/(gradio_api/)?(run|api|call|stream|component_server|mcp)(/|$)")
"""Gradio's other ways to a function of a page, which have neither its queue nor its order."""


FETCHES = re.compile(r"/(file=\s*https?:|proxy=)", re.IGNORECASE)
"""What makes Gradio fetch an address from this machine."""


NO_FETCHING = "nothing is fetched for a page: bring the picture itself."


class Visitor(NamedTuple):
    """Who asks: an address, and which of the pages that are open there."""

    address: str
    page: str


class UploadLimits(NamedTuple):
    """How much a visitor uploads."""

    request_bytes: int = 21 << 20  # of one request: a picture of 20 MB, and what goes around it
    files: int = 1  # of one request
    pictures: int = 300  # requests in an hour
    bytes: int = 500 << 20  # in an hour


ONE_PICTURE = UploadLimits()


class Guard:
    """An ASGI middleware. `waiting` gives the visitors of all events that wait in the queue.

    `proxies` are names under which a request may come to loopback, too: those of proxies on this machine.
    """

    def __init__(
        self,
        app: ASGIApp,
        loopback: bool,
        waiting: Callable[[], Iterable[Visitor]],
        limits: UploadLimits = ONE_PICTURE,
        proxies: Sequence[str] = (),
    ) -> None:
        self.app, self.loopback, self.waiting, self.limits = app, loopback, waiting, limits
        self.hosts = {*LOOPBACK, *(proxy.lower() for proxy in proxies)}
        self.uploads: dict[str, deque[tuple[float, int]]] = defaultdict(deque)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers, visitor = Headers(scope=scope), (scope.get("client") or ("unknown", 0))[0]
        status, reason = self.refusal(
            scope["method"] if scope["type"] == "http" else "", scope["path"], headers, visitor
        )
        if status:
            plain = is_upload(scope.get("method", ""), scope["path"])  # of which the page shows the text as it is
            answer: Response = (
                PlainTextResponse(reason, status)
                if plain
                else JSONResponse({"detail": reason, "error": reason}, status)
            )
            await answer(scope, receive, send)
            return
        if scope.get("method") == "POST" and scope["path"].endswith("/queue/join"):
            body = await read_body(receive)
            status, reason = (403, NO_FETCHING) if names_address(body) else self.refusal_to_wait(body, visitor)
            if status:
                await JSONResponse({"detail": reason, "error": reason}, status)(scope, receive, send)
                return
            receive = replay(body, receive)
        if is_upload(scope.get("method", ""), scope["path"]):
            receive = receive_files(receive, headers.get("content-type", ""), self.limits.files)
        await self.app(scope, receive, send)

    def refusal(self, method: str, path: str, headers: Headers, visitor: str) -> tuple[int, str]:
        """The status and the reason of a refusal; 0 and "" for a request that may pass."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if self.loopback and host_name(host) not in self.hosts:
            return 403, f"this page is for this machine alone, and the request names {host[:100]!r}."
        if origin is not None and not self._is_own(origin, host):
            return 403, f"the request comes from another page, {origin[:100]!r}."
        if BESIDE_QUEUE.match(path):
            return 403, "the page is asked through its queue alone."
        if FETCHES.search(path):
            return 403, NO_FETCHING
        if is_upload(method, path):
            return self._refused_upload(headers.get("content-length", ""), visitor)
        return 0, ""

    def refusal_to_wait(self, body: bytes, address: str) -> tuple[int, str]:
        """The same for one that wants a place in the queue."""
        waiting = [visitor for visitor in self.waiting() if visitor.address == address]
        page = page_of(body)
        if len(waiting) >= MAX_WAITING or sum(visitor.page == page for visitor in waiting) >= MAX_OF_PAGE:
            return 429, "too many of your edits wait already: let some end first."
        return 0, ""

    def _is_own(self, origin: str, host: str) -> bool:
        theirs = origin.partition("://")[2]
        if self.loopback and host_name(theirs) in LOOPBACK:
            return theirs.rpartition(":")[2] == host.rpartition(":")[2]  # the same port
        return theirs == host

    def _refused_upload(self, length: str, visitor: str) -> tuple[int, str]:
        if not length.isdecimal():
            return 411, "an upload must say how long it is (Content-Length)."
        limits = self.limits
        if int(length) > limits.request_bytes:
            return 413, f"a picture may have {limits.request_bytes >> 20} MB, got {int(length) >> 20}."
        try:
            check_picture_space(Path(tempfile.gettempdir()), int(length))
        except NoSpaceError as error:
            return 507, str(error)
        earlier, now = self.uploads[visitor], time.monotonic()
        while earlier and now - earlier[0][0] > HOUR:
            earlier.popleft()
        if len(earlier) >= limits.pictures or sum(size for _, size in earlier) + int(length) > limits.bytes:
            return 429, f"{limits.pictures} pictures or {limits.bytes >> 20} MB an hour are taken: come back later."
        earlier.append((now, int(length)))
        return 0, ""


def is_upload(method: str, path: str) -> bool:
    """Whether a request brings files."""
    return method == "POST" and path.endswith("/upload")


def receive_files(receive: Receive, content_type: str, most: int = 1) -> Receive:
    """The same body of a form, as far as one part more than `most`: there MultiPartException is raised.

    Nothing is kept of the body but what may be the beginning of a delimiter.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    delimiter, end, parts = b"--" + boundary + b"\r\n", b"", 0

    async def counted() -> Message:
        nonlocal end, parts
        message = await receive()
        body = end + message.get("body", b"")
        parts, end = parts + body.count(delimiter), body[1 - len(delimiter) :]
        if parts > most:
            raise MultiPartException("one picture at a time." if most == 1 else f"at most {most} files at a time.")
        return message

    return counted


async def read_body(receive: Receive) -> bytes:
    """The whole body of a request."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message["type"] == "http.request" and message.get("more_body", False)
    return bytes(body)


def replay(body: bytes, receive: Receive) -> Receive:
    """A body that was read already, then what comes after it."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return left.pop() if left else await receive()

    return again


def names_address(body: bytes) -> bool:
    """Whether a file of a JSON text lies at an address, from where Gradio would fetch it."""
    try:
        waiting = [json.loads(body)]
    except ValueError:  # which is refused by whoever reads it
        return False
    except RecursionError:
        return True
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            path = value.get("path")
            if isinstance(path, str) and path.strip().lower().startswith(("http:", "https:")):
                return True
        if isinstance(value, (dict, list)):
            waiting.extend(value.values() if isinstance(value, dict) else value)
    return False


def page_of(body: bytes) -> str:
    """The page that an event comes from, by the name that it has for itself; "" where it says none."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return str(said.get("session_hash", "")) if isinstance(said, dict) else ""


def host_name(host: str) -> str:
    """A host without its port, without the brackets of IPv6."""
    try:
        return "" if "@" in host or "/" in host else urlsplit(f"//{host}").hostname or ""
    except ValueError:  # half of a bracket
        return ""


def waiting_visitors(page: Any) -> Callable[[], list[Visitor]]:
    """The visitors of all events that wait in the queue of a page of Gradio."""

    def waiting() -> list[Visitor]:
        queues = page._queue.event_queue_per_concurrency_id.values()
        events = [event for queue in queues for event in list(queue.queue)]
        return [
            Visitor(event.request.client.host, str(event.session_hash))
            for event in events
            if event.request.client is not None
        ]

    return waiting
