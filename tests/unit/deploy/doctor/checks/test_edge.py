"""nginx in front: its certificate, its key, and what it lets through."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.doctor.checks import edge
from deploy.doctor.finding import Finding
from tests.factories.certificates import Certificates, make_certificates
from tests.factories.doctor import assert_sound, make_case
from tests.factories.nginx import CHAIN, CONFIG, KEY
from tests.factories.parts import needed

PORT = 8000


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever runs on this machine is not looked at."""
    monkeypatch.setattr(edge, "running_configs", list)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    """Certificates that are good for a year, and a key that is its owner's."""
    certificates = make_certificates(tmp_path)
    certify(certificates, days=365)
    certificates.key.chmod(0o600)
    return certificates


def certify(certificates: Certificates, days: int) -> None:
    """Have the server's certificate end in so many days."""
    openssl = needed("openssl", package="openssl")
    key, chain = str(certificates.key), str(certificates.chain)
    command = [openssl, "req", "-x509", "-key", key, "-subj", "/CN=a", "-days", str(days), "-out", chain]
    subprocess.run(command, check=True, capture_output=True)


def look(folder: Path, certificates: Certificates, *changes: tuple[str, str], **settings: Any) -> list[Finding]:
    """Examine deploy/nginx.conf with these words changed."""
    text = CONFIG.read_text()
    for old, new in ((CHAIN, str(certificates.chain)), (KEY, str(certificates.key)), *changes):
        assert old in text
        text = text.replace(old, new)
    config = folder / "nginx.conf"
    config.write_text(text)
    findings = list(edge.edge(make_case(folder, port=PORT, **settings), config))
    for finding in findings:
        assert_sound(finding)
    return findings


def test_the_configuration_that_is_shipped_fits_the_default_settings(
    tmp_path: Path, certificates: Certificates
) -> None:
    [finding] = look(tmp_path, certificates)

    assert finding.verdict == "ok"
    assert str(tmp_path / "nginx.conf") in finding.says


@pytest.mark.parametrize(("days", "verdict", "says"), [(-1, "error", "ended on"), (3, "warning", "ends on")])
def test_a_certificate_that_ends_is_told(
    tmp_path: Path, certificates: Certificates, days: int, verdict: str, says: str
) -> None:
    if days < 0:
        # openssl makes none that is over already: a well-known date of the past.
        certificates.chain.write_text(ENDED)
    else:
        certify(certificates, days)

    [finding] = look(tmp_path, certificates)
    assert finding.verdict == verdict
    assert says in finding.says


def test_a_certificate_that_is_none_is_told(tmp_path: Path, certificates: Certificates) -> None:
    certificates.chain.write_text("no certificate")

    [finding] = look(tmp_path, certificates)
    assert (finding.verdict, "cannot be read" in finding.says) == ("error", True)


def test_a_key_that_others_may_read_is_told(tmp_path: Path, certificates: Certificates) -> None:
    certificates.key.chmod(0o644)

    [finding] = look(tmp_path, certificates)
    assert (finding.verdict, "Every user" in finding.says) == ("error", True)


def test_a_key_that_is_not_there_is_told(tmp_path: Path, certificates: Certificates) -> None:
    certificates.key.unlink()

    [finding] = look(tmp_path, certificates)
    assert (finding.verdict, "is not there" in finding.says) == ("error", True)


@pytest.mark.parametrize(
    ("changes", "settings"),
    [
        ([("client_max_body_size 4097m;", "client_max_body_size 100m;")], {}),
        (
            [("client_max_body_size 4097m;", ""), ("client_max_body_size 65m;", ""), ("client_max_body_size 1m;", "")],
            {},
        ),
        ([], {"max_job_bytes": 8 * 2**30}),
    ],
)
def test_bodies_that_nginx_does_not_let_through_are_told(
    tmp_path: Path, certificates: Certificates, changes: list[tuple[str, str]], settings: dict[str, int]
) -> None:
    [finding] = look(tmp_path, certificates, *changes, **settings)

    assert (finding.verdict, "no body of over" in finding.says) == ("warning", True)


def test_a_body_of_any_size_is_enough(tmp_path: Path, certificates: Certificates) -> None:
    [finding] = look(tmp_path, certificates, ("client_max_body_size 65m;", "client_max_body_size 0;"))

    assert finding.verdict == "ok"


@pytest.mark.parametrize("changes", [[], [("proxy_read_timeout 75s;", "")]])
def test_waits_that_are_shorter_than_galleys_are_told(
    tmp_path: Path, certificates: Certificates, changes: list[tuple[str, str]]
) -> None:
    [finding] = look(tmp_path, certificates, *changes, request_timeout_s=90.0)

    assert (finding.verdict, "REQUEST_TIMEOUT_S is 90" in finding.says) == ("warning", True)


@pytest.mark.parametrize("text", [None, "http { server { listen 80; } }", "upstream galley { server 127.0.0.1:9; }"])
def test_another_nginx_is_not_looked_at(tmp_path: Path, text: str | None) -> None:
    config = tmp_path / "nginx.conf"
    if text is not None:
        config.write_text(text)

    [finding] = edge.edge(make_case(tmp_path, port=PORT), config)
    assert (finding.verdict, "No nginx" in finding.says) == ("ok", True)


# Of a key that nobody has any more; it ended on 2020-01-02.
ENDED = """-----BEGIN CERTIFICATE-----
MIIBBDCBq6ADAgECAgEBMAoGCCqGSM49BAMCMAwxCjAIBgNVBAMMAWEwHhcNMjAw
MTAxMDAwMDAwWhcNMjAwMTAyMDAwMDAwWjAMMQowCAYDVQQDDAFhMFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAE/Dc4Q3aBTFNo+XXDoZhhKIes5kCc8QUjKr/VJqJU
bDSAXQBmtKJjOW3xBn/9Vc857IzgCyeaIFx1t/UcX8YDiTAKBggqhkjOPQQDAgNI
ADBFAiEAhUukc1hmQwoKo+l1XQlA1kjjnOjnEARsoeZKf1cHN6gCIBBeLlAzsWIP
fwWw1gnVZ2LqBN37SRHLAc28Knu4OhQU
-----END CERTIFICATE-----
"""
