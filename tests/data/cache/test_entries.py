import json
import shutil

import pytest

from unweave.data.cache import cache, entries
from unweave.data.formats import npz


def test_entries_are_listed_and_deleted(noise):
    assert entries.list_entries() == []
    first = npz.build(npz.NpzSettings(path=noise))
    (entry,) = entries.list_entries()
    assert entry[:3] == (first.folder, "noise", 50)
    assert entry.whole
    assert 50 * 768 < entry.bytes < 200_000
    broken = cache.root() / "sets" / "npz-damaged"
    shutil.copytree(first.folder, broken)
    (broken / "meta.json").write_text('{"name": ')
    part = cache.root() / "sets" / "folder-0123.part"
    part.mkdir()
    (part / "progress.json").write_text(json.dumps({"facts": {"name": "mine", "count": 7, "shape": [3, 8, 8]}}))
    (cache.root() / "sets" / "a file").write_text("")
    assert sorted((entry.name, entry.images, entry.whole) for entry in entries.list_entries()) == [
        ("mine", 7, False),
        ("noise", 50, True),
        ("npz-damaged", 0, False),
    ]
    for entry in entries.list_entries():
        entries.delete_entry(entry)
        entries.delete_entry(entry)  # it may be gone
    assert entries.list_entries() == []
    assert npz.build(npz.NpzSettings(path=noise)).digest() == first.digest()


def test_a_set_in_the_making_is_not_deleted(noise):
    folder = npz.build(npz.NpzSettings(path=noise)).folder
    entry = entries.list_entries()[0]
    with (
        entries.FileLock(cache.root() / "locks" / f"{folder.name}.lock"),
        pytest.raises(ValueError, match="being made"),
    ):
        entries.delete_entry(entry)
    assert folder.exists()
