"""`flask models …`: publish, import, train, list and check model versions from a shell.

Flask finds the group by the entry point in setup.cfg and imports this module for every `flask` command, so it
imports no torch: each command's module is imported when the command is called.
"""

import importlib
from dataclasses import dataclass
from typing import Any

import click

from app.errors import GalleyError
from app.setting_rules import SettingsError


@dataclass(frozen=True)
class Lazy:
    """A command that is not imported yet: `module:attribute`, and its line in the help."""

    target: str
    help: str

    def load(self) -> click.Command:
        """Import the command.

        :raises click.ClickException: when what it needs is not installed.
        """
        module, _, attribute = self.target.partition(":")
        try:
            command: click.Command = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as err:
            raise click.ClickException(
                f"This command runs models and needs {err.name}, which is not installed: pip install 'galley[workers]'."
            ) from err

        return command


class LazyGroup(click.Group):
    """A group that knows its commands' names and help, and imports each when it is called.

    It also turns Galley's errors into one line and exit status 1.
    """

    def __init__(self, *args: Any, lazy: dict[str, Lazy], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = lazy

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names in the order they were given: from the most used to the least."""
        return list(self.lazy)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, or None when there is none of that name."""
        lazy = self.lazy.get(cmd_name)
        return None if lazy is None else lazy.load()

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.help) for name, lazy in self.lazy.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and report what Galley refuses as an error of the command line."""
        try:
            return super().invoke(ctx)
        except GalleyError as err:
            raise click.ClickException(err.detail) from err
        except SettingsError as err:
            raise click.ClickException(str(err)) from err


models = LazyGroup(
    "models",
    help="Publish, import, train, list and check model versions.",
    lazy={
        "list": Lazy("workers.commands.catalog:list_models", "List all versions with their aliases."),
        "show": Lazy("workers.commands.catalog:show", "Show one model or one version with its manifest."),
        "publish": Lazy("workers.commands.publishing:publish", "Prove and publish a TorchScript file."),
        "import": Lazy("workers.commands.importing:import_model", "Import a model from torchvision."),
        "verify": Lazy("workers.commands.catalog:verify", "Compare a version's files with their hashes."),
        "alias": Lazy("workers.commands.catalog:alias", "Point an alias at a version."),
        "load": Lazy("workers.commands.residency:load", "Have a version run, and wait until it does."),
        "unload": Lazy("workers.commands.residency:unload", "Have a version not run until it is loaded."),
        "pin": Lazy("workers.commands.residency:pin", "Keep a version loaded."),
        "unpin": Lazy("workers.commands.residency:unpin", "Let go of a pinned version."),
        "instances": Lazy("workers.commands.residency:instances", "Say in how many runners a version runs."),
        "delete": Lazy("workers.commands.retention:delete", "Delete a version for good."),
        "prune": Lazy("workers.commands.retention:prune", "Delete old versions that nothing names."),
        "train": Lazy("workers.commands.training:train", "Train and publish a demo model."),
        "demo": Lazy("workers.commands.training:demo", "Publish the demo models that are missing."),
    },
)
