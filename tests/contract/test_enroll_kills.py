# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module processes that are killed by SIGKILL after each call in turn: the next run ends with exactly one right device,
no orphan and no lost seed.

``test_enroll_faults`` does so for every path and channel, in one process and with an exception. Here a process is gone
for good, with its memory, open files and connections. That takes longer, so it is done for the paths that between them
make every call that changes something, in the order in which the others make them too: prepare and enable by both ways
of delivery, replace, remove, withdraw, and prepare several users in one process.
"""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from support.enroll_paths import PATHS, Answer, check_delivered_seed, delivering, end
from support.enroll_processes import KillableEnrolling, Killed
from support.enrolling import ACCOUNT_ID, account_of, person

NAMES = ("alice", "bob")


def prepare_users(desk: KillableEnrolling) -> Answer:
    return desk.run_users(*({"user_name": name, "state": "prepared"} for name in NAMES))


def killed_after(desk: KillableEnrolling, nth: int, run: t.Callable[[t.Any], Answer]) -> bool:
    """Whether the run made so many calls; else it was done undisturbed."""
    desk.kill_after = nth
    try:
        answer = run(desk)
    except Killed:
        return True
    assert "failed" not in answer, answer["msg"]
    return False


@pytest.mark.parametrize(
    ("path", "channel"),
    [
        ("prepare", "file"),
        ("prepare", "secrets"),
        ("enable", "file"),
        ("enable", "secrets"),
        ("rotate", "file"),
        ("remove", "file"),
        ("withdraw", "secrets"),
    ],
)
def test_killed_after_each_call_the_next_run_ends_right(tmp_path: pathlib.Path, path: str, channel: str) -> None:
    before, run = PATHS[path]
    ends, killed = [], True
    while killed:
        desk = delivering(KillableEnrolling(tmp_path / f"{len(ends) + 1}" / "seeds"), channel)
        before(desk)
        killed = killed_after(desk, len(ends) + 1, run)
        if killed:
            answer = run(desk)
            assert "failed" not in answer, (len(ends) + 1, answer["msg"])
        check_delivered_seed(desk)
        ends.append(end(desk))
    *after_kills, undisturbed = ends
    assert len(after_kills) > 5
    for nth, reached in enumerate(after_kills, start=1):
        assert reached == undisturbed, nth


def test_the_key_that_a_killed_run_has_left_is_removed_by_the_next_one_for_whomever(tmp_path: pathlib.Path) -> None:
    """The next run has nothing to do for the user, who is done. Killed before that, the key is still needed."""
    nth, kept = 0, []
    while not kept or kept[-1]:
        nth += 1
        desk = KillableEnrolling(tmp_path / str(nth) / "seeds")
        desk.prepare()
        (serial,) = desk.unassigned()
        pair = desk.phone(serial).pair()
        codes = {"authentication_codes": pair.codes, "codes_read_at": pair.read_at.isoformat()}
        entry = {"user_name": "alice", "state": "enabled", **codes}
        assert killed_after(desk, nth, lambda at, entry=entry: at.run_users(entry))
        assert desk.files(), nth
        enabled = desk.devices() == [serial]
        answer = desk.run_users(clear_seeds=True)
        assert ("failed" in answer, len(answer["seeds"]["cleared"])) == (False, int(enabled))
        kept.append(bool(desk.files()))
        assert kept[-1] is not enabled, nth
        check_delivered_seed(desk)
    assert nth > 5


def test_killed_while_several_users_are_prepared_the_next_run_does_the_rest(tmp_path: pathlib.Path) -> None:
    nth, killed = 0, True
    while killed:
        nth += 1
        account = account_of(*map(person, NAMES))
        desk = KillableEnrolling(tmp_path / str(nth) / "seeds", account)
        killed = killed_after(desk, nth, prepare_users)
        if killed:
            answer = prepare_users(desk)
            assert answer["summary"]["prepared"] == len(NAMES), (nth, answer["msg"])
        made = {serial.split("/")[2]: serial for serial in desk.unassigned()}
        assert sorted(made) == sorted(map(desk.user_id, NAMES)), nth
        assert len(desk.unassigned()) == len(NAMES)
        for serial in made.values():
            assert "iamguard:delivered" in desk.tags(serial)
        delivered = [path.read_text() for path in desk.directory.rglob("device.json")]
        assert len(delivered) == len(NAMES)
        for serial, seeds in desk.sandbox.control.seeds(ACCOUNT_ID).items():
            assert sum(serial in text and seeds[-1] in text for text in delivered) == 1
    assert nth > 14
