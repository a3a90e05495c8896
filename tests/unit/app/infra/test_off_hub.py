"""CPU-heavy calls leave the hub to others in a gevent process, and are plain calls elsewhere."""

import subprocess
import sys
import threading

from app.infra.off_hub import off_hub

IN_A_GEVENT_PROCESS = """
from gevent import monkey
monkey.patch_all()
import gevent, threading, time
from gevent.threadpool import ThreadPool
from app.infra.off_hub import off_hub

real_sleep = monkey.get_original("time", "sleep")
ticks = []
def tick():
    while True:
        ticks.append(1)
        gevent.sleep(0.005)
ticker = gevent.spawn(tick)
assert off_hub(real_sleep, 0.3) is None
ticker.kill()
print(len(ticks))
"""


def test_elsewhere_it_is_a_plain_call() -> None:
    assert off_hub(threading.get_ident) == threading.get_ident()
    assert off_hub(max, 2, 3) == 3


def test_the_hub_goes_on_meanwhile() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", IN_A_GEVENT_PROCESS], capture_output=True, text=True, check=True, timeout=60
    )

    assert int(answer.stdout) >= 5


FAILING = """
from gevent import monkey
monkey.patch_all()
from app.infra.off_hub import off_hub

try:
    off_hub(int, "no number")
except ValueError as err:
    print("caught", err)
"""


def test_what_is_raised_comes_to_the_caller_and_to_nobody_else() -> None:
    answer = subprocess.run([sys.executable, "-c", FAILING], capture_output=True, text=True, check=True, timeout=60)

    assert answer.stdout.startswith("caught invalid literal")
    assert "Traceback" not in answer.stderr


LETTING_GO = """
from gevent import monkey
monkey.patch_all()
import gc, sys
from app.infra.off_hub import off_hub

gc.disable()
body = b"x" * 1000
before = sys.getrefcount(body)
for _ in range(10):
    try:
        off_hub(int, body)
    except ValueError:
        pass
print(sys.getrefcount(body) - before)
"""


def test_the_arguments_of_what_failed_are_let_go_at_once() -> None:
    answer = subprocess.run([sys.executable, "-c", LETTING_GO], capture_output=True, text=True, check=True, timeout=60)

    assert int(answer.stdout) <= 1
