"""What others can reach, and whether what goes over the wire can be read."""

import ipaddress
from collections.abc import Iterator
from urllib.parse import SplitResult, parse_qs, urlsplit

from deploy.doctor.case import Case
from deploy.doctor.finding import Finding, error, good, warning

_ENCRYPTED_SQL = ("require", "verify-ca", "verify-full")


def environment(case: Case) -> Iterator[Finding]:
    """Development's excuses where others can call."""
    if case.is_open and not case.is_production:
        yield warning(
            "environment",
            f"Others can reach {case.settings.host}, and ENVIRONMENT is {case.settings.environment}.",
            "Set ENVIRONMENT=production where others call: weak secrets are refused then.",
        )
    else:
        yield good("environment", f"ENVIRONMENT is {case.settings.environment}.")


def tls(case: Case) -> Iterator[Finding]:
    """Tokens that go in the clear: gunicorn speaks no TLS, so something in front must."""
    settings = case.settings
    if case.is_open and settings.trusted_proxies == 0:
        tell = error if case.is_production else warning
        yield tell(
            "tls",
            f"gunicorn listens on {settings.host} itself, without TLS: tokens can be read on their way.",
            "Put deploy/nginx.conf in front, and set HOST=127.0.0.1 and TRUSTED_PROXIES=1.",
        )
    elif case.is_open:
        yield warning(
            "tls",
            f"Others may reach {settings.host} past the proxy, name any caller in X-Forwarded-For and read /metrics.",
            "Set HOST=127.0.0.1 where the proxy is on this machine; else let a firewall pass the proxy alone.",
        )
    elif case.is_production and settings.trusted_proxies == 0:
        yield warning(
            "tls",
            "TRUSTED_PROXIES is 0: behind a proxy all callers have one address, which login limits count by.",
            "Set TRUSTED_PROXIES to the number of proxies in front; 1 behind deploy/nginx.conf.",
        )
    else:
        yield good("tls", "Only this machine reaches gunicorn.")


def cors(case: Case) -> Iterator[Finding]:
    """Web pages that may call in their visitors' names."""
    origins = case.settings.cors_origins
    if "*" in origins:
        tell = error if case.is_production else warning
        yield tell("cors", "CORS_ORIGINS lets every web page call.", "Name the origins: CORS_ORIGINS=https://…")
        return

    plain = [origin for origin in origins if origin.startswith("http://") and not is_local(urlsplit(origin).hostname)]
    if plain:
        yield warning(
            "cors",
            f"Pages that come without TLS may call: {', '.join(plain)}. Whoever is on their way can change them.",
            "Name https:// origins only.",
        )
    else:
        yield good("cors", f"{len(origins)} origins may call from browsers.")


def wires(case: Case) -> Iterator[Finding]:
    """Connections to other machines that are not encrypted."""
    settings = case.settings
    urls = {"REDIS_URL": settings.redis_url, "STATE_REDIS_URL": settings.state_redis_url}
    open_ones = [name for name, url in urls.items() if _is_plain_redis(url)]
    if _is_plain_sql(settings.database_url):
        open_ones.append("DATABASE_URL")
    if open_ones:
        yield warning(
            "wires",
            f"{', '.join(open_ones)}: another machine is asked without TLS.",
            "Use rediss://… and …?sslmode=verify-full, or a network that is yours alone.",
        )
    else:
        yield good("wires", "No other machine is asked without TLS.")


def is_local(host: str | None) -> bool:
    """Say whether a host of a URL is this machine; none is: a Unix socket, or a file."""
    if not host or host == "localhost":
        return True

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_plain_redis(url: str) -> bool:
    return url.startswith("redis://") and not is_local(urlsplit(url).hostname)


def _is_plain_sql(url: str) -> bool:
    parts = urlsplit(url)
    options = parse_qs(parts.query)
    if parts.scheme.startswith("sqlite") or all(_is_local_sql(host) for host in _sql_hosts(parts, options)):
        return False

    return options.get("sslmode", [""])[-1] not in _ENCRYPTED_SQL


def _sql_hosts(parts: SplitResult, options: dict[str, list[str]]) -> list[str]:
    """Return whom libpq asks: what stands behind the ? goes before the host of the URL, and may be a list."""
    named = [host for name in ("hostaddr", "host") for value in options.get(name, []) for host in value.split(",")]
    return named or [parts.hostname or ""]


def _is_local_sql(host: str) -> bool:
    is_socket = host.startswith(("/", "@"))
    return is_socket or is_local(host) or is_local(urlsplit(f"//{host}").hostname)
