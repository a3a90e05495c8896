"""A token of the first admin client, for the curl line and `make token`."""

from pathlib import Path

from app.settings import Settings
from deploy.stack.errors import CannotStart
from deploy.stack.local_http import call


def fetch_token(settings: Settings) -> str:
    """Ask the running stack for a token of the admin client in `admin.env`.

    :raises CannotStart: when the file is missing, nobody answers, or the secret is not accepted.
    """
    credentials = read_admin(settings.var_dir / "admin.env")
    try:
        status, answer = call(settings, "POST", "/auth/token", credentials)
    except OSError as err:
        raise CannotStart(f"Nobody answers at port {settings.port}: is the stack running? ({err})") from err

    if status != 200:
        raise CannotStart(f"The token was refused: {answer.get('detail', status)}")

    return str(answer["access_token"])


def read_admin(path: Path) -> dict[str, str]:
    """Return the token request of the client in an `admin.env` file.

    :raises CannotStart: when there is none.
    """
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError as err:
        raise CannotStart(f"There is no {path}; `flask clients create-admin` makes an admin client.") from err

    values = dict(line.split("=", 1) for line in lines if "=" in line)
    return {
        "grant_type": "client_credentials",
        "client_id": values["GALLEY_CLIENT_ID"],
        "client_secret": values["GALLEY_CLIENT_SECRET"],
    }
