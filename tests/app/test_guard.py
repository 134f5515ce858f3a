from types import SimpleNamespace

import pytest

pytest.importorskip("gradio")

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from unweave.app import guard
from unweave.app.guard import Guard, host_name, waiting_visitors

PATHS = ("/", "/gradio_api/upload", "/gradio_api/queue/join")


def client(loopback: bool = True, waiting: list[str] | None = None) -> TestClient:
    routes = [Route(path, lambda _: PlainTextResponse("seen"), methods=["GET", "POST"]) for path in PATHS]
    middleware = [Middleware(Guard, loopback=loopback, waiting=lambda: waiting or [])]
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
    monkeypatch.setattr(guard, "MAX_PICTURES", 3)
    monkeypatch.setattr(guard, "MAX_BYTES", 100)
    monkeypatch.setattr(guard, "MAX_REQUEST_BYTES", 60)

    def upload(visitor: TestClient, size: int) -> int:
        return visitor.post("/gradio_api/upload", content=b"x" * size).status_code

    one, other = client(), client()
    assert [upload(one, size) for size in (61, 50, 50, 50)] == [413, 200, 200, 429]
    assert [upload(other, 1) for _ in range(4)] == [200, 200, 200, 429]
    monkeypatch.setattr(guard, "HOUR", -1.0)
    assert upload(one, 50) == 200
    assert one.post("/gradio_api/upload", content=iter([b"x"])).status_code == 411


def test_one_visitor_cannot_fill_the_queue() -> None:
    waiting = ["testclient"] * guard.MAX_WAITING
    assert client(waiting=waiting).post("/gradio_api/queue/join").status_code == 429
    assert client(waiting=["another"] * guard.MAX_WAITING).post("/gradio_api/queue/join").status_code == 200


def test_who_waits_is_read_from_the_queue() -> None:
    event = SimpleNamespace(request=SimpleNamespace(client=SimpleNamespace(host="10.0.0.7")))
    queue = SimpleNamespace(event_queue_per_concurrency_id={"model": SimpleNamespace(queue=[event, event])})
    assert waiting_visitors(SimpleNamespace(_queue=queue))() == ["10.0.0.7", "10.0.0.7"]
    assert host_name("[::1]:80") == "::1"
