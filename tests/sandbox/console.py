# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulated console: a sign-in page, the prompt for MFA, and a page to land on with actions to try.

It checks password and code against the sandbox's state and writes the events that AWS would (`signin`). What a browser
does at AWS's own page is not imitated: only what comes of it. Not simulated, and refused in words: root, security keys,
and a password that must be changed.
"""

from __future__ import annotations

import http.cookies
import typing as t
import urllib.parse
from dataclasses import dataclass

from . import console_pages as pages
from . import ids, signin
from .callers import Caller, UserSession
from .clock import iso
from .errors import access_denied
from .operations import OPERATIONS, Call, Target
from .scenario import ScenarioError
from .state import Account, Device, User
from .totp import code_at, step_at
from .wire import HttpReply, HttpRequest

if t.TYPE_CHECKING:
    from .engine import Sandbox

PREFIX = "/_console/"
COOKIE = "sandbox-console"
SESSION_SECONDS = 12 * 3600
BAD_PASSWORD = "Your authentication information is incorrect. Please try again."
BAD_CODE = "Your authentication information is incorrect. Enter the code that the device shows now."
NO_ACCOUNT = "There is no such account. Please check the account ID or alias."
NO_CODE = "Enter the code that the device shows."

# What can be tried after signing in, each with the resource that it is about.
PROBES: dict[str, t.Callable[[Account, User], str]] = {
    "iam:GetUser": lambda _account, user: user.arn,
    "iam:ListMFADevices": lambda _account, user: user.arn,
    "iam:CreateVirtualMFADevice": lambda account, user: account.arn(f"mfa/{user.name}"),
    "iam:ListUsers": lambda _account, _user: "*",
    "s3:ListAllMyBuckets": lambda _account, _user: "*",
    "ec2:DescribeInstances": lambda _account, _user: "*",
}


@dataclass(frozen=True)
class Prompt:
    """A password was right, and the user has a device."""

    account_id: str
    user_id: str
    region: str


@dataclass(frozen=True)
class Signed:
    """Somebody is in."""

    account_id: str
    user_id: str
    region: str
    session: UserSession


def password_of(user: User) -> str | None:
    """What the user types: another one for each user and after each change."""
    profile = user.login_profile
    return ids.digest("password", user.unique_id, iso(profile.changed), length=24).lower() if profile else None


class Console:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._prompts: dict[str, Prompt] = {}
        self._signed: dict[str, Signed] = {}
        self._made = 0

    def handle(self, request: HttpRequest) -> HttpReply:
        with self._sandbox.lock:
            return self._handle(request)

    def _handle(self, request: HttpRequest) -> HttpReply:
        page = request.path.removeprefix(PREFIX)
        query = _values(request.query)
        form = _values(request.body.decode("utf-8", "replace"))
        steps: dict[tuple[str, str], t.Callable[[], HttpReply]] = {
            ("GET", ""): lambda: _html(pages.sign_in(query)),
            ("POST", "signin"): lambda: self._sign_in(form, request),
            ("POST", "mfa"): lambda: self._mfa(form, request),
            ("GET", "home"): lambda: self._home(request),
            ("POST", "probe"): lambda: self._probe(form, request),
            ("POST", "signout"): lambda: self._sign_out(request),
        }
        step = steps.get((request.method, page))
        return step() if step else _html(pages.message("Not found", "There is no such page."), 404)

    # ------------------------------------------------------------------------------------------------- the way in

    def _sign_in(self, form: dict[str, str], request: HttpRequest) -> HttpReply:
        account = self._account(form.get("account", ""))
        if account is None:
            return _html(pages.sign_in(form, NO_ACCOUNT), 400)
        region = form.get("region") or ids.SIGN_IN_REGIONS[account.partition][0]
        user = account.users.get(form.get("username", ""))
        password = password_of(user) if user else None
        try:
            if user is None or password is None or form.get("password") != password:
                self._record(account, user, region, request, result="failure")
                return _html(pages.sign_in(form, BAD_PASSWORD), 403)
            if user.serials:
                self._record(account, user, region, request, result="prompt")
                token = self._token("prompt")
                self._prompts[token] = Prompt(account.account_id, user.unique_id, region)
                return _html(pages.prompt(token, _shown(account, user)))
            self._record(account, user, region, request, result="success")
        except ScenarioError as problem:
            return _html(pages.sign_in(form, str(problem)), 400)
        return self._enter(account, user, region, with_mfa=False)

    def _mfa(self, form: dict[str, str], request: HttpRequest) -> HttpReply:
        token = form.get("token", "")
        prompt = self._prompts.get(token)
        account = self._sandbox.accounts.get(prompt.account_id) if prompt else None
        user = account.users_by_id.get(prompt.user_id) if account and prompt else None
        if prompt is None or account is None or user is None:
            return _html(pages.message("Signed out", "This sign-in is over. Begin again."), 400)
        code = form.get("code", "").strip()
        device = account.devices.get(form.get("serial", ""))
        if device is None or device.serial not in user.serials:
            return _html(pages.prompt(token, _shown(account, user), "Choose a device."), 400)
        if device.oath is None:
            return _html(pages.prompt(token, _shown(account, user), "Security keys are not simulated here."), 501)
        if not code:
            return _html(pages.prompt(token, _shown(account, user), NO_CODE), 400)
        if not self._accepts(device, code):
            self._record(account, user, prompt.region, request, result="failure", mfa=True)
            return _html(pages.prompt(token, _shown(account, user), BAD_CODE), 403)
        del self._prompts[token]
        self._record(account, user, prompt.region, request, result="success", device=device.serial)
        return self._enter(account, user, prompt.region, with_mfa=True)

    def _accepts(self, device: Device, code: str) -> bool:
        """Each code once, from some steps around the device's time. How many was only ever measured on STS."""
        if device.oath is None:
            return False
        around, most = step_at(self._sandbox.now()) + device.oath.drift, self._sandbox.settings.console_steps
        steps = range(around - most, around + most + 1)
        step = next((step for step in steps if code_at(device.oath.seed, step) == code), None)
        if step is None or step in device.oath.used:
            return False
        device.oath.used.add(step)
        return True

    def _record(self, account: Account, user: User | None, region: str, request: HttpRequest, **attempt: t.Any) -> None:
        """What was typed for a name that nobody has is in no event; it may be anything, a password for one."""
        sandbox = self._sandbox
        spec = {
            "user": user.unique_id if user else "a name that IAM refuses",
            "region": region,
            "user_agent": request.headers.get("user-agent", "")[:256],
            "source_address": "127.0.0.1",
            "check_mfa": attempt["result"] == "prompt",
            **attempt,
        }
        sandbox.remember(account)
        signin.record(sandbox.trail, account, signin.resolve(account, spec, sandbox.now(), sandbox.settings))

    def _enter(self, account: Account, user: User, region: str, *, with_mfa: bool) -> HttpReply:
        if user.login_profile and user.login_profile.reset_required:
            words = "The password must be changed first, which is not simulated here."
            return _html(pages.message("Change the password", words), 501)
        session = self._sandbox.credentials.open_user_session(
            account, user, issued=self._sandbox.now(), seconds=SESSION_SECONDS, with_mfa=with_mfa
        )
        token = self._token("session")
        self._signed[token] = Signed(account.account_id, user.unique_id, region, session)
        cookie = f"{COOKIE}={token}; Path={PREFIX}; HttpOnly; SameSite=Strict"
        return HttpReply(303, b"", {"Location": f"{PREFIX}home", "Set-Cookie": cookie})

    # ------------------------------------------------------------------------------------------------ once inside

    def _home(self, request: HttpRequest) -> HttpReply:
        found = self._inside(request)
        if found is None:
            return HttpReply(303, b"", {"Location": PREFIX})
        signed, account, user = found
        return _html(pages.home(account, user, signed.region, signed.session.with_mfa, list(PROBES)))

    def _probe(self, form: dict[str, str], request: HttpRequest) -> HttpReply:
        """Whether the user's policies allow an action in this session. It is not carried out."""
        found = self._inside(request)
        action = form.get("action", "")
        if found is None or action not in PROBES:
            return _html(pages.message("Not possible", "Sign in first, and choose one of the actions."), 400)
        signed, account, user = found
        refusal = self._refusal(signed, account, user, action, request)
        names, mfa = list(PROBES), signed.session.with_mfa
        page = pages.home(account, user, signed.region, mfa, names, (action, refusal))
        return _html(page, 403 if refusal else 200)

    def _refusal(self, signed: Signed, account: Account, user: User, action: str, request: HttpRequest) -> str | None:
        key = signed.session.access_key_id
        caller = Caller(account, key, user.arn, user.unique_id, user=user, temporary=signed.session)
        sandbox, operation = self._sandbox, OPERATIONS["sts", "GetCallerIdentity"]
        agent = request.headers.get("user-agent", "")
        call = Call(sandbox, caller, account, operation, {}, signed.region, sandbox.now(), "console", agent)
        target = Target(PROBES[action](account, user))
        decision = sandbox.authorizer.decide(call, action, target)
        return (
            None if decision.allowed else access_denied(user.arn, action, target.arn, decision.phrase(action)).message
        )

    def _sign_out(self, request: HttpRequest) -> HttpReply:
        self._signed.pop(_cookie(request), None)
        return HttpReply(303, b"", {"Location": PREFIX})

    def _inside(self, request: HttpRequest) -> tuple[Signed, Account, User] | None:
        signed = self._signed.get(_cookie(request))
        account = self._sandbox.accounts.get(signed.account_id) if signed else None
        user = account.users_by_id.get(signed.user_id) if account and signed else None
        if signed is None or account is None or user is None or signed.session.expires <= self._sandbox.now():
            return None
        return signed, account, user

    # --------------------------------------------------------------------------------------------------- plumbing

    def _account(self, name: str) -> Account | None:
        accounts = self._sandbox.accounts.values()
        return next((item for item in accounts if name and name in (item.account_id, item.alias)), None)

    def _token(self, kind: str) -> str:
        self._made += 1
        return ids.digest("console", kind, self._made, iso(self._sandbox.now()), length=40).lower()


def _shown(account: Account, user: User) -> list[Device]:
    return account.devices_of(user)


def _values(text: str) -> dict[str, str]:
    return dict(urllib.parse.parse_qsl(text, keep_blank_values=True))


def _cookie(request: HttpRequest) -> str:
    jar = http.cookies.SimpleCookie(request.headers.get("cookie", ""))
    return jar[COOKIE].value if COOKIE in jar else ""


def _html(page: str, status: int = 200) -> HttpReply:
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
        "Cache-Control": "no-store",
    }
    return HttpReply(status, page.encode(), headers)
