"""Files of jobs on a file system of coroutines, as s3fs and its like are, from a web worker that gevent patched.

fsspec runs coroutines on a loop of its own in a thread, which gevent makes a greenlet of the hub's.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories.controllers import ROOT

# Off the hub only: on it fsspec refuses, as the loop seems to run there.
PROGRAM = """
from gevent import monkey
monkey.patch_all()
import json, sys, time
from pathlib import Path
import fsspec, gevent
from app.infra.job_files import INPUT, open_job_files
from app.infra.off_hub import off_hub
from tests.factories.async_files import AsyncFiles

fsspec.register_implementation("async-files", AsyncFiles)
files = open_job_files("async-files://jobs", Path(sys.argv[1]))
gaps = []

def tick():
    while True:
        before = time.monotonic()
        gevent.sleep(0.001)
        gaps.append(time.monotonic() - before)

def read(job_id, name):
    with files.reader(job_id, name, offset=1) as file:
        return file.read()

def serve(number):
    job_id = f"job-{number}"
    with files.receiving(job_id) as folder:
        (folder / "part").write_bytes(b"x" * number)
        files.take_in(job_id, INPUT, folder / "part")
    sizes = [off_hub(files.size, job_id, INPUT), len(off_hub(read, job_id, INPUT))]
    try:
        off_hub(read, job_id, "results/a")
    except FileNotFoundError:
        sizes.append(off_hub(files.names, job_id, ""))
    off_hub(files.delete, job_id)
    return [*sizes, off_hub(files.size, job_id, INPUT)]

gevent.spawn(tick)
# Once alone, then more at once than the hub has threads, then alone again.
served = []
for count in (1, 20, 1):
    begun = [gevent.spawn(serve, number) for number in range(1, count + 1)]
    gevent.joinall(begun, timeout=60)
    served += [one.get(block=False) for one in begun]
print(json.dumps([served, off_hub(files.job_ids), max(gaps)]))
"""


@pytest.mark.long
def test_web_worker_reaches_a_file_system_of_coroutines(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    child = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert child.returncode == 0, child.stderr
    served, left, longest_gap_s = json.loads(child.stdout)
    numbers = [1, *range(1, 21), 1]
    assert served == [[number, number - 1, ["/input"], None] for number in numbers]
    assert left == []
    # Requests take 20 ms each, nine for a job: held by one of them, the hub would stand still for longer than that.
    assert longest_gap_s < 1.0
