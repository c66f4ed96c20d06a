# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fills accounts from a scenario: a YAML file, or the same as a dict. What AWS would not allow to exist is refused.

The schema is described in ``tests/sandbox/README.md``; the shipped scenarios are in ``tests/sandbox/scenarios``.
"""

from __future__ import annotations

import datetime
import json
import pathlib
import re
import typing as t
import unicodedata

import yaml

from . import ids
from .clock import parse_duration, parse_moment
from .iam_report import render
from .managed_policies import aws_managed
from .policy import Kind, PolicyError, parse_policy
from .settings import Settings
from .state import (
    ROOT,
    AccessKey,
    Account,
    CredentialReport,
    Device,
    Document,
    Group,
    LoginProfile,
    ManagedPolicy,
    Oath,
    Role,
    Root,
    Tags,
    User,
)
from .totp import decode_seed

SCENARIOS = pathlib.Path(__file__).parent / "scenarios"
MAX_DEVICES = 8  # per user and for root, of all kinds together (IAM quotas)
MAX_TAGS = 50
MAX_GROUPS = 10  # of a user
MAX_USERS = 5000  # of an account; this quota cannot be raised
MAX_ACCESS_KEYS = 2

Spec = dict[str, t.Any]

_REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{1,64}")
_GROUP_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{1,128}")
_DEVICE_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{1,226}")
_PATH = re.compile(r"/|/[\x21-\x7e]+/")
_SERIAL = re.compile(r"[A-Za-z0-9_+=/:,.@-]{9,256}")
_ACCOUNT = re.compile(r"[0-9]{12}")
_ORGANIZATION = re.compile(r"o-[a-z0-9]{10,32}")
_ALIAS = re.compile(r"[a-z0-9](?:[a-z0-9]|-(?!-)){1,61}[a-z0-9]")


class ScenarioError(ValueError):
    """A scenario that describes what cannot exist, or that has a key nobody reads."""


def read_scenario(source: str | pathlib.Path | Spec) -> Spec:
    """A dict as it is; else a path, or the name of a shipped scenario."""
    if isinstance(source, dict):
        return source
    path = pathlib.Path(source)
    if not path.suffix:
        path = SCENARIOS / f"{source}.yml"
    if not path.is_file():
        raise ScenarioError(f"there is no scenario {source}; shipped: {', '.join(sorted(shipped())) or 'none'}")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    spec = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506  # both are safe, the first is fast
    if not isinstance(spec, dict):
        raise ScenarioError(f"{path} is not a mapping")
    return spec


def shipped() -> list[str]:
    return [path.stem for path in SCENARIOS.glob("*.yml")]


def load_accounts(spec: Spec, start: datetime.datetime, settings: Settings) -> dict[str, Account]:
    """The accounts of a scenario by their ids."""
    accounts: dict[str, Account] = {}
    tokens: dict[str, dict[str, Oath]] = {partition: {} for partition in ids.PARTITIONS}
    for entry in spec.get("accounts", []):
        loader = _AccountLoader(entry, start, settings)
        loader.account.tokens = tokens[loader.account.partition]
        account = loader.load()
        if account.account_id in accounts:
            raise ScenarioError(f"account {account.account_id} is in the scenario twice")
        accounts[account.account_id] = account
    return accounts


def check_keys(spec: Spec, allowed: str, where: str) -> None:
    unknown = set(spec) - set(allowed.split())
    if unknown:
        raise ScenarioError(f"{where}: unknown keys {', '.join(sorted(map(str, unknown)))}")


def check_tags(tags: Spec | None, where: str) -> Tags:
    """Tags as IAM allows them: 50, keys of 1-128 and values of 0-256 letters, digits, spaces and ``_.:/=+-@``."""
    found = {str(key): str(value) for key, value in (tags or {}).items()}
    if len(found) > MAX_TAGS:
        raise ScenarioError(f"{where}: more than {MAX_TAGS} tags")
    if len({key.lower() for key in found}) != len(found):
        raise ScenarioError(f"{where}: tag keys differ in case only")
    for key, value in found.items():
        if not 1 <= len(key) <= 128 or len(value) > 256 or not all(map(_tag_character, key + value)):
            raise ScenarioError(f"{where}: IAM refuses the tag {key!r}={value!r}")
    return found


def _tag_character(character: str) -> bool:
    return character in "_.:/=+-@" or unicodedata.category(character)[0] in "LZN"


def check_document(document: t.Any, where: str, kind: Kind = "identity") -> Document:
    """A policy document that the evaluator understands."""
    try:
        parse_policy(document, kind)
    except PolicyError as error:
        raise ScenarioError(f"{where}: {error}") from error
    return t.cast(Document, document)


def _document_of(item: Spec) -> t.Any:
    """Of an inline policy: written there, or in a file of the repository, so that what is shipped is what is used."""
    if (item.get("file") is None) == (item.get("document") is None):
        raise ScenarioError("an inline policy has either a document or a file")
    if item.get("file") is None:
        return item["document"]
    return json.loads((_REPOSITORY / item["file"]).read_text(encoding="utf-8"))


def check_name(name: t.Any, where: str, pattern: re.Pattern[str] = _NAME) -> str:
    if not isinstance(name, str) or not pattern.fullmatch(name):
        raise ScenarioError(f"{where}: IAM refuses the name {name!r}")
    return name


def check_alias(alias: t.Any, where: str) -> str | None:
    """None, or 3 to 63 lower-case letters, digits and single hyphens."""
    if alias is not None and not (isinstance(alias, str) and _ALIAS.fullmatch(alias)):
        raise ScenarioError(f"{where}: AWS refuses the alias {alias!r}")
    return alias


def check_organization(organization_id: t.Any, where: str) -> str | None:
    """None, or an id as the Organizations API has them."""
    if organization_id is not None and not (
        isinstance(organization_id, str) and _ORGANIZATION.fullmatch(organization_id)
    ):
        raise ScenarioError(f"{where}: no id of an organization: {organization_id!r}")
    return organization_id


def check_disabled_regions(account: Account, regions: list[t.Any]) -> frozenset[str]:
    """Only Regions that an account must opt in to can be disabled: every other is there from the start."""
    for region in regions:
        if not isinstance(region, str) or region in ids.DEFAULT_ENABLED_REGIONS:
            raise ScenarioError(f"account {account.account_id}: the Region {region!r} cannot be disabled")
        if ids.partition_of_region(region) != account.partition:
            raise ScenarioError(f"account {account.account_id}: the Region {region} is of another partition")
    return frozenset(regions)


def check_path(path: t.Any, where: str) -> str:
    if not isinstance(path, str) or not _PATH.fullmatch(path) or len(path) > 512:
        raise ScenarioError(f"{where}: IAM refuses the path {path!r}")
    return path


def device_serial(account: Account, kind: str, name: str, path: str, user_name: str | None) -> str:
    """The serial number of a device by its kind, as the IAM User Guide shows them."""
    if kind == "virtual":
        return account.arn(f"mfa{path}{name}")
    if kind == "sms":
        return account.arn(f"sms-mfa{path}{name}")
    if kind == "fido":
        owner = f"user/{user_name}" if user_name else "root"
        return account.arn(f"u2f/{owner}/{name}-{ids.digest('u2f', account.account_id, user_name, name, length=26)}")
    return f"GAHT{int(ids.digest(account.account_id, name, length=8), 36) % 10**8:08d}"


def add_device(
    account: Account,
    owner: User | Root | None,
    spec: Spec,
    created: datetime.datetime,
    enabled: datetime.datetime | None,
) -> Device:
    """Puts a device into the account, and where ``owner`` is given enables it for that user."""
    user_name = owner.name if isinstance(owner, User) else None
    where = f"account {account.account_id}, device of {user_name or 'root' if owner else 'nobody'}"
    check_keys(spec, "kind name serial path enabled created tags certifications seed", where)
    kind = spec.get("kind", "virtual")
    if kind not in ("virtual", "hardware", "fido", "sms"):
        raise ScenarioError(f"{where}: no kind of device: {kind!r}")
    if owner is None and kind != "virtual":
        raise ScenarioError(f"{where}: only a virtual device can be without an owner")
    if kind != "virtual" and spec.get("tags"):
        raise ScenarioError(f"{where}: only virtual devices have tags")
    name = spec.get("name") or (f"device-{len(account.devices)}" if kind == "hardware" else None)
    name = check_name(name, where, _DEVICE_NAME)
    path = check_path(spec.get("path", "/"), where)
    serial = str(spec.get("serial") or device_serial(account, kind, name, path, user_name))
    if not _SERIAL.fullmatch(serial) and kind != "virtual":
        raise ScenarioError(f"{where}: IAM refuses the serial number {serial!r}")
    if serial in account.devices:
        raise ScenarioError(f"{where}: there is a device {serial} already")
    if owner is not None and len(owner.serials) >= MAX_DEVICES:
        raise ScenarioError(f"{where}: more than {MAX_DEVICES} devices")
    device = Device(serial, kind, name, path, created, tags=check_tags(spec.get("tags"), where))
    device.certifications = dict(spec.get("certifications") or {})
    device.oath = _oath_of(account, device, spec.get("seed"), where)
    account.devices[serial] = device
    if owner is not None:
        device.enabled = enabled
        device.owner = owner.unique_id if isinstance(owner, User) else ROOT
        owner.serials.append(serial)
    return device


def _oath_of(account: Account, device: Device, seed: t.Any, where: str) -> Oath | None:
    """What makes the codes of a device; a hardware token that is in use is one that AWS knows."""
    if device.kind not in ("virtual", "hardware"):
        if seed is not None:
            raise ScenarioError(f"{where}: a device of the kind {device.kind} has no seed")
        return None
    if device.kind == "hardware":
        return register_token(account, device.serial, seed, where)
    made = ids.seed(account.account_id, device.serial, len(account.seeds.get(device.serial, [])))
    return keep_seed(account, device.serial, check_seed(seed or made, where))


def register_token(account: Account, serial: t.Any, seed: t.Any, where: str) -> Oath:
    """A hardware token whose seed the vendor gave to AWS. One that is known keeps its seed."""
    if not isinstance(serial, str) or not _SERIAL.fullmatch(serial) or serial.startswith("arn:"):
        raise ScenarioError(f"{where}: not the serial number of a hardware token: {serial!r}")
    known = account.tokens.get(serial)
    if known is not None:
        if seed is not None and seed != known.seed:
            raise ScenarioError(f"{where}: the token {serial} has another seed")
        return known
    account.tokens[serial] = keep_seed(account, serial, check_seed(seed or ids.seed(serial, size=20), where))
    return account.tokens[serial]


def keep_seed(account: Account, serial: str, seed: str) -> Oath:
    account.seeds.setdefault(serial, []).append(seed)
    return Oath(seed)


def check_seed(seed: t.Any, where: str) -> str:
    try:
        if isinstance(seed, str) and decode_seed(seed):
            return seed
    except ValueError:
        pass
    raise ScenarioError(f"{where}: not a Base32 seed")  # which must not be shown


def add_user(account: Account, name: str, path: str, created: datetime.datetime, tags: Tags | None = None) -> User:
    where = f"account {account.account_id}, user {name}"
    name = check_name(name, where)
    path = check_path(path, where)
    if name in account.users:
        raise ScenarioError(f"{where}: there is a user of that name already (names ignore case)")
    if len(account.users) >= MAX_USERS:
        raise ScenarioError(f"{where}: more than {MAX_USERS} users")
    user = User(name, path, account.next_id("AIDA", name), account.arn(f"user{path}{name}"), created, tags=tags or {})
    user.recreated = name.lower() in account.deleted_names
    account.users.add(user)
    account.users_by_id[user.unique_id] = user
    return user


def add_access_key(account: Account, user: User | Root, spec: Spec, created: datetime.datetime) -> AccessKey:
    owner = user.unique_id if isinstance(user, User) else account.account_id
    where = f"account {account.account_id}, access key of {owner}"
    check_keys(spec, "id secret status created last_used last_used_region last_used_service", where)
    if len(user.access_keys) >= MAX_ACCESS_KEYS:
        raise ScenarioError(f"{where}: more than {MAX_ACCESS_KEYS} access keys")
    account.serial += 1
    key_id = spec.get("id") or ids.access_key_id("AKIA", owner, account.serial)
    key = AccessKey(key_id, spec.get("secret") or ids.secret_key(key_id), created, spec.get("status", "Active"))
    if key.status not in ("Active", "Inactive"):
        raise ScenarioError(f"{where}: no status of a key: {key.status!r}")
    key.last_used_region = spec.get("last_used_region", key.last_used_region)
    key.last_used_service = spec.get("last_used_service", key.last_used_service)
    user.access_keys.append(key)
    account.keys[key.access_key_id] = (user, key)
    return key


class _AccountLoader:
    def __init__(self, spec: Spec, start: datetime.datetime, settings: Settings) -> None:
        check_keys(
            spec,
            "account_id partition alias organization_id created scp root managed_policies groups roles users"
            " unassigned_devices credential_report password_max_age_days kms_keys buckets hardware_tokens sign_ins"
            " disabled_regions",
            f"account {spec.get('account_id')}",
        )
        account_id = spec.get("account_id")
        if not isinstance(account_id, str) or not _ACCOUNT.fullmatch(account_id):
            raise ScenarioError(f"not an account id (12 digits, quoted): {account_id!r}")
        partition = spec.get("partition", "aws")
        if partition not in ids.PARTITIONS:
            raise ScenarioError(f"account {account_id}: unknown partition {partition!r}")
        self.spec = spec
        self.start = start
        self.settings = settings
        self.where = f"account {account_id}"
        created = self.moment(spec.get("created", "-3650d"))
        self.account = Account(account_id, partition, created, Root(created))

    def moment(self, value: t.Any, default: str = "-365d") -> datetime.datetime:
        found = self.optional_moment(default if value is None else value)
        if found is None:
            raise ScenarioError(f"{self.where}: a date is missing")
        return found

    def optional_moment(self, value: t.Any) -> datetime.datetime | None:
        try:
            return parse_moment(value, self.start)
        except ValueError as error:
            raise ScenarioError(f"{self.where}: {error}") from error

    def load(self) -> Account:
        account, spec = self.account, self.spec
        account.alias = check_alias(spec.get("alias"), self.where)
        account.organization_id = check_organization(spec.get("organization_id"), self.where)
        account.scps = [check_document(item, f"{self.where}, scp") for item in spec.get("scp") or []]
        account.password_max_age_days = spec.get("password_max_age_days")
        account.kms_keys = self.kms_keys(spec.get("kms_keys"))
        account.disabled_regions = check_disabled_regions(account, spec.get("disabled_regions") or [])
        for item in spec.get("managed_policies") or []:
            self.managed_policy(item)
        for item in spec.get("groups") or []:
            self.group(item)
        for item in spec.get("roles") or []:
            self.role(item)
        for item in spec.get("hardware_tokens") or []:
            check_keys(item, "serial seed", f"{self.where}, hardware_tokens")
            register_token(account, item.get("serial"), item.get("seed"), f"{self.where}, hardware_tokens")
        for item in spec.get("users") or []:
            self.user(item)
        self.root(spec.get("root"))
        for item in spec.get("unassigned_devices") or []:
            self.unassigned_device(item)
        self.report(spec.get("credential_report"))
        return account

    def kms_keys(self, items: list[str | Spec] | None) -> dict[str, Document | None] | None:
        if items is None:
            return None
        keys: dict[str, Document | None] = {}
        for item in items:
            spec = {"id": item} if isinstance(item, str) else item
            check_keys(spec, "id policy", f"{self.where}, kms_keys")
            where, policy = f"{self.where}, key {spec['id']}", spec.get("policy")
            keys[spec["id"]] = None if policy is None else check_document(policy, where, "resource")
        return keys

    def managed_policy(self, spec: Spec) -> None:
        where = f"{self.where}, policy {spec.get('name')}"
        check_keys(spec, "name path document created", where)
        name = check_name(spec.get("name"), where, _GROUP_NAME)
        path = check_path(spec.get("path", "/"), where)
        arn = self.account.arn(f"policy{path}{name}")
        if self.account.policy_named(name):
            raise ScenarioError(f"{where}: there is a policy of that name already")
        document = check_document(spec.get("document"), where)
        policy_id = self.account.next_id("ANPA", name)
        self.account.policies[arn] = ManagedPolicy(
            name, path, policy_id, arn, self.moment(spec.get("created")), document
        )

    def policy_arns(self, names: list[str] | None, where: str) -> list[str]:
        return [self.policy_arn(name, where) for name in names or []]

    def policy_arn(self, name: str, where: str) -> str:
        return resolve_policy(self.account, name, where).arn

    def inline(self, items: list[Spec] | None, where: str) -> dict[str, Document]:
        found: dict[str, Document] = {}
        for item in items or []:
            check_keys(item, "name document file", f"{where}, inline policy")
            name = check_name(item.get("name"), where, _GROUP_NAME)
            found[name] = check_document(_document_of(item), f"{where}, inline policy {name}")
        return found

    def group(self, spec: Spec) -> None:
        where = f"{self.where}, group {spec.get('name')}"
        check_keys(spec, "name path created attached inline_policies", where)
        name = check_name(spec.get("name"), where, _GROUP_NAME)
        path = check_path(spec.get("path", "/"), where)
        if name in self.account.groups:
            raise ScenarioError(f"{where}: there is a group of that name already (names ignore case)")
        group = Group(
            name,
            path,
            self.account.next_id("AGPA", name),
            self.account.arn(f"group{path}{name}"),
            self.moment(spec.get("created")),
        )
        group.inline = self.inline(spec.get("inline_policies"), where)
        group.attached = self.policy_arns(spec.get("attached"), where)
        self.account.groups.add(group)

    def role(self, spec: Spec) -> None:
        where = f"{self.where}, role {spec.get('name')}"
        check_keys(
            spec,
            "name path created trust_policy attached inline_policies max_session_duration permissions_boundary tags",
            where,
        )
        name = check_name(spec.get("name"), where)
        path = check_path(spec.get("path", "/"), where)
        if name in self.account.roles:
            raise ScenarioError(f"{where}: there is a role of that name already (names ignore case)")
        role = Role(
            name,
            path,
            self.account.next_id("AROA", name),
            self.account.arn(f"role{path}{name}"),
            self.moment(spec.get("created")),
        )
        role.trust = check_document(spec.get("trust_policy"), f"{where}, trust policy", "trust")
        role.inline = self.inline(spec.get("inline_policies"), where)
        role.attached = self.policy_arns(spec.get("attached"), where)
        role.tags = check_tags(spec.get("tags"), where)
        role.max_session_duration = int(spec.get("max_session_duration", 3600))
        if not 3600 <= role.max_session_duration <= 43200:
            raise ScenarioError(f"{where}: max_session_duration is 3600 to 43200 seconds")
        if spec.get("permissions_boundary"):
            role.boundary = self.policy_arn(spec["permissions_boundary"], where)
        self.account.roles.add(role)

    def user(self, spec: Spec) -> None:
        self.where = f"account {self.account.account_id}, user {spec.get('name')}"
        check_keys(
            spec,
            "name path created tags groups attached inline_policies permissions_boundary password password_last_used"
            " access_keys devices",
            self.where,
        )
        tags = check_tags(spec.get("tags"), self.where)
        created = self.moment(spec.get("created"))
        user = add_user(self.account, t.cast(str, spec.get("name")), spec.get("path", "/"), created, tags)
        for name in spec.get("groups") or []:
            add_to_group(self.account, user, name)
        user.inline = self.inline(spec.get("inline_policies"), self.where)
        user.attached = self.policy_arns(spec.get("attached"), self.where)
        if spec.get("permissions_boundary"):
            user.boundary = self.policy_arn(spec["permissions_boundary"], self.where)
        self.password(user, spec)
        for item in spec.get("access_keys") or []:
            self.access_key(user, item)
        for item in spec.get("devices") or []:
            self.device(user, item)

    def password(self, user: User, spec: Spec) -> None:
        password = spec.get("password")
        user.password_last_used = self.optional_moment(spec.get("password_last_used"))
        if password is None:
            return
        password = {} if password is True else password
        check_keys(password, "created changed last_used reset_required", self.where)
        if spec.get("password_last_used") is not None:
            raise ScenarioError(
                f"{self.where}: password_last_used is for users without a password; use password.last_used"
            )
        created = self.optional_moment(password.get("created")) or user.created
        changed = self.optional_moment(password.get("changed")) or created
        user.login_profile = LoginProfile(created, changed, bool(password.get("reset_required", False)))
        user.password_last_used = self.optional_moment(password.get("last_used"))

    def access_key(self, owner: User | Root, spec: Spec) -> None:
        key = add_access_key(self.account, owner, spec, self.moment(spec.get("created"), "-90d"))
        key.last_used = self.optional_moment(spec.get("last_used"))

    def device(self, owner: User | Root, spec: Spec) -> None:
        enabled = self.moment(spec.get("enabled"), "-30d")
        created = self.optional_moment(spec.get("created")) or enabled
        add_device(self.account, owner, spec, created, enabled)

    def unassigned_device(self, spec: Spec) -> None:
        resolved = dict(spec)
        resolved["tags"] = {key: self.tag_value(value) for key, value in (spec.get("tags") or {}).items()}
        if isinstance(spec.get("path"), dict):  # where the collection makes the devices of a user
            resolved["path"] = f"/iamguard/{self.tag_value(spec['path'])}/"
        add_device(self.account, None, resolved, self.moment(spec.get("created"), "-1d"), None)

    def tag_value(self, value: t.Any) -> str:
        """``{user_id_of: NAME}`` stands for the UserId that this user gets."""
        if not isinstance(value, dict):
            return str(value)
        check_keys(value, "user_id_of", f"{self.where}, tags")
        user = self.account.users.get(value["user_id_of"])
        if user is None:
            raise ScenarioError(f"{self.where}, tags: there is no user {value['user_id_of']}")
        return user.unique_id

    def root(self, spec: Spec | None) -> None:
        root = self.account.root
        self.where = f"account {self.account.account_id}, root"
        spec = spec or {}
        check_keys(spec, "password password_last_used access_keys devices", self.where)
        root.password = bool(spec.get("password", self.account.partition != "aws-us-gov"))
        root.password_last_used = self.optional_moment(spec.get("password_last_used"))
        for item in spec.get("access_keys") or []:
            self.access_key(root, item)
        for item in spec.get("devices") or []:
            self.device(root, item)

    def report(self, spec: Spec | None) -> None:
        if spec is None:
            return
        check_keys(spec, "age", f"{self.where}, credential_report")
        made = self.start - parse_duration(spec.get("age", "1h"))
        self.account.report = CredentialReport(made, made, render(self.account, made, self.settings))


def resolve_policy(account: Account, name: str, where: str) -> ManagedPolicy:
    """A managed policy by its name or ARN: the account's own, or one of AWS's."""
    short = name.rsplit("/", 1)[-1]
    found = account.policies.get(name) or account.policy_named(short) or aws_managed(account, short)
    if found is None:
        raise ScenarioError(f"{where}: there is no managed policy {name}")
    return found


def add_to_group(account: Account, user: User, name: str) -> None:
    group = account.groups.get(name)
    if group is None:
        raise ScenarioError(f"account {account.account_id}, user {user.name}: there is no group {name}")
    if len(user.groups) >= MAX_GROUPS:
        raise ScenarioError(f"account {account.account_id}, user {user.name}: more than {MAX_GROUPS} groups")
    if group.name not in user.groups:
        user.groups.append(group.name)
        user.groups.sort(key=str.lower)
