"""The demo models, published by the first start into an empty store."""

import subprocess
import sys
from pathlib import Path

from app.errors import StoreError
from app.settings import Settings
from deploy.stack.children import Children
from deploy.stack.console import complain, say
from deploy.stack.supervision import ROOT
from model_store.reader import open_store

COMMAND = (sys.executable, "-m", "flask", "--app", str(ROOT / "wsgi.py"), "models", "demo")


class DemoModels:
    """Trains and publishes what a newcomer tries first; an interrupted first start is made up for by the next."""

    def __init__(self, settings: Settings, children: Children) -> None:
        self._settings = settings
        self._children = children
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start publishing, beside the servers, if the store is empty or was left unfinished."""
        if not (self._unfinished.exists() or self._is_store_empty()):
            return

        say("Training and publishing the demo models …")
        self._unfinished.touch()
        self._process = self._children.start(COMMAND)

    def is_done(self) -> bool:
        """Say whether nothing is being published any more; a failure is told once."""
        if self._process is None:
            return True
        if self._process.poll() is None:
            return False

        self._finish(self._process.returncode)
        self._process = None
        return True

    @property
    def _unfinished(self) -> Path:
        return self._settings.var_dir / "demo-models.unfinished"

    def _finish(self, return_code: int) -> None:
        if return_code == 0:
            self._unfinished.unlink()
            return

        complain(f"The demo models were not published (exit status {return_code}); `flask models demo` tries again.")

    def _is_store_empty(self) -> bool:
        try:
            return not open_store(self._settings.store_url, self._settings.var_dir / "cache").refs()
        except StoreError as err:
            complain(f"The model store cannot be read: {err}")
            return False
