"""What gunicorn itself says, in the lines that everything else is logged in."""

import logging
from typing import Any

from gunicorn.glogging import Logger

from app.infra.log_setup import setup_logging


class GunicornLog(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's log, passed on to the process's own: its handler writes plain text between our JSON lines."""

    def setup(self, cfg: Any) -> None:
        """Set logging up; a worker's `wsgi.py` does it again, for itself."""
        super().setup(cfg)
        setup_logging(cfg.loglevel)
        # Libraries warn as they are imported, on the same standard error.
        logging.captureWarnings(True)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
