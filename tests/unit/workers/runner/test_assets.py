"""Assets are read as what they claim to be, or refused with a sentence; nothing in them is run."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.errors import InvalidManifest
from model_store.manifest import FileEntry
from tests.factories.versions import make_manifest
from workers.runner.assets import NO_ASSETS, Assets

ENTRY = FileEntry(sha256="0" * 64, size_bytes=1)


def saved(array: Any, **options: Any) -> bytes:
    """Return what numpy.save writes."""
    file = io.BytesIO()
    np.save(file, np.asarray(array), **options)
    return file.getvalue()


def headed(description: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """Return a .npy file whose header says whatever a test wants."""
    header = description.encode().ljust(117) + b"\n"
    return b"\x93NUMPY" + version + len(header).to_bytes(2 * version[0], "little") + header + data


def asset(folder: Path, data: bytes) -> Assets:
    """Return the assets of a version that has `data` in `x`."""
    (folder / "x").write_bytes(data)
    return Assets({"x": folder / "x"})


def test_assets_are_those_that_the_manifest_has_the_hash_of(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    for name in ("known", "stray"):
        (tmp_path / "assets" / name).write_bytes(b'["a"]')
    assets = Assets.of(tmp_path, make_manifest(files={"model.pt": ENTRY, "assets/known": ENTRY}))

    assert assets.texts("known") == ["a"]
    with pytest.raises(InvalidManifest, match="'stray', which the version does not have"):
        assets.texts("stray")


@pytest.mark.parametrize("name", ["x", "../model.pt", ""])
def test_without_assets_any_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidManifest, match="does not have"):
        NO_ASSETS.ids(name)


@pytest.mark.parametrize("ids", [[], [5], [3, -(2**63), 2**63 - 1, 0]])
@pytest.mark.parametrize("order", ["<i8", ">i8"])
def test_ids_come_back_as_they_were_saved(tmp_path: Path, ids: list[int], order: str) -> None:
    read = asset(tmp_path, saved(np.array(ids, order))).ids("x")

    assert (read.tolist(), read.dtype.name) == (ids, "int64")


def test_the_second_version_of_the_format_is_read_too(tmp_path: Path) -> None:
    data = headed("{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }", b"\7" + bytes(7), version=b"\x02\x00")

    assert asset(tmp_path, data).ids("x").tolist() == [7]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "no array"),
        (b"[1, 2]", "no array"),
        (b"PK\x03\x04", "no array"),
        (pickle.dumps([1, 2]), "no array"),
        (saved(["a"]), "int64 in one dimension"),
        (saved([1.5]), "'<f8'"),
        (saved(np.array([1], np.int32)), "'<i4'"),
        (saved([[1, 2]]), r"shape \(1, 2\)"),
        (saved(5), r"shape \(\)"),
        (saved(np.array([{}, 1]), allow_pickle=True), r"'\|O'"),
        (saved([1, 2])[:-1], "does not hold the 2 ids"),
        (saved([1, 2]) + b"\0", "does not hold the 2 ids"),
        (saved([4, 5, 4]), "1 ids that it has before"),
        (headed("{'descr': '<i8', 'fortran_order': False, 'shape': (900000000000000000,), }"), "does not hold"),
        (headed("{'descr': '<i8', 'fortran_order': False, 'shape': (-1,), }"), "no array"),
        (headed("{'descr': '<i8', 'fortran_order': False, 'shape': (1e9,), }"), "no array"),
        (headed("{'descr': '<i8', 'shape': __import__('os').system('true'), }"), "no array"),
        (headed("(" * 110), "no array"),
        (b"\x93NUMPY\x01\x00", "no array"),
    ],
)
def test_what_holds_no_ids_is_refused(tmp_path: Path, data: bytes, complaint: str) -> None:
    with pytest.raises(InvalidManifest, match=complaint):
        asset(tmp_path, data).ids("x")


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'["a", null]', b'["\xff"]', b'["a"', b"[" * 100_000])
def test_what_holds_no_texts_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InvalidManifest, match="'x' is no JSON list of strings"):
        asset(tmp_path, data).texts("x")
