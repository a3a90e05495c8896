"""All blueprints of the Open Inference Protocol."""

from typing import Final

from app.web.blueprints.oip.config import blp as config
from app.web.blueprints.oip.health import blp as health
from app.web.blueprints.oip.infer import blp as infer
from app.web.blueprints.oip.metadata import blp as metadata
from app.web.blueprints.oip.repository import blp as repository
from app.web.blueprints.oip.statistics import blp as statistics

BLUEPRINTS: Final = (health, metadata, config, infer, repository, statistics)
