"""A version appears whole, proven and once; whatever fails leaves nothing behind."""

import dataclasses
import hashlib
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.errors import (
    DigestMismatch,
    GalleyError,
    InvalidManifest,
    InvalidName,
    MissingFile,
    SampleMismatch,
    StoreError,
    VersionExists,
)
from model_store.manifest import FileEntry, Manifest, decode_manifest
from model_store.model_ref import ModelRef
from model_store.publisher import VersionDraft, publish, sweep_staging
from model_store.reader import ModelStore
from tests.factories.versions import accept, make_draft, make_manifest, make_store, publish_bytes

RACERS = 8


def refuse(_folder: Path) -> None:
    raise SampleMismatch("the proof failed")


def everything_in(store: ModelStore) -> list[str]:
    """Return all files of the store, and what still lies in its staging folder."""
    files: list[str] = store.file_system.find(store.root) if store.file_system.exists(store.root) else []
    return [*files, *map(str, store.staging_dir.glob("*"))]


def test_the_manifest_gets_name_version_time_and_hashes(store: ModelStore, tmp_path: Path) -> None:
    ref = publish_bytes(store, tmp_path, artifact=b"weights")
    manifest = store.manifest(ref)

    entry = FileEntry(sha256=hashlib.sha256(b"weights").hexdigest(), size_bytes=7)
    assert (manifest.name, manifest.version, manifest.files) == ("tiny", 1, {"model.pt": entry})
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", manifest.created_at)


def test_without_a_number_the_next_one_is_taken(store: ModelStore, tmp_path: Path) -> None:
    publish_bytes(store, tmp_path, version=4)

    assert publish_bytes(store, tmp_path) == ModelRef("tiny", 5)
    assert publish_bytes(store, tmp_path, version=2) == ModelRef("tiny", 2)
    assert publish_bytes(store, tmp_path) == ModelRef("tiny", 6)


def test_a_version_is_never_replaced(store: ModelStore, tmp_path: Path) -> None:
    ref = publish_bytes(store, tmp_path, version=1, artifact=b"first")
    before = store.digest(ref)

    with pytest.raises(VersionExists, match="Version 1 of the model 'tiny'"):
        publish_bytes(store, tmp_path, version=1, artifact=b"second")
    assert store.digest(ref) == before


def test_the_proof_sees_the_whole_version(store: ModelStore, tmp_path: Path) -> None:
    asset = tmp_path / "words.txt"
    asset.write_text("a b")
    seen: dict[str, bytes] = {}

    def look(folder: Path) -> None:
        seen.update({str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()})

    draft = make_draft(tmp_path, artifact=b"weights", samples=b"{}", assets={"words.txt": asset})
    publish(store, draft, prove=look)

    assert (seen["model.pt"], seen["samples.json"], seen["assets/words.txt"]) == (b"weights", b"{}", b"a b")
    assert decode_manifest(seen["manifest.json"]).files.keys() == {"model.pt", "samples.json", "assets/words.txt"}


def test_the_proof_may_correct_the_manifest_but_not_its_identity(store: ModelStore, tmp_path: Path) -> None:
    def correct(_folder: Path) -> Manifest:
        return make_manifest(max_batch_size=1, name="other", version=99)

    ref = publish(store, make_draft(tmp_path), prove=correct)

    assert ref == ModelRef("tiny", 1)
    assert store.manifest(ref).max_batch_size == 1
    store.verify(ref)


def test_a_version_without_a_signature_is_not_published(store: ModelStore, tmp_path: Path) -> None:
    with pytest.raises(InvalidManifest, match="no inputs"):
        publish_bytes(store, tmp_path, manifest=Manifest())

    assert store.refs() == []


def bad_drafts() -> Iterator[tuple[str, type[GalleyError], dict[str, Any]]]:
    """Yield each way a draft can be wrong: what it is, the error, and the fields that make it so."""
    entry = FileEntry(sha256="0" * 64, size_bytes=7)
    yield "wrong hash", DigestMismatch, {"manifest": make_manifest(files={"model.pt": entry})}
    yield "file not sent", MissingFile, {"manifest": make_manifest(files={"assets/words.txt": entry})}
    yield "other model", InvalidManifest, {"manifest": make_manifest(name="other")}
    yield "contradiction", InvalidManifest, {"manifest": make_manifest(inputs=make_manifest().inputs * 2)}
    for trick in ("../up", "/etc/x", "a/../../b", ".hidden", "a\0b"):
        yield f"asset {trick!r}", InvalidName, {"assets": {trick: Path(__file__)}}
        yield f"name {trick!r}", InvalidName, {"name": trick}
    yield "version 0", InvalidName, {"version": 0}
    yield "no artifact", StoreError, {"artifact": Path("gone")}
    yield "folder as artifact", StoreError, {"artifact": Path(__file__).parent}


@pytest.mark.parametrize(("error", "changes"), [pytest.param(*case, id=name) for name, *case in bad_drafts()])
def test_a_bad_draft_leaves_nothing(
    store: ModelStore, tmp_path: Path, error: type[GalleyError], changes: dict[str, Any]
) -> None:
    with pytest.raises(error):
        publish(store, dataclasses.replace(make_draft(tmp_path), **changes), prove=accept)

    assert everything_in(store) == []


def test_a_draft_that_is_not_proven_leaves_nothing(store: ModelStore, tmp_path: Path) -> None:
    with pytest.raises(SampleMismatch, match="the proof failed"):
        publish(store, make_draft(tmp_path), prove=refuse)

    assert everything_in(store) == []
    assert publish_bytes(store, tmp_path) == ModelRef("tiny", 1)


def test_a_manifest_of_another_version_than_the_draft_is_refused(store: ModelStore, tmp_path: Path) -> None:
    with pytest.raises(InvalidManifest, match="of tiny/3, not of tiny/4"):
        publish_bytes(store, tmp_path, version=4, manifest=make_manifest(name="tiny", version=3))


def race(store: ModelStore, drafts: list[VersionDraft]) -> list[ModelRef | GalleyError]:
    """Publish all drafts at once: each waits in its proof until all have come so far."""
    together = threading.Barrier(len(drafts), timeout=30)
    results: list[ModelRef | GalleyError] = []

    def wait(_folder: Path) -> None:
        together.wait()

    def enter(draft: VersionDraft) -> None:
        try:
            results.append(publish(store, draft, prove=wait))
        except GalleyError as err:
            results.append(err)

    threads = [threading.Thread(target=enter, args=(draft,)) for draft in drafts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_of_many_publishes_of_one_version_one_wins(store: ModelStore, tmp_path: Path) -> None:
    artifacts = [f"weights of {number}".encode() for number in range(RACERS)]
    results = race(store, [make_draft(tmp_path, artifact=data, version=1) for data in artifacts])

    winners = [result for result in results if isinstance(result, ModelRef)]
    assert winners == [ModelRef("tiny", 1)]
    assert [type(result) for result in results if result not in winners] == [VersionExists] * (RACERS - 1)
    assert store.refs() == winners
    store.verify(winners[0])


def test_publishes_without_a_number_all_get_one(store: ModelStore, tmp_path: Path) -> None:
    artifacts = [f"weights of {number}".encode() for number in range(RACERS)]
    results = race(store, [make_draft(tmp_path, artifact=data) for data in artifacts])

    assert {result.version for result in results if isinstance(result, ModelRef)} == set(range(1, RACERS + 1))
    found = {(store.local_folder(ref) / "model.pt").read_bytes() for ref in store.refs()}
    assert found == set(artifacts)
    for ref in store.refs():
        store.verify(ref)


def test_a_sweep_takes_old_leftovers_only(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    ref = publish_bytes(store, tmp_path)
    old, new = store.staging_dir / "old", store.staging_dir / "new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "model.pt").write_bytes(b"half")
    os.utime(old, (0, 0))

    assert sweep_staging(store, older_than_s=3600) == 1
    assert list(store.staging_dir.iterdir()) == [new]
    assert store.refs() == [ref]


def test_a_sweep_of_an_empty_store_finds_nothing(store: ModelStore) -> None:
    assert sweep_staging(store, older_than_s=0) == 0


def test_samples_are_stored_byte_for_byte(store: ModelStore, tmp_path: Path) -> None:
    samples = msgspec.json.encode({"samples": []}) + b" \n"
    ref = publish_bytes(store, tmp_path, samples=samples)

    assert (store.local_folder(ref) / "samples.json").read_bytes() == samples
