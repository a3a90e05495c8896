"""The store of models, and the files of jobs: there, and readable."""

import os
from collections.abc import Iterator
from pathlib import Path

from app.errors import StoreError
from deploy.doctor.case import Case, local_folder, nearest_folder
from deploy.doctor.finding import Finding, error, good
from model_store.reader import open_store


def store(case: Case) -> Iterator[Finding]:
    """The store of models."""
    settings = case.settings
    folder = local_folder(settings.store_url)
    if folder is not None:
        yield from _folder("store", folder, "STORE_URL")
    try:
        refs = open_store(settings.store_url, settings.var_dir / "store-cache").refs()
    except StoreError as err:
        yield error("models", f"The store cannot be read: {err.detail}", "Set STORE_URL, or mend what is in its way.")
        return

    yield good("models", f"The store holds {len(refs)} versions.")


def job_files(case: Case) -> Iterator[Finding]:
    """Where the inputs and results of jobs lie."""
    folder = local_folder(case.settings.jobs_url)
    if folder is None:
        yield good("job files", "They lie in a bucket; the first job shows whether it can be written to.")
    else:
        yield from _folder("job files", folder, "JOBS_URL")


def _folder(name: str, folder: Path, setting: str) -> Iterator[Finding]:
    nearest = nearest_folder(folder.absolute())
    if not os.access(nearest, os.R_OK | os.W_OK | os.X_OK):
        yield error(name, f"{nearest} cannot be written to.", f"Give this user the right, or set {setting}.")
    elif folder.exists() and not folder.is_dir():
        yield error(name, f"{folder} is no folder.", f"Move it away, or set {setting}.")
    else:
        yield good(name, f"{folder} can be written to.")
