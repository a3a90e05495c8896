"""How Galley's processes are started, by supervisord, systemd or containers, in words that can be compared."""

import configparser
import shlex
from pathlib import Path
from string import Template

ROOT = Path(__file__).resolve().parents[2]
# Where the launcher fills in this machine's places, those of an installed checkout.
_PLACES = {"python": "/opt/galley/.venv/bin/python", "root": "/opt/galley", "redis_server": "/usr/bin/redis-server"}
_TETHER = ["python", "-m", "deploy.tether"]


def supervised_commands() -> dict[str, list[str]]:
    """Return the command of each program of deploy/supervisord.conf, without what ties it to supervisord."""
    config = configparser.RawConfigParser()
    config.read(ROOT / "deploy" / "supervisord.conf")
    programs = {name.removeprefix("program:"): config[name] for name in config.sections() if "program:" in name}
    commands = {name: words_of(Template(part["command"]).safe_substitute(_PLACES)) for name, part in programs.items()}
    return {name: words[len(_TETHER) :] for name, words in commands.items()}


def words_of(command: str) -> list[str]:
    """Return the words of a command; of paths the last part, since places differ."""
    return names_in(shlex.split(command))


def names_in(words: list[str]) -> list[str]:
    """Return words with the last part alone of those that are paths."""
    return [Path(word).name if "/" in word else word for word in words]


def option_of(words: list[str], name: str) -> str:
    """Return the value of an option."""
    return words[words.index(name) + 1]


def options_of(words: list[str]) -> set[str]:
    """Return the options of a command, without their values."""
    return {word for word in words if word.startswith("--")}
