"""The small JSON bodies of repository calls, read whatever type they are said to be, or when there are none."""

from itertools import islice
from typing import Final, TypeVar

import msgspec
from flask import request
from msgspec import Raw, Struct, field

from app.errors import InvalidFields, UnreadableBody

Order = TypeVar("Order", bound=Struct)

# Parameters that a refusal names: one of all would be twenty times the body.
_MOST_NAMED: Final = 16


class IndexOrder(Struct, frozen=True):
    """Which versions to list: all, or those that are ready."""

    ready: bool = False


class LoadOrder(Struct, frozen=True):
    """What to load a version with: nothing may be changed of one."""

    parameters: dict[str, Raw] = field(default_factory=dict)

    def check(self) -> None:
        """Refuse to load a version with files or a configuration that it does not have.

        :raises InvalidFields: when that is asked for.
        """
        if self.parameters:
            why = "Versions never change: publish another one, by POST /api/v1/models/{name}/versions."
            names = islice(self.parameters, _MOST_NAMED)
            raise InvalidFields({f"parameters.{name[:64]}": [why] for name in names})


class UnloadParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """No model here depends on another, so both values mean the same."""

    unload_dependents: bool = False


class UnloadOrder(Struct, frozen=True):
    """How to unload a version."""

    parameters: UnloadParameters = UnloadParameters()


def read_order(kind: type[Order]) -> Order:
    """Read the body of the current request; none is one without members.

    :raises UnreadableBody: when it is not JSON, or not such an order.
    """
    try:
        return msgspec.json.decode(request.get_data(cache=False) or b"{}", type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as err:
        raise UnreadableBody(f"The request body cannot be read: {err}.") from err
