"""Image classification: what may be asked of a picture and what is answered, on the wire between web and runner."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from app.errors import InvalidFields

TASK: Final = "image-classification"
DEFAULT_TOP_K = 5
MAX_TOP_K = 1000
# As Pillow names them. The bytes decide, not a file name or a content type. A phone's MPO opens as JPEG.
ACCEPTED_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")


class ImageParameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a caller may choose: how many labels, best first. More than the model has means all."""

    top_k: Annotated[int, Meta(ge=1, le=MAX_TOP_K)] = DEFAULT_TOP_K


class LabelScore(Struct, frozen=True):
    """One class: its place in the model's output, its name (the index in digits if it has none), its score."""

    index: int
    label: str
    score: float


class ImageAnswer(Struct, frozen=True):
    """The best labels of one picture, scores falling, and its size in pixels as a viewer would show it."""

    labels: list[LabelScore]
    width: int
    height: int


encode_answer = msgspec.msgpack.Encoder().encode
decode_answer = msgspec.msgpack.Decoder(ImageAnswer).decode


def read_parameters(raw: dict[str, Any]) -> ImageParameters:
    """Return the parameters of a request to a runner.

    :raises InvalidFields: for an unknown parameter or a value out of range.
    """
    try:
        return msgspec.convert(raw, ImageParameters)
    except msgspec.ValidationError as err:
        raise InvalidFields({"parameters": [f"{err}."]}) from err
