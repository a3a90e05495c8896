"""Where sockets lie: a folder whose path is short enough for them."""

import hashlib
import tempfile
from pathlib import Path
from typing import Final

# A Unix socket's path may hold 107 bytes; runner sockets add up to 60 behind the folder.
LONGEST_RUN_DIR: Final = 45


def short_run_dir(var_dir: Path) -> Path:
    """Return the folder for sockets: under `var_dir` where the path is short enough, else a stable temp folder."""
    run_dir = var_dir / "run"
    if len(bytes(run_dir)) <= LONGEST_RUN_DIR:
        return run_dir

    digest = hashlib.sha256(bytes(run_dir)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"galley-{digest}"
