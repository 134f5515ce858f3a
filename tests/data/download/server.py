"""A web server on 127.0.0.1 that misbehaves as it is told to. It stops with its `with`, or after a minute."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Answer:
    """What is said to one request."""

    data: bytes = b""
    status: int = 200
    etag: str | None = None
    modified: str | None = None
    kind: str | None = "application/octet-stream"
    location: str | None = None  # of a redirect
    ranges: bool = True  # False: Range is ignored
    if_range: bool = True  # False: If-Range is ignored
    length: bool = True  # False: no Content-Length; the end of the connection is the end of the file
    chunked: bool = False
    drop: int | None = None  # bytes after which the connection is closed
    hang: int | None = None  # bytes after which nothing is sent any more; -1: not even the headers
    pause: float = 0.0  # seconds before each thousand bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Site:
    """Answers by path: each is given once, in turn, and the last one for ever."""

    address: str = ""
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)  # path and Range of every request
    closing: threading.Event = field(default_factory=threading.Event)

    def serve(self, path: str, *answers: Answer) -> str:
        """Give these answers at the path; its address."""
        self.answers[path] = list(answers)
        return self.address + path

    def ranges(self, path: str) -> list[str | None]:
        return [range_header for requested_path, range_header in self.requests if requested_path == path]


@contextmanager
def served() -> Iterator[Site]:
    """A site that is up."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def log_message(self, format, *args):
            pass

        def do_GET(self):
            self.close_connection = True
            site.requests.append((self.path, self.headers["Range"]))
            answers = site.answers.get(self.path, [Answer(status=404)])
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            with suppress(ConnectionError):
                send_answer(self, answer, site.closing)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    site.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    alarm = threading.Timer(60, server.shutdown)
    alarm.daemon = True
    thread.start()
    alarm.start()
    try:
        yield site
    finally:
        site.closing.set()
        alarm.cancel()
        server.shutdown()
        server.server_close()


def send_answer(handler: BaseHTTPRequestHandler, answer: Answer, closing: threading.Event) -> None:
    """Send an answer."""
    if answer.hang == -1:
        closing.wait(60)
        return
    start, status = status_and_start(handler, answer)
    body = answer.data[start:] if status < 300 else answer.data
    handler.send_response(status)
    if status == 206:
        handler.send_header("Content-Range", f"bytes {start}-{len(answer.data) - 1}/{len(answer.data)}")
    if status == 416:
        handler.send_header("Content-Range", f"bytes */{len(answer.data)}")
        body = b""
    headers = {"ETag": answer.etag, "Last-Modified": answer.modified, "Content-Type": answer.kind}
    headers |= {"Location": answer.location, "Transfer-Encoding": "chunked" if answer.chunked else None}
    headers |= {
        "Content-Length": str(len(body)) if answer.length and not answer.chunked else None,
        "Connection": "close",
    }
    for name, value in (headers | answer.headers).items():
        if value is not None:
            handler.send_header(name, value)
    handler.end_headers()
    stop = min(len(body), *(limit for limit in (answer.drop, answer.hang) if limit is not None), len(body))
    for position in range(0, stop, 1000):
        time.sleep(answer.pause)
        piece = body[position : min(position + 1000, stop)]
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if answer.chunked else piece)
    if answer.hang is not None:
        closing.wait(60)
    elif answer.chunked and answer.drop is None:
        handler.wfile.write(b"0\r\n\r\n")


def status_and_start(handler: BaseHTTPRequestHandler, answer: Answer) -> tuple[int, int]:
    """The first byte that is sent, and the status."""
    range_header, validator = handler.headers["Range"], handler.headers["If-Range"]
    unchanged = validator is None or not answer.if_range or validator in (answer.etag, answer.modified)
    if answer.status != 200 or range_header is None or not answer.ranges or not unchanged:
        return 0, answer.status
    start = int(range_header.removeprefix("bytes=").removesuffix("-"))
    return start, 206 if start < len(answer.data) else 416
