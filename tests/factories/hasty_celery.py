"""A Celery application to whose workers every message counts as lost that is not done at once: `--app` of the tests.

It comes again to whoever is free, while its task still runs: as it does when a task outlasts the visibility timeout.
"""

from app.settings import read_settings
from workers.celery_factory import make_celery

VISIBLE_AGAIN_S = 0.02
LOOKED_EVERY_S = 0.05

app = make_celery(read_settings())
app.conf.broker_transport_options = {
    **app.conf.broker_transport_options,
    "visibility_timeout": VISIBLE_AGAIN_S,
    "unacked_restore_interval": LOOKED_EVERY_S,
    "unacked_restore_throttle": 1,
}
