"""The pictures that are sent: a photograph and a scanned digit, both from scikit-learn's own data."""

import io

from PIL import Image
from sklearn.datasets import load_digits, load_sample_image

PHOTO_SIZE = (500, 375)
DIGIT_SIZE = (64, 64)


def photo_jpeg() -> bytes:
    """Return a photograph of 500×375 pixels as a JPEG of quality 90."""
    photo = Image.fromarray(load_sample_image("china.jpg"))
    return _encoded(photo.resize(PHOTO_SIZE, Image.Resampling.LANCZOS), "JPEG", quality=90)


def digit_png() -> bytes:
    """Return the scan of a digit as a PNG of 64×64 grey pixels."""
    scan = (load_digits().images[7] * (255 / 16)).astype("uint8")
    return _encoded(Image.fromarray(scan).resize(DIGIT_SIZE, Image.Resampling.BICUBIC), "PNG")


def _encoded(image: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
