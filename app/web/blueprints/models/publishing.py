"""Publishing a version: the upload is taken in, and a job proves it."""

from typing import Any, Final

from app.db.repositories.jobs import JobFacts
from app.errors import DiskFull, InvalidFields, InvalidName, ModelNotAllowed, VersionExists
from app.services.publishing import Submission
from app.services.scopes import Scope
from app.web.api import GalleyBlueprint, problems
from app.web.auth import check_model_allowed, current_identity, requires
from app.web.blueprints.jobs.answers import job_members, job_path
from app.web.blueprints.jobs.schemas import LOCATION_HEADER, QUEUED_EXAMPLE, JobSchema
from app.web.blueprints.models.publishing_docs import REQUEST_BODY
from app.web.body import BODY_PROBLEMS, takes_artifacts
from app.web.extensions import services
from app.web.limits import LimitClass, limited
from app.web.uploads import PartRule, ReceivedForm, check_room_for_body, receive_form
from model_store.layout import asset_path
from model_store.manifest import ARTIFACT_FILE, SAMPLES_FILE

blp = GalleyBlueprint("publishing", __name__, url_prefix="/api/v1/models", description="Publish versions of models")

# The manifest is parsed in this process, the samples whole in a worker.
MOST_MANIFEST_BYTES: Final = 2**20
MOST_SAMPLES_BYTES: Final = 64 * 2**20
MOST_ASSETS: Final = 256
MOST_FIELD_BYTES: Final = 256

BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


@blp.route("/<name>/versions", methods=["POST"])
@problems(*BODY_PROBLEMS, InvalidFields, InvalidName, ModelNotAllowed, VersionExists, DiskFull)
@requires(Scope.MODELS_WRITE)
@limited(LimitClass.MANAGEMENT)
@takes_artifacts
@blp.doc(requestBody=REQUEST_BODY)
@blp.response(202, JobSchema, example=QUEUED_EXAMPLE, headers=LOCATION_HEADER)
def publish_version(name: str) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Publish a version: send its files, and follow the job that proves them.

    The version appears when its job has succeeded, which then has `links.version`; a job that failed says why in
    `error`. The manifest needs nothing; `version` in it asks for a number, else the next one is taken. The first
    version of a model takes the alias `default`.
    """
    check_model_allowed(name)
    job = _receive(name)
    return job_members(job), 202, {"Location": job_path(job.id)}


def _receive(name: str) -> JobFacts:
    settings, publishing = services().settings, services().publishing
    with publishing.receiving(name) as (job_id, folder):
        check_room_for_body(folder)
        form = receive_form(_rules(settings.max_artifact_bytes), folder)
        identity = current_identity()
        submission = Submission(
            job_id=job_id,
            client_id=identity.client_id,
            model_name=name,
            manifest=form.texts["manifest"],
            alias=_text(form, "alias"),
            pin=_boolean(form, "pin"),
            token_issued_at=identity.issued_at,
        )
        return publishing.accept(submission)


def _rules(most_bytes: int) -> dict[str, PartRule]:
    return {
        "artifact": PartRule(most_bytes=most_bytes, is_required=True, place=lambda _name: ARTIFACT_FILE),
        "manifest": PartRule(most_bytes=MOST_MANIFEST_BYTES, is_required=True),
        "samples": PartRule(most_bytes=MOST_SAMPLES_BYTES, place=lambda _name: SAMPLES_FILE),
        "assets": PartRule(most_bytes=most_bytes, most=MOST_ASSETS, place=asset_path),
        "alias": PartRule(most_bytes=MOST_FIELD_BYTES),
        "pin": PartRule(most_bytes=MOST_FIELD_BYTES),
    }


def _text(form: ReceivedForm, name: str) -> str | None:
    try:
        return form.texts[name].decode() if name in form.texts else None
    except UnicodeDecodeError as err:
        raise InvalidFields({name: ["This part is not UTF-8."]}) from err


def _boolean(form: ReceivedForm, name: str) -> bool:
    text = _text(form, name) or "false"
    if text.lower() not in BOOLEANS:
        raise InvalidFields({name: ["Send true or false."]})

    return BOOLEANS[text.lower()]
