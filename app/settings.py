"""Every setting, typed and explained; the only module that reads the environment.

`read_settings()` reports all problems at once. Each field is the environment variable of the same name in
capitals. Relative paths start at the working directory.
"""

from dataclasses import dataclass, field
from pathlib import Path

from environs import validate

from app.run_dir import short_run_dir
from app.secret_file import secret_setting, signing_key
from app.secret_rules import secret_problems
from app.setting_rules import (
    MOST_ROWS_OF_A_REQUEST,
    SettingsError,
    database_url,
    not_negative,
    origins,
    positive,
    problems_of,
    rate_limit,
    redis_url,
    sentences,
    verification_time,
)
from app.settings_file import open_environment
from app.stream_settings import StreamSettings, read_stream_settings


@dataclass(frozen=True, kw_only=True)
class Settings(StreamSettings):
    """What a Galley process was told. Built once at start, handed down, never changed."""

    settings_file: str
    """A file of lines `NAME=value` for settings that the environment does not name; read again by a reload."""
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

    database_url: str = field(repr=False)
    """SQLAlchemy URL. SQLite under `var_dir` by default; `postgresql+psycopg://…` for several machines."""
    redis_url: str = field(repr=False)
    """`redis://…`, `rediss://…` or `unix://…`. By default the socket of the Redis that `make run` starts."""
    state_redis_url: str = field(repr=False)
    """The Redis whose data must not be lost: tasks, accounts, sessions, counts. By default the one of `redis_url`."""
    redis_timeout_s: float
    """How long any Redis call may take before Galley goes on without it."""
    store_url: str = field(repr=False)
    """Where model versions live: a folder or any fsspec URL (`s3://…`)."""

    jwt_secret: str = field(repr=False)
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
    """Proxies in front that append to `X-Forwarded-For`. 0 reads none; with too many, callers can forge addresses."""

    web_workers: int
    """gunicorn worker processes."""
    web_max_requests: int
    """Requests after which a web worker makes way for a fresh one, and up to a fifth more; 0 keeps it for ever."""
    fast_path: bool
    """Whether plain requests of the hottest routes are answered in front of Flask, which costs less."""
    max_in_service: int
    """Requests that a web worker serves at once; as many again are kept for clients that have few."""
    max_wait_s: float
    """Longest wait for a web worker's processor that a request is taken in with; clients that have few get twice it."""
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

    cache_ttl_s: int
    """For how many seconds answers are kept where an alias does not say otherwise; 0 keeps none."""
    cache_memory: int
    """Bytes of answers that each web worker keeps in its own memory; 0 keeps them in Redis only."""
    cache_redis_memory: int
    """Bytes that Redis may hold, all its data together, before no more answers are written to it; 0 is no limit."""

    images_model: str
    """The model that answers image classifications when the caller names none."""
    recommendations_model: str
    """The model that answers recommendations when the caller names none."""
    fraud_model: str
    """The model that scores payments when the caller names none."""
    text_model: str
    """The model that classifies texts when the caller names none."""

    heavy_queue: int
    """Calls of heavy models that may wait or run at once; as many again are kept for clients that have few."""
    heavy_memory: int
    """Bytes that the rows of all these calls may take in Redis; one call alone may take more."""

    runner_queue_rows: int
    """Rows a runner lets wait before it refuses: at least those of one request."""
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

    jobs_url: str = field(repr=False)
    """Where the inputs and results of jobs lie: a folder or any fsspec URL, which all Celery workers reach."""
    max_job_bytes: int
    """Largest input of a job."""
    max_open_jobs: int
    """Jobs over rows that a client may have at once which have not ended."""
    job_lease_s: float
    """How long a worker may be silent before the chunk it works on is given to another."""
    job_result_days: int
    """Days that the results of a job are kept after its end."""
    job_workers: int
    """Processes of a Celery worker: so many tasks run at once."""
    job_memory: int
    """Bytes of loaded versions that each of these processes keeps for the next chunk."""
    job_memory_limit: int
    """Bytes that each of them may hold while it runs a chunk; one that held more is replaced. 0 is without a limit."""
    job_disk_reserve: int
    """Bytes that stay free on the disk of jobs: with less, no job is taken in and no chunk is begun."""
    watchdog_s: float
    """How long a Celery worker may receive nothing while messages wait for it before it is replaced."""

    assignment_ttl_s: int
    """How long it is remembered which variant answered a request or a subject, for outcomes that name it."""
    assignments_kept: int
    """How many of these are remembered per model, the newest ones: each takes about 70 bytes of Redis' memory."""
    outcome_days: int
    """Days that the counts and outcomes of a route's earlier revisions are kept."""
    usage_days: int
    """Days that it is kept how much each client asked for."""

    metrics: bool
    """Whether requests are measured, by route and by version. What models, jobs and streams do is counted anyway."""
    access_log: bool
    """Whether each answered request leaves a line in the log; failures of Galley's own do anyway."""
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
    env = open_environment(is_eager=False)
    var_dir = read_var_dir()
    run_dir = short_run_dir(var_dir)
    cache_url = secret_setting(env, "REDIS_URL", f"unix://{run_dir}/redis.sock", rule=redis_url)
    settings = Settings(
        settings_file=env.str("SETTINGS_FILE", ""),
        environment=env.str("ENVIRONMENT", "development", validate=validate.OneOf(["development", "production"])),
        host=env.str("HOST", "127.0.0.1"),
        port=env.int("PORT", 8000, validate=validate.Range(1, 65535)),
        var_dir=var_dir,
        run_dir=run_dir,
        database_url=secret_setting(env, "DATABASE_URL", f"sqlite:///{var_dir}/galley.db", rule=database_url),
        redis_url=cache_url,
        state_redis_url=secret_setting(env, "STATE_REDIS_URL", cache_url, rule=redis_url),
        redis_timeout_s=env.float("REDIS_TIMEOUT_S", 0.5, validate=positive),
        store_url=secret_setting(env, "STORE_URL", str(var_dir / "store")),
        jwt_secret=signing_key(env, var_dir),
        token_lifetime_s=env.int("TOKEN_LIFETIME_S", 3600, validate=positive),
        token_memory_s=env.float("TOKEN_MEMORY_S", 5.0, validate=not_negative),
        secret_grace_s=env.int("SECRET_GRACE_S", 86_400, validate=not_negative),
        cors_origins=env.list("CORS_ORIGINS", [], subcast=str.strip, validate=origins),
        trusted_proxies=env.int("TRUSTED_PROXIES", 0, validate=not_negative),
        web_workers=env.int("WEB_WORKERS", 2, validate=positive),
        web_max_requests=env.int("WEB_MAX_REQUESTS", 0, validate=not_negative),
        fast_path=env.bool("FAST_PATH", True),
        max_in_service=env.int("MAX_IN_SERVICE", 1024, validate=positive),
        max_wait_s=env.float("MAX_WAIT_S", 0.5, validate=positive),
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
        cache_ttl_s=env.int("CACHE_TTL_S", 60, validate=not_negative),
        cache_memory=env.int("CACHE_MEMORY", 64 * 2**20, validate=not_negative),
        cache_redis_memory=env.int("CACHE_REDIS_MEMORY", 512 * 2**20, validate=not_negative),
        images_model=env.str("IMAGES_MODEL", "digits"),
        recommendations_model=env.str("RECOMMENDATIONS_MODEL", "recommender"),
        fraud_model=env.str("FRAUD_MODEL", "fraud"),
        text_model=env.str("TEXT_MODEL", "text"),
        heavy_queue=env.int("HEAVY_QUEUE", 64, validate=positive),
        heavy_memory=env.int("HEAVY_MEMORY", 256 * 2**20, validate=positive),
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
        jobs_url=secret_setting(env, "JOBS_URL", str(var_dir / "jobs")),
        max_job_bytes=env.int("MAX_JOB_BYTES", 4 * 2**30, validate=positive),
        max_open_jobs=env.int("MAX_OPEN_JOBS", 20, validate=positive),
        job_lease_s=env.float("JOB_LEASE_S", 30.0, validate=positive),
        job_result_days=env.int("JOB_RESULT_DAYS", 7, validate=positive),
        job_workers=env.int("JOB_WORKERS", 2, validate=positive),
        job_memory=env.int("JOB_MEMORY", 2**30, validate=positive),
        job_memory_limit=env.int("JOB_MEMORY_LIMIT", 4 * 2**30, validate=not_negative),
        job_disk_reserve=env.int("JOB_DISK_RESERVE", 2**30, validate=not_negative),
        watchdog_s=env.float("WATCHDOG_S", 60.0, validate=positive),
        assignment_ttl_s=env.int("ASSIGNMENT_TTL_S", 7 * 86_400, validate=positive),
        assignments_kept=env.int("ASSIGNMENTS_KEPT", 1_000_000, validate=positive),
        outcome_days=env.int("OUTCOME_DAYS", 90, validate=positive),
        usage_days=env.int("USAGE_DAYS", 30, validate=positive),
        **read_stream_settings(env),
        metrics=env.bool("METRICS", True),
        access_log=env.bool("ACCESS_LOG", True),
        log_level=env.str("LOG_LEVEL", "info", validate=validate.OneOf(["debug", "info", "warning", "error"])),
    )
    problems = problems_of(env)
    problems |= {name: texts for name, texts in secret_problems(vars(settings)).items() if name not in problems}
    largest_request = max(MOST_ROWS_OF_A_REQUEST, settings.max_images or 0)
    if settings.runner_queue_rows is not None and settings.runner_queue_rows < largest_request:
        problems["RUNNER_QUEUE_ROWS"] = [
            f"Must hold one request: {MOST_ROWS_OF_A_REQUEST} users, or MAX_IMAGES ({settings.max_images}) images."
        ]
    if settings.job_memory_limit and settings.job_memory_limit <= (settings.job_memory or 0):
        problems["JOB_MEMORY_LIMIT"] = ["Must be more than JOB_MEMORY: a chunk takes memory besides its version."]
    if problems:
        raise SettingsError(sentences(problems))

    return settings


def read_var_dir() -> Path:
    """Return `VAR_DIR` alone: the launcher needs it before the secrets are there that all settings need."""
    return Path(open_environment().str("VAR_DIR", "var")).absolute()
