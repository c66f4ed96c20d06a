# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the console sign-ins of an account prove about its users' MFA.

No evidence is not evidence of absence: whatever rests on something that was *not* seen ("never without MFA", "not used
yet") needs every Region, read back as far as it matters. Only a sign-in without MFA speaks for itself.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import functools
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import (
    CallError,
    Device,
    DeviceKind,
    Json,
    device_kind,
    iso,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_events import (
    MfaPrompt,
    SignIn,
    Unreadable,
    Who,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict import Sign

# So many of the events that evidence rests on are told in full; their number always is.
MOST_TOLD = 10


class State(enum.StrEnum):
    """What became of reading a Region."""

    READ = "read"
    DISABLED = "disabled"  # the account has not opted in: nobody can sign in there
    DENIED = "denied"
    CUT_SHORT = "cut_short"
    FAILED = "failed"


@dataclasses.dataclass(frozen=True)
class RegionRead:
    """``since``: every sign-in from then on that the Region tells is known; None: nothing is known to be whole."""

    region: str
    state: State
    since: dt.datetime | None
    events: int = 0
    error: CallError | None = None

    def document(self) -> Json:
        return {
            "region": self.region,
            "state": str(self.state),
            "since": iso(self.since),
            "events": self.events,
            "error": self.error.as_dict() if self.error else None,
        }


@dataclasses.dataclass(frozen=True)
class History:
    """The sign-ins of an account from ``start`` on, as far as they could be read. ``prompts``: where AWS asked for MFA,
    if that was read, and whether all of them were."""

    start: dt.datetime
    regions: tuple[RegionRead, ...]
    events: tuple[SignIn, ...]
    unreadable: tuple[Unreadable, ...] = ()
    prompts: tuple[MfaPrompt, ...] = ()
    prompts_whole: bool = False

    @functools.cached_property
    def whole_since(self) -> dt.datetime | None:
        """From when on every Region was read; None: one was not, or there is none at all."""
        dates = [read.since for read in self.regions if read.state is not State.DISABLED]
        known = [date for date in dates if date is not None]
        return max(known) if known and len(known) == len(dates) else None

    @functools.cached_property
    def by_principal(self) -> t.Mapping[tuple[Who, str | None], tuple[SignIn, ...]]:
        """Oldest first. An event that was read twice counts once; two that share an id but not their content are two,
        so that none can take the place of another."""
        found: dict[tuple[Who, str | None], list[SignIn]] = collections.defaultdict(list)
        within = sorted((event for event in self.events if event.at >= self.start), key=_position)
        events = {dataclasses.replace(event, region=None): event for event in within}
        for event in sorted(events.values(), key=_position):
            found[event.who, event.principal_id].append(event)
        return {key: tuple(value) for key, value in found.items()}

    def of_user(self, user_id: str) -> tuple[SignIn, ...]:
        return self.by_principal.get((Who.USER, user_id), ())

    def doubt_about(self, user_id: str) -> Unreadable | None:
        """An event that could not be read and may be about this user."""
        return next((item for item in self.unreadable if item.principal_id in (None, user_id)), None)

    def unread_regions(self, since: dt.datetime) -> list[str]:
        """The Regions that were not read back to a moment."""
        return sorted(
            read.region
            for read in self.regions
            if read.state is not State.DISABLED and (read.since is None or read.since > since)
        )


def _position(event: SignIn) -> tuple[t.Any, ...]:
    """By time, and always the same among events of one moment."""
    return (event.at, event.event_id, event.success, str(event.mfa), event.device or "", event.region or "")


@dataclasses.dataclass(frozen=True)
class Person:
    """A user and the devices that the user has now; None: not known. ``complete``: there are no others."""

    user_name: str
    user_id: str
    arn: str | None
    devices: tuple[Device, ...] | None
    complete: bool

    @functools.cached_property
    def enabled(self) -> tuple[Device, ...]:
        return tuple(device for device in self.devices or () if device.enabled)

    @functools.cached_property
    def enabled_since(self) -> dt.datetime | None:
        """The earliest enable date that is known."""
        return min((device.enable_date for device in self.enabled if device.enable_date), default=None)

    @property
    def dates_known(self) -> bool:
        """Whether there can be no earlier enable date."""
        return self.complete and all(device.enable_date is not None for device in self.enabled)

    @functools.cached_property
    def proving(self) -> t.Mapping[str, dt.datetime | None]:
        """The devices whose use proves MFA, with their enable dates: all but SMS, which satisfies nothing."""
        return {
            device.serial_number: device.enable_date
            for device in self.enabled
            if device_kind(device.serial_number) is not DeviceKind.SMS
        }


@dataclasses.dataclass(frozen=True)
class Weighed:
    """A user's evidence, why it is that, and the events that it rests on, oldest first."""

    sign: Sign
    reason: str
    rests_on: tuple[SignIn, ...] = ()


def weigh(person: Person, history: History) -> Weighed:
    """The evidence about one user. Events of another UserId under the same name are another user's."""
    if person.devices is None:
        return Weighed(Sign.UNKNOWN, "The user's devices could not be read.")
    used = [event for event in history.of_user(person.user_id) if event.success]
    without = [event for event in used if not event.mfa]
    since = person.enabled_since
    against = tuple(event for event in without if since is not None and event.at > since)
    if against:
        return Weighed(Sign.CONTRADICTED, "Signed in without MFA when a present device was enabled.", against)
    doubt = _doubt(person, history, without)
    if doubt:
        return Weighed(Sign.UNKNOWN, doubt)
    return _proof(person, [event for event in used if event.mfa])


def _doubt(person: Person, history: History, without: t.Sequence[SignIn]) -> str | None:
    """Why nothing can rest on what was not seen."""
    unreadable = history.doubt_about(person.user_id)
    if unreadable:
        return "An event that may be about the user could not be read."
    if without and not person.dates_known:
        return "Signed in without MFA, and since when the user has a device is not known for certain."
    needed = history.start
    if person.dates_known and person.enabled_since is not None:
        needed = max(needed, person.enabled_since)
    if history.whole_since is None or history.whole_since > needed:
        regions = ", ".join(history.unread_regions(needed)) or "any Region"
        return f"Sign-ins were not read back to {iso(needed)} in {regions}."
    return None


def _proof(person: Person, used: t.Sequence[SignIn]) -> Weighed:
    """Of a user who never signed in without MFA since there is a device: whether it was used."""
    dates = person.proving
    proof = tuple(event for event in used if event.device is not None and _after(event, dates.get(event.device)))
    if proof:
        return Weighed(Sign.PROVEN, "Signed in with a present device.", proof)
    if any(event.device is not None and _may_be_present(event.device, person) for event in used):
        return Weighed(Sign.UNKNOWN, "Signed in with a device, and whether it is a present one is not known.")
    unnamed = [event for event in used if event.device is None]
    first = min((date for date in dates.values() if date is not None), default=None)
    later = tuple(event for event in unnamed if first is not None and event.at > first)
    if later:
        return Weighed(
            Sign.PROVEN_UNATTRIBUTED, "Signed in with MFA since there is a device; AWS does not say with which.", later
        )
    if unnamed and not person.dates_known:
        return Weighed(Sign.UNKNOWN, "Signed in with MFA, and whether that was with a present device is not known.")
    return Weighed(Sign.NONE, "No sign-in with a present device was seen.")


def _after(event: SignIn, date: dt.datetime | None) -> bool:
    return date is not None and event.at > date


def _may_be_present(serial: str, person: Person) -> bool:
    if serial in person.proving:
        return person.proving[serial] is None
    known = any(device.serial_number == serial for device in person.enabled)
    return not known and not person.complete


# --- what is told ----------------------------------------------------------------------------------------------------


def describe(person: Person, history: History, *, with_source: bool = False) -> Json:
    """The row of iam_console_signin_info for a user. The judge reads ``evidence`` and ``last_without_mfa``."""
    weighed = weigh(person, history)
    events = history.of_user(person.user_id)
    last = _last(events)
    return {
        "user_name": person.user_name,
        "user_id": person.user_id,
        "arn": person.arn,
        "evidence": str(weighed.sign),
        "reason": weighed.reason,
        "enabled_since": iso(person.enabled_since),
        "sign_ins": _counts(events),
        "last_with_mfa": iso(last["with_mfa"].at) if last["with_mfa"] else None,
        "last_without_mfa": iso(last["without_mfa"].at) if last["without_mfa"] else None,
        "last_failed": iso(last["failed"].at) if last["failed"] else None,
        "device_used": last["with_mfa"].device if last["with_mfa"] else None,
        "rests_on": [event.document(with_source=with_source) for event in weighed.rests_on[: -MOST_TOLD - 1 : -1]],
        "rests_on_count": len(weighed.rests_on),
    }


def _counts(events: t.Iterable[SignIn]) -> Json:
    kinds = collections.Counter(map(_kind, events))
    return {kind: kinds[kind] for kind in ("with_mfa", "without_mfa", "failed", "mfa_not_told")}


def _kind(event: SignIn) -> str:
    if not event.success:
        return "failed"
    return {True: "with_mfa", False: "without_mfa", None: "mfa_not_told"}[event.mfa]


def _last(events: t.Sequence[SignIn]) -> dict[str, SignIn | None]:
    found: dict[str, SignIn | None] = dict.fromkeys(("with_mfa", "without_mfa", "failed", "mfa_not_told"))
    return found | {_kind(event): event for event in events}


def describe_others(history: History, told: t.Container[str], present: t.Mapping[str, str]) -> list[Json]:
    """Everybody else who signed in: ``told`` are the UserIds that have a row of their own, ``present`` the names of all
    users of the account by UserId."""
    groups: dict[tuple[str, str | None], list[SignIn]] = collections.defaultdict(list)
    for (who, principal_id), events in history.by_principal.items():
        if who is Who.USER and principal_id in told:
            continue
        groups[_other_kind(who, principal_id, present), _role_of(who, principal_id)] += events
    rows = [_describe_other(kind, principal_id, events) for (kind, principal_id), events in groups.items()]
    return sorted(rows, key=lambda row: (row["kind"], row["principal_id"] or ""))


def _other_kind(who: Who, principal_id: str | None, present: t.Mapping[str, str]) -> str:
    if who is not Who.USER:
        return str(who)
    return "other_user" if principal_id in present else "former_user"


def _role_of(who: Who, principal_id: str | None) -> str | None:
    """A role's sessions are told together: ``AROA...:session``."""
    return principal_id.partition(":")[0] if who is Who.ROLE_SESSION and principal_id else principal_id


def _describe_other(kind: str, principal_id: str | None, events: list[SignIn]) -> Json:
    newest = max(events, key=_position)
    return {
        "kind": kind,
        "principal_id": principal_id,
        "name": newest.name if kind in ("other_user", "former_user") else None,
        "arn": newest.arn,
        "sign_ins": _counts(events),
        "last": iso(newest.at),
    }
