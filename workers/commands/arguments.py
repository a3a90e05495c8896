"""What the commands' arguments have in common: how a version is named, and where new ones go."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


@dataclass(frozen=True)
class Target:
    """A model, or one version of it by number or alias."""

    name: str
    version: str | None


class TargetType(click.ParamType[Target]):
    """Reads `NAME` or `NAME/VERSION`."""

    name = "name[/version]"

    def convert(self, value: Any, _param: click.Parameter | None, _ctx: click.Context | None) -> Target:
        """Split at the slash; whether there is such a version is for the catalog to say."""
        name, _, version = str(value).partition("/")
        return Target(name, version or None)


@dataclass(frozen=True, kw_only=True)
class Placing:
    """What a new version is to be called, and what shall point at it."""

    name: str | None
    version: int | None
    alias: str | None
    pin: bool


_PLACING_OPTIONS = (
    click.option("--name", help="Name of the model."),
    click.option("--version", type=click.IntRange(min=1), help="Version number. Without it: the next free one."),
    click.option("--alias", help="Point this alias at the new version. The first version takes 'default'."),
    click.option("--pin", is_flag=True, help="Keep the version loaded, though no alias may name it."),
)

target_argument = click.argument("target", type=TargetType(), metavar="NAME[/VERSION]")


def placing_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a new version; it takes them as one argument, `placing`."""

    @wraps(command)
    def gathered(
        *args: Any, name: str | None, version: int | None, alias: str | None, pin: bool, **kwargs: Any
    ) -> None:
        command(*args, placing=Placing(name=name, version=version, alias=alias, pin=pin), **kwargs)

    for option in reversed(_PLACING_OPTIONS):
        gathered = option(gathered)
    return gathered
