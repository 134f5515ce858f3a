"""One file from one address into its part, going on from where an earlier try stopped.

A part goes on where the server says that the file is still the same, or where its sha256 is known and the whole file
is compared with it in the end; else it begins again. Standard library only; addresses and redirects are http(s).
"""

import logging
import re
import socket
import ssl
import string
import time
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.parse import quote, urljoin, urlsplit

from unweave.data.disk_space import check_download_space
from unweave.data.download.partial_file import PartialFile
from unweave.data.download.published_files import RemoteFile
from unweave.foreign import errors_as
from unweave.progress import Task

READ_BYTES = 1 << 18  # bytes that are taken at once
SNIFF_BYTES = 256  # bytes that tell a web page from a file
SPACE_CHECK_BYTES = 32 << 20  # bytes after which the free space is looked at again
GOOD_PROGRESS = 16 << 20  # bytes; a try that brought as many is no failure, and the pauses begin again
MAX_REDIRECTS = 10  # redirects that are followed
MARKUP_ENDINGS = (".html", ".htm", ".xml", ".xhtml", ".svg")  # files that may begin like a web page

logger = logging.getLogger("unweave")


class AddressRefusedError(Exception):
    """This address does not have the file; another one may."""


class NoAnswerError(Exception):
    """There is no answer from this address, or not now."""


class DroppedConnectionError(Exception):
    """The file had begun to arrive and the connection failed; a later try may go on."""


class Patience(NamedTuple):
    """How long an address is given. One that never answers is left at once for the next."""

    timeout: float = 30.0  # seconds without a byte, after which a try has failed
    pauses: tuple[float, ...] = (1.0, 3.0, 9.0, 27.0)  # seconds before each further try of a file that had begun


DEFAULT_PATIENCE = Patience()


def transfer_with_retries(url: str, part: PartialFile, remote: RemoteFile, task: Task, patience: Patience) -> None:
    """Try this address until the file is whole. Raises AddressRefusedError with the last reason."""
    pauses, tries, size_before, has_begun = iter(patience.pauses), 0, part.size, False
    while True:
        try:
            tries += 1
            return transfer_once(url, part, remote, task, patience.timeout)
        except (NoAnswerError, DroppedConnectionError) as error:
            has_begun = has_begun or isinstance(error, DroppedConnectionError)
            if part.size > size_before + GOOD_PROGRESS:
                pauses, size_before = iter(patience.pauses), part.size
            pause = next(pauses, None) if has_begun else None
            if pause is None:
                raise AddressRefusedError(
                    f"{error}, in the last of {tries} tries" if tries > 1 else str(error)
                ) from error
            logger.warning("%s: %s; it goes on in %g s", remote.file, error, pause)
            time.sleep(pause)


def transfer_once(url: str, part: PartialFile, remote: RemoteFile, task: Task, timeout: float) -> None:
    """Bring the part to the end of the file at this address, in one try.

    `timeout` is in seconds, for the connection and for each silence. Raises the three errors above, and OSError where
    the disk is full.
    """
    range_headers = _range_headers(url, part, remote.sha256 is not None)
    if range_headers and part.size == (part.origin["length"] or remote.bytes):
        return
    for headers in (range_headers, {}):
        with _open(url, headers, timeout) as response:
            if response.status == 200 or _continues(response, part, headers):
                _receive(response, url, part, remote, task)
                return
    raise AddressRefusedError("it gives a piece of the file where the whole was asked for")


def _range_headers(url: str, part: PartialFile, verified: bool) -> dict[str, str]:
    """The headers that ask for the rest of the part; {} where it has to begin again."""
    origin = part.origin
    if part.size == 0 or not origin or (origin["length"] is not None and part.size > origin["length"]):
        return {}
    strong = origin["etag"] if origin["etag"] and not origin["etag"].startswith("W/") else None
    validator = (strong or origin["modified"]) if origin["url"] == url else None
    if not validator and not verified:
        return {}
    return {"Range": f"bytes={part.size}-"} | ({"If-Range": validator} if validator else {})


def _continues(response: HTTPResponse, part: PartialFile, headers: dict[str, str]) -> bool:
    """Whether the response is the rest of the same file."""
    start = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if response.status != 206 or not headers or start is None or int(start[1]) != part.size:
        return False
    given = _origin(response)
    lengths = (given.pop("length"), part.origin.get("length"))
    unchanged = all(part.origin.get(key) in (None, value) or not value for key, value in given.items())
    return (None in lengths or lengths[0] == lengths[1]) and ("If-Range" not in headers or unchanged)


def _origin(response: HTTPResponse) -> dict[str, Any]:
    """The validators of the file, and the bytes of the whole of it, where the response says it."""
    pattern, header = (r"/(\d+)\s*$", "Content-Range") if response.status == 206 else (r"^(\d+)$", "Content-Length")
    length = re.search(pattern, response.headers.get(header, ""))
    validators = {"etag": response.headers.get("ETag"), "modified": response.headers.get("Last-Modified")}
    return validators | {"length": int(length[1]) if length else None}


def _receive(response: HTTPResponse, url: str, part: PartialFile, remote: RemoteFile, task: Task) -> None:
    """Append the body to the part, or begin the part anew with it.

    Raises DroppedConnectionError where it ends too early.
    """
    origin = _origin(response)
    length = origin["length"]
    expected, from_start = remote.bytes if length is None else length, response.status == 200
    blocks = _blocks(response, part)
    block = next(blocks)
    _check_is_file(response, block if from_start else b"", remote.file)
    if None not in (length, remote.bytes) and length != remote.bytes:
        raise AddressRefusedError(f"it has {length:,} bytes, expected {remote.bytes:,}")
    if from_start:
        part.restart({"url": url} | origin)
    part.joined = not from_start
    task.update(part.size, total=expected)
    space_checked = None
    while block:
        if space_checked is None or part.size - space_checked > SPACE_CHECK_BYTES:
            check_download_space(part.path.parent, max(0, (expected or 0) - part.size))
            space_checked = part.size
        part.write(block)
        task.update(part.size, total=expected)
        if expected is not None and part.size > expected:
            part.restart({})
            raise AddressRefusedError(f"it sends more than the {expected:,} bytes that are expected")
        block = b"" if part.size == length else next(blocks)
    if expected is not None and part.size < expected:
        raise DroppedConnectionError(f"the connection ended after {part.size:,} of {expected:,} bytes")


def _blocks(response: HTTPResponse, part: PartialFile) -> Iterator[bytes]:
    """The body as it arrives, b"" at its end; the first block is enough to tell what it is.

    Raises DroppedConnectionError.
    """
    with errors_as(
        (OSError, HTTPException), lambda error: DroppedConnectionError(f"{_reason(error)} after {part.size:,} bytes")
    ):
        yield response.read(SNIFF_BYTES)
        while True:
            yield response.read1(READ_BYTES)


def _check_is_file(response: HTTPResponse, head: bytes, file: str) -> None:
    """Raises RefusedError where the server sends a page for people, or packs the file once more."""
    if not file.lower().endswith(MARKUP_ENDINGS):
        content_type = response.headers.get_content_type()
        if content_type == "text/html" or head.lstrip().lower().startswith((b"<!doctype", b"<html")):
            raise AddressRefusedError("it is a web page and not the file: the site wants a login, or the link is dead")
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding != "identity" and not file.lower().endswith((".gz", ".tgz", ".bz2", ".xz", ".z")):
        raise AddressRefusedError(f"the server sends it packed as {encoding!r}, although it was asked not to")


def _open(url: str, headers: dict[str, str], timeout: float) -> HTTPResponse:
    """The response to a request, redirects followed. Raises RefusedError or SilentError."""
    opener = urllib.request.OpenerDirector()  # not build_opener, which would open file: and ftp: as well
    for handler in (urllib.request.ProxyHandler(), urllib.request.HTTPHandler(), urllib.request.HTTPSHandler()):
        opener.add_handler(handler)
    headers = headers | {"User-Agent": "unweave", "Accept-Encoding": "identity"}
    target = url
    for _ in range(MAX_REDIRECTS):
        try:
            if urlsplit(target).scheme not in ("http", "https"):
                raise AddressRefusedError(
                    "it is no http(s) address"
                    if target == url
                    else f"it leads to {target}, which is no http(s) address"
                )
            response: HTTPResponse = opener.open(urllib.request.Request(target, headers=headers), timeout=timeout)
        except (OSError, HTTPException) as error:
            cause = error.reason if isinstance(error, URLError) and isinstance(error.reason, Exception) else error
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise AddressRefusedError(_reason(cause)) from error
            raise NoAnswerError(_reason(cause)) from error
        except ValueError as error:
            raise AddressRefusedError(f"{target!r} is no address: {error}") from error
        if response.status in (200, 206, 416):
            return response
        response.close()
        if response.status not in (301, 302, 303, 307, 308) or "Location" not in response.headers:
            raise _status_error(response.status)
        source, target = target, quote(urljoin(target, response.headers["Location"]), safe=string.punctuation)
        if urlsplit(source).scheme == "https" and urlsplit(target).scheme == "http":
            raise AddressRefusedError(f"it leads from https to {target}, where anybody on the way may change the file")
    raise AddressRefusedError(f"it redirects more than {MAX_REDIRECTS} times")


REFUSALS = {
    **dict.fromkeys((401, 403, 407), "refused ({}): the site wants a login, or the link is dead"),
    **dict.fromkeys((404, 410), "it is not there any more ({})"),
}
"""What a status says of the address."""


def _status_error(code: int) -> AddressRefusedError | NoAnswerError:
    if code in (408, 425, 429) or code >= 500:
        return NoAnswerError(f"the server cannot give it now ({code})")
    return AddressRefusedError(REFUSALS.get(code, "the server answers {}").format(code))


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "the server is silent"
    if isinstance(error, socket.gaierror):
        return "its name is not known: there is no network, or the site is gone"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    return f"the connection failed ({str(error) or type(error).__name__})"
