"""Looks through a built site: nothing is fetched when a page is read, every link within it leads somewhere.

    python docs/generate/check_links.py build/site

Links to the outside are listed in external-links.txt beside the pages. The exit status is 1 where something is wrong.
"""

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}
"""What a browser loads by itself, and the attribute that says from where."""
NOT_FETCHED = {"next", "prev", "index", "search", "author", "canonical"}
"""Relations of a <link> that a browser does not load."""


class Page(HTMLParser):
    """What a page loads, where it links to, and the places in it that can be linked to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.places = {"", "top"}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        self.places |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag in FETCHED and FETCHED[tag] in found and found.get("rel") not in NOT_FETCHED:
            self.loads.append(found[FETCHED[tag]])


def faults(site: Path) -> Iterator[str]:
    """What is wrong in a site, a sentence each."""
    pages = {path.resolve(): Page(path) for path in written_pages(site)}
    for path, page in pages.items():
        shown = path.relative_to(site.resolve())
        yield from (f"{shown} loads {address}" for address in page.loads if is_outside(address))
        for link in (*page.loads, *page.links):
            target = urlsplit(link)
            if is_outside(link) or target.scheme:
                continue
            there = (path.parent / unquote(target.path)).resolve() if target.path else path
            if not there.exists():
                yield f"{shown} links to {link}, which is not there"
            elif there in pages and unquote(target.fragment) not in pages[there].places:
                yield f"{shown} links to {link}, and there is no such place"


def outside(site: Path) -> list[str]:
    """Every address outside the site that a page links to, sorted."""
    return sorted({link for path in written_pages(site) for link in Page(path).links if is_outside(link)})


def written_pages(site: Path) -> list[Path]:
    """The pages of a site without the theme's templates."""
    return [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]


def is_outside(address: str) -> bool:
    return address.startswith("//") or urlsplit(address).scheme in ("http", "https")


def main(site: Path) -> int:
    (site / "external-links.txt").write_text("\n".join(outside(site)) + "\n")
    found = list(faults(site))
    print("\n".join(found), file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
