# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of ``iam_mfa_enroll`` and ``iam_mfa_enroll_users``, read whole or refused before AWS is asked anything.

This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import datetime as dt
import re
import secrets
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_codes import Codes
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_plan import Requirement, State, Wanted
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import (
    DeviceKind,
    Json,
    device_kind,
    parse_iso,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._seed_secret import (
    DEFAULT_NAME,
    SecretSettings,
    check_settings,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._store import ephemeral_signal
from ansible_collections.iamguard.console_mfa.plugins.module_utils._totp import CodePair

KINDS: t.Final = ("virtual", "hardware", "fido")
MAX_CLOCK_SKEW: t.Final = 30

# Of one user and device.
OF_USER: t.Final[Json] = {
    "user_name": {"type": "raw", "required": True},
    "user_id": {"type": "str"},
    "kind": {"type": "str", "choices": list(KINDS), "default": "virtual"},
    "state": {"type": "str", "choices": ["prepared", "enabled", "absent"], "required": True},
    "serial_number": {"type": "raw"},
    "authentication_codes": {"type": "list", "elements": "raw", "no_log": True},
    "codes_read_at": {"type": "str"},
    "requirement": {
        "type": "dict",
        "options": {
            "allowed": {"type": "list", "elements": "str", "choices": list(KINDS), "default": list(KINDS)},
            "minimum": {"type": "int", "default": 1},
        },
    },
    "replaces": {"type": "raw"},
    "renew": {"type": "bool", "default": False},
    "resync": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
    "operator_made": {"type": "bool", "default": True},
    "instructions": {"type": "str"},
    "asset_id": {"type": "str"},
}

# The same for all users of an account.
OF_ACCOUNT: t.Final[Json] = {
    "device_name": {"type": "str", "default": "{user_name}"},
    "seed_delivery": {
        "type": "dict",
        "options": {
            "kind": {"type": "str", "choices": ["file", "secretsmanager"], "required": True},
            "directory": {"type": "path"},
            "persistent": {"type": "bool", "default": False},
            "name": {"type": "str", "default": DEFAULT_NAME},
            "kms_key_id": {"type": "str", "no_log": False},
            "tags": {"type": "dict", "default": {}},
            "readers": {"type": "list", "elements": "str", "default": []},
            "read_back": {"type": "bool", "default": True},
        },
    },
    "prepare_ttl_hours": {"type": "int", "default": 24},
    "account_alias": {"type": "str"},
    "run_id": {"type": "str"},
    "max_clock_skew": {"type": "int", "default": MAX_CLOCK_SKEW},
}

ENROLLING: t.Final[Json] = OF_USER | OF_ACCOUNT


class BadOptions(ValueError):
    """What is asked for makes no sense or is not safe. No text has a code in it."""


def read_wanted(params: Json, partition: str, account_id: str) -> Wanted:
    """What is asked for. Raises BadOptions with all that is wrong."""
    problems = [*problems_of_account(params), *problems_of_user(params)]
    if problems:
        raise BadOptions("; ".join(problems))
    name, need = params["user_name"], params["requirement"]
    return Wanted(
        state=State(params["state"]),
        kind=DeviceKind(params["kind"]),
        account_arn=f"arn:{partition}:iam::{account_id}",
        user_name=name,
        user_id=params["user_id"],
        device_name=device_name_of(params["device_name"], name, account_id),
        serial_number=_serial(params, "serial_number"),
        requirement=Requirement(tuple(need["allowed"]), need["minimum"]) if need else None,
        replaces=_serial(params, "replaces"),
        renew=params["renew"],
        resync=params["resync"],
        force=params["force"],
        operator_made=params["operator_made"],
        ttl=dt.timedelta(hours=params["prepare_ttl_hours"]),
        codes=_codes(params),
        delivery=(params["seed_delivery"] or {}).get("kind", ""),
        nonce=secrets.token_hex(16),
        run_id=_run_id(params["run_id"]),
    )


def problems_of_account(params: Json) -> list[str]:
    """What is wrong with the options that all users share, but for `check_delivery`."""
    return [] if 1 <= params["prepare_ttl_hours"] <= 24 * 30 else ["prepare_ttl_hours must be 1 to 720"]


def problems_of_user(params: Json) -> list[str]:
    """What is wrong with one user's options."""
    try:
        _check_name(params)
    except BadOptions as problem:  # of a name that cannot be no more can be said
        return [str(problem)]
    found = []
    for check in (
        _check_combination,
        _check_requirement,
        lambda given: device_name_of(given["device_name"], given["user_name"], "0" * 12),
        lambda given: _serial(given, "serial_number"),
        lambda given: _serial(given, "replaces"),
        _codes,
    ):
        try:
            check(params)
        except BadOptions as problem:
            found.append(str(problem))
    return found


def _check_name(params: Json) -> None:
    name = _string(params, "user_name") or ""
    if not re.fullmatch(r"[\w+=,.@-]{1,128}", name, re.ASCII):
        raise BadOptions(f"user_name {name!r} cannot be the name of an IAM user")


def _check_requirement(params: Json) -> None:
    need = params["requirement"]
    if need is not None and (need["minimum"] < 1 or not need["allowed"]):
        raise BadOptions("requirement must allow a kind and ask for one device at least")


def device_name_of(template: str, user_name: str, account_id: str) -> str:
    """The name of a new device, as the user's app shows it."""
    name = template.replace("{user_name}", user_name).replace("{account_id}", account_id)
    if not re.fullmatch(r"[\w+=,.@-]{1,128}", name, re.ASCII):
        raise BadOptions(
            f"device_name {template!r} must have letters, digits and +=,.@_- only, besides {{user_name}} and"
            " {account_id}, and come to 128 characters at most"
        )
    return name


def check_keeping(params: Json, keep_remote_files: bool) -> None:
    """Ansible would keep the codes in a file."""
    if keep_remote_files and params.get("authentication_codes"):
        raise BadOptions(
            "ANSIBLE_KEEP_REMOTE_FILES is set, so the authentication codes would stay in a file: unset it and run again"
        )


def check_delivery(delivery: Json | None, environ: t.Mapping[str, str]) -> None:
    """What is wrong with ``seed_delivery``, as far as its options tell."""
    if delivery is None:
        return
    if delivery["kind"] == "file":
        _check_file(delivery, environ)
        return
    if delivery["directory"]:
        raise BadOptions("seed_delivery of kind secretsmanager has no directory")
    try:
        check_settings(secret_settings(delivery))
    except ValueError as problem:
        raise BadOptions(str(problem)) from None


def secret_settings(delivery: Json) -> SecretSettings:
    tags = {str(key): value for key, value in delivery["tags"].items()}
    wrong = sorted(key for key, value in tags.items() if not isinstance(value, str))
    if wrong:
        raise BadOptions(f"seed_delivery.tags: {', '.join(wrong)} must be strings")
    return SecretSettings(
        name=delivery["name"],
        kms_key_id=delivery["kms_key_id"],
        tags=tags,
        readers=tuple(delivery["readers"]),
        read_back=delivery["read_back"],
    )


def _check_file(delivery: Json, environ: t.Mapping[str, str]) -> None:
    foreign = [name for name in ("kms_key_id", "tags", "readers") if delivery[name]]
    if foreign:
        raise BadOptions(f"seed_delivery of kind file has no {', '.join(foreign)}")
    directory = delivery["directory"]
    if not directory or not directory.startswith("/"):
        raise BadOptions(f"seed_delivery.directory is {directory!r}; it must be an absolute path")
    signal = None if delivery["persistent"] else ephemeral_signal(directory, environ, {})
    if signal:
        raise BadOptions(
            f"seeds are to be delivered to the directory {directory}, but this is an execution environment ({signal}):"
            " what is written there is lost when the job ends. Use seed_delivery of kind secretsmanager, or mount a"
            " volume there and set seed_delivery.persistent"
        )


def _check_combination(params: Json) -> None:
    state, kind = State(params["state"]), DeviceKind(params["kind"])
    serial, codes = params["serial_number"], params["authentication_codes"]
    wrong = [
        (codes and state is not State.ENABLED, "authentication_codes belong to state enabled"),
        (codes and kind is DeviceKind.FIDO, "a security key shows no codes"),
        (bool(codes) != bool(params["codes_read_at"]), "authentication_codes and codes_read_at belong together"),
        (state is State.PREPARED and kind is not DeviceKind.VIRTUAL, "only a virtual device can be prepared"),
        (state is State.PREPARED and serial, "a device that is prepared gets its serial number from AWS"),
        (state is State.PREPARED and not params["seed_delivery"], "to prepare a device, seed_delivery must be set"),
        (params["renew"] and state is not State.PREPARED, "renew belongs to state prepared"),
        (params["force"] and state is not State.ABSENT, "force belongs to state absent"),
        (params["resync"] and state is not State.ENABLED, "resync belongs to state enabled"),
        (params["resync"] and not serial, "to resynchronize a device, serial_number must be set"),
        (params["resync"] and kind is DeviceKind.FIDO, "a security key is never out of step"),
        (params["resync"] and params["replaces"], "resync and replaces exclude each other"),
        (params["replaces"] and state is State.ABSENT, "replaces belongs to states prepared and enabled"),
        (params["replaces"] and params["replaces"] == serial, "a device cannot replace itself"),
        (not serial and kind is DeviceKind.HARDWARE, "for a hardware token, serial_number must be set"),
        (not serial and state is State.ABSENT and kind is DeviceKind.FIDO, "serial_number must be set"),
    ]
    problems = [text for is_wrong, text in wrong if is_wrong]
    if problems:
        raise BadOptions("; ".join(problems))


def _serial(params: Json, name: str) -> str | None:
    serial = _string(params, name)
    if serial is None:
        return None
    if not re.fullmatch(r"[\w+=/:,.@-]{9,256}", serial, re.ASCII):
        raise BadOptions(f"{name} {serial!r} cannot be the serial number of an MFA device")
    if name == "serial_number" and device_kind(serial) is not DeviceKind(params["kind"]):
        other = params["state"] == "absent" and device_kind(serial) in (DeviceKind.SMS, DeviceKind.OTHER)
        if not other:
            raise BadOptions(f"{serial} is not the serial number of a device of kind {params['kind']}")
    return serial


def _string(params: Json, name: str) -> str | None:
    value = params[name]
    if value is not None and not isinstance(value, str):
        raise BadOptions(f"{name} must be a string, not {value!r}: quote it")
    return value or None


def hide_misplaced_codes(entries: t.Iterable[Json], hide: t.Callable[[str], None]) -> None:
    """What stands in the place of a time and is none may be codes; Ansible before 2.20 would show it with the options
    of a module that has failed."""
    for entry in entries:
        text = entry.get("codes_read_at")
        if not text:
            continue
        try:
            parse_iso(text)
        except ValueError:
            hide(text)


def _codes(params: Json) -> Codes | None:
    if not params["authentication_codes"] or not params["codes_read_at"]:
        return None
    try:
        pair = CodePair.parse(params["authentication_codes"])
    except ValueError as problem:
        raise BadOptions(f"authentication_codes: {problem}") from None
    try:
        read_at = parse_iso(params["codes_read_at"])
    except ValueError:
        # Who mixes up the two has written the codes here.
        raise BadOptions("codes_read_at must be a UTC time such as 2026-11-24T12:00:00Z") from None
    return Codes(pair, read_at)


def _run_id(given: str | None) -> str:
    """In the characters that tags may have."""
    return re.sub(r"[^\w .:/=+@-]", "-", given or secrets.token_hex(8), flags=re.ASCII)[:256]
