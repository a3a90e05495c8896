"""A backup that was made is as old as its note."""

import os
import time
from pathlib import Path

from app.infra.backup_note import backup_age_s, note_backup


def test_where_no_backup_was_made_there_is_no_age(tmp_path: Path) -> None:
    assert backup_age_s(tmp_path) is None


def test_a_backup_grows_old_until_the_next(tmp_path: Path) -> None:
    note_backup(tmp_path)
    [note] = tmp_path.iterdir()
    os.utime(note, (time.time() - 3600,) * 2)
    aged = backup_age_s(tmp_path)
    note_backup(tmp_path)
    fresh = backup_age_s(tmp_path)

    assert aged is not None
    assert 3600 <= aged < 3660
    assert fresh is not None
    assert 0 <= fresh < 60
