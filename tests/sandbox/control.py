# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control interface: what others do in an account while the code under test looks on, faults, the clock and the
counters.

Every public operation has the same name and parameters in this process (``sandbox.control``) and over HTTP
(`client.ControlClient`). Users are named by user name or UserId. Changes record the CloudTrail event that AWS would,
unless ``record_event=False``.
"""

from __future__ import annotations

import datetime
import functools
import inspect
import json
import typing as t
from collections import Counter

from . import ids
from .callers import Session
from .clock import iso, parse_moment, whole_seconds
from .console import password_of
from .devices import assign, release
from .history import owner_name, record_change
from .organization_scenario import add_unit, check_state, unit_of
from .scenario import (
    ScenarioError,
    add_access_key,
    add_device,
    add_to_group,
    add_user,
    check_alias,
    check_document,
    check_name,
    check_tags,
    register_token,
    resolve_policy,
)
from .signin import record, resolve
from .state import ROOT, Account, Document, LoginProfile, Role, Root, Tags, User
from .wire import HttpReply, HttpRequest

if t.TYPE_CHECKING:
    from .engine import Sandbox


OPERATIONS = (
    "now",
    "advance",
    "calls",
    "calls_by_caller",
    "reset_calls",
    "events",
    "reset",
    "fault",
    "clear_faults",
    "settings",
    "create_user",
    "delete_user",
    "rename_user",
    "create_login_profile",
    "delete_login_profile",
    "change_password",
    "set_password_last_used",
    "sign_in",
    "console_password",
    "add_device",
    "remove_device",
    "create_virtual_device",
    "register_key",
    "register_token",
    "seeds",
    "create_access_key",
    "set_access_key_status",
    "add_to_group",
    "put_user_policy",
    "put_role_policy",
    "delete_role_policy",
    "set_scp",
    "set_alias",
    "change_member",
    "create_organizational_unit",
)


def _under_lock(control: type[Control]) -> type[Control]:
    """Makes every operation wait until no request is being served: tests and clients run in threads."""
    for name in OPERATIONS:
        setattr(control, name, _locked(getattr(control, name)))
    return control


def _locked(method: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    @functools.wraps(method)
    def operation(self: Control, *args: t.Any, **kwargs: t.Any) -> t.Any:
        with self._sandbox.lock:
            return method(self, *args, **kwargs)

    return operation


@_under_lock
class Control:
    """Each method without a leading underscore that is listed in `OPERATIONS` can also be called over HTTP."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    # ------------------------------------------------------------------------------------------------ clock, calls

    def now(self) -> datetime.datetime:
        return self._sandbox.now()

    def advance(self, seconds: float) -> datetime.datetime:
        """Moves the clock forward. Returns the new time."""
        return self._sandbox.clock.advance(seconds)

    def calls(self, account_id: str | None = None) -> dict[str, int]:
        """How often each operation was called since the start or the last reset, retries and refusals included."""
        counts: Counter[str] = Counter()
        for (account, _caller, operation), count in self._sandbox.counted.items():
            if account_id in (None, account):
                counts[operation] += count
        return dict(sorted(counts.items()))

    def calls_by_caller(self) -> dict[str, dict[str, int]]:
        """The same for each caller's ARN."""
        counts: dict[str, dict[str, int]] = {}
        for (_account, caller, operation), count in sorted(self._sandbox.counted.items()):
            counts.setdefault(caller, {})[operation] = count
        return counts

    def reset_calls(self) -> None:
        self._sandbox.counted.clear()

    def events(self, account_id: str) -> list[dict[str, t.Any]]:
        """All recorded events, oldest first, as CloudTrail's JSON has them."""
        return [event.details for event in self._sandbox.trail.of_account(account_id)]

    def reset(self) -> None:
        """Everything as in the scenario again. The clock is not turned back."""
        self._sandbox.reset()

    # ------------------------------------------------------------------------------------------- faults, settings

    def fault(self, **spec: t.Any) -> str:
        """See `faults.Fault`. Returns the id of the fault."""
        if spec.get("account_id") is not None:
            self._sandbox.account(spec["account_id"])
        return self._sandbox.faults.add(spec)

    def clear_faults(self) -> None:
        self._sandbox.faults.clear()

    def settings(self, **values: t.Any) -> dict[str, t.Any]:
        """Changes settings; without arguments it only tells them."""
        self._sandbox.settings.change(values)
        return dict(vars(self._sandbox.settings))

    # ------------------------------------------------------------------------------------------------------ users

    def create_user(
        self,
        account_id: str,
        user_name: str,
        path: str = "/",
        tags: Tags | None = None,
        groups: list[str] | None = None,
        record_event: bool = True,
    ) -> str:
        """Returns the UserId."""
        account = self._account(account_id)
        checked = check_tags(tags, user_name)
        unknown = [group for group in groups or [] if group not in account.groups]
        if unknown:
            raise ScenarioError(f"account {account_id}: there is no group {', '.join(unknown)}")
        user = add_user(account, user_name, path, self._date(), checked)
        for group in groups or []:
            add_to_group(account, user, group)
        self._changed(account, "CreateUser", user, {"userName": user.name, "path": path}, record_event)
        return user.unique_id

    def delete_user(self, account_id: str, user: str, record_event: bool = True) -> None:
        """With all that belongs to the user. Virtual devices stay, unassigned, as after a deactivation."""
        account, found = self._find(account_id, user)
        for serial in list(found.serials):
            release(account, found, serial, self._sandbox.now(), self._sandbox.settings.sts_lag_seconds)
        account.deleted_names.add(found.name.lower())
        account.users.remove(found.name)
        del account.users_by_id[found.unique_id]
        for key in [key for key, (owner, _key) in account.keys.items() if owner is found]:
            del account.keys[key]
        self._changed(account, "DeleteUser", found, {"userName": found.name}, record_event)

    def rename_user(self, account_id: str, user: str, new_name: str, record_event: bool = True) -> None:
        """The UserId stays."""
        account, found = self._find(account_id, user)
        check_name(new_name, f"account {account_id}")
        other = account.users.get(new_name)
        if other is not None and other is not found:
            raise ScenarioError(f"account {account_id}: there is a user {new_name} already")
        old_name = found.name
        account.users.remove(old_name)
        found.name, found.arn = new_name, account.arn(f"user{found.path}{new_name}")
        account.users.add(found)
        self._changed(account, "UpdateUser", found, {"userName": old_name, "newUserName": new_name}, record_event)

    # -------------------------------------------------------------------------------------------------- passwords

    def create_login_profile(
        self, account_id: str, user: str, reset_required: bool = False, record_event: bool = True
    ) -> None:
        account, found = self._find(account_id, user)
        if found.login_profile is not None:
            raise ScenarioError(f"account {account_id}: {found.name} has a password already")
        now = self._date()
        found.login_profile = LoginProfile(now, now, reset_required)
        parameters = {"userName": found.name, "passwordResetRequired": reset_required}
        self._changed(account, "CreateLoginProfile", found, parameters, record_event)

    def delete_login_profile(self, account_id: str, user: str, record_event: bool = True) -> None:
        """PasswordLastUsed stays as it is."""
        account, found = self._find(account_id, user)
        self._password_of(account, found)
        found.login_profile = None
        self._changed(account, "DeleteLoginProfile", found, {"userName": found.name}, record_event)

    def change_password(self, account_id: str, user: str, record_event: bool = True) -> None:
        """The user changes it: the date of the first password stays."""
        account, found = self._find(account_id, user)
        profile = self._password_of(account, found)
        profile.changed, profile.reset_required = self._date(), False
        self._changed(account, "ChangePassword", found, None, record_event, by=found)

    def set_password_last_used(self, account_id: str, user: str, when: str | datetime.datetime | None) -> None:
        """A date, a distance from now such as ``-3h``, or None for never."""
        _account, found = self._find(account_id, user)
        found.password_last_used = parse_moment(when, self.now())

    def console_password(self, account_id: str, user: str) -> str:
        """What the user types at the simulated console."""
        account, found = self._find(account_id, user)
        self._password_of(account, found)
        return str(password_of(found))

    def sign_in(self, account_id: str, **attempt: t.Any) -> None:
        """An attempt to sign in to the console, as an entry of a scenario's ``sign_ins`` has it; ``at`` is relative to
        now. Writes the events that AWS would."""
        account, sandbox = self._account(account_id), self._sandbox
        record(sandbox.trail, account, resolve(account, attempt, sandbox.now(), sandbox.settings))

    # ---------------------------------------------------------------------------------------------------- devices

    def add_device(
        self,
        account_id: str,
        user: str,
        kind: str,
        name: str | None = None,
        serial: str | None = None,
        path: str = "/",
        record_event: bool = True,
    ) -> str:
        """Enables a new device for a user, or with ``serial`` of an unassigned virtual one, that one. Returns the
        serial number. ``user`` may be ``root``."""
        account = self._account(account_id)
        owner: User | Root = account.root if user == ROOT else self._find(account_id, user)[1]
        now = self._date()
        device = account.devices.get(serial or "")
        if device is not None:
            if device.owner is not None:
                raise ScenarioError(f"account {account_id}: {serial} is in use")
            assign(account, device, owner, now, self._sandbox.settings.sts_lag_seconds)
        else:
            name = name or f"{user.replace('/', '-')}-{kind}-{len(owner.serials)}"
            device = add_device(account, owner, {"kind": kind, "name": name, "serial": serial, "path": path}, now, now)
        parameters = {"userName": owner_name(owner), "serialNumber": device.serial}
        self._changed(account, "EnableMFADevice", owner, parameters, record_event)
        return device.serial

    def remove_device(self, account_id: str, serial: str, record_event: bool = True) -> None:
        """Deactivates a device of a user; a virtual one stays and is unassigned, an unassigned one is deleted."""
        account = self._account(account_id)
        device = account.devices.get(serial)
        if device is None:
            raise ScenarioError(f"account {account_id}: there is no device {serial}")
        if device.owner is None:
            del account.devices[serial]
            self._changed(account, "DeleteVirtualMFADevice", None, {"serialNumber": serial}, record_event)
            return
        owner = account.root if device.owner == ROOT else account.users_by_id[device.owner]
        release(account, owner, serial, self._sandbox.now(), self._sandbox.settings.sts_lag_seconds)
        parameters = {"userName": owner_name(owner), "serialNumber": serial}
        self._changed(account, "DeactivateMFADevice", owner, parameters, record_event)

    def create_virtual_device(
        self, account_id: str, name: str, path: str = "/", tags: Tags | None = None, record_event: bool = True
    ) -> str:
        """An unassigned one. Returns the serial number."""
        account = self._account(account_id)
        device = add_device(account, None, {"name": name, "path": path, "tags": tags}, self._date(), None)
        self._changed(
            account, "CreateVirtualMFADevice", None, {"virtualMFADeviceName": name, "path": path}, record_event
        )
        return device.serial

    def register_key(
        self,
        account_id: str,
        user: str,
        name: str,
        certifications: dict[str, str] | None = None,
        record_event: bool = True,
    ) -> str:
        """A user signs in to the console and registers a security key or passkey there: the only way there is. Returns
        the serial number."""
        account, found = self._find(account_id, user)
        self._password_of(account, found)
        spec = {"kind": "fido", "name": name, "certifications": certifications}
        device = add_device(account, found, spec, self._date(), self._date())
        parameters = {"userName": found.name, "serialNumber": device.serial}
        self._changed(account, "EnableMFADevice", found, parameters, record_event, by=found)
        return device.serial

    def register_token(self, account_id: str, serial: str, seed: str | None = None) -> str:
        """A hardware token was bought, and AWS of this account's partition got its seed. Returns the Base32 seed."""
        return register_token(self._account(account_id), serial, seed, f"account {account_id}").seed

    def seeds(self, account_id: str) -> dict[str, list[str]]:
        """Every seed that there ever was in the account, by serial number, the newest last: to play devices with, and
        to search for in what should not hold any."""
        return {serial: list(seeds) for serial, seeds in sorted(self._sandbox.account(account_id).seeds.items())}

    # ----------------------------------------------------------------------------------- keys, groups and policies

    def create_access_key(self, account_id: str, user: str, record_event: bool = True) -> dict[str, str]:
        account, found = self._find(account_id, user)
        key = add_access_key(account, found, {}, self._date())
        self._changed(account, "CreateAccessKey", found, {"userName": found.name}, record_event)
        return {"access_key_id": key.access_key_id, "secret": key.secret}

    def set_access_key_status(
        self, account_id: str, access_key_id: str, status: str, record_event: bool = True
    ) -> None:
        account = self._account(account_id)
        if access_key_id not in account.keys or status not in ("Active", "Inactive"):
            raise ScenarioError(f"account {account_id}: no key {access_key_id}, or no status {status!r}")
        owner, key = account.keys[access_key_id]
        key.status = status
        name = owner.name if isinstance(owner, User) else None
        parameters = {"accessKeyId": access_key_id, "status": status, "userName": name}
        self._changed(account, "UpdateAccessKey", owner, parameters, record_event)

    def add_to_group(self, account_id: str, user: str, group: str, record_event: bool = True) -> None:
        account, found = self._find(account_id, user)
        add_to_group(account, found, group)
        self._changed(account, "AddUserToGroup", found, {"userName": found.name, "groupName": group}, record_event)

    def put_user_policy(
        self, account_id: str, user: str, name: str, document: Document, record_event: bool = True
    ) -> None:
        account, found = self._find(account_id, user)
        found.inline[name] = check_document(document, f"account {account_id}, user {found.name}")
        parameters = {"userName": found.name, "policyName": name, "policyDocument": json.dumps(document)}
        self._changed(account, "PutUserPolicy", found, parameters, record_event)

    def put_role_policy(
        self, account_id: str, role: str, name: str, document: Document, record_event: bool = True
    ) -> None:
        account, found = self._role(account_id, role)
        found.inline[name] = check_document(document, f"account {account_id}, role {role}")
        parameters = {"roleName": found.name, "policyName": name, "policyDocument": json.dumps(document)}
        self._changed(account, "PutRolePolicy", None, parameters, record_event)

    def delete_role_policy(self, account_id: str, role: str, name: str, record_event: bool = True) -> None:
        """Of an inline or, by its name, an attached policy."""
        account, found = self._role(account_id, role)
        if name in found.inline:
            del found.inline[name]
        else:
            found.attached.remove(resolve_policy(account, name, f"account {account_id}").arn)
        self._changed(account, "DeleteRolePolicy", None, {"roleName": found.name, "policyName": name}, record_event)

    def set_scp(self, account_id: str, documents: list[Document]) -> None:
        """The policies of the organization that bind the account; an empty list is FullAWSAccess."""
        account = self._account(account_id)
        account.scps = [check_document(item, f"account {account_id}, scp") for item in documents]
        self._sandbox.authorizer.forget()

    def set_alias(self, account_id: str, alias: str | None, record_event: bool = True) -> None:
        account = self._account(account_id)
        account.alias = check_alias(alias, f"account {account_id}")
        name = "CreateAccountAlias" if alias else "DeleteAccountAlias"
        self._changed(account, name, None, {"accountAlias": alias}, record_event)

    def change_member(
        self,
        account_id: str,
        state: str | None = None,
        name: str | None = None,
        ou: str | list[str] | None = None,
        tags: Tags | None = None,
    ) -> None:
        """What its organization says of an account from now on. ``ou``: an id, or names from the root on. Its events
        are those of the organization's trail, which is not modelled."""
        where = f"account {account_id}"
        organization = next((one for one in self._sandbox.organizations.all if account_id in one.members), None)
        if organization is None:
            raise ScenarioError(f"{where} is in no organization")
        member = organization.members[account_id]
        member.state = member.state if state is None else check_state(state, where)
        member.name = name or member.name
        member.parent_id = member.parent_id if ou is None else unit_of(organization, ou, where).id
        member.tags = member.tags if tags is None else check_tags(tags, where)

    def create_organizational_unit(self, account_id: str, name: str, parent: str | list[str] | None = None) -> str:
        """In the organization of an account; without a parent in its root. Returns the id."""
        organization = next(one for one in self._sandbox.organizations.all if account_id in one.members)
        return add_unit(organization, unit_of(organization, parent, f"unit {name}"), name).id

    # ---------------------------------------------------------------------------------------------------- plumbing

    def credentials_of(
        self, account: Account, *, user: str | None = None, role: str | None = None, access_key_id: str | None = None
    ) -> dict[str, str]:
        """Keys of a caller. They are no part of the account: a key that is made for this is not listed anywhere."""
        if sum(item is not None for item in (user, role, access_key_id)) > 1:
            raise ValueError("either a user, a role or an access key")
        if role is not None:
            found = account.roles.get(role)
            if found is None:
                raise ValueError(f"account {account.account_id}: there is no role {role}")
            session = self._open_session(account, found)
            return _environment(session.access_key_id, session.secret, session.token)
        if access_key_id is not None:
            if access_key_id in self._sandbox.credentials.sessions:
                session = self._sandbox.credentials.sessions[access_key_id]
                return _environment(access_key_id, session.secret, session.token)
            return _environment(access_key_id, account.keys[access_key_id][1].secret)
        owner = account.root if user == ROOT else account.user(user or "admin")
        if owner is None:
            raise ValueError(f"account {account.account_id}: there is no user {user or 'admin'}")
        key_id = ids.access_key_id("AKIA", "sandbox", account.account_id, getattr(owner, "unique_id", ROOT))
        if key_id not in account.keys:
            key = add_access_key(account, Root(self.now()), {"id": key_id}, self._date())
            account.keys[key_id] = (owner, key)
        return _environment(key_id, account.keys[key_id][1].secret)

    def _open_session(self, account: Account, role: Role) -> Session:
        now, seconds = self._sandbox.now(), role.max_session_duration
        return self._sandbox.credentials.open_session(account, role, "sandbox", issued=now, seconds=seconds)

    def _account(self, account_id: str) -> Account:
        """The account that is about to change; reads that lag go on to see it as it is now."""
        account = self._sandbox.account(account_id)
        self._sandbox.remember(account)
        return account

    def _find(self, account_id: str, user: str) -> tuple[Account, User]:
        account = self._account(account_id)
        found = account.user(user)
        if found is None:
            raise ScenarioError(f"account {account_id}: there is no user {user}")
        return account, found

    def _role(self, account_id: str, role: str) -> tuple[Account, Role]:
        account = self._account(account_id)
        found = account.roles.get(role)
        if found is None:
            raise ScenarioError(f"account {account_id}: there is no role {role}")
        return account, found

    def _password_of(self, account: Account, user: User) -> LoginProfile:
        if user.login_profile is None:
            raise ScenarioError(f"account {account.account_id}: {user.name} has no password")
        return user.login_profile

    def _date(self) -> datetime.datetime:
        return whole_seconds(self._sandbox.now())

    def _changed(
        self,
        account: Account,
        name: str,
        subject: User | Root | None,
        parameters: dict[str, t.Any] | None,
        record: bool,
        *,
        by: User | None = None,
    ) -> None:
        """After each change: what callers may do could be different now, and CloudTrail has something to tell."""
        self._sandbox.authorizer.forget()
        if record:
            sandbox = self._sandbox
            record_change(sandbox.trail, sandbox.settings, account, name, subject, parameters, sandbox.now(), by=by)

    # -------------------------------------------------------------------------------------------------------- HTTP

    def handle(self, request: HttpRequest) -> HttpReply:
        """``GET /_sandbox/ready``, and ``POST /_sandbox/<operation>`` with the parameters as a JSON object."""
        name = request.path.removeprefix("/_sandbox/")
        if name == "ready":
            return _json(200, {"ready": True, "scenario": self._sandbox.name, "now": self.now()})
        if name not in OPERATIONS:
            return _json(404, {"error": f"no control operation {name}; there are: {', '.join(OPERATIONS)}"})
        if request.method != "POST":
            return _json(405, {"error": "control operations are POST requests"})
        try:
            parameters = json.loads(request.body or b"{}")
            method = getattr(self, name)
            inspect.signature(method).bind(**parameters)
            return _json(200, {"result": method(**parameters)})
        except (ValueError, TypeError, KeyError) as error:
            return _json(400, {"error": f"{name}: {error}"})


def _environment(access_key_id: str, secret: str, token: str | None = None) -> dict[str, str]:
    found = {"AWS_ACCESS_KEY_ID": access_key_id, "AWS_SECRET_ACCESS_KEY": secret}
    return {**found, "AWS_SESSION_TOKEN": token} if token else found


def _json(status: int, value: t.Any) -> HttpReply:
    def default(item: t.Any) -> str:
        if isinstance(item, datetime.datetime):
            return iso(item)
        raise TypeError(f"not JSON: {item!r}")

    return HttpReply(status, json.dumps(value, default=default).encode(), {"Content-Type": "application/json"})
