from pathlib import Path

import check_links


def site(folder: Path, body: str) -> Path:
    (folder / "a.html").write_text(f"<html><body>{body}</body></html>")
    (folder / "b.html").write_text('<html><body><h1 id="here">b</h1></body></html>')
    return folder


def test_a_whole_site_has_no_faults(tmp_path: Path) -> None:
    whole = site(tmp_path, '<a href="b.html#here">b</a> <a href="https://example.org/x">x</a> <a href="#">top</a>')
    assert check_links.main(whole) == 0
    assert (tmp_path / "external-links.txt").read_text() == "https://example.org/x\n"


def test_dead_links_and_places_and_what_is_fetched_are_named(tmp_path: Path) -> None:
    broken = site(tmp_path, '<a href="c.html">c</a><a href="b.html#there">b</a><img src="https://example.org/i.png">')
    found = "\n".join(check_links.faults(broken))
    assert "c.html, which is not there" in found
    assert "b.html#there, and there is no such place" in found
    assert "a.html loads https://example.org/i.png" in found
    assert check_links.main(broken) == 1
