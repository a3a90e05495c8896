"""A Celery application that ends whoever works on a chunk for a second: `--app` of the tests.

There is no soft limit that would end the job with a word: it is as if the process heard of none.
"""

from app.infra.task_names import TaskName
from app.settings import read_settings
from workers.celery_factory import make_celery

CHUNK_S = 1

app = make_celery(read_settings())
app.conf.task_annotations = {
    **app.conf.task_annotations,
    TaskName.RUN_CHUNK.value: {"soft_time_limit": None, "time_limit": CHUNK_S},
}
