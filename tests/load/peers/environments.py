"""The environments of other servers: built by pip once, kept in .venv-peers, never mixed with Galley's own."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / ".venv-peers"
# Exactly Galley's: the comparison is of servers. A looser wish would also fetch gigabytes of CUDA.
TORCH = "torch==2.13.0"
INSTALL_LIMIT_S = 1200


class Uninstallable(Exception):
    """A server could not be installed; the message says why, in pip's words."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A server's parts, exact, in a folder of their own."""

    name: str
    requirements: tuple[str, ...]

    @property
    def bin(self) -> Path:
        """Where its Python and its commands are."""
        return FOLDER / self.name / "bin"

    def build(self) -> None:
        """Install what is not there yet.

        :raises Uninstallable: where pip cannot reach or find the parts.
        """
        wanted = "\n".join(self.requirements)
        stamp = FOLDER / self.name / ".installed"
        if stamp.exists() and stamp.read_text("utf-8") == wanted:
            return

        _run([sys.executable, "-m", "venv", "--clear", str(FOLDER / self.name)])
        _run([str(self.bin / "python"), "-m", "pip", "--disable-pip-version-check", "install", *self.requirements])
        stamp.write_text(wanted, "utf-8")


# MLServer 1.7.1 asks uvloop for a loop in a way that uvloop 0.22 refuses: its processes for models would all die.
MLSERVER = Environment(name="mlserver", requirements=(TORCH, "mlserver==1.7.1", "uvloop==0.21.0"))
KSERVE = Environment(name="kserve", requirements=(TORCH, "kserve==0.21.0"))


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_LIMIT_S)
    except subprocess.CalledProcessError as err:
        said = [line for line in err.stderr.splitlines() if line.startswith("ERROR")]
        raise Uninstallable("; ".join(said) or f"{command[0]} ended with {err.returncode}") from err
    except subprocess.TimeoutExpired as err:
        raise Uninstallable(f"not done within {INSTALL_LIMIT_S} s") from err
