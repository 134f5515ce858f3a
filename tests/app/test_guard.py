import asyncio
import json
import shutil
from types import SimpleNamespace

import pytest

pytest.importorskip("gradio")

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message

from unweave.app import guard
from unweave.app.guard import ONE_PICTURE, Guard, UploadLimits, Visitor, host_name, receive_files, waiting_visitors

PATHS = ("/", "/gradio_api/upload", "/gradio_api/queue/join")


async def answer(request: Request) -> PlainTextResponse:
    if request.url.path.endswith("/upload") and "content-type" in request.headers:
        await request.form()
    return PlainTextResponse("seen")


def client(
    loopback: bool = True, waiting: list[Visitor] | None = None, limits: UploadLimits = ONE_PICTURE
) -> TestClient:
    routes = [Route(path, answer, methods=["GET", "POST"]) for path in PATHS]
    middleware = [Middleware(Guard, loopback=loopback, waiting=lambda: waiting or [], limits=limits)]
    return TestClient(Starlette(routes=routes, middleware=middleware), base_url="http://127.0.0.1:7860")


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "[::1]:7860", "LOCALHOST"])
def test_this_machine_may_ask(host: str) -> None:
    assert client().get("/", headers={"host": host}).text == "seen"
    assert client().post("/", headers={"host": host, "origin": f"http://{host}"}).text == "seen"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:7860", "", "a@127.0.0.1", "[::1"]
)
def test_a_name_that_was_bound_to_this_machine_is_refused(host: str) -> None:
    assert client().get("/", headers={"host": host}).status_code == 403


def test_a_proxy_that_is_named_may_ask_from_its_own_pages() -> None:
    guarded = Guard(Starlette(), loopback=True, waiting=list, proxies=["Studio.example"])

    def status(**headers: str) -> int:
        return guarded.refusal("GET", "/", Headers(headers), "127.0.0.1")[0]

    assert status(host="studio.example") == status(host="studio.example", origin="https://studio.example") == 0
    assert status(host="127.0.0.1:7860") == 0
    assert status(host="other.example") == status(host="studio.example", origin="https://evil.example") == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:8000", "https://localhost.evil.example"]
)
@pytest.mark.parametrize("path", PATHS)
def test_another_page_may_not_ask(origin: str, path: str) -> None:
    assert client().post(path, headers={"origin": origin}, content=b"x").status_code == 403


def test_a_page_for_everyone_takes_its_own_origin_alone() -> None:
    everyone = client(loopback=False)
    assert everyone.get("/", headers={"host": "space.example"}).text == "seen"
    own = {"host": "space.example", "origin": "https://space.example"}
    assert everyone.post("/", headers=own).text == "seen"
    assert everyone.post("/", headers={**own, "origin": "https://evil.example"}).status_code == 403


def test_a_visitor_has_so_many_pictures_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = UploadLimits(request_bytes=60, pictures=3, bytes=100)

    def upload(visitor: TestClient, size: int) -> int:
        return visitor.post("/gradio_api/upload", content=b"x" * size).status_code

    one, other = client(limits=limits), client(limits=limits)
    assert [upload(one, size) for size in (61, 50, 50, 50)] == [413, 200, 200, 429]
    assert [upload(other, 1) for _ in range(4)] == [200, 200, 200, 429]
    monkeypatch.setattr(guard, "HOUR", -1.0)
    assert upload(one, 50) == 200
    assert one.post("/gradio_api/upload", content=iter([b"x"])).status_code == 411


def test_nothing_is_taken_where_the_disk_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000))
    answer = client().post("/gradio_api/upload", content=b"x")
    assert answer.status_code == 507
    assert answer.text.startswith("no space left: 1.0 kB are free")


def test_a_request_brings_one_picture() -> None:
    def upload(count: int, content: bytes) -> int:
        files = [("files", (f"{i}.png", content)) for i in range(count)]
        return client().post("/gradio_api/upload", files=files).status_code

    for content in (b"", b"x" * 20_000):  # in one piece, and in several
        assert [upload(count, content) for count in (1, 2, 1_000)] == [200, 400, 400]


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_parts_are_counted_however_the_body_is_cut(size: int) -> None:
    part = b'--mark\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\npixels\r\n'

    async def read(body: bytes) -> bytes:
        pieces = iter([body[i : i + size] for i in range(0, len(body), size)])

        async def receive() -> Message:
            return {"type": "http.request", "body": next(pieces, b"")}

        counted, got = receive_files(receive, "multipart/form-data; boundary=mark"), b""
        while piece := (await counted())["body"]:
            got += piece
        return got

    assert asyncio.run(read(part + b"--mark--\r\n")) == part + b"--mark--\r\n"
    with pytest.raises(MultiPartException, match="one picture"):
        asyncio.run(read(part + part))


@pytest.mark.parametrize("path", ["run/predict", "api/predict/", "call/swap", "call/v2/swap", "stream/3"])
def test_nothing_goes_past_the_queue(path: str) -> None:
    for prefix in ("/", "/gradio_api/"):
        assert client().post(f"{prefix}{path}", json={}).status_code == 403
    assert client().get("/gradio_api/file=/run/user/call/a.png").status_code == 404  # no such route here: it may pass


def test_one_visitor_cannot_fill_the_queue() -> None:
    def status(address: str, page: str, count: int) -> int:
        asked = client(waiting=[Visitor(address, page)] * count)
        return asked.post("/gradio_api/queue/join", json={"session_hash": "mine"}).status_code

    assert status("testclient", "mine", guard.MAX_OF_PAGE) == 429
    assert status("testclient", "another", guard.MAX_OF_PAGE) == status("another", "mine", guard.MAX_OF_PAGE) == 200
    assert status("testclient", "another", guard.MAX_WAITING) == 429
    assert status("another", "another", guard.MAX_WAITING) == 200


@pytest.mark.parametrize("prefix", ["/", "/gradio_api/", "/open/runs-a/gradio_api/"])
@pytest.mark.parametrize("address", ["file=http://10.0.0.1/a", "file=HTTPS://a.example/b", "proxy=http://a.example"])
def test_no_address_is_fetched_for_a_visitor(prefix: str, address: str) -> None:
    assert client().get(prefix + address).status_code == 403


def test_no_file_of_an_edit_lies_at_an_address() -> None:
    async def echo(request: Request) -> PlainTextResponse:
        return PlainTextResponse(await request.body())

    middleware = [Middleware(Guard, loopback=True, waiting=list)]
    app = Starlette(routes=[Route("/queue/join", echo, methods=["POST"])], middleware=middleware)
    page = TestClient(app, base_url="http://127.0.0.1")
    meta = {"_type": "gradio.FileData"}
    own = {"data": [{"path": "/tmp/a.png", "url": "http://127.0.0.1/gradio_api/file=/tmp/a.png", "meta": meta}]}
    assert page.post("/queue/join", json=own).json() == own
    for encoding in ("utf-8", "utf-16"):
        theirs = json.dumps({"data": [[{"a": {"path": "http://10.0.0.1/a.png", "meta": meta}}]]})
        assert page.post("/queue/join", content=theirs.encode(encoding)).status_code == 403
    assert page.post("/queue/join", content=b"[" * 100_000).status_code in (200, 403)
    assert page.post("/queue/join", content=b"no json").text == "no json"


def test_who_waits_is_read_from_the_queue() -> None:
    event = SimpleNamespace(request=SimpleNamespace(client=SimpleNamespace(host="10.0.0.7")), session_hash="a")
    queue = SimpleNamespace(event_queue_per_concurrency_id={"model": SimpleNamespace(queue=[event, event])})
    assert waiting_visitors(SimpleNamespace(_queue=queue))() == [("10.0.0.7", "a")] * 2
    assert host_name("[::1]:80") == "::1"
