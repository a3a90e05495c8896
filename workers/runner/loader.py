"""From a version's folder to a model in memory: the files are hashed first, then the artifact is opened."""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

import torch

from app.errors import DigestMismatch, MissingFile, UnloadableArtifact
from model_store.manifest import ARTIFACT_FILE, MANIFEST_FILE, Manifest, decode_manifest
from workers.runner.loaded_model import MODEL_ERRORS, Layout, LoadedModel, last_line

logger = logging.getLogger(__name__)


def read_manifest(folder: Path, *, digest: str = "") -> Manifest:
    """Read the manifest of a version's folder.

    :raises MissingFile: when there is none.
    :raises DigestMismatch: when `digest` is given and is not the SHA-256 of its bytes.
    :raises InvalidManifest: when it cannot be read.
    """
    try:
        data = (folder / MANIFEST_FILE).read_bytes()
    except OSError as err:
        raise MissingFile(MANIFEST_FILE) from err

    if digest and hashlib.sha256(data).hexdigest() != digest:
        raise DigestMismatch(MANIFEST_FILE)
    return decode_manifest(data)


def check_files(folder: Path, manifest: Manifest) -> None:
    """Hash every file that the manifest names.

    :raises MissingFile: for one that is not there, or an artifact that the manifest does not name.
    :raises DigestMismatch: for one with other bytes.
    """
    if ARTIFACT_FILE not in manifest.files:
        raise MissingFile(ARTIFACT_FILE)

    for name, entry in manifest.files.items():
        try:
            with (folder / name).open("rb") as file:
                actual = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as err:
            raise MissingFile(name) from err
        if actual != entry.sha256:
            raise DigestMismatch(name)


def load_model(folder: Path, manifest: Manifest, *, layout: Layout = Layout.PLANES) -> LoadedModel:
    """Open the artifact with the loader of its format, its weights in `layout`.

    :raises UnloadableArtifact: when it is truncated, of another format, or has no forward.
    """
    return LoadedModel(manifest, _LOADERS[manifest.format](folder / ARTIFACT_FILE, layout), layout=layout)


def load_torchscript(path: Path, layout: Layout) -> torch.nn.Module:
    """Load a TorchScript archive for serving: evaluation mode, frozen where it can be.

    :raises UnloadableArtifact: when it is none.
    """
    try:
        module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except (*MODEL_ERRORS, OSError) as err:
        raise UnloadableArtifact(f"The artifact is not a whole TorchScript archive: {last_line(err)}") from err
    if not hasattr(module, "forward"):
        raise UnloadableArtifact("The artifact has no forward method.")

    # Archives are often saved in training mode.
    module.eval()
    module.to(memory_format=layout.value)
    try:
        return torch.jit.freeze(module)  # type: ignore[no-any-return]
    except RuntimeError as err:
        logger.info("%s is served as it is, it cannot be frozen: %s", path, last_line(err))
        return module  # type: ignore[no-any-return]


_LOADERS: dict[str, Callable[[Path, Layout], torch.nn.Module]] = {"torchscript": load_torchscript}
