"""The application that `celery --app workers.celery_app` runs."""

from app.settings import read_settings
from workers.celery_factory import make_celery

app = make_celery(read_settings())
