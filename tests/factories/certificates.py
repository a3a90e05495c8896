"""Certificates for TLS on this machine: an authority made for the run, and what it vouches for."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.factories.parts import needed

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "2")


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """Files in PEM: the authority's certificate, the server's and its key."""

    ca: Path
    chain: Path
    key: Path


def make_certificates(folder: Path) -> Certificates:
    """Make an authority in `folder`, and a certificate of it for 127.0.0.1 and localhost."""
    ca, ca_key, chain, key = (folder / name for name in ("ca.pem", "ca.key", "fullchain.pem", "privkey.pem"))
    _certify("/CN=Authority of one test run", ca, ca_key, "-addext", "keyUsage=critical,keyCertSign")
    names = ("-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE")
    _certify("/CN=127.0.0.1", chain, key, "-CA", str(ca), "-CAkey", str(ca_key), *names)
    return Certificates(ca=ca, chain=chain, key=key)


def _certify(subject: str, certificate: Path, key: Path, *options: str) -> None:
    openssl = needed("openssl", package="openssl")
    command: list[str | Path] = [
        openssl,
        "req",
        "-x509",
        *NEW_KEY,
        "-subj",
        subject,
        "-out",
        certificate,
        "-keyout",
        key,
        *options,
    ]
    subprocess.run(command, check=True, capture_output=True)
