"""nginx in front, where it is on this machine and speaks for Galley: its certificate, its key and its limits."""

import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import psutil

from deploy.doctor.case import Case
from deploy.doctor.finding import Finding, error, good, warning

DEBIANS: Final = Path("/etc/nginx/nginx.conf")
# Authorities renew in the last third of ninety days; who has not by then does not do it at all.
SOON: Final = timedelta(days=14)
OPENSSL_S: Final = 10.0
_RENEW: Final = "Renew it, then `nginx -t && nginx -s reload`."
_OURS: Final = re.compile(r"\bupstream\s+galley\b")
_COMMENT: Final = re.compile(r"(?m)(^|\s)#.*$")
_UNITS: Final = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "s": 1, "h": 3600}
_END_DATE: Final = "%b %d %H:%M:%S %Y %Z"


@dataclass(frozen=True)
class EdgeConfig:
    """What nginx was told, as far as it has to fit Galley's settings."""

    path: Path
    text: str

    def asks(self, port: int) -> bool:
        """Say whether it passes requests on to a Galley at that port."""
        servers = [address.rpartition(":")[2].split()[0] for address in self.values("server") if ":" in address]
        return _OURS.search(self.text) is not None and str(port) in servers

    def values(self, directive: str) -> list[str]:
        """Return the values that a directive has, everywhere in the file."""
        return re.findall(rf"\b{directive}\s+([^;{{}}]+);", self.text)

    def most(self, directive: str) -> int | None:
        """Return the largest of them, in bytes or seconds; None where it is not there. 0 is no limit."""
        found = [_number(value) for value in self.values(directive)]
        known = [number for number in found if number is not None]
        return 0 if 0 in known else max(known, default=None)

    def least(self, directive: str) -> int | None:
        """Return the smallest of them."""
        found = [_number(value) for value in self.values(directive)]
        return min((number for number in found if number is not None), default=None)


def edge(case: Case, debians: Path = DEBIANS) -> Iterator[Finding]:
    """What others meet first: the nginx that asks this Galley, be it running or Debian's, which is to be started."""
    configs = [config for path in (*running_configs(), debians) if (config := read_config(path)) is not None]
    mine = [config for config in configs if config.asks(case.settings.port)]
    for config in mine:
        problems = [*_certificates(config), *_keys(config), *_limits(case, config)]
        yield from problems or [good("edge", f"{config.path} fits: certificate, key, limits and times.")]
    if not mine:
        yield good("edge", f"No nginx that can be seen from here asks port {case.settings.port} for Galley.")


def running_configs() -> list[Path]:
    """Return the files that running nginxes were told to read; one that was told nothing reads Debian's."""
    titles = (" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))
    # A title is one word: `nginx: master process /usr/sbin/nginx -c /etc/nginx/galley.conf`.
    told = (re.match(r"nginx: master process .* -c (\S+)", title) for title in titles)
    return [Path(found[1]) for found in told if found]


def read_config(path: Path) -> EdgeConfig | None:
    """Return what a file says to nginx; None where it cannot be read, as those of other users."""
    try:
        return EdgeConfig(path, _COMMENT.sub("", path.read_text("utf-8", "replace")))
    except OSError:
        return None


def _certificates(config: EdgeConfig) -> Iterator[Finding]:
    for path in config.values("ssl_certificate"):
        until = _valid_until(Path(path))
        if until is None:
            yield error(
                "edge",
                f"The certificate {path} cannot be read.",
                f"See `openssl x509 -in {path} -noout -enddate`; nginx starts with none that it cannot read.",
            )
        elif until < datetime.now(UTC):
            yield error("edge", f"The certificate {path} ended on {until:%Y-%m-%d}.", _RENEW)
        elif until < datetime.now(UTC) + SOON:
            yield warning("edge", f"The certificate {path} ends on {until:%Y-%m-%d}.", _RENEW)


def _keys(config: EdgeConfig) -> Iterator[Finding]:
    for name in config.values("ssl_certificate_key"):
        try:
            mode = Path(name).stat().st_mode
        except PermissionError:
            # As it should be, for those who are not root.
            continue
        except FileNotFoundError:
            yield error("edge", f"The key {name} is not there.", f"Put it there, or name it in {config.path}.")
            continue
        if mode & (stat.S_IROTH | stat.S_IWOTH):
            yield error("edge", f"Every user of this machine may read the key {name}.", f"chmod 0640 {name}")


def _limits(case: Case, config: EdgeConfig) -> Iterator[Finding]:
    settings = case.settings
    largest = max(settings.max_body_bytes, settings.max_job_bytes, settings.max_artifact_bytes)
    # nginx's own, where nothing is said.
    room, wait_s = config.most("client_max_body_size"), config.least("proxy_read_timeout")
    if room != 0 and (room or 2**20) < largest:
        yield warning(
            "edge",
            f"nginx lets no body of over {room or 2**20} bytes through, and Galley takes up to {largest}.",
            "Set client_max_body_size a little over MAX_BODY_BYTES, MAX_ARTIFACT_BYTES and MAX_JOB_BYTES.",
        )
    if (wait_s or 60) <= settings.request_timeout_s:
        yield warning(
            "edge",
            f"nginx waits {wait_s or 60} s for an answer, and REQUEST_TIMEOUT_S is {settings.request_timeout_s:g}.",
            "Set proxy_read_timeout over REQUEST_TIMEOUT_S: else nginx gives requests up that Galley still answers.",
        )


def _valid_until(certificate: Path) -> datetime | None:
    """Return when the first certificate of a file ends; None where it cannot be read."""
    openssl = shutil.which("openssl")
    if openssl is None:
        return None
    command = [openssl, "x509", "-in", str(certificate), "-noout", "-enddate"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=OPENSSL_S)  # noqa: S603 - the program is ours
    _, is_told, date = done.stdout.strip().partition("notAfter=")
    return datetime.strptime(date, _END_DATE).replace(tzinfo=UTC) if is_told else None


def _number(value: str) -> int | None:
    """Return a size in bytes or a time in seconds, as nginx writes them."""
    found = re.fullmatch(r"(\d+)\s*([kmgsh]?)", value.strip().lower())
    if found is None:
        return None
    return int(found[1]) * _UNITS[found[2]]
