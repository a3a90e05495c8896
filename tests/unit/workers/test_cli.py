"""The group knows its commands without importing them, and says errors in one line."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from app.errors import ModelNotFound
from app.setting_rules import SettingsError
from workers.cli import Lazy, LazyGroup, models

LOADS_NO_TORCH = """
import sys
from click.testing import CliRunner
from workers.cli import models
result = CliRunner().invoke(models, {words})
print(result.output)
sys.exit(result.exit_code or "torch" in sys.modules)
"""


@click.command()
def lose() -> None:
    raise ModelNotFound("digits")


@click.command()
def unset() -> None:
    raise SettingsError("These settings are wrong:\n  PORT: Not a valid integer.")


def group(target: str) -> LazyGroup:
    return LazyGroup("models", lazy={"do": Lazy(target, "Do it.")})


@pytest.mark.parametrize("words", [["--help"], ["list", "--help"], ["alias", "--help"], ["verify", "--help"]])
def test_commands_that_run_no_model_import_no_torch(words: list[str]) -> None:
    code = LOADS_NO_TORCH.format(words=words)
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stdout + done.stderr


def test_help_lists_every_command() -> None:
    output = CliRunner().invoke(models, ["--help"]).output

    for name in ("list", "show", "publish", "import", "verify", "alias", "load", "unload", "pin", "train", "demo"):
        assert f"\n  {name} " in output


@pytest.mark.parametrize("name", list(models.lazy))
def test_every_command_is_where_the_table_says(name: str) -> None:
    result = CliRunner().invoke(models, [name, "--help"])

    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Usage: models {name} ")


def test_an_unknown_command_is_refused() -> None:
    result = CliRunner().invoke(models, ["destroy"])

    assert result.exit_code == 2
    assert "No such command 'destroy'" in result.output


def test_a_missing_library_is_named() -> None:
    result = CliRunner().invoke(group("no_such_library:command"), ["do"])

    assert result.exit_code == 1
    assert "needs no_such_library" in result.output
    assert "galley[workers]" in result.output


@pytest.mark.parametrize(
    ("command", "sentence"),
    [("lose", "Error: There is no model named 'digits'.\n"), ("unset", "PORT: Not a valid integer.\n")],
)
def test_errors_are_told_in_words(command: str, sentence: str) -> None:
    result = CliRunner().invoke(group(f"{__name__}:{command}"), ["do"])

    assert result.exit_code == 1
    assert result.output.endswith(sentence)
    assert "Traceback" not in result.output
