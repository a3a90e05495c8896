"""A Celery application that is soon impatient with a beat that sends nothing: `--app` of the tests."""

from app.settings import read_settings
from workers import watchdog
from workers.celery_factory import make_celery
from workers.schedule import HEAL_EVERY_S

watchdog.LEAST_BEAT_SILENCE_S = 1.5 * HEAL_EVERY_S  # type: ignore[misc]  # only here

app = make_celery(read_settings())
