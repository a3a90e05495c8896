"""Submitting over HTTP: the rows in the JSON of the request, or a form with a file of them."""

from pathlib import Path
from typing import Final

from flask import request

from app.errors import UnsupportedMediaType
from app.infra.off_hub import off_hub
from app.infra.task_names import QueueName
from app.services.jobs import new_job_id
from app.web.answers import Answer
from app.web.auth import current_identity
from app.web.blueprints.jobs.formats import INPUT_PART, format_of, stored_name
from app.web.blueprints.jobs.intake import KEY_VARIABLE, JobIntake, StoredInput, idempotency_key
from app.web.blueprints.jobs.json_inputs import receive_json
from app.web.blueprints.jobs.requests import MOST_PARAMETERS_BYTES, JobRequest, request_of_texts
from app.web.body import is_form, read_large
from app.web.extensions import Services, services
from app.web.uploads import PartRule, current_uploads, receive_form

MOST_FIELD_BYTES: Final = 1024
WANTED: Final = "application/json, or multipart/form-data with a file"


def submit_job() -> Answer:
    """Take in the job that the current request brings.

    :raises GalleyError: for whatever reason there is no job.
    """
    if not (is_form() or request.is_json):
        raise UnsupportedMediaType(request.mimetype, WANTED)

    intake = JobIntake(services(), current_identity(), idempotency_key(request.environ.get(KEY_VARIABLE)))
    intake.check(request.content_length or 0)
    job_id = new_job_id()
    with services().job_files.receiving(job_id) as folder:
        asked, stored = _receive(folder)
        if (replayed := intake.replay(asked, stored)) is not None:
            return replayed

        target = intake.target(asked)
        return intake.submit(job_id, target, stored, queue=QueueName.HEAVY if target.is_heavy else QueueName.BATCH)


def _receive(folder: Path) -> tuple[JobRequest, StoredInput]:
    if is_form():
        return _receive_form(folder)

    return off_hub(receive_json, read_large("a JSON object"), folder / stored_name(".ndjson"))


def _receive_form(folder: Path) -> tuple[JobRequest, StoredInput]:
    with current_uploads().take(current_identity().client_id):
        form = receive_form(_rules(services()), folder)
    asked, path = request_of_texts(form.texts), form.files[INPUT_PART][0]
    size_bytes = path.stat().st_size
    return asked, StoredInput(path=path, input_format=format_of(path), sha256=form.digests[path], size_bytes=size_bytes)


def _rules(live: Services) -> dict[str, PartRule]:
    settings = live.settings
    # On the way to an object store it is no file of the disk that the reserve is of.
    reserve_bytes = settings.job_disk_reserve if live.job_files.is_local else 0
    return {
        "kind": PartRule(most_bytes=MOST_FIELD_BYTES, is_required=True),
        "model": PartRule(most_bytes=MOST_FIELD_BYTES),
        "version": PartRule(most_bytes=MOST_FIELD_BYTES),
        "parameters": PartRule(most_bytes=MOST_PARAMETERS_BYTES),
        INPUT_PART: PartRule(
            most_bytes=settings.max_job_bytes,
            is_required=True,
            place=stored_name,
            is_hashed=True,
            reserve_bytes=reserve_bytes,
        ),
    }
