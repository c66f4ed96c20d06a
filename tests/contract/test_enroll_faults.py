# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Enrollments that are killed, throttled, cut short, denied, and carried out by two at once: the next run ends with
exactly one right device, no orphan and no lost seed, or says what to do."""

from __future__ import annotations

import collections
import functools
import os
import pathlib
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _seed_file
from support.enroll_paths import (
    CHANNELS,
    PATHS,
    Answer,
    End,
    at_start,
    check_delivered_seed,
    desk_at,
    device_of,
    end,
    expected_end,
    held,
)
from support.enrolling import (
    Enrolling,
    account_of,
    person,
)

WRITES = {
    "CreateVirtualMFADevice",
    "TagMFADevice",
    "EnableMFADevice",
    "ResyncMFADevice",
    "DeactivateMFADevice",
    "DeleteVirtualMFADevice",
    "CreateSecret",
    "PutResourcePolicy",
    "DeleteSecret",
}


class Killed(BaseException):
    """As by SIGKILL: nothing that the code does about exceptions helps."""


@pytest.fixture(autouse=True)
def no_waiting_for_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore waits with the machine's clock, which has nothing to do with the sandbox's."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _seconds: None)
    monkeypatch.setattr("botocore.retries.bucket.TokenBucket.acquire", lambda *_args, **_kwargs: True)


ALL_PATHS = pytest.mark.parametrize("path", PATHS)
BOTH_CHANNELS = pytest.mark.parametrize("channel", CHANNELS)


@BOTH_CHANNELS
@ALL_PATHS
def test_killed_after_each_call_the_next_run_ends_right(tmp_path: pathlib.Path, path: str, channel: str) -> None:
    wanted, undisturbed = expected_end(path, channel)
    calls = sum(undisturbed.calls().values())
    assert calls > 2
    _before, run = PATHS[path]
    for nth in range(1, calls + 1):
        desk = at_start(tmp_path / f"killed-{nth}", path, channel)
        killed = kill_after(desk, nth)
        with pytest.raises(Killed):
            run(desk)
        killed()
        answer = run(desk)
        assert "failed" not in answer, (nth, answer.get("msg"))
        assert end(desk) == wanted, nth
        check_delivered_seed(desk)


def kill_after(desk: Enrolling, nth: int) -> t.Callable[[], None]:
    """The nth request from now on is carried out, and then nothing is any more: its reply is not seen, and whatever the
    code still does to tidy up fails. Returns what ends that."""
    handle, count = desk.sandbox.handle, 0

    def dying(request: t.Any) -> t.Any:
        nonlocal count
        count += 1
        if count > nth:
            raise Killed
        reply = handle(request)
        if count == nth:
            raise Killed
        return reply

    desk.sandbox.handle = dying  # type: ignore[method-assign]  # until it is revived

    def revive() -> None:
        desk.sandbox.handle = handle  # type: ignore[method-assign]  # as it was

    return revive


@pytest.mark.parametrize("function", ["mkdir", "write", "fsync", "rename"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_while_files_are_written(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, function: str, when: str
) -> None:
    nth, reached = 0, True
    while reached:
        nth += 1
        desk = desk_at(tmp_path / f"{nth}", "file")
        desk.directory.parent.mkdir()
        with monkeypatch.context() as patch:
            patch.setattr(_seed_file, "_remove", lambda *_args: None)  # nobody tidies up after SIGKILL
            die_at(patch, function, nth, when)
            reached = killed(desk.prepare)
        answer = desk.prepare()
        assert "failed" not in answer
        assert len(desk.unassigned()) == 1
        assert len(desk.files()) == 3
        check_delivered_seed(desk)
    assert nth > 1


def killed(run: t.Callable[[], object]) -> bool:
    try:
        run()
    except Killed:
        return True
    return False


def die_at(patch: pytest.MonkeyPatch, function: str, nth: int, when: str) -> None:
    original, count = getattr(os, function), 0

    def deadly(*args: t.Any, **kwargs: t.Any) -> t.Any:
        nonlocal count
        count += 1
        if count == nth and when == "before":
            raise Killed
        result = original(*args, **kwargs)
        if count == nth:
            raise Killed
        return result

    patch.setattr(os, function, deadly)


# ----------------------------------------------------------------------------------- lost replies, throttling, lag


@pytest.mark.parametrize("fault", [{"lost_reply": True}, {"truncate_body": True}], ids=["lost", "truncated"])
@BOTH_CHANNELS
@ALL_PATHS
def test_a_lost_reply_is_looked_up_and_nothing_is_sent_twice(
    tmp_path: pathlib.Path, path: str, channel: str, fault: dict[str, t.Any]
) -> None:
    wanted, undisturbed = expected_end(path, channel)
    sent = {name: count for name, count in undisturbed.calls().items() if name in WRITES}
    _before, run = PATHS[path]
    for operation in sent:
        desk = at_start(tmp_path / operation, path, channel)
        desk.sandbox.control.fault(operation=operation, **fault)
        answer = run(desk)
        repeated = {name: count for name, count in desk.calls().items() if name in WRITES and count > sent.get(name, 1)}
        assert set(repeated) <= {"DeleteVirtualMFADevice", "DeleteSecret"}, repeated  # what was made is taken back
        if answer.get("failed"):
            assert answer["enrollment"]["follow_up"]
            desk.sandbox.control.clear_faults()
            answer = run(desk)
        assert "failed" not in answer, (operation, answer["msg"])
        assert end(desk) == wanted
        check_delivered_seed(desk)


def test_with_the_reply_the_seed_is_lost_and_the_device_goes(tmp_path: pathlib.Path) -> None:
    desk = desk_at(tmp_path, "file")
    desk.sandbox.control.fault(operation="CreateVirtualMFADevice", truncate_body=True)
    answer = desk.prepare()
    assert (answer["enrollment"]["status"], answer["enrollment"]["code"]) == ("failed", "reply_lost")
    assert end(desk) == End([], [], [], [])
    (seed,) = desk.seeds()
    assert seed not in repr(answer)
    assert "otpauth" not in repr(answer)


@BOTH_CHANNELS
@ALL_PATHS
def test_what_is_throttled_is_sent_again(tmp_path: pathlib.Path, path: str, channel: str) -> None:
    wanted, _undisturbed = expected_end(path, channel)
    desk = at_start(tmp_path / "throttled", path, channel)
    _before, run = PATHS[path]
    for operation in WRITES:
        code = "ThrottlingException" if "Secret" in operation or "Policy" in operation else "Throttling"
        desk.sandbox.control.fault(operation=operation, error={"code": code}, times=2)
    assert "failed" not in run(desk)
    assert end(desk) == wanted


def test_codes_grow_old_while_aws_throttles(tmp_path: pathlib.Path) -> None:
    desk = desk_at(tmp_path, "file")
    desk.prepare()
    desk.sandbox.control.fault(operation="EnableMFADevice", error={"code": "Throttling"}, times=None)
    answer = desk.enable(codes=desk.phone(device_of(desk)).pair(ago=60))
    assert answer["enrollment"]["code"] == "codes_too_old"
    assert desk.unassigned() == [device_of(desk)]


@pytest.mark.parametrize("writes", [False, True], ids=["reads lag", "reads and writes lag"])
@BOTH_CHANNELS
@ALL_PATHS
def test_reads_that_lag_behind(tmp_path: pathlib.Path, path: str, channel: str, writes: bool) -> None:
    wanted, _undisturbed = expected_end(path, channel)
    desk = at_start(tmp_path / "lagging", path, channel)
    _before, run = PATHS[path]
    desk.sandbox.settings.change({"reads_lag_seconds": 5, "writes_lag": writes})
    answer = run(desk)
    assert "failed" not in answer, answer["msg"]
    desk.sandbox.control.advance(10)
    assert end(desk) == wanted
    desk.sandbox.settings.change({"reads_lag_seconds": 0, "writes_lag": False})
    check_delivered_seed(desk)


# --------------------------------------------------------------------------------------------------- two at once


def _also(answers: list[Answer], run: t.Callable[[], Answer]) -> None:
    answers.append(run())


@BOTH_CHANNELS
def test_two_at_once(tmp_path: pathlib.Path, channel: str) -> None:
    """The second run begins and ends just before each call of the first."""
    first = desk_at(tmp_path / "alone", channel)
    first.prepare()
    calls = [name for name, count in first.calls().items() for _n in range(count)]
    outcomes: collections.Counter[tuple[str | None, ...]] = collections.Counter()
    for nth in range(1, len(calls) + 1):
        desk = desk_at(tmp_path / f"both-{nth}", channel)
        others: list[Answer] = []
        desk.sandbox.on_call("*", functools.partial(_also, others, desk.prepare), nth=nth)
        mine = desk.prepare()
        (other,) = others
        outcomes[mine["enrollment"]["code"], other["enrollment"]["code"]] += 1
        for answer in (mine, other):
            assert answer["enrollment"]["status"] in ("prepared", "failed")
        assert len(desk.unassigned()) <= 1
        if desk.unassigned() and end(desk).marked == [True]:
            assert "prepared" in (mine["enrollment"]["status"], other["enrollment"]["status"]), nth
            check_delivered_seed(desk)
        final = desk.prepare()
        assert final["enrollment"]["status"] == "prepared"
        assert [len(desk.unassigned()), len(held(desk))] == [1, 1]
        check_delivered_seed(desk)
        assert desk.prepare()["changed"] is False
    assert outcomes[None, None] > 0


@BOTH_CHANNELS
def test_two_enable_at_once(tmp_path: pathlib.Path, channel: str) -> None:
    for nth in range(1, 12):
        desk = at_start(tmp_path / f"both-{nth}", "enable", channel)
        pair = desk.phone(device_of(desk)).pair()
        others: list[Answer] = []
        enable = functools.partial(desk.enable, codes=pair)
        desk.sandbox.on_call("*", functools.partial(_also, others, enable), nth=nth)
        mine = desk.enable(codes=pair)
        assert desk.devices() == [device_of(desk)]
        assert held(desk) == []
        assert [answer["enrollment"]["status"] for answer in (mine, *others)] == ["enabled"] * (1 + len(others))


# ------------------------------------------------------------------------------------------------------- refusals


def test_who_enrolls_himself_is_told_of_awss_rule(tmp_path: pathlib.Path) -> None:
    """AWS-2023-001: who has a device changes the own devices with MFA only."""
    from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_errors import explain
    from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import CallError

    message = (
        "To complete this action, please ensure that you are authenticated with an MFA device that is enabled for this"
        " user."
    )
    refusal = explain(CallError("EnableMFADevice", "AccessDenied", message, "iam:EnableMFADevice"), None)
    assert refusal.code == "own_device"


def test_eight_devices_are_the_limit(tmp_path: pathlib.Path) -> None:
    devices = [{"kind": "virtual", "name": f"phone-{number}", "enabled": "-30d"} for number in range(8)]
    desk = Enrolling(tmp_path / "seeds", account_of(person("alice", devices=devices)))
    answer = desk.prepare(requirement={"minimum": 9})
    assert answer["enrollment"]["code"] == "device_limit"
    assert desk.unassigned() == []


def test_the_account_is_full(tmp_path: pathlib.Path) -> None:
    desk = desk_at(tmp_path, "file", virtual_devices_max=0)
    answer = desk.prepare()
    assert answer["enrollment"]["code"] == "account_limit"
    assert held(desk) == []


@BOTH_CHANNELS
@ALL_PATHS
def test_any_refusal_of_any_write_is_told_and_the_next_run_ends_right(
    tmp_path: pathlib.Path, path: str, channel: str
) -> None:
    wanted, undisturbed = expected_end(path, channel)
    operations = [name for name in undisturbed.calls() if name in WRITES]
    _before, run = PATHS[path]
    for operation in operations:
        for code in ("ConcurrentModification", "EntityTemporarilyUnmodifiable", "LimitExceeded", "SomethingNew"):
            desk = at_start(tmp_path / f"{operation}-{code}", path, channel)
            desk.sandbox.control.fault(operation=operation, error={"code": code, "status": 409, "message": "No."})
            answer = run(desk)
            assert answer["failed"], (operation, code)
            assert answer["enrollment"]["reason"]
            assert answer["enrollment"]["follow_up"]
            assert "failed" not in run(desk), (operation, code)
            assert end(desk) == wanted
            check_delivered_seed(desk)
