"""Every failure Galley names, in one tree.

::

    GalleyError
    ├── InputError            the caller's bytes or values are wrong
    │   ├── UnreadableBody · InvalidFields · EmptyBody · BodyTooLarge · BodyTimeout
    │   │   └── InvalidTokenRequest · UnsupportedGrantType · InvalidScope · InvalidWeights
    │   ├── UnreadableImage · UnsupportedImage · ImageTooLarge · TooManyImages
    │   ├── InvalidTensor · UnsupportedEncoding · UnsupportedMediaType · KeyReused
    │   ├── EmptyInput · InvalidInput · RowTooLarge · UnreadableRow · RefusedEntry · EventTooLate
    │   └── InvalidHandshake · UpgradeRequired · InvalidFrame · SequenceSkipped · OutOfCredits
    ├── AccessError           who asks, and what they may
    │   ├── MissingToken · InvalidToken · ExpiredToken · RevokedToken · InvalidClient
    │   └── InsufficientScope · ModelNotAllowed · ForeignOrigin
    ├── NotFoundError         ModelNotFound · VersionNotFound · ClientNotFound · JobNotFound · NoRows
    │   └── AliasNotFound · RouteNotFound · AssignmentNotFound · SessionNotFound
    ├── ConflictError         VersionExists · VersionInUse · AliasInUse · AliasMoved · ClientExists · WrongTask
    │   ├── HeavyModel · LoadFailed · JobRunning · AlreadyAnswered · SequenceLost · PreconditionFailed
    │   └── SessionTaken · StatelessModel
    ├── UnavailableError      try again: carries retry_after_s
    │   ├── QueueFull · ShareExceeded · ModelLoading · ModelUnloaded · RunnerLost · Draining · RateLimited · DiskFull
    │   ├── DatabaseUnavailable · RedisUnavailable · TooManyJobs · TooManyFollowed · TooManyUploads
    │   └── SequenceGap · SequenceMoved · TooManySockets
    ├── DeadlineExceeded · NotCached
    ├── ModelFailed           the model raised or answered nonsense
    ├── JobAbandoned          a job ended without a result, and not by its own fault
    ├── TooManyErrors · ResultsGone   of a job's rows, and of what came of them
    └── StoreError            a version that cannot be trusted
        ├── InvalidName · InvalidManifest · DigestMismatch · MissingFile · StrayFile · StoreUnreachable · UploadLost
        ├── UnloadableArtifact · SignatureMismatch · SampleMismatch · MissingSignature
        └── ForbiddenCode · LimitExceeded   what verification stops

No HTTP number lives here: app/web/error_handlers.py maps classes to statuses.
"""

from typing import ClassVar, Final, Self


class GalleyError(Exception):
    """Base of the tree: a stable `code`, a sentence for the caller, and whether trying again can help."""

    code: ClassVar[str] = "internal_error"
    is_retryable: ClassVar[bool] = False

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    @classmethod
    def said(cls, detail: str) -> Self:
        """Return one whose sentence was written elsewhere; the constructor of most would make one of facts."""
        error = cls.__new__(cls)
        GalleyError.__init__(error, detail)
        return error


class InputError(GalleyError):
    """What the caller sent is wrong, and sending it again will not help."""

    code = "invalid_input"


class UnreadableBody(InputError):
    """The body is not of the form the route reads."""

    code = "unreadable_body"


class InvalidTokenRequest(UnreadableBody):
    """A request to /auth lacks a parameter, repeats one or contradicts itself."""

    code = "invalid_request"


class UnsupportedGrantType(UnreadableBody):
    """A token was asked for in another way than by client credentials."""

    code = "unsupported_grant_type"

    def __init__(self) -> None:
        super().__init__("The only grant_type is 'client_credentials'.")


class InvalidScope(UnreadableBody):
    """The client asks for scopes that it does not hold."""

    code = "invalid_scope"

    def __init__(self, scopes: str) -> None:
        super().__init__(f"The client does not hold these scopes: {scopes}.")


class EmptyBody(InputError):
    """The body holds nothing."""

    code = "empty_body"

    def __init__(self, wanted: str) -> None:
        super().__init__(f"The request body is empty; send {wanted}.")


# How many names that a caller made up he is told, and how much of each.
MOST_UNKNOWN: Final = 10
LONGEST_NAME: Final = 64


class InvalidFields(InputError):
    """The body or query is readable, but fields are wrong: `errors` says which and why."""

    code = "validation_failed"

    def __init__(self, errors: dict[str, list[str]]) -> None:
        fields = ", ".join(sorted(errors))
        super().__init__(f"These fields were not accepted: {fields}.")
        self.errors = errors


class BodyTooLarge(InputError):
    """The body is over the route's limit."""

    code = "body_too_large"

    def __init__(self, limit_bytes: int, *, why: str = "") -> None:
        super().__init__(f"The request body is over the limit of {limit_bytes} bytes{why and f': {why}'}.")


class BodyTimeout(InputError):
    """The body stopped arriving."""

    code = "body_timeout"
    is_retryable = True

    def __init__(self, waited_s: float) -> None:
        super().__init__(f"The request body did not arrive within {waited_s:g} s.")


class UnreadableImage(InputError):
    """The bytes look like an accepted image format but cannot be decoded."""

    code = "unreadable_image"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The image could not be decoded: {reason}.")


class UnsupportedImage(InputError):
    """The bytes are not an image of an accepted format."""

    code = "unsupported_image"

    def __init__(self, accepted: str) -> None:
        super().__init__(f"The bytes are not an image of an accepted format ({accepted}).")


class ImageTooLarge(InputError):
    """The image's header claims more pixels than are allowed."""

    code = "image_too_large"

    def __init__(self, width: int, height: int, limit_pixels: int) -> None:
        super().__init__(f"The image is {width}×{height} pixels; at most {limit_pixels} pixels are accepted.")


class TooManyImages(InputError):
    """More parts than one request may carry."""

    code = "too_many_images"

    def __init__(self, limit: int) -> None:
        super().__init__(f"One request may carry at most {limit} images.")


class InvalidTensor(InputError):
    """A v2 inference request, or one of its tensors, breaks the protocol or the model's signature."""

    code = "invalid_tensor"


class UnsupportedEncoding(InputError):
    """The body is compressed in a way the route does not read."""

    code = "unsupported_encoding"

    def __init__(self, encoding: str) -> None:
        super().__init__(f"The Content-Encoding '{encoding[:32]}' is not read; send gzip, deflate or none.")


class UnsupportedMediaType(InputError):
    """The body is of a type that the route does not read."""

    code = "unsupported_media_type"

    def __init__(self, media_type: str, wanted: str) -> None:
        super().__init__(f"The Content-Type '{media_type[:64]}' is not read; send {wanted}.")


class KeyReused(InputError):
    """The idempotency key was sent before, with another request."""

    code = "idempotency_key_reused"

    def __init__(self, key: str) -> None:
        super().__init__(f"The Idempotency-Key '{key}' was sent with another request before; choose a new one.")


class EmptyInput(InputError):
    """The input of a job holds no row."""

    code = "empty_input"

    def __init__(self) -> None:
        super().__init__("The input holds no row.")


class InvalidInput(InputError):
    """The input of a job, as a whole, is not of its format, or is more than a job may have."""

    code = "invalid_input_file"


class RowTooLarge(InputError):
    """A row of a job's input is over the limit."""

    code = "row_too_large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The row is over the limit of {limit_bytes} bytes.")


class UnreadableRow(InputError):
    """A row of a job's input is not what its format says."""

    code = "unreadable_row"


class RefusedEntry(InputError):
    """An entry of an archive is no plain file: a link, a device, encrypted, or named so that it leaves the archive."""

    code = "refused_entry"


class EventTooLate(InputError):
    """A payment occurred too long before the newest one of its account to be scored beside it."""

    code = "event_too_late"

    def __init__(self, late_s: float, *, limit_s: int) -> None:
        super().__init__(
            f"The event occurred {late_s:.3f} s before the newest event of its account; at most {limit_s} s are taken."
        )


class InvalidFrame(InputError):
    """A frame of a stream cannot be read, or may not come now."""

    code = "invalid_frame"


class InvalidHandshake(InputError):
    """A request to switch to WebSocket is none that RFC 6455 knows."""

    code = "invalid_handshake"

    def __init__(self, reason: str) -> None:
        super().__init__(f"This is no handshake of a WebSocket: {reason}.")


class UpgradeRequired(InputError):
    """The route speaks WebSocket only."""

    code = "upgrade_required"

    def __init__(self) -> None:
        super().__init__("This address speaks WebSocket only; open it with a client of that.")


class SequenceSkipped(InputError):
    """A frame's number is not the one after the last."""

    code = "sequence_skipped"

    def __init__(self, seq: int, wanted: int) -> None:
        super().__init__(f"Number {seq} cannot come yet: the next one is {wanted}.")


class OutOfCredits(InputError):
    """More frames are under way than the server gave credits for."""

    code = "out_of_credits"

    def __init__(self, most: int) -> None:
        super().__init__(f"At most {most} frames may wait for their answers at once.")


class InvalidWeights(InvalidFields):
    """The weights of a route's variants do not divide its callers."""

    code = "invalid_weights"


class AccessError(GalleyError):
    """Base of everything about identity and permission."""

    code = "access_denied"


class MissingToken(AccessError):
    """No bearer token was sent."""

    code = "token_missing"

    def __init__(self) -> None:
        super().__init__("Send a bearer token in the Authorization header; POST /auth/token issues one.")


class InvalidToken(AccessError):
    """The token is malformed, forged, or belongs to no client."""

    code = "token_invalid"

    def __init__(self) -> None:
        super().__init__("The bearer token is not valid.")


class ExpiredToken(AccessError):
    """The token's time is over."""

    code = "token_expired"

    def __init__(self) -> None:
        super().__init__("The bearer token has expired; request a new one from POST /auth/token.")


class RevokedToken(AccessError):
    """The token, or its client, was revoked."""

    code = "token_revoked"

    def __init__(self) -> None:
        super().__init__("The bearer token has been revoked.")


class InvalidClient(AccessError):
    """Client id and secret do not match."""

    code = "invalid_client"

    def __init__(self) -> None:
        super().__init__("The client id or the client secret is wrong.")


class ForeignOrigin(AccessError):
    """A page of an origin that is not allowed wants to open a WebSocket."""

    code = "origin_not_allowed"

    def __init__(self, origin: str) -> None:
        super().__init__(f"Pages of {origin[:LONGEST_NAME]!r} may not open streams here.")


class InsufficientScope(AccessError):
    """The token lacks a scope the route needs."""

    code = "insufficient_scope"

    def __init__(self, scope: str) -> None:
        super().__init__(f"This route needs the scope '{scope}', which the token does not have.")
        self.scope = scope


class ModelNotAllowed(AccessError):
    """The client is bound to other models."""

    code = "model_not_allowed"

    def __init__(self, model_name: str) -> None:
        super().__init__(f"This client may not use the model '{model_name}'.")


class NotFoundError(GalleyError):
    """The named thing does not exist."""

    code = "not_found"


class ModelNotFound(NotFoundError):
    """No model of that name is published."""

    code = "model_not_found"

    def __init__(self, model_name: str) -> None:
        super().__init__(f"There is no model named '{model_name}'.")


class VersionNotFound(NotFoundError):
    """The model has no such version or alias."""

    code = "version_not_found"

    def __init__(self, model_name: str, version: str) -> None:
        super().__init__(f"The model '{model_name}' has no version or alias '{version}'.")


class ClientNotFound(NotFoundError):
    """No client of that id."""

    code = "client_not_found"

    def __init__(self, client_id: str) -> None:
        super().__init__(f"There is no client '{client_id}'.")


class JobNotFound(NotFoundError):
    """No job of that id, or one of another client."""

    code = "job_not_found"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"There is no job '{job_id}'.")


class NoRows(NotFoundError):
    """The job is of a kind that has no rows, and so neither results nor errors of them."""

    code = "job_has_no_rows"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"The job '{job_id}' is of a kind that has no rows.")


class AliasNotFound(NotFoundError):
    """The model has, and had, no such alias."""

    code = "alias_not_found"

    def __init__(self, model_name: str, alias: str) -> None:
        super().__init__(f"The model '{model_name}' has no alias '{alias}'.")


class RouteNotFound(NotFoundError):
    """The model has no route."""

    code = "traffic_route_not_found"

    def __init__(self, model_name: str) -> None:
        super().__init__(f"The model '{model_name}' has no route; alias 'default' answers all its callers.")


class AssignmentNotFound(NotFoundError):
    """No variant is known to have answered the request or subject that an outcome names."""

    code = "assignment_not_found"


class SessionNotFound(NotFoundError):
    """There is no session of a stream to be resumed by this token: it has ended, or is another client's."""

    code = "session_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such session; begin a new one.")


class ConflictError(GalleyError):
    """The request contradicts what already stands."""

    code = "conflict"


class VersionExists(ConflictError):
    """Versions are immutable: this one is already published."""

    code = "version_exists"

    def __init__(self, model_name: str, version: int, *, why: str = "is already published") -> None:
        super().__init__(f"Version {version} of the model '{model_name}' {why}.")


class VersionInUse(ConflictError):
    """An alias, a route or a pin names the version: it cannot be deleted."""

    code = "version_in_use"

    def __init__(self, model_name: str, version: int, uses: str) -> None:
        super().__init__(f"Version {version} of the model '{model_name}' is in use: {uses}.")


class AliasInUse(ConflictError):
    """The alias cannot be deleted: a route names it, or callers without a version depend on it."""

    code = "alias_in_use"

    def __init__(self, model_name: str, alias: str, reason: str) -> None:
        super().__init__(f"The alias '{alias}' of the model '{model_name}' cannot be deleted: {reason}.")


class AliasMoved(ConflictError):
    """The alias does not point at the version that the request expects."""

    code = "alias_moved"

    def __init__(self, model_name: str, alias: str, version: int | None) -> None:
        where = "does not exist" if version is None else f"points at version {version}"
        super().__init__(f"The alias '{alias}' of the model '{model_name}' {where}, which is not what was expected.")


class LoadFailed(ConflictError):
    """The version was to be loaded and could not: it stays unloaded, whatever answered before goes on."""

    code = "load_failed"

    def __init__(self, model_name: str, version: int, reason: str) -> None:
        super().__init__(f"Version {version} of the model '{model_name}' cannot be loaded: {reason}")


class JobRunning(ConflictError):
    """The job is being worked on: it can be deleted once it has ended."""

    code = "job_running"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"The job '{job_id}' is running; delete it when it has ended.")


class ClientExists(ConflictError):
    """A client of that id is already there."""

    code = "client_exists"

    def __init__(self, client_id: str) -> None:
        super().__init__(f"There is already a client '{client_id}'.")


class WrongTask(ConflictError):
    """The model does another task than the route serves."""

    code = "wrong_task"

    def __init__(self, model_name: str, task: str, wanted: str) -> None:
        super().__init__(f"The model '{model_name}' does {task}; this route needs a model for {wanted}.")


class AlreadyAnswered(ConflictError):
    """A numbered event was answered, too long ago for the answer to be there still."""

    code = "already_answered"

    def __init__(self, number: int) -> None:
        super().__init__(f"Number {number} was answered before, and its answer is not kept any more.")


class SequenceLost(ConflictError):
    """A numbered event follows others of which nothing is remembered any more."""

    code = "sequence_lost"

    def __init__(self, number: int) -> None:
        super().__init__(f"What number {number} follows is not remembered any more; begin a new session.")


class SessionTaken(ConflictError):
    """The session of a stream goes on at another socket."""

    code = "session_taken"

    def __init__(self) -> None:
        super().__init__("The session was resumed at another socket, and goes on there.")


class StatelessModel(ConflictError):
    """The version remembers nothing between events, and a stream needs that it does."""

    code = "model_is_stateless"

    def __init__(self, model_name: str, version: int) -> None:
        super().__init__(f"Version {version} of the model '{model_name}' has no state: it cannot answer a stream.")


class PreconditionFailed(ConflictError):
    """The caller wants an answer of another ETag only than the one there is."""

    code = "precondition_failed"

    def __init__(self) -> None:
        super().__init__("What was asked for has another ETag than those of 'If-Match'.")


class HeavyModel(ConflictError):
    """The model is too heavy to answer while the caller waits: no runner is kept for it."""

    code = "model_is_heavy"

    def __init__(self, model_name: str) -> None:
        super().__init__(f"The model '{model_name}' is marked heavy; this route answers with online models only.")


class UnavailableError(GalleyError):
    """Not now: trying again after `retry_after_s` seconds can succeed."""

    code = "unavailable"
    is_retryable = True

    def __init__(self, detail: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class QueueFull(UnavailableError):
    """There is no room for another request, whoever asks."""

    code = "queue_full"


class ShareExceeded(UnavailableError):
    """The caller's own requests take up its share of what is short, while others are served."""

    code = "share_exceeded"


class ModelLoading(UnavailableError):
    """No runner of the version is ready yet."""

    code = "model_loading"


class ModelUnloaded(UnavailableError):
    """Somebody unloaded the version; it answers again once somebody loads it."""

    code = "model_unloaded"

    def __init__(self, model_name: str, version: int) -> None:
        super().__init__(f"Version {version} of the model '{model_name}' was unloaded.", retry_after_s=60.0)


class RunnerLost(UnavailableError):
    """The runner that held the request died before it answered."""

    code = "runner_lost"


class Draining(UnavailableError):
    """The process is about to end and takes no new work."""

    code = "draining"


class RateLimited(UnavailableError):
    """The caller is over its limit."""

    code = "rate_limited"


class TooManyJobs(UnavailableError):
    """The caller has as many jobs that have not ended as it may have."""

    code = "too_many_jobs"

    def __init__(self, most: int) -> None:
        super().__init__(f"You have {most} jobs that have not ended, which is the most.", retry_after_s=10.0)


class TooManyFollowed(UnavailableError):
    """The caller follows as many answers of events or results as it may at once."""

    code = "too_many_streams"

    def __init__(self, most: int) -> None:
        super().__init__(f"You follow {most} answers of events and results, which is the most.", retry_after_s=10.0)


class TooManySockets(UnavailableError):
    """The caller has as many WebSockets open as it may have."""

    code = "too_many_sockets"

    def __init__(self, most: int) -> None:
        super().__init__(f"You have {most} sockets open, which is the most.", retry_after_s=10.0)


class TooManyUploads(UnavailableError):
    """The caller sends as many files at once as it may."""

    code = "too_many_uploads"

    def __init__(self, most: int) -> None:
        super().__init__(f"You send {most} files at once, which is the most.", retry_after_s=10.0)


class SequenceGap(UnavailableError):
    """An event came before the one that it follows was answered."""

    code = "sequence_gap"

    def __init__(self, number: int) -> None:
        super().__init__(f"What number {number} follows was not answered; send that again, and then this.")

    @classmethod
    def behind_another(cls) -> Self:
        """Return what is said to an event without a number, which others of its call came before."""
        return cls.said("One before it, of the same sequence, was not answered; send that again, and then this.")


class SequenceMoved(UnavailableError):
    """Others moved the same sequence on, again and again, before what came of the event could be written."""

    code = "sequence_moved"

    def __init__(self) -> None:
        super().__init__("Too much happened to the same sequence at once; send the event again.")


class DiskFull(UnavailableError):
    """The disk has no room for what was sent."""

    code = "disk_full"


class DatabaseUnavailable(UnavailableError):
    """SQL does not answer."""

    code = "database_unavailable"


class RedisUnavailable(UnavailableError):
    """Redis does not answer."""

    code = "redis_unavailable"


class DeadlineExceeded(GalleyError):
    """The work did not finish within the caller's or the server's deadline."""

    code = "deadline_exceeded"
    is_retryable = True

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"The answer was not ready within {limit_s:g} s.")


class NotCached(GalleyError):
    """The caller takes kept answers only, and they are not all there."""

    code = "not_cached"

    def __init__(self, model_name: str) -> None:
        super().__init__(f"No answer of the model '{model_name}' to this is kept; ask without 'only-if-cached'.")


class ModelFailed(GalleyError):
    """The model raised, or its answer does not fit its signature."""

    code = "model_failed"


class JobAbandoned(GalleyError):
    """The job was given up: its workers were lost, one after the other, or something in them failed unforeseen."""

    code = "job_abandoned"


class TooManyErrors(GalleyError):
    """More of a job's rows were bad than it allows."""

    code = "too_many_errors"

    def __init__(self, failed: int, total: int, max_share: float) -> None:
        super().__init__(f"{failed} of {total} rows were bad; a share of {max_share:g} was allowed.")


class ResultsGone(GalleyError):
    """What came of the job was kept for its time, and is removed."""

    code = "results_gone"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"The results of the job '{job_id}' were removed; its row is all that is kept.")


class StoreError(GalleyError):
    """A model version that cannot be trusted or read."""

    code = "store_error"


class InvalidName(StoreError):
    """A model name, version or file name that could leave the store's root or break a URL."""

    code = "invalid_name"


class InvalidManifest(StoreError):
    """The manifest is unreadable or contradicts itself."""

    code = "invalid_manifest"


class DigestMismatch(StoreError):
    """A file's bytes are not those the manifest recorded."""

    code = "digest_mismatch"

    def __init__(self, path: str) -> None:
        super().__init__(f"The SHA-256 of '{path}' differs from the one in the manifest.")


class MissingFile(StoreError):
    """A file the manifest names is not there."""

    code = "missing_file"

    def __init__(self, path: str) -> None:
        super().__init__(f"'{path}' is named by the manifest but is not in the version.")


class StrayFile(StoreError):
    """A file lies in the version that the manifest does not name."""

    code = "stray_file"

    def __init__(self, path: str) -> None:
        super().__init__(f"'{path}' is not named by the manifest; a published version changes in nothing.")


class StoreUnreachable(StoreError):
    """The store's file system does not answer."""

    code = "store_unreachable"


class UploadLost(StoreError):
    """The uploaded files of a job are not on the machine of its worker."""

    code = "upload_lost"

    def __init__(self) -> None:
        super().__init__("The uploaded files are not on the worker's machine any more; publish the version again.")


class UnloadableArtifact(StoreError):
    """The artifact cannot be loaded: truncated, not TorchScript, or without forward."""

    code = "unloadable_artifact"


class SignatureMismatch(StoreError):
    """The model takes or answers other tensors than its manifest says."""

    code = "signature_mismatch"


class SampleMismatch(StoreError):
    """The model does not give the outputs stored beside its samples."""

    code = "sample_mismatch"


class MissingSignature(StoreError):
    """The manifest leaves inputs or outputs out, and neither samples nor the artifact say what they are."""

    code = "missing_signature"


class ForbiddenCode(StoreError):
    """The artifact's code calls what no model may call: files, printing, an unknown namespace."""

    code = "forbidden_code"


class LimitExceeded(StoreError):
    """The model took more memory, processor time or wall time than verification allows."""

    code = "limit_exceeded"
