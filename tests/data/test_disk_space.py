import shutil

import pytest

from unweave.data import disk_space
from unweave.data.disk_space import NoSpaceError, check_cache_space, check_download_space, check_picture_space


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (check_cache_space, r"0\.00 GB are needed in .*, where 0\.07 GB are free\. Set UNWEAVE_CACHE"),
        (
            check_download_space,
            r"1\.0 kB more are needed in .*: 1\.0 kB and some to spare, .* are free\..*UNWEAVE_DATA",
        ),
    ],
)
def test_some_bytes_are_kept_free(tmp_path, monkeypatch, check, message):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=disk_space.RESERVED_BYTES))
    check(tmp_path, 0)
    with pytest.raises(NoSpaceError, match=f"^no space left: {message}"):
        check(tmp_path, 1_000)


def test_a_page_leaves_less_free_than_the_cache(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=disk_space.PICTURE_BYTES))
    check_picture_space(tmp_path)
    with pytest.raises(NoSpaceError, match=r"8\.4 MB are free in .*TMPDIR"):
        check_picture_space(tmp_path, 1)
