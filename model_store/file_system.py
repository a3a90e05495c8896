"""File systems by URL, for whatever is kept outside the process."""

from typing import Any

import fsspec

from app.errors import StoreUnreachable


def open_file_system(url: str, *, what: str) -> tuple[Any, str]:
    """Return the file system of a folder or fsspec URL, and the path on it; errors name `what` is kept there.

    Call it on the hub where there is one: fsspec runs requests to object stores on a loop that begins in this thread,
    and ends with it. Use the file system off the hub: on it fsspec refuses, as the loop seems to run there.

    :raises StoreUnreachable: when nothing installed can reach such a URL.
    """
    try:
        file_system, root = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as err:
        raise StoreUnreachable(f"The URL of {what} cannot be used: {err}.") from err

    return file_system, root
