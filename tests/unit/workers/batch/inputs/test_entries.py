"""Names in archives."""

import pytest

from app.errors import InvalidInput, RefusedEntry
from workers.batch.inputs.entries import MOST_ENTRIES, check_count, check_name, is_litter


@pytest.mark.parametrize("name", ["__MACOSX/a.png", "a/.DS_Store", "._a.png", "a/__MACOSX/b/c", "./._a"])
def test_litter_of_macos_is_known(name: str) -> None:
    assert is_litter(name)


@pytest.mark.parametrize("name", ["a.png", "__MACOSX", "a_.DS_Store", "x.__MACOSX/a", ".hidden", "_.a", ""])
def test_other_files_are_no_litter(name: str) -> None:
    assert not is_litter(name)


@pytest.mark.parametrize("name", ["a.png", "./a.png", "a/b..png", "ä ö/猫.png", "...", "ab:c"])
def test_names_of_files_are_taken(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name", ["../a", "a/../b", "a/..", "/etc/passwd", "C:\\a", "c:a", "..\\a", "", "a\0b", "a\nb", "a" * 1025, "\ud800"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(RefusedEntry):
        check_name(name)


def test_entries_are_counted() -> None:
    check_count(MOST_ENTRIES)
    with pytest.raises(InvalidInput, match="more than 1000000 entries"):
        check_count(MOST_ENTRIES + 1)
