"""Where things lie in a store: `NAME/VERSION/` for versions, `.staging/` for what is not one yet.

::

    digits/1/model.pt         the artifact
             samples.json     inputs with the outputs they must give (optional)
             assets/…         whatever else the model's pipeline reads (optional)
             manifest.json    written last where folders cannot be renamed: what has it is published
             claim            only where folders cannot be renamed: who came first, and when
             deleted          all that is left of a version that was deleted: its number stays taken

No model name starts with a dot, so `.staging` meets none.
"""

import re

from app.errors import InvalidName
from model_store.manifest import MANIFEST_FILE
from model_store.model_ref import ModelRef, check_file_name, check_model_name

STAGING_FOLDER = ".staging"
ASSETS_FOLDER = "assets"
CLAIM_FILE = "claim"
DELETED_FILE = "deleted"

_VERSION = re.compile(r"[1-9][0-9]{0,9}")


def version_path(ref: ModelRef) -> str:
    """Return the folder of a version, relative to the store's root."""
    return f"{ref.name}/{ref.version}"


def manifest_path(ref: ModelRef) -> str:
    """Return the manifest of a version, relative to the store's root."""
    return f"{version_path(ref)}/{MANIFEST_FILE}"


def asset_path(name: str) -> str:
    """Return where an asset lies inside its version.

    :raises InvalidName: for a name that could leave the folder.
    """
    return check_file_name(f"{ASSETS_FOLDER}/{name}")


def is_model_name(text: str) -> bool:
    """Say whether a folder of the root can be a model's."""
    try:
        check_model_name(text)
    except InvalidName:
        return False

    return True


def parse_version(name: str, text: str) -> ModelRef | None:
    """Return the version that a folder inside the model's folder holds, None for any other name."""
    if not _VERSION.fullmatch(text):
        return None

    try:
        return ModelRef(name, int(text))
    except InvalidName:
        return None
