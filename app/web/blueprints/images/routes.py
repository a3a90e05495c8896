"""Image classification."""

from functools import partial
from typing import Any

from flask import Response

from app.errors import ImageTooLarge, NotCached, TooManyImages, UnreadableImage, UnsupportedImage
from app.scenarios.image_answers import write_answer
from app.scenarios.images import TASK
from app.scenarios.job_images import ImageJobs
from app.services.scopes import Scope
from app.web.answers import Answer
from app.web.api import GalleyBlueprint, problems
from app.web.auth import check_model_allowed, requires
from app.web.blueprints.images.docs import EXAMPLE, REQUEST_BODY
from app.web.blueprints.images.schemas import ClassificationQuery, ClassificationSchema
from app.web.blueprints.jobs.docs import ASYNC_HEADERS, ASYNC_PARAMETERS
from app.web.blueprints.jobs.requests import MAX_ERROR_SHARE, JobRequest
from app.web.blueprints.jobs.respond_async import ASYNC_PROBLEMS, SingleCall, answer_or_post
from app.web.blueprints.jobs.schemas import SUBMITTED_EXAMPLE, JobSchema
from app.web.body import read_images, takes_uploads
from app.web.extensions import services
from app.web.inference import (
    CACHED_ANSWER_HEADERS,
    INFERENCE_PARAMETERS,
    INFERENCE_PROBLEMS,
    current_call,
    predict,
)
from app.web.limits import LimitClass, limited

PROBLEMS = (UnreadableImage, UnsupportedImage, ImageTooLarge, TooManyImages, NotCached)

blp = GalleyBlueprint("images", __name__, url_prefix="/api/v1/images", description="Classify images")


@blp.route("/classifications", methods=["POST"], parameters=[*INFERENCE_PARAMETERS, *ASYNC_PARAMETERS])
@problems(
    *INFERENCE_PROBLEMS, *ASYNC_PROBLEMS, UnreadableImage, UnsupportedImage, ImageTooLarge, TooManyImages, NotCached
)
@requires(Scope.INFER)
@limited(LimitClass.INFERENCE)
@takes_uploads
@blp.doc(requestBody=REQUEST_BODY)
@blp.arguments(ClassificationQuery(), location="query")
@blp.alt_response(202, schema=JobSchema, example=SUBMITTED_EXAMPLE, headers=ASYNC_HEADERS)
@blp.response(200, ClassificationSchema, example=EXAMPLE, headers=CACHED_ANSWER_HEADERS)
def classify(query: dict[str, Any]) -> Response:
    """Classify one or more images.

    Send the image as the raw body, or one or more images as multipart parts named `image`. The bytes decide the
    format (JPEG, PNG, GIF, WebP, BMP, TIFF, AVIF), not the type or the file name. EXIF orientation is applied;
    of animated images the first frame counts. One image alone that is bad fails the call; of several, the bad
    ones carry an `error` and the others are answered. Answers are kept for a while: see the header Cache-Control. Who
    prefers `respond-async`, or asks a heavy model, gets a job of this one request, with a row per image.
    """
    settings = services().settings
    model = query["model"] or settings.images_model
    check_model_allowed(model)

    asked = {**query, "model": model}
    images = read_images(settings.max_images)
    return answer_or_post(
        current_call(), partial(_answer, asked, images), partial(_single_call, asked, images)
    ).response()


def _answer(asked: dict[str, Any], images: list[bytes]) -> Answer:
    prediction = predict(asked["model"], asked["version"], TASK, images, parameters={"top_k": asked["top_k"]})
    return Answer(write_answer(prediction.outcomes, prediction.answered_by))


def _single_call(asked: dict[str, Any], images: list[bytes]) -> SingleCall:
    # As when the caller waits: of several images the bad ones fail alone, however many they are.
    share = {MAX_ERROR_SHARE: 1} if len(images) > 1 else {}
    parameters = {"top_k": asked["top_k"], **share}
    request = JobRequest(kind=ImageJobs.name, model=asked["model"], version=asked["version"], parameters=parameters)
    return SingleCall(request=request, bodies=images)
