"""Where the Python of a process spends its CPU: py-spy looks at its stacks, each sample belongs to one part.

A sample is taken only of threads that run, so shares of samples are shares of CPU time. The innermost frame that some
part claims decides, so that a library's frames belong to the part that called it.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SAMPLES_PER_S = 100
OTHER = "other"
START_LIMIT_S = 30

# Paths as py-spy shortens them: from the project's root or from site-packages on. The first match names the part.
WEB_PARTS = (
    ("tokens", re.compile(r"^(app/web/(auth|token_codec)|app/services/(token|revocations|scopes)|jwt/|flask_jwt_ext)")),
    ("limits", re.compile(r"^(app/web/(limit|fast_path/toll)|app/infra/rate_|flask_limiter/|limits/)")),
    ("kept answers", re.compile(r"^app/(inference/(answer_cache|cache|single_flight)|web/cache_control)")),
    ("Redis client", re.compile(r"^(redis/|app/infra/(redis|hot_read))")),
    ("admission", re.compile(r"^app/inference/(admission|fair_share|outlook|turns)|^deploy/refusals")),
    ("runner client", re.compile(r"^(zmq/|app/inference/)")),
    ("usage, experiments", re.compile(r"^app/(web|services)/(usage|assign|experiment|latency)")),
    ("metrics", re.compile(r"^(prometheus_client/|prometheus_flask_exporter/|app/(web|infra)/metrics)")),
    ("log line", re.compile(r"^(structlog/|logging/|app/infra/log_)")),
    ("routing, validation", re.compile(r"^app/(services|scenarios|web/blueprints|web/body)")),
    ("request and answer", re.compile(r"^app/web/(inference|answers|request_context|problems|error_|fast_path)")),
    ("Flask", re.compile(r"^(flask|werkzeug/|marshmallow|webargs|apispec)")),
    ("HTTP server", re.compile(r"^(gunicorn/|deploy/)")),
    ("rest of the application", re.compile(r"^app/")),
)
RUNNER_PARTS = (
    ("model", re.compile(r"^(torch/|workers/runner/loaded_model)")),
    ("pipeline", re.compile(r"^workers/runner/pipelines/")),
    ("batching", re.compile(r"^workers/runner/(batch|row_queue|fair_rows|values|crew)")),
    ("messages", re.compile(r"^(zmq/|app/inference/|workers/runner/(calls|door|waker|body))")),
    ("rest of the runner", re.compile(r"^(app|workers)/")),
)
# Belongs to whoever waits in it; what is left is the loop itself.
LOOP = ("event loop", re.compile(r"^gevent/"))

Parts = Sequence[tuple[str, re.Pattern[str]]]
_FRAME_PATH = re.compile(r"\((?P<path>[^()]*?)(:\d+)?\)$")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Shares of CPU time by part, largest first; without samples `problem` says why."""

    shares: dict[str, float]
    samples: int
    problem: str = ""


def shares_of(stacks: str, parts: Parts) -> Profile:
    """Return the shares of the parts in py-spy's raw output: one stack and its number of samples per line."""
    counts: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        counts[part_of(stack.split(";"), parts)] += int(count)
    total = counts.total()
    return Profile(shares={part: count / total for part, count in counts.most_common()}, samples=total)


def part_of(frames: Sequence[str], parts: Parts) -> str:
    """Name the part of a stack, outermost frame first."""
    paths = [match["path"] for match in map(_FRAME_PATH.search, frames) if match]
    for claims in (parts, (LOOP,)):
        for path in reversed(paths):
            for name, pattern in claims:
                if pattern.search(path):
                    return name

    return OTHER


def profile(pids: Sequence[int], work: Callable[[], object], *, seconds: float, parts: Parts) -> Profile:
    """Sample the processes for `seconds` while the work goes on, which should take longer."""
    sampler = shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if sampler is None:
        return Profile(shares={}, samples=0, problem="py-spy is not installed")

    with tempfile.TemporaryDirectory(prefix="galley-profile-") as folder:
        outputs = [Path(folder) / str(pid) for pid in pids]
        with _sampling(sampler, pids, outputs, seconds) as samplers:
            work()
        said = [running.communicate()[0] for running in samplers]
        if failed := [text for running, text in zip(samplers, said, strict=True) if running.returncode]:
            return Profile(shares={}, samples=0, problem=failed[0].strip().splitlines()[-1])
        return shares_of("".join(path.read_text("utf-8") for path in outputs), parts)


@contextmanager
def _sampling(
    sampler: str, pids: Sequence[int], outputs: Sequence[Path], seconds: float
) -> Iterator[list["subprocess.Popen[str]"]]:
    options = ["--format", "raw", "--rate", str(SAMPLES_PER_S), "--duration", str(max(1, round(seconds)))]
    samplers = []
    for pid, output in zip(pids, outputs, strict=True):
        command = [sampler, "record", "--pid", str(pid), "--output", str(output), *options]
        samplers.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    try:
        yield samplers
    finally:
        for running in samplers:
            running.wait(seconds + START_LIMIT_S)
