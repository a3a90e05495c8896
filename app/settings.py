"""Every setting, typed and explained; the only module that reads the environment.

`read_settings()` reports all problems at once. Each field is the environment variable of the same name in
capitals. Relative paths start at the working directory.
"""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from environs import Env, EnvValidationError, validate

# A Unix socket's path may hold 107 bytes; runner sockets add up to 60 behind the folder.
LONGEST_RUN_DIR = 45
# The task that waits for a verification is ended within the hour, and has to start and to publish besides.
LONGEST_VERIFICATION_S = 3300.0
# HS256 is as strong as its key, up to 32 bytes.
LEAST_SECRET = 32
NO_SECRET = (
    f"Set it, or JWT_SECRET_FILE to a file that holds it: at least {LEAST_SECRET} bytes. "
    "`make run` makes one up, for development only."
)


class SettingsError(Exception):
    """One or more settings do not parse; the message lists every one of them."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a Galley process was told. Built once at start, handed down, never changed."""

    environment: str
    """`development` or `production`. Production refuses secrets that Galley made up itself."""

    host: str
    """Address gunicorn listens on."""
    port: int
    """TCP port gunicorn listens on."""
    var_dir: Path
    """Where a running server writes: store, database, Redis data, logs, secrets."""
    run_dir: Path
    """Sockets and pid files. `var_dir/run`, or a short folder under the temp dir when that path is too long."""

    database_url: str
    """SQLAlchemy URL. SQLite under `var_dir` by default; `postgresql+psycopg://…` for several machines."""
    redis_url: str
    """`redis://…`, `rediss://…` or `unix://…`. By default the socket of the Redis that `make run` starts."""
    redis_timeout_s: float
    """How long any Redis call may take before Galley goes on without it."""
    store_url: str
    """Where model versions live: a folder or any fsspec URL (`s3://…`)."""

    jwt_secret: str
    """Key that signs access tokens (HS256), at least 32 bytes. `JWT_SECRET`, or the file `JWT_SECRET_FILE` names."""
    token_lifetime_s: int
    """Lifetime of an access token."""
    token_memory_s: float
    """How long a web worker trusts a token it has verified before it asks SQL again."""
    secret_grace_s: int
    """How long a rotated client secret stays valid."""
    cors_origins: list[str]
    """Origins that browsers may call from; empty allows none."""
    trusted_proxies: int
    """Proxies in front that append to `X-Forwarded-For`: callers without a token are counted by address. With 0 the
    header is not read; with more than there are, callers can forge their address."""

    web_workers: int
    """gunicorn worker processes."""
    request_timeout_s: float
    """Longest an inference request may take; `Request-Timeout` can only shorten it."""
    body_timeout_s: float
    """Longest a request body may take to arrive."""
    max_body_bytes: int
    """Largest request body."""
    max_image_pixels: int
    """Largest image, by the size its header claims."""
    max_images: int
    """Most images in one request."""

    limit_inference: str
    """Rate limit of inference routes, per client."""
    limit_management: str
    """Rate limit of all other routes, per client."""
    limit_login_failures: str
    """Rate limit of failed token requests, per client id and address."""

    max_artifact_bytes: int
    """Largest upload of a new version, all its parts together."""
    upload_timeout_s: float
    """Longest the upload of a new version may take to arrive."""

    images_model: str
    """The model that answers image classifications when the caller names none."""

    runner_queue_rows: int
    """Rows a runner lets wait before it refuses."""
    runner_threads: int
    """Compute threads of a runner whose model is heavy; 0 takes one per core."""
    runner_idle_s: float
    """How long a version nobody pinned or aliased stays loaded without being called: the grace period of a rollback."""
    memory_budget: int
    """Bytes all runners together may hold; the least recently used unpinned ones go first. 0 is without a limit."""
    runner_silence_s: float
    """How long a runner may leave the controller without a sign of life before it is killed and replaced."""
    load_timeout_s: float
    """How long a version may take to load and prove itself before its runner is killed and tried again, later."""
    heartbeat_s: float
    """How often the controller asks runners how they are and publishes the directory."""
    drain_s: float
    """Longest a draining process may take to finish what it holds."""

    verification_memory: int
    """Bytes a model may take while it is verified, beyond what torch itself takes."""
    verification_cpu_s: float
    """Processor seconds a model may take while it is verified."""
    verification_wall_s: float
    """Seconds a verification may take by the clock; at most LONGEST_VERIFICATION_S."""

    assignment_ttl_s: int
    """How long it is remembered which variant answered a request or a subject, for outcomes that name it."""
    assignments_kept: int
    """How many of these are remembered per model, the newest ones: each takes about 70 bytes of Redis' memory."""
    outcome_days: int
    """Days that the counts and outcomes of a route's earlier revisions are kept."""

    log_level: str
    """`debug`, `info`, `warning` or `error`."""

    @property
    def secrets_dir(self) -> Path:
        """Folder of the secrets that `make run` creates (mode 0700)."""
        return self.var_dir / "secrets"

    @property
    def metrics_dir(self) -> Path:
        """Folder of the Prometheus multiprocess files, one sub-folder per service."""
        return self.run_dir / "metrics"


def read_settings() -> Settings:
    """Read all settings from the environment.

    :raises SettingsError: naming every setting that is wrong.
    """
    env = Env(eager=False)
    var_dir = read_var_dir()
    run_dir = short_run_dir(var_dir)
    settings = Settings(
        environment=env.str("ENVIRONMENT", "development", validate=validate.OneOf(["development", "production"])),
        host=env.str("HOST", "127.0.0.1"),
        port=env.int("PORT", 8000, validate=validate.Range(1, 65535)),
        var_dir=var_dir,
        run_dir=run_dir,
        database_url=env.str("DATABASE_URL", f"sqlite:///{var_dir}/galley.db", validate=database_url),
        redis_url=env.str("REDIS_URL", f"unix://{run_dir}/redis.sock", validate=redis_url),
        redis_timeout_s=env.float("REDIS_TIMEOUT_S", 0.5, validate=positive),
        store_url=env.str("STORE_URL", str(var_dir / "store")),
        jwt_secret=env.str("JWT_SECRET", "") or _secret_in_file(env, var_dir),
        token_lifetime_s=env.int("TOKEN_LIFETIME_S", 3600, validate=positive),
        token_memory_s=env.float("TOKEN_MEMORY_S", 5.0, validate=not_negative),
        secret_grace_s=env.int("SECRET_GRACE_S", 86_400, validate=not_negative),
        cors_origins=env.list("CORS_ORIGINS", [], subcast=str.strip, validate=origins),
        trusted_proxies=env.int("TRUSTED_PROXIES", 0, validate=not_negative),
        web_workers=env.int("WEB_WORKERS", 2, validate=positive),
        request_timeout_s=env.float("REQUEST_TIMEOUT_S", 30.0, validate=positive),
        body_timeout_s=env.float("BODY_TIMEOUT_S", 20.0, validate=positive),
        max_body_bytes=env.int("MAX_BODY_BYTES", 64 * 2**20, validate=positive),
        max_image_pixels=env.int("MAX_IMAGE_PIXELS", 50_000_000, validate=positive),
        max_images=env.int("MAX_IMAGES", 32, validate=positive),
        limit_inference=env.str("LIMIT_INFERENCE", "5000/second", validate=rate_limit),
        limit_management=env.str("LIMIT_MANAGEMENT", "50/second", validate=rate_limit),
        limit_login_failures=env.str("LIMIT_LOGIN_FAILURES", "10/minute", validate=rate_limit),
        max_artifact_bytes=env.int("MAX_ARTIFACT_BYTES", 4 * 2**30, validate=positive),
        upload_timeout_s=env.float("UPLOAD_TIMEOUT_S", 900.0, validate=positive),
        images_model=env.str("IMAGES_MODEL", "digits"),
        runner_queue_rows=env.int("RUNNER_QUEUE_ROWS", 512, validate=positive),
        runner_threads=env.int("RUNNER_THREADS", 0, validate=not_negative),
        runner_idle_s=env.float("RUNNER_IDLE_S", 600.0, validate=positive),
        memory_budget=env.int("MEMORY_BUDGET", 0, validate=not_negative),
        runner_silence_s=env.float("RUNNER_SILENCE_S", 15.0, validate=positive),
        load_timeout_s=env.float("LOAD_TIMEOUT_S", 300.0, validate=positive),
        heartbeat_s=env.float("HEARTBEAT_S", 1.0, validate=positive),
        drain_s=env.float("DRAIN_S", 30.0, validate=positive),
        verification_memory=env.int("VERIFICATION_MEMORY", 4 * 2**30, validate=positive),
        verification_cpu_s=env.float("VERIFICATION_CPU_S", 120.0, validate=positive),
        verification_wall_s=env.float("VERIFICATION_WALL_S", 300.0, validate=verification_time),
        assignment_ttl_s=env.int("ASSIGNMENT_TTL_S", 7 * 86_400, validate=positive),
        assignments_kept=env.int("ASSIGNMENTS_KEPT", 1_000_000, validate=positive),
        outcome_days=env.int("OUTCOME_DAYS", 90, validate=positive),
        log_level=env.str("LOG_LEVEL", "info", validate=validate.OneOf(["debug", "info", "warning", "error"])),
    )
    problems = _problems(env)
    if len(settings.jwt_secret) < LEAST_SECRET:
        problems["JWT_SECRET"] = [NO_SECRET]
    if settings.runner_queue_rows is not None and settings.runner_queue_rows < (settings.max_images or 0):
        problems["RUNNER_QUEUE_ROWS"] = [f"Must hold the images of one request, MAX_IMAGES ({settings.max_images})."]
    if problems:
        raise SettingsError(_sentences(problems))

    return settings


def read_var_dir() -> Path:
    """Return `VAR_DIR` alone: the launcher needs it before the secrets are there that all settings need."""
    return Path(Env().str("VAR_DIR", "var")).absolute()


def secret_to_make() -> Path | None:
    """Return the file that still lacks a signing key, if Galley may make one up; production brings its own."""
    env = Env()
    path = _secret_path(env, read_var_dir())
    is_given = bool(env.str("JWT_SECRET", "")) or path.exists()
    return None if is_given or _is_production(env) else path


positive = validate.Range(min=0, min_inclusive=False)
not_negative = validate.Range(min=0)
verification_time = validate.Range(min=0, max=LONGEST_VERIFICATION_S, min_inclusive=False)
database_url = validate.Regexp(
    r"(sqlite|postgresql\+psycopg)://", error="Write sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST/NAME."
)
redis_url = validate.Regexp(r"(redis|rediss|unix)://", error="Write redis://HOST, rediss://HOST or unix://PATH.")
origin = validate.Regexp(r"(\*|https?://[^/\s]+)\Z", error="Write origins like https://console.example, or * for all.")
rate_limit = validate.Regexp(
    r"[1-9]\d{0,8}/(second|minute|hour|day)\Z", error="Write a rate limit as amount/second, /minute, /hour or /day."
)


def origins(values: list[str]) -> None:
    """Refuse a list in which one is no origin: browsers compare them as they are written, to the last slash."""
    for value in values:
        origin(value)


def short_run_dir(var_dir: Path) -> Path:
    """Return the folder for sockets: under `var_dir` where the path is short enough, else a stable temp folder."""
    run_dir = var_dir / "run"
    if len(bytes(run_dir)) <= LONGEST_RUN_DIR:
        return run_dir

    digest = hashlib.sha256(bytes(run_dir)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"galley-{digest}"


def _secret_in_file(env: Env, var_dir: Path) -> str:
    """Return the key in the secret file; in production only in one that was named, never in one made up here."""
    is_named = bool(env.str("JWT_SECRET_FILE", ""))
    path = _secret_path(env, var_dir)
    is_trusted = is_named or not _is_production(env)
    return path.read_text().strip() if is_trusted and path.is_file() else ""


def _secret_path(env: Env, var_dir: Path) -> Path:
    return Path(env.str("JWT_SECRET_FILE", "") or var_dir / "secrets" / "jwt_secret")


def _is_production(env: Env) -> bool:
    return env.str("ENVIRONMENT", "development") == "production"


def _problems(env: Env) -> dict[str, list[str]]:
    """Return what is wrong with each variable that was read."""
    try:
        env.seal()
    except EnvValidationError as err:
        messages = err.error_messages
        return dict(messages) if isinstance(messages, dict) else {"environment": [str(messages)]}

    return {}


def _sentences(problems: dict[str, list[str]]) -> str:
    lines = [f"  {name}: {' '.join(map(str, texts))}" for name, texts in sorted(problems.items())]
    return "These settings are wrong:\n" + "\n".join(lines)
