"""Version folders on this machine, fetched in the background: a remote store may take minutes."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from app.services.catalog import DesiredVersion
from model_store.reader import ModelStore


class VersionFolders:
    """Hands out folders when they are there. `on_ready` is called, on any thread, after each fetch."""

    def __init__(self, store: ModelStore, *, slots: int, on_ready: Callable[[], None]) -> None:
        self._store = store
        self._on_ready = on_ready
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix="version-folder")
        self._fetches: dict[DesiredVersion, Future[Path]] = {}
        self._suspects: set[DesiredVersion] = set()

    def take(self, version: DesiredVersion) -> Path | None:
        """Return a version's folder, or None while it is being fetched.

        :raises StoreError: when the last fetch failed; the next call begins another.
        """
        fetch = self._fetches.get(version)
        if fetch is None:
            fetch = self._fetches[version] = self._pool.submit(self._fetch, version)
            fetch.add_done_callback(lambda _: self._on_ready())
        if not fetch.done():
            return None

        del self._fetches[version]
        return fetch.result()

    def suspect(self, version: DesiredVersion) -> None:
        """Have the local copy of a version that did not load be hashed, and fetched again if it is damaged."""
        self._suspects.add(version)

    def _fetch(self, version: DesiredVersion) -> Path:
        if version in self._suspects:
            self._store.drop_damaged_copy(version.ref, version.digest)
            self._suspects.discard(version)
        return self._store.local_folder(version.ref, digest=version.digest)

    def close(self) -> None:
        """Stop fetching; a copy under way is finished first."""
        self._pool.shutdown(cancel_futures=True)
