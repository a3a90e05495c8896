"""A real nginx with deploy/nginx.conf, on free ports and with certificates of its own."""

import os
import signal
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import httpx
import psutil

from tests.factories.certificates import Certificates, make_certificates
from tests.factories.parts import needed
from tests.factories.stack import ROOT, free_port, title_of
from tests.factories.waiting import wait_until

CONFIG = ROOT / "deploy" / "nginx.conf"
STOP_S = 30.0
# What an operator changes as well: each is in the file exactly once.
TLS_PORT, PLAIN_PORT, UPSTREAM = "listen 443 ssl;", "listen 80;", "server 127.0.0.1:8000;"
TLS_PORT_6, PLAIN_PORT_6 = "listen [::]:443 ssl;", "listen [::]:80;"
USER, WORKERS_USER = "user www-data;", "www-data"
CHAIN, KEY = "/etc/galley/tls/fullchain.pem", "/etc/galley/tls/privkey.pem"
LOGS = "/var/log/nginx/"
# Where nginx keeps what it cannot hold in memory; by default in folders that only its package makes.
SCRATCH = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True, kw_only=True)
class Nginx:
    """One running nginx. `plain_url` is where it answers without TLS."""

    process: "subprocess.Popen[bytes]"
    url: str
    plain_url: str
    ca: Path
    tls: ssl.SSLContext
    folder: Path

    @property
    def pid(self) -> int:
        """The master process."""
        return self.process.pid

    @property
    def port(self) -> int:
        """The port that speaks TLS."""
        return int(self.url.rsplit(":", 1)[1])

    @property
    def access_log(self) -> Path:
        """One line per request, in JSON; written a second late at most."""
        return self.folder / "access.log"

    @property
    def error_log(self) -> Path:
        """What nginx itself has to say."""
        return self.folder / "error.log"

    def client(self, token: str | None = None) -> httpx.Client:
        """Return an HTTP client that trusts the certificate."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, verify=self.tls)

    def reload(self) -> None:
        """Have the configuration and the certificate read again; return when new workers have taken over."""
        before = self._serving()
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: (now := self._serving()) and not now & before)

    def reopen_logs(self) -> None:
        """Have the logs opened anew, after they were moved away; return when the new ones are there."""
        self.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: self.access_log.exists() and self.error_log.exists())

    def _serving(self) -> set[int]:
        """Return the workers that take connections; those of before a reload finish what they have."""
        titles = {child.pid: title_of(child) for child in psutil.Process(self.pid).children()}
        return {pid for pid, title in titles.items() if "worker" in title and "shutting down" not in title}


@contextmanager
def running_nginx(upstream_port: int, changes: Mapping[str, str] = MappingProxyType({})) -> Iterator[Nginx]:
    """Run nginx on free ports in front of `upstream_port`; `changes` are further words to replace."""
    with tempfile.TemporaryDirectory(prefix="galley-nginx-") as name:
        folder = Path(name)
        # World-readable, since nginx's workers give up root.
        folder.chmod(0o755)
        certificates, tls_port, plain_port = make_certificates(folder), free_port(), free_port()
        addresses = {**listening(tls_port, plain_port), UPSTREAM: f"server 127.0.0.1:{upstream_port};"}
        config = write_config(folder, certificates, {**addresses, **changes})
        process = _start(folder, config)
        try:
            nginx = Nginx(
                process=process,
                url=f"https://127.0.0.1:{tls_port}",
                plain_url=f"http://127.0.0.1:{plain_port}",
                ca=certificates.ca,
                tls=ssl.create_default_context(cafile=str(certificates.ca)),
                folder=folder,
            )
            wait_until(lambda: process.poll() is not None or answers(nginx))
            assert process.poll() is None, nginx.error_log.read_text()
            yield nginx
        finally:
            process.terminate()
            process.wait(STOP_S)


def has_ipv6() -> bool:
    """Say whether this machine has IPv6, which nginx would not start without."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False

    return True


def listening(tls_port: int, plain_port: int) -> dict[str, str]:
    """Return what to change so that nginx listens on these ports of this machine's own addresses."""
    both = has_ipv6()
    return {
        TLS_PORT: f"listen 127.0.0.1:{tls_port} ssl;",
        PLAIN_PORT: f"listen 127.0.0.1:{plain_port};",
        TLS_PORT_6: f"listen [::1]:{tls_port} ssl;" if both else "",
        PLAIN_PORT_6: f"listen [::1]:{plain_port};" if both else "",
    }


def write_config(folder: Path, certificates: Certificates, changes: Mapping[str, str]) -> Path:
    """Write deploy/nginx.conf with its paths and these words changed; return where it is."""
    text = CONFIG.read_text()
    paths = {CHAIN: str(certificates.chain), KEY: str(certificates.key)}
    # Only root may choose whom workers run as; nginx warns others that this is ignored.
    user = {} if os.geteuid() == 0 else {USER: ""}
    for old, new in {**paths, **user, **changes}.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    scratch = "".join(f"    {part}_temp_path {folder}/{part};\n" for part in SCRATCH)
    config = folder / "nginx.conf"
    config.write_text(text.replace(LOGS, f"{folder}/").replace("http {\n", f"http {{\n{scratch}", 1))
    return config


def answers(nginx: Nginx) -> bool:
    """Say whether somebody answers at all."""
    try:
        httpx.get(f"{nginx.url}/health/live", verify=nginx.tls)
    except httpx.HTTPError:
        return False

    return True


def _start(folder: Path, config: Path) -> "subprocess.Popen[bytes]":
    binary = needed("nginx", package="nginx")
    options = f"pid {folder}/nginx.pid; daemon off;"
    with (folder / "error.log").open("ab") as log:
        # What it says before it has read where its log is goes there, too.
        return subprocess.Popen(
            [binary, "-p", folder, "-c", config, "-e", folder / "error.log", "-g", options], stdout=log, stderr=log
        )
