"""A job as its client asks for it, whichever way it came: of which kind, by which model, with which parameters."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from app.errors import InvalidFields
from app.scenarios.job_kind import JobKind
from app.scenarios.job_kinds import find_kind
from app.services.batch_jobs import DEFAULT_MAX_ERROR_SHARE
from app.services.routing import LONGEST_VERSION

LONGEST_MODEL: Final = 128
MOST_PARAMETERS_BYTES: Final = 64 * 1024
MAX_ERROR_SHARE: Final = "max_error_share"


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """What is asked of a job, its input apart."""

    kind: str
    model: str | None = None
    version: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def checked_kind(self) -> JobKind:
        """Return the kind that is asked for.

        :raises InvalidFields: when there is none of that name, or model or version are none that can be looked up.
        """
        for name, text, longest in (("model", self.model, LONGEST_MODEL), ("version", self.version, LONGEST_VERSION)):
            if text is not None and not 1 <= len(text) <= longest:
                raise InvalidFields({name: [f"Send 1 to {longest} characters."]})

        return find_kind(self.kind)

    def max_error_share(self) -> float:
        """Return the share of bad rows with which the job still succeeds.

        :raises InvalidFields: when it is no number from 0 to 1.
        """
        share = self.parameters.get(MAX_ERROR_SHARE, DEFAULT_MAX_ERROR_SHARE)
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise InvalidFields({f"parameters.{MAX_ERROR_SHARE}": ["Send a number from 0 to 1."]})

        return float(share)

    def kind_parameters(self) -> dict[str, Any]:
        """Return the parameters that are the kind's own."""
        return {name: value for name, value in self.parameters.items() if name != MAX_ERROR_SHARE}

    def canonical(self) -> bytes:
        """Return bytes that are the same for two requests that ask the same."""
        return json.dumps([self.kind, self.model, self.version, self.parameters], sort_keys=True).encode()


def request_of_texts(texts: Mapping[str, bytes]) -> JobRequest:
    """Read the texts of a form: `kind`, `model`, `version`, and `parameters` as JSON.

    :raises InvalidFields: naming the one that is wrong.
    """
    return JobRequest(
        kind=_text(texts, "kind") or "",
        model=_text(texts, "model"),
        version=_text(texts, "version"),
        parameters=read_parameters(texts.get("parameters", b"{}")),
    )


def read_parameters(text: bytes) -> dict[str, Any]:
    """Read the parameters of a job, which are JSON.

    :raises InvalidFields: when they are too much, or no JSON object.
    """
    if len(text) > MOST_PARAMETERS_BYTES:
        raise InvalidFields({"parameters": [f"Send at most {MOST_PARAMETERS_BYTES} bytes."]})
    try:
        parameters = orjson.loads(text)
    except orjson.JSONDecodeError as err:
        raise InvalidFields({"parameters": [f"This is not valid JSON: {err}."]}) from err
    if not isinstance(parameters, dict):
        raise InvalidFields({"parameters": ["Send a JSON object."]})

    return parameters


def _text(texts: Mapping[str, bytes], name: str) -> str | None:
    try:
        return texts[name].decode() if name in texts else None
    except UnicodeDecodeError as err:
        raise InvalidFields({name: ["This part is not UTF-8."]}) from err
