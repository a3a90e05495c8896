"""What one process counts, the one that it was forked from sees."""

import os

from workers.beat_pulse import BeatPulse


def test_beats_of_a_child_are_seen_by_its_parent() -> None:
    pulse = BeatPulse()
    child = os.fork()
    if not child:
        for _ in range(3):
            pulse.note(sender="task", headers={})
        os._exit(0)

    assert os.waitpid(child, 0)[1] == 0
    assert pulse.count == 3
