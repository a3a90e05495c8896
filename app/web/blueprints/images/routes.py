"""Image classification."""

from typing import Any

from flask import Response

from app.errors import ImageTooLarge, TooManyImages, UnreadableImage, UnsupportedImage
from app.scenarios.images import TASK
from app.services.scopes import Scope
from app.web.api import GalleyBlueprint, problems
from app.web.auth import check_model_allowed, requires
from app.web.blueprints.images.answers import body_of
from app.web.blueprints.images.docs import EXAMPLE, REQUEST_BODY
from app.web.blueprints.images.schemas import ClassificationQuery, ClassificationSchema
from app.web.body import read_images, takes_uploads
from app.web.extensions import services
from app.web.inference import ANSWER_HEADERS, INFERENCE_PROBLEMS, SUBJECT_PARAMETER, TIMEOUT_PARAMETER, predict
from app.web.limits import LimitClass, limited

blp = GalleyBlueprint("images", __name__, url_prefix="/api/v1/images", description="Classify images")


@blp.route("/classifications", methods=["POST"], parameters=[TIMEOUT_PARAMETER, SUBJECT_PARAMETER])
@problems(*INFERENCE_PROBLEMS, UnreadableImage, UnsupportedImage, ImageTooLarge, TooManyImages)
@requires(Scope.INFER)
@limited(LimitClass.INFERENCE)
@takes_uploads
@blp.doc(requestBody=REQUEST_BODY)
@blp.arguments(ClassificationQuery(), location="query")
@blp.response(200, ClassificationSchema, example=EXAMPLE, headers=ANSWER_HEADERS)
def classify(query: dict[str, Any]) -> Response:
    """Classify one or more images.

    Send the image as the raw body, or one or more images as multipart parts named `image`. The bytes decide the
    format (JPEG, PNG, GIF, WebP, BMP, TIFF, AVIF), not the type or the file name. EXIF orientation is applied;
    of animated images the first frame counts. One image alone that is bad fails the call; of several, the bad
    ones carry an `error` and the others are answered.
    """
    settings = services().settings
    model = query["model"] or settings.images_model
    check_model_allowed(model)

    images = read_images(settings.max_images)
    prediction = predict(model, query["version"], TASK, images, parameters={"top_k": query["top_k"]})
    return Response(body_of(prediction), mimetype="application/json")
