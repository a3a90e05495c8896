"""What a runner's refusal, or the failure of one row, is to the caller: the error that it was in the runner."""

from collections.abc import Mapping

from app.errors import (
    AlreadyAnswered,
    DeadlineExceeded,
    Draining,
    EventTooLate,
    GalleyError,
    ImageTooLarge,
    InvalidTensor,
    ModelFailed,
    ModelLoading,
    QueueFull,
    RedisUnavailable,
    RunnerLost,
    SequenceGap,
    SequenceLost,
    SequenceMoved,
    ShareExceeded,
    UnavailableError,
    UnreadableImage,
    UnsupportedImage,
    WrongTask,
)
from app.inference.messages import Refusal, RowFailure

# What can befall one row while its neighbours are answered.
ROW_ERRORS: Mapping[str, type[GalleyError]] = {
    error.code: error
    for error in (
        UnreadableImage,
        UnsupportedImage,
        ImageTooLarge,
        InvalidTensor,
        ModelFailed,
        DeadlineExceeded,
        EventTooLate,
        AlreadyAnswered,
        SequenceGap,
        SequenceLost,
        SequenceMoved,
        RedisUnavailable,
        WrongTask,
    )
}


def error_of(refusal: Refusal, limit_s: float) -> GalleyError:
    """Return the error of a refusal, for a call that was given `limit_s` seconds."""
    if refusal.code == DeadlineExceeded.code:
        return DeadlineExceeded(limit_s)
    for error in (QueueFull, ShareExceeded, ModelLoading, Draining, RunnerLost):
        if refusal.code == error.code:
            return error(refusal.detail, retry_after_s=refusal.retry_after_s)

    # A model without what its task's scenario needs is asked for tensors only, which its runner alone knows.
    return WrongTask.said(refusal.detail) if refusal.code == WrongTask.code else ModelFailed(refusal.detail)


def row_error(failure: RowFailure) -> GalleyError:
    """Return a row's failure as the error it was in the runner, with the sentence written there."""
    error = ROW_ERRORS.get(failure.code, ModelFailed).said(failure.detail)
    if isinstance(error, UnavailableError):
        error.retry_after_s = 1.0
    return error
