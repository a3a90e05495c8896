"""The tree of errors: stable codes, sentences, and what is worth another try."""

from collections.abc import Iterator

import pytest

from app import errors
from app.errors import GalleyError, InvalidFields, QueueFull, UnavailableError

SENTENCES = [
    errors.BodyTooLarge(1024),
    errors.BodyTimeout(2.5),
    errors.EmptyBody("an image"),
    errors.UnreadableImage("it is truncated"),
    errors.UnsupportedImage("JPEG, PNG"),
    errors.ImageTooLarge(9000, 9000, 1_000_000),
    errors.TooManyImages(32),
    errors.UnsupportedMediaType("text/plain", "JSON"),
    errors.MissingToken(),
    errors.InsufficientScope("infer"),
    errors.ModelNotFound("digits"),
    errors.VersionNotFound("digits", "7"),
    errors.VersionExists("digits", 1),
    errors.WrongTask("digits", "image-classification", "ranking"),
    errors.HeavyModel("digits"),
    errors.DeadlineExceeded(0.25),
    errors.DigestMismatch("model.pt"),
]


def test_codes_are_unique() -> None:
    """No two errors share a code, so that a caller can tell them apart."""
    codes = [kind.code for kind in _tree(GalleyError)]

    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("error", SENTENCES, ids=lambda error: error.code)
def test_errors_write_their_own_sentence(error: GalleyError) -> None:
    """Each is a sentence for the caller, and the same one is logged."""
    assert error.detail[0].isupper() or error.detail[0] == "'"
    assert error.detail.endswith(".")
    assert str(error) == error.detail


def test_unavailable_says_when_to_come_back() -> None:
    """Every kind of unavailability is retryable and carries a time."""
    assert all(kind.is_retryable for kind in _tree(UnavailableError))
    assert QueueFull("The queue is full.", retry_after_s=2.5).retry_after_s == 2.5


def test_invalid_fields_name_each_field() -> None:
    """The sentence names all fields, the member says why."""
    error = InvalidFields({"top_k": ["Too large."], "model": ["Unknown."]})

    assert error.detail == "These fields were not accepted: model, top_k."
    assert error.errors["top_k"] == ["Too large."]


def _tree(root: type[GalleyError]) -> Iterator[type[GalleyError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _tree(child)
