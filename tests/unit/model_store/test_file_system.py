"""A URL leads to its file system, or to a sentence that says of what it is."""

from pathlib import Path

import pytest

from app.errors import StoreUnreachable
from model_store.file_system import open_file_system


def test_folder_is_a_file_system(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    file_system, root = open_file_system(str(tmp_path), what="the test")

    assert file_system.cat_file(f"{root}/a") == b"1"


def test_url_that_nothing_reaches_is_refused() -> None:
    with pytest.raises(StoreUnreachable, match="The URL of the files of the test cannot be used"):
        open_file_system("nowhere://x", what="the files of the test")
