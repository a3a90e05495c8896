"""From hostile bytes to an upright picture of known size in RGB or L; nothing else of Pillow's is reachable.

Order matters: only accepted formats are tried, the size is taken from the header and checked, then pixels are
decoded. Of animated and multi-page files the first frame is read and frames are not counted (that walks them all).
"""

import struct
import warnings
import zlib
from io import BytesIO
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError, features

from app.errors import ImageTooLarge, UnreadableImage, UnsupportedImage
from app.scenarios.images import ACCEPTED_FORMATS

# What Pillow was seen to raise on broken files, or can: it promises OSError, and fuzzers found the rest.
DECODE_ERRORS = (
    OSError, ValueError, SyntaxError, EOFError, TypeError, LookupError, ArithmeticError, AttributeError, RuntimeError,
    MemoryError, struct.error, zlib.error,
)  # fmt: skip
FORMATS = tuple(name for name in ACCEPTED_FORMATS if name != "AVIF" or features.check("avif"))
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_SIZE_START, _PNG_SIZE_END = 16, 24
_MAGIC = (b"\xff\xd8\xff", _PNG, b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*")
_SMALL_BYTES = 16 * 1024
_SMALL_PIXELS = 128 * 128
_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# NOTE: Pillow's own pixel limit raises inside open(), before the size is known, and warns below twice itself.
# The check here is stricter and says how large the picture is.
Image.MAX_IMAGE_PIXELS = None


def open_image(data: bytes, *, max_pixels: int) -> Image.Image:
    """Return the picture as its header tells it: its size is known and checked, no pixel was decoded.

    :raises UnsupportedImage: when the bytes are of no accepted format.
    :raises ImageTooLarge: when the header claims more than `max_pixels`.
    :raises UnreadableImage: when the header is broken.
    """
    if not data:
        raise UnreadableImage("it has no bytes")

    image = _open(data)
    width, height = image.size
    if width * height > max_pixels:
        raise ImageTooLarge(width, height, max_pixels)
    return image


def decode_image(image: Image.Image, *, mode: Literal["RGB", "L"]) -> Image.Image:
    """Decode an opened picture: its first frame, turned as EXIF says, in `mode`; transparency lies on white.

    :raises UnreadableImage: when its data is broken.
    """
    try:
        image.load()
        return _to_mode(_turn_upright(image), mode)
    except DECODE_ERRORS as err:
        raise UnreadableImage("its data is broken or cut off") from err


def is_small_png(data: bytes) -> bool:
    """Say whether the bytes are a PNG that decodes in a fraction of a millisecond.

    Only PNG has its size at a fixed place; few bytes alone say nothing, 6 kB of JPEG can be 81 megapixels.
    """
    if len(data) > _SMALL_BYTES or len(data) < _PNG_SIZE_END or not data.startswith(_PNG):
        return False

    width, height = struct.unpack_from(">II", data, _PNG_SIZE_START)
    return bool(width * height <= _SMALL_PIXELS)


def silence_pillow() -> None:
    """Keep Pillow's remarks about odd metadata out of the log: they come once per odd picture."""
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as err:
        if data.startswith(_MAGIC):
            raise UnreadableImage("its header is broken") from err
        raise UnsupportedImage(", ".join(FORMATS)) from err
    except DECODE_ERRORS as err:
        raise UnreadableImage("its header is broken") from err


def _turn_upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except DECODE_ERRORS:
        # Odd metadata does not make a picture unreadable; viewers show it unturned.
        return image

    method = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return image if method is None else image.transpose(method)


def _to_mode(image: Image.Image, mode: Literal["RGB", "L"]) -> Image.Image:
    if image.mode == mode and not image.has_transparency_data:
        return image
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        return Image.fromarray(_to_eight_bits(np.asarray(image), image.mode)).convert(mode)
    if image.has_transparency_data:
        image = _on_white(image)
    # LAB converts to RGB only.
    return image.convert(mode) if image.mode != "LAB" else image.convert("RGB").convert(mode)


def _on_white(image: Image.Image) -> Image.Image:
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def _to_eight_bits(values: NDArray[Any], mode: str) -> NDArray[np.uint8]:
    """Scale wide grey values to 0–255 where a plain convert() would clip them.

    The range of "I" and "F" is nowhere said, so the smallest usual one that holds the values is taken:
    0–1 (fractions only), 0–255, 0–65535, else from the least to the greatest value.
    """
    wide = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = float(wide.min()), float(wide.max())
    if mode.startswith("I;16"):
        low, high = 0.0, 65535.0
    elif low >= 0.0 and high <= 65535.0:
        low, high = 0.0, next(top for top in _tops(mode) if high <= top)
    scaled = (wide - low) * (255.0 / max(high - low, np.finfo(np.float64).tiny))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def _tops(mode: str) -> tuple[float, ...]:
    return (1.0, 255.0, 65535.0) if mode == "F" else (255.0, 65535.0)
