"""nginx's logs turned over by the real logrotate, with the configuration that operators install."""

import grp
import os
import pwd
import subprocess
from pathlib import Path

from tests.factories.commands import ROOT
from tests.factories.parts import needed

# Whose the new files are, by the configuration.
OWNERS = "www-data adm"


def rotate_logs(logs: Path, folder: Path, *, nginx_pid: int | None = None) -> None:
    """Turn over the logs in `logs`, with paths changed, and whose they are where only root could say that."""
    pid_file, config = folder / "nginx.pid", folder / "logrotate.conf"
    pid_file.write_text("" if nginx_pid is None else str(nginx_pid))
    text = (ROOT / "deploy" / "logrotate.conf").read_text().replace("/var/log/nginx", str(logs))
    config.write_text(text.replace("/run/nginx.pid", str(pid_file)).replace(OWNERS, owners()))
    config.chmod(0o644)
    logrotate = needed("logrotate", package="logrotate")
    subprocess.run([logrotate, "--force", "--state", folder / "state", config], check=True)


def owners() -> str:
    """Return the user and the group that turned logs get here."""
    if os.geteuid() == 0:
        return OWNERS
    return f"{pwd.getpwuid(os.geteuid()).pw_name} {grp.getgrgid(os.getegid()).gr_name}"
