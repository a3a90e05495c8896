"""What gunicorn and the flask command import: `wsgi:app`."""

from app.factory import create_app
from app.infra.log_setup import setup_logging
from app.settings import read_settings

settings = read_settings()
setup_logging(settings.log_level)
app = create_app(settings)
