# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is to be enrolled, from a judgement that was just made, and with which options.

The rules that no selection breaks:

- nobody is selected who is excepted, out of scope, undecided or unknown, whose sign-ins contradict the devices, or of
  whom the account knows nothing, whoever names them: that is a problem, told by name;
- who is not named is selected only where the policy says that somebody helps (assisted), and what users do alone
  (self-service) is only followed;
- no key is made for a user whose category bars that, and no device of a kind that the category does not allow;
- a device that must go is never taken away unasked.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment_wishes import Step, Wish, Wishes
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import (
    DeviceKind,
    Json,
    device_kind,
    fold,
    parse_iso,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import AllowedKind, Category, read_rules
from ansible_collections.iamguard.console_mfa.plugins.module_utils._remediation import Action
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict import Verdict
from ansible_collections.iamguard.console_mfa.plugins.module_utils._wording import AccountName, describe_requirement

# Who has to register a device, by verdict and by what is to be done. Both must say so.
UNMET: t.Final = (
    Verdict.PENDING,
    Verdict.OVERDUE,
    Verdict.WRONG_DEVICE,
    Verdict.TOO_FEW_DEVICES,
    Verdict.EXCEPTION_EXPIRED,
    Verdict.SCOPE_EXPIRED,
)
ENROLLING: t.Final = (Action.ENROLL, Action.ADD_DEVICE, Action.REPLACE_DEVICE)

# Kinds that show codes.
TOTP: t.Final = (AllowedKind.VIRTUAL, AllowedKind.HARDWARE)

_MET: t.Final = "meets the requirement already"


class NoAnswerError(ValueError):
    """What is to be selected from is not an answer of iam_mfa_validate."""


@dataclasses.dataclass
class Selection:
    """``enrollments`` are entries for the module that enrolls, ``selected`` says who they are, in the same order."""

    step: Step
    enrollments: list[Json] = dataclasses.field(default_factory=list)
    selected: list[Json] = dataclasses.field(default_factory=list)
    tracked: list[Json] = dataclasses.field(default_factory=list)
    left_out: list[Json] = dataclasses.field(default_factory=list)
    problems: list[Json] = dataclasses.field(default_factory=list)

    def document(self) -> Json:
        return dataclasses.asdict(self) | {"step": str(self.step)}


def select(answer: Json, wishes: Wishes) -> Selection:
    """From an answer of iam_mfa_validate. Raises `NoAnswerError` for anything else."""
    try:
        return _Selector(answer, wishes).run()
    except (KeyError, TypeError, AttributeError) as problem:
        raise NoAnswerError(f"not an answer of iam_mfa_validate: {type(problem).__name__} {problem}") from problem


@dataclasses.dataclass(frozen=True)
class _User:
    """A finding, and the category that it is judged by; None: there is none."""

    finding: Json
    category: Category | None

    @property
    def name(self) -> str:
        return str(self.finding["user_name"])

    @property
    def verdict(self) -> str:
        return str(self.finding["verdict"])

    @property
    def enrolls(self) -> bool:
        remedy = self.finding["remediation"]
        return self.verdict in UNMET and remedy is not None and remedy["action"] in ENROLLING

    @property
    def met(self) -> bool:
        return self.verdict == Verdict.COMPLIANT and self.finding["meets_requirement"] is True

    @property
    def enabled(self) -> list[str]:
        return [item["serial_number"] for item in self.finding["devices"] or () if item["status"] == "enabled"]

    @property
    def prepared(self) -> bool:
        return any(item["status"] == "disabled" for item in self.finding["devices"] or ())

    def barred(self, step: Step) -> str | None:
        """Why nothing is done for this user."""
        if self.finding["user_id"] is None or self.finding["devices"] is None:
            return "is not known well enough: read the account again"
        if self.verdict in BARRED:
            return BARRED[self.verdict]
        if self.category is None:
            return BARRED[Verdict.UNDECIDED]
        if self.met or self.enrolls or not step.enrolls:
            return None
        remedy = self.finding["remediation"]
        return f"has something else to be done first: {remedy['text'] if remedy else self.finding['message']}"

    def note(self) -> str | None:
        """What has to go afterwards, and how it can be asked for."""
        if not self.category or not self.category.requirement.exclusive:
            return None
        others = [serial for serial in self.enabled if not self.category.requirement.allows(device_kind(serial))]
        if not others:
            return None
        return (
            f"{', '.join(others)} must go once the new device is enabled: nothing is removed unasked; name one as"
            " replaces to have it removed then"
        )


# Verdicts with which nobody is selected, whatever is asked for.
BARRED: t.Final[dict[str, str]] = {
    Verdict.UNKNOWN: "is unknown: nobody is enrolled of whom something decisive could not be read",
    Verdict.CONTRADICTED: "signed in without MFA although there is a device: find out first who that was",
    Verdict.EXCEPTED: "is excepted by a decision: to enroll the user all the same, end the exception",
    Verdict.OUT_OF_SCOPE: "is out of scope by a decision: to enroll the user all the same, end the decision",
    Verdict.UNDECIDED: "is in no category of the policy: add one that matches, or a default",
}


class _Selector:
    def __init__(self, answer: Json, wishes: Wishes) -> None:
        if answer.get("failed") or not isinstance(answer["findings"], list):
            raise NoAnswerError("the account was not judged")
        account = answer["account"]
        self._sign_in_url = AccountName(account["account_id"], account["alias"], account["partition"]).sign_in_url
        today = parse_iso(answer["source"]["read_at"]).date()
        policy = read_rules(answer["policy"]["document"], today=today).policy
        self._users = [_User(finding, policy.category(finding["category"])) for finding in answer["findings"]]
        self._wishes = wishes
        self._found = Selection(wishes.step)
        self._taken: set[tuple[str, AllowedKind]] = set()

    def run(self) -> Selection:
        known = {fold(user.name) for user in self._users}
        for name, written in sorted(self._wishes.everybody().items()):
            if name not in known:
                self._problem(written, "the account has no such user with a console password")
        for user in self._users:
            self._one(user)
        return self._found

    def _one(self, user: _User) -> None:
        named = self._wishes.names(user.name)
        barred = user.barred(self._wishes.step)
        if barred:
            if named or self._wishes.tokens_of(user.name):
                self._problem(user.name, barred)
            if named or self._wishes.step.enrolls:
                self._left_out(user, barred)
        elif wrong := self._other_user(user):
            self._problem(user.name, wrong)
        elif self._wishes.step is Step.RESYNC:
            self._resync(user)
        elif self._wishes.step is Step.REMOVE:
            self._remove(user)
        elif named or user.enrolls or self._wishes.tokens_of(user.name) or user.prepared:
            self._enroll(user, named=named)

    def _other_user(self, user: _User) -> str | None:
        pinned = [wish.user_id for wish in self._wishes.of(user.name) if wish.user_id]
        if all(user_id == user.finding["user_id"] for user_id in pinned):
            return None
        return f"is another user now: the UserId is {user.finding['user_id']}, not {pinned[0]}"

    # --- enrolling

    def _enroll(self, user: _User, *, named: bool) -> None:
        category = t.cast(Category, user.category)  # who has none is barred
        tokens = self._wishes.tokens_of(user.name)
        if not named:
            why_not = self._why_not_unasked(user, category)
            if why_not is not None:
                return
        wishes = tuple(wish.or_token(tokens) for wish in self._wishes.of(user.name)) or tokens
        if not wishes:
            wishes = (Wish(user.name, kind=AllowedKind.VIRTUAL if user.met else None),)
        if self._wishes.step is Step.ACTIVATE:
            wishes = self._with_codes(user, wishes)
        for wish in wishes:
            self._enroll_with(user, category, wish)

    def _why_not_unasked(self, user: _User, category: Category) -> str | None:
        """Who is not named: followed, left out, or (None) to be enrolled."""
        tokens = self._wishes.tokens_of(user.name)
        if user.met:
            # What was prepared for somebody who has enrolled otherwise is cleared away.
            return None if user.prepared and self._wishes.step is Step.PREPARE else _MET
        if not category.assisted_kinds and not tokens:
            return self._track(user, category)
        if self._wishes.narrows:
            return self._left_out(user, "is not asked for")
        if self._wishes.only_overdue and user.finding["gap"] is not True:
            return self._left_out(user, "is not late, and only who is late is enrolled")
        return None

    def _with_codes(self, user: _User, wishes: tuple[Wish, ...]) -> tuple[Wish, ...]:
        """Those whose codes are there; a security key needs none."""
        alone = [wish for wish in wishes if wish.kind is AllowedKind.FIDO]
        coded = []
        for serial in self._wishes.coded_of(user.name):
            fitting = [wish.with_codes_of(serial) for wish in wishes if wish not in alone]
            coded.append(next(filter(None, fitting), Wish(user.name, serial_number=serial)))
        if not coded and not alone:
            self._left_out(user, "no codes were given")
        return (*alone, *coded)

    def _enroll_with(self, user: _User, category: Category, wish: Wish) -> None:
        step, kind = self._wishes.step, _kind(category, wish)
        problem = self._wrong_kind(user, category, wish, kind)
        if problem:
            self._problem(user.name, problem)
        elif kind is AllowedKind.FIDO:
            if step is Step.DESK:
                self._track(user, category)
            else:
                self._select(user, wish, kind, "enabled", instructions=_told(category, wish))
        elif user.met and step is not Step.ACTIVATE and not wish.replaces and not user.prepared:
            self._left_out(user, _MET)
        elif step is Step.PREPARE and kind is AllowedKind.HARDWARE:
            self._left_out(user, "a hardware token is not prepared: activate it with two of its codes, or at the desk")
        elif kind is AllowedKind.HARDWARE and not wish.serial_number:
            self._missing_serial(user, wish)
        else:
            more = {"renew": wish.renew} if step is not Step.ACTIVATE else {}
            state = "prepared" if step is Step.PREPARE else "enabled"
            self._select(user, wish, kind, state, replaces=wish.replaces, device_name=wish.device_name, **more)

    def _wrong_kind(self, user: _User, category: Category, wish: Wish, kind: AllowedKind) -> str | None:
        need = category.requirement
        if kind not in need.allowed and not user.met:
            return f"the category {category.name} needs {describe_requirement(need)}: {kind} does not count"
        if kind is AllowedKind.VIRTUAL and not need.operator_made and not user.met:
            return (
                f"the category {category.name} bars keys that the operator's tool has made (devices.operator_made): the"
                " user registers a virtual device alone, in the console"
            )
        serial = wish.serial_number
        if serial and str(device_kind(serial)) != kind:
            return f"{serial} is not the serial number of a device of kind {kind}"
        return None

    def _missing_serial(self, user: _User, wish: Wish) -> None:
        text = "no hardware token is assigned: name its serial_number, or add the user to console_mfa_hardware_tokens"
        if wish in self._wishes.of(user.name):
            self._problem(user.name, text)
        else:
            self._left_out(user, text)

    # --- devices that are there

    def _resync(self, user: _User) -> None:
        coded = self._wishes.coded_of(user.name)
        if self._wishes.of(user.name) and not coded:
            self._problem(user.name, "no codes were given")
        named = [wish.serial_number for wish in self._wishes.of(user.name) if wish.serial_number]
        for serial in coded:
            wanted = serial or (named[0] if len(named) == 1 else None)
            shown = [item for item in user.enabled if str(device_kind(item)) in TOTP]
            device = wanted or (shown[0] if len(shown) == 1 else None)
            if device is None or device not in shown:
                what = f"has no enabled device {wanted}" if wanted else "has not exactly one device that shows codes"
                self._problem(user.name, f"{what}: name the serial_number of one of {', '.join(shown) or 'none'}")
            else:
                wish = Wish(user.name, serial_number=device)
                self._select(user, wish, AllowedKind(str(device_kind(device))), "enabled", resync=True)

    def _remove(self, user: _User) -> None:
        for wish in self._wishes.of(user.name):
            serial = wish.serial_number
            kind = device_kind(serial) if serial else wish.kind or DeviceKind.VIRTUAL
            known = AllowedKind(str(kind)) if str(kind) in tuple(AllowedKind) else AllowedKind.VIRTUAL
            if serial is None and known is not AllowedKind.VIRTUAL:
                self._problem(user.name, "name the serial_number of the device that is to be removed")
            else:
                self._select(user, wish, known, "absent", force=wish.force)

    # --- what comes of it

    def _select(self, user: _User, wish: Wish, kind: AllowedKind, state: str, **options: t.Any) -> None:
        finding, category = user.finding, t.cast(Category, user.category)
        if (user.name, kind) in self._taken:
            self._left_out(user, f"{wish.serial_number or kind}: one device of a kind at a time, so run again for it")
            return
        self._taken.add((user.name, kind))
        need = category.requirement
        rules: Json = {}
        if state != "absent" and not options.get("resync"):
            rules = {
                "requirement": {"allowed": [str(allowed) for allowed in need.allowed], "minimum": need.minimum},
                "operator_made": need.operator_made,
            }
        given = {"serial_number": wish.serial_number, "asset_id": wish.asset_id, **options}
        if self._wishes.step is Step.DESK:  # where people see it
            given |= {"category": finding["category"], "due": finding["due"]}
        self._found.enrollments.append(
            {
                "user_name": user.name,
                "user_id": finding["user_id"],
                "kind": str(kind),
                "state": state,
                **rules,
                **{key: value for key, value in given.items() if value},
            }
        )
        who = {key: finding[key] for key in ("user_name", "user_id", "arn", "category", "verdict", "gap", "due")}
        self._found.selected.append({**who, "kind": str(kind), "state": state, "note": user.note()})

    def _track(self, user: _User, category: Category) -> str:
        finding = user.finding
        kept = {key: finding[key] for key in ("user_name", "user_id", "due", "verdict")}
        text = describe_requirement(category.requirement)
        self._found.tracked.append({**kept, "requirement_text": text, "sign_in_url": self._sign_in_url})
        return "does it alone"

    def _left_out(self, user: _User, reason: str) -> str:
        self._found.left_out.append({"user_name": user.name, "reason": reason})
        return reason

    def _problem(self, user_name: str, message: str) -> None:
        self._found.problems.append({"user_name": user_name, "message": f"{user_name} {message}"})


def _kind(category: Category, wish: Wish) -> AllowedKind:
    """As it was asked for, else as the policy says, else an app: it needs nothing that somebody must hand out."""
    if wish.kind:
        return wish.kind
    if wish.serial_number and str(device_kind(wish.serial_number)) in tuple(AllowedKind):
        return AllowedKind(str(device_kind(wish.serial_number)))
    kinds = category.assisted_kinds or category.kinds
    return AllowedKind.VIRTUAL if AllowedKind.VIRTUAL in kinds else kinds[0]


def _told(category: Category, wish: Wish) -> str | None:
    return wish.instructions or category.enrollment.instructions
