"""Pictures of one colour, whose answer by the models of tests/factories/models.py is known."""

import math
from io import BytesIO
from typing import Any

from PIL import Image

from app.scenarios.images import ImageAnswer

Colour = tuple[int, int, int]


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """Return an image as the bytes of a file."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def plain_picture(colour: Colour, *, size: tuple[int, int] = (12, 9), kind: str = "PNG") -> bytes:
    """Return a file that shows one colour."""
    return encoded(Image.new("RGB", size, colour), kind)


def colour_scores(colour: Colour) -> dict[str, float]:
    """Return what ColourModel's softmax must give for a picture of one colour."""
    powers = [math.exp(value / 255 * 10) for value in colour]
    return {label: power / sum(powers) for label, power in zip(("red", "green", "blue"), powers, strict=True)}


def answers_colour(answer: ImageAnswer, colour: Colour) -> bool:
    """Say whether an answer is the one for a picture of that colour."""
    wanted = colour_scores(colour)
    return len(answer.labels) == len(wanted) and all(
        math.isclose(each.score, wanted[each.label], abs_tol=1e-4) for each in answer.labels
    )
