"""Reading the store: which versions there are, their manifests, and their files on this machine."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from app.errors import DigestMismatch, InvalidManifest, MissingFile, StoreUnreachable, StrayFile, VersionNotFound
from model_store.file_system import open_file_system
from model_store.files import copy_hashed, hash_stream, move_folder, replace_bytes, staging_folder, sync_tree
from model_store.layout import (
    CLAIM_FILE,
    DELETED_FILE,
    STAGING_FOLDER,
    is_model_name,
    manifest_path,
    parse_version,
    version_path,
)
from model_store.manifest import MANIFEST_FILE, FileEntry, Manifest, decode_manifest
from model_store.model_ref import ModelRef, check_model_name

DIGEST_LETTERS = 16


class ModelStore:
    """A store on any fsspec file system. Holds no state but its address: share it between threads.

    Versions are immutable, so nothing that was read once can change. All calls block on files or network.

    :raises StoreUnreachable: from every method, when the file system fails.
    """

    def __init__(self, file_system: Any, root: str, cache_dir: Path) -> None:
        self.file_system = file_system
        self.root = root.rstrip("/")
        self.cache_dir = cache_dir

    @property
    def is_local(self) -> bool:
        """Whether versions are folders of this machine, which appear by rename and are used in place."""
        return isinstance(self.file_system, LocalFileSystem)

    @property
    def staging_dir(self) -> Path:
        """The local folder to build versions in: on the store's own file system where it is local."""
        return (Path(self.root) if self.is_local else self.cache_dir) / STAGING_FOLDER

    def path(self, relative: str) -> str:
        """Return the file system's path of something in the store."""
        return f"{self.root}/{relative}"

    def refs(self) -> list[ModelRef]:
        """Return all published versions, in order."""
        return [ref for ref in self._all_taken() if self._is_published(ref)]

    def refs_of(self, name: str) -> list[ModelRef]:
        """Return the published versions of a model, in order."""
        return [ref for ref in self.taken(name) if self._is_published(ref)]

    def unfinished(self) -> list[ModelRef]:
        """Return the versions whose folder is there without a manifest, in order; deleted ones are finished."""
        without = (ref for ref in self._all_taken() if not self._is_published(ref))
        return [ref for ref in without if DELETED_FILE not in self.entries(ref)]

    def taken(self, name: str) -> list[ModelRef]:
        """Return the versions of a model whose numbers are taken: published, about to be, or deleted; in order."""
        entries = self._entries(check_model_name(name))
        return sorted(ref for ref in (parse_version(name, entry) for entry in entries) if ref is not None)

    def entries(self, ref: ModelRef) -> frozenset[str]:
        """Return the names of the files and folders in a version's folder; none when there is no such folder."""
        return frozenset(self._entries(version_path(ref)))

    def manifest(self, ref: ModelRef) -> Manifest:
        """Return the manifest of a version.

        :raises VersionNotFound: when it is not published.
        :raises InvalidManifest: when it is unreadable, or another version's.
        """
        manifest = decode_manifest(self._manifest_bytes(ref))
        if (manifest.name, manifest.version) != (ref.name, ref.version):
            raise InvalidManifest(f"The manifest of {ref} says it is {manifest.name}/{manifest.version}.")

        return manifest

    def digest(self, ref: ModelRef) -> str:
        """Return the SHA-256 of the manifest, which names the hashes of all other files."""
        return sha256(self._manifest_bytes(ref)).hexdigest()

    def verify(self, ref: ModelRef) -> None:
        """Hash every file of a version and compare with its manifest.

        :raises MissingFile: for a file that is not there.
        :raises DigestMismatch: for a file whose bytes are others.
        :raises StrayFile: for a file that the manifest does not name.
        """
        files = self.manifest(ref).files
        for name, entry in files.items():
            self._read_checked(ref, name, entry, hash_stream)
        strays = set(self._file_names(ref)) - {*files, MANIFEST_FILE, CLAIM_FILE}
        if strays:
            raise StrayFile(f"{version_path(ref)}/{min(strays)}")

    def local_folder(self, ref: ModelRef, *, digest: str = "") -> Path:
        """Return a folder of this machine with the version's files; copies a remote one once, checking its hashes.

        Who knows the version's `digest` gets a copy that is there already while the store is away, too.
        """
        if self.is_local:
            self._manifest_bytes(ref)
            return Path(self.path(version_path(ref)))

        digest = digest or self.digest(ref)
        target = self._copy_path(ref, digest)
        if not target.is_dir():
            self._copy_to(ref, target, digest)
        return target

    def drop_damaged_copy(self, ref: ModelRef, digest: str) -> None:
        """Delete this machine's copy of a remote version if its bytes are not those of its manifest."""
        copy = self._copy_path(ref, digest)
        if self.is_local or not copy.is_dir():
            return

        with self.reaching(), staging_folder(self.staging_dir) as aside:
            if not _is_whole(copy, digest):
                # Whoever reads it has it open; nobody finds half of it.
                copy.rename(aside / copy.name)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Make a local folder to build a version in; what is not moved away by the end of the block goes."""
        with ExitStack() as leftovers:
            with self.reaching():
                folder = leftovers.enter_context(staging_folder(self.staging_dir))
            yield folder

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """Turn the file system's failures inside the block into StoreUnreachable."""
        try:
            yield
        except OSError as err:
            raise StoreUnreachable(f"The model store failed: {err.strerror or type(err).__name__}.") from err

    def _all_taken(self) -> list[ModelRef]:
        return [ref for name in self._entries("") if is_model_name(name) for ref in self.taken(name)]

    def _is_published(self, ref: ModelRef) -> bool:
        with self.reaching():
            return bool(self.file_system.exists(self.path(manifest_path(ref))))

    def _entries(self, relative: str) -> list[str]:
        path = self.path(relative).rstrip("/")
        with self.reaching():
            self.file_system.invalidate_cache(path)
            try:
                entries = self.file_system.ls(path, detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []

        return sorted(entry.rstrip("/").rpartition("/")[2] for entry in entries)

    def _file_names(self, ref: ModelRef) -> list[str]:
        folder = self.path(version_path(ref))
        with self.reaching():
            return [path.removeprefix(f"{folder}/") for path in self.file_system.find(folder)]

    def _manifest_bytes(self, ref: ModelRef) -> bytes:
        with self.reaching():
            try:
                data: bytes = self.file_system.cat_file(self.path(manifest_path(ref)))
            except (FileNotFoundError, NotADirectoryError) as err:
                raise VersionNotFound(ref.name, str(ref.version)) from err

        return data

    def _read_checked(self, ref: ModelRef, name: str, entry: FileEntry, read: Callable[[Any], FileEntry]) -> None:
        relative = f"{version_path(ref)}/{name}"
        with self.reaching():
            try:
                with self.file_system.open(self.path(relative), "rb") as source:
                    found = read(source)
            except FileNotFoundError as err:
                raise MissingFile(relative) from err

        if found != entry:
            raise DigestMismatch(relative)

    def _copy_path(self, ref: ModelRef, digest: str) -> Path:
        return self.cache_dir / ref.name / f"{ref.version}-{digest[:DIGEST_LETTERS]}"

    def _copy_to(self, ref: ModelRef, target: Path, digest: str) -> None:
        if self.digest(ref) != digest:
            raise DigestMismatch(manifest_path(ref))

        manifest = self.manifest(ref)
        with self.staging() as folder:
            for name, entry in manifest.files.items():
                self._read_checked(ref, name, entry, partial(copy_hashed, target=folder / name))
            with self.reaching():
                replace_bytes(folder / MANIFEST_FILE, self._manifest_bytes(ref))
                sync_tree(folder)
                # False: another process of this machine was faster, with the same bytes.
                move_folder(folder, target)


def _is_whole(folder: Path, digest: str) -> bool:
    """Tell whether a version's folder holds the manifest of that digest, and each of its files as it says."""
    try:
        data = (folder / MANIFEST_FILE).read_bytes()
        return sha256(data).hexdigest() == digest and all(
            _entry(folder / name) == entry for name, entry in decode_manifest(data).files.items()
        )
    except FileNotFoundError:
        return False


def _entry(path: Path) -> FileEntry:
    with path.open("rb") as file:
        return hash_stream(file)


def open_store(url: str, cache_dir: Path) -> ModelStore:
    """Open the store at a folder or fsspec URL; `cache_dir` gets copies of a remote store's versions.

    :raises StoreUnreachable: when nothing installed can reach such a URL.
    """
    file_system, root = open_file_system(url, what="the model store")
    return ModelStore(file_system, root, cache_dir)
