"""The lines a newcomer reads when the stack is ready."""

import shlex
from pathlib import Path

from app.settings import Settings
from deploy.stack.local_http import base_url


def welcome(settings: Settings, token: str) -> str:
    """Return where everything is, and one line to paste that classifies a picture."""
    url = base_url(settings)
    return "\n".join(
        [
            "",
            f"Galley is ready at {url}",
            f"  docs  {url}/docs",
            f"  logs  {settings.var_dir / 'log'}",
            "Try it:",
            f"  {curl_line(url, token, settings.var_dir / 'samples')}",
            "",
            "Ctrl-C ends everything.",
        ]
    )


def curl_line(url: str, token: str, samples: Path) -> str:
    """Return a curl command for the sample picture, or for the list of models where there is none."""
    command = ["curl", "-sS", "-H", f"Authorization: Bearer {token}"]
    picture = next(iter(sorted(samples.glob("digit-7*.png"))), None)
    if picture is None:
        return shlex.join([*command, f"{url}/api/v1/models"])

    return shlex.join([*command, "-F", f"image=@{picture}", f"{url}/api/v1/images/classifications"])
