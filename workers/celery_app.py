"""The application that `celery --app workers.celery_app` runs."""

from app.infra.metric_room import take_room_for_metrics

# Before anything is imported that counts: its file is made then.
take_room_for_metrics()

from app.settings import read_settings  # noqa: E402
from workers.celery_factory import make_celery  # noqa: E402

app = make_celery(read_settings())
