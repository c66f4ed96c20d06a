# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox itself: what happens to a request from its arrival to its reply."""

from __future__ import annotations

import copy
import datetime
import pathlib
import sys
import threading
import time
import typing as t
from collections import Counter

from . import callers, ids, wire
from .authorize import Authorizer
from .callers import Caller, Credentials, UserSession, find_key
from .clock import VirtualClock
from .cloudtrail import Trail
from .console import PREFIX as CONSOLE
from .console import Console
from .control import Control
from .errors import AwsError, NotModelled, access_denied
from .faults import Fault, Faults, Trigger
from .history import record_call, record_history
from .operations import OPERATIONS, Call, Operation, Result
from .organization_scenario import load_organizations
from .organizations import Organizations
from .paging import Pager
from .s3 import load_buckets
from .s3_state import Buckets
from .s3_wire import parse_s3_params, s3_operation
from .scenario import Spec, check_keys, load_accounts, read_scenario
from .secrets_manager import Secrets
from .settings import Settings
from .signature import is_signed_with
from .signin import seed_sign_ins
from .state import ROOT, Account, User
from .wire import Credential, HttpReply, HttpRequest

if t.TYPE_CHECKING:
    import boto3

from . import (
    account_regions,
    iam_account,
    iam_details,
    iam_devices,
    iam_mfa,
    iam_report,
    iam_simulation,
    iam_users,
    organizations,
    s3_protection,
    secrets_manager,
    sts,
)

# Each enters its operations into OPERATIONS when it is imported.
MODELS = (
    account_regions,
    iam_account,
    iam_details,
    iam_devices,
    iam_mfa,
    iam_report,
    iam_simulation,
    iam_users,
    organizations,
    s3_protection,
    secrets_manager,
    sts,
)

PREFIX = "/_sandbox/"


class Sandbox:
    """An AWS of a few accounts in this process. Several can be there at once: they share nothing."""

    def __init__(self, spec: Spec, *, start: datetime.datetime | None = None, frozen: bool = False) -> None:
        check_keys(
            spec, "name description settings profiles accounts organizations expected expected_enrollment", "scenario"
        )
        self.spec = spec
        self.name = str(spec.get("name", "scenario"))
        self.lock = threading.RLock()
        self.clock = VirtualClock(start, frozen=frozen)
        self.credentials = Credentials()
        self._overrides: dict[str, t.Any] = {}
        self._environments: list[tuple[str, str | None]] = []  # account, user: whose keys were handed out
        self.control = Control(self)
        self._fill()

    @classmethod
    def from_scenario(
        cls,
        source: str | pathlib.Path | Spec,
        *,
        start: datetime.datetime | None = None,
        frozen: bool = False,
        **settings: t.Any,
    ) -> Sandbox:
        """The name of a shipped scenario, a path, or a dict. ``start`` is the time at which the sandbox's clock begins,
        by default now; a ``frozen`` clock moves only when it is advanced. Further arguments are settings."""
        sandbox = cls(read_scenario(source), start=start, frozen=frozen)
        sandbox._overrides = settings
        sandbox.settings.change(settings)
        return sandbox

    # A deep copy is a sandbox of its own in the same state, with locks of its own.

    def __getstate__(self) -> dict[str, t.Any]:
        return {name: value for name, value in vars(self).items() if name != "lock"}

    def __setstate__(self, state: dict[str, t.Any]) -> None:
        vars(self).update(state, lock=threading.RLock())

    def _fill(self) -> None:
        self.settings = Settings()
        self.settings.change({**(self.spec.get("settings") or {}), **self._overrides})
        self.pager = Pager(self.settings)
        self.authorizer = Authorizer()
        self.trail = Trail()
        self.buckets = Buckets()
        self.secrets = Secrets()
        self.faults = Faults()
        self.console = Console(self)
        self.counted: Counter[tuple[str, str, str]] = Counter()  # account, caller, operation
        self._earlier: dict[str, list[tuple[datetime.datetime, Account]]] = {}
        self._requests = 0
        self.accounts: dict[str, Account] = load_accounts(self.spec, self.clock.start, self.settings)
        self.organizations = Organizations(
            load_organizations(self.spec.get("organizations") or [], self.accounts, self.clock.start)
        )
        for account, spec in zip(self.accounts.values(), self.spec.get("accounts") or [], strict=True):
            record_history(self.trail, self.settings, account, self.clock.start)
            seed_sign_ins(self.trail, self.settings, account, spec.get("sign_ins") or [], self.clock.start)
            load_buckets(self.buckets, account, spec.get("buckets") or [], self.clock.start)

    def reset(self) -> None:
        """Everything as at the start, but for the clock, which does not go back, and the credentials that were handed
        out."""
        with self.lock:
            self._fill()
            for account_id, user in self._environments:
                account = self.accounts[account_id]
                if user in (None, ROOT) or account.user(user or ""):  # others were made since, and are gone
                    self.control.credentials_of(account, user=user)

    def now(self) -> datetime.datetime:
        return self.clock.now()

    def account(self, account_id: str) -> Account:
        try:
            return self.accounts[account_id]
        except KeyError:
            raise ValueError(
                f"there is no account {account_id}; there are: {', '.join(sorted(self.accounts))}"
            ) from None

    def session(
        self,
        account_id: str,
        *,
        user: str | None = None,
        role: str | None = None,
        access_key_id: str | None = None,
        region: str | None = None,
    ) -> boto3.Session:
        """A session whose clients reach the sandbox without a socket, under AWS's own endpoint names."""
        from .inprocess import session_of

        return session_of(
            self, self.environment(account_id, user=user, role=role, access_key_id=access_key_id, region=region)
        )

    def environment(
        self,
        account_id: str,
        *,
        user: str | None = None,
        role: str | None = None,
        access_key_id: str | None = None,
        region: str | None = None,
    ) -> dict[str, str]:
        """Credentials and Region of a caller under the names of the environment variables that every AWS SDK reads. A
        user without an active key gets one, a role is assumed without asking anybody."""
        account = self.account(account_id)
        with self.lock:
            found = self.control.credentials_of(account, user=user, role=role, access_key_id=access_key_id)
            if role is None and access_key_id is None:
                self._environments.append((account_id, user))
        return {**found, "AWS_DEFAULT_REGION": region or ids.DEFAULT_REGIONS[account.partition]}

    def on_call(
        self,
        operation: str,
        callback: t.Callable[[], object],
        *,
        account_id: str | None = None,
        user_name: str | None = None,
        nth: int = 1,
    ) -> None:
        """Runs ``callback`` (without arguments) once, just before the nth such call is served."""
        if account_id is not None:
            self.account(account_id)
        self.faults.triggers.append(Trigger(operation, callback, account_id, user_name, nth))

    def remember(self, account: Account) -> None:
        """Before an account changes: where reads lag, they need it as it was."""
        if self.settings.reads_lag_seconds > 0:
            self._earlier.setdefault(account.account_id, []).append((self.now(), copy.deepcopy(account)))

    def as_seen(self, account: Account) -> Account:
        """The account as reads show it now: "a change made in one location is not instantly visible at another"."""
        horizon = self.now() - datetime.timedelta(seconds=self.settings.reads_lag_seconds)
        earlier = self._earlier.get(account.account_id, [])
        return next((state for changed, state in earlier if changed > horizon), account)

    # ---------------------------------------------------------------------------------------------------- serving

    def handle(self, request: HttpRequest) -> HttpReply:
        """The reply to any HTTP request: to AWS's services, to the control interface under ``/_sandbox/``, or to the
        simulated console under ``/_console/``."""
        if request.path.startswith(PREFIX):
            return self.control.handle(request)
        if request.path.startswith(CONSOLE):
            return self.console.handle(request)
        with self.lock:
            self._requests += 1
            request_id = f"{self._requests:08x}-0000-4000-8000-000000000000"
        credential = request.credential()
        service = credential.service if credential else _service_without_signature(request)
        protocol = wire.protocol_of(service)
        try:
            reply = self._serve(request, credential, service, protocol, request_id)
        except AwsError as error:
            if isinstance(error, NotModelled):
                print(f"sandbox: not modelled: {error.what}", file=sys.stderr, flush=True)
            reply = wire.serialize_error(service, protocol, error, request_id)
        reply.headers["x-amzn-RequestId"] = request_id
        if service == "s3":
            reply.headers["x-amz-request-id"] = request_id
            if request.method == "HEAD":
                reply.body = b""
        reply.headers["Date"] = self.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
        return reply

    def _serve(
        self, request: HttpRequest, credential: Credential | None, service: str, protocol: str, request_id: str
    ) -> HttpReply:
        if service not in wire.PROTOCOLS:
            raise NotModelled(f"the service {service}")
        name, values = self._operation_name(request, service)
        with self.lock:
            if credential is None:
                raise callers.missing_token()
            caller = self._authenticate(request, credential)
            call = self._understand(request, service, name, values, caller, credential.region, request_id)
            self.counted[caller.account.account_id, caller.arn, name] += 1
            triggers = [trigger for trigger in self.faults.triggers if trigger.fires(call)]
            faults = self.faults.striking(call)
        for trigger in triggers:
            trigger.callback()
        self._before(call, faults)
        with self.lock:
            call.now, call.account = self.now(), self.as_seen(caller.account)
            result = self._execute(call)
        return self._after(faults, wire.serialize(_model(call.operation), protocol, result, request_id))

    def _operation_name(self, request: HttpRequest, service: str) -> tuple[str, dict[str, str]]:
        if service == "s3":
            return s3_operation(request)
        if wire.PROTOCOLS[service] == "json":
            return wire.json_operation(request), {}
        if wire.PROTOCOLS[service] == "rest-json":
            return wire.path_operation(service, request), {}
        return wire.query_operation(request)

    def _authenticate(self, request: HttpRequest, credential: Credential) -> Caller:
        """Whose key it is, in the partition that was asked, and whether it still holds."""
        caller, secret = self._caller(credential.access_key_id, request.headers.get("x-amz-security-token"))
        if caller.account.partition != _partition(request, credential):
            raise callers.invalid_token()  # a partition does not know the keys of another
        if credential.region in caller.account.disabled_regions:
            raise callers.invalid_token()  # nor does a Region that the account has not opted in to
        if self.settings.verify_signatures:
            self._check_signature(request, credential, secret)
        if caller.expires is not None and caller.expires <= self.now():
            raise callers.expired_token()
        return caller

    def _caller(self, access_key_id: str, token: str | None) -> tuple[Caller, str]:
        session = self.credentials.sessions.get(access_key_id)
        if session is not None:
            if token != session.token:
                raise callers.invalid_token()
            account = self.accounts[session.account_id]
            return Caller(
                account, access_key_id, session.assumed_role_arn, session.assumed_role_id, session=session
            ), session.secret
        if access_key_id in self.credentials.user_sessions:
            return self._user_in_session(self.credentials.user_sessions[access_key_id], token)
        found = find_key(self.accounts.values(), access_key_id)
        if found is None or found[2].status != "Active" or token is not None:
            raise callers.invalid_token()
        account, owner, key = found
        if isinstance(owner, User):
            return Caller(account, access_key_id, owner.arn, owner.unique_id, user=owner), key.secret
        return Caller(account, access_key_id, account.arn("root"), account.account_id), key.secret

    def _user_in_session(self, session: UserSession, token: str | None) -> tuple[Caller, str]:
        account = self.accounts[session.account_id]
        user = account.users_by_id.get(session.user_id)
        if user is None or token != session.token:
            raise callers.invalid_token()
        caller = Caller(account, session.access_key_id, user.arn, user.unique_id, user=user, temporary=session)
        return caller, session.secret

    def _check_signature(self, request: HttpRequest, credential: Credential, secret: str) -> None:
        if not is_signed_with(request, credential, secret):
            raise callers.bad_signature()
        skew = self.settings.max_signature_skew_seconds
        if skew is not None:
            signed = datetime.datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%S%z")
            if abs((self.now() - signed).total_seconds()) > skew:
                raise AwsError("SignatureDoesNotMatch", f"Signature expired: {request.headers['x-amz-date']}", 403)

    def _understand(
        self,
        request: HttpRequest,
        service: str,
        name: str,
        values: dict[str, str],
        caller: Caller,
        region: str,
        request_id: str,
    ) -> Call:
        operation = OPERATIONS.get((service, name))
        if operation is None:
            raise NotModelled(f"{service}:{name}")
        if service == "s3":
            params = parse_s3_params(name, values, request)
        else:
            params = wire.parse_params(_model(operation), wire.PROTOCOLS[service], request, values)
        for parameter in params:
            if parameter not in operation.params:
                raise NotModelled(f"{service}:{name} with {parameter}")
        agent = request.headers.get("user-agent", "")
        return Call(
            self,
            caller,
            caller.account,
            operation,
            params,
            region,
            self.now(),
            request_id,
            agent,
            request.secure,
        )

    def _before(self, call: Call, faults: list[Fault]) -> None:
        for fault in faults:
            if fault.delay_seconds is not None:
                if self.settings.real_delays:
                    time.sleep(fault.delay_seconds)
                else:
                    self.clock.advance(fault.delay_seconds)
            if fault.error is not None:
                raise fault.as_error()
            if fault.deny:
                permission = call.operation.permission or f"{call.operation.service}:{call.operation.name}"
                reason = f"because no identity-based policy allows the {permission} action"
                raise access_denied(call.caller.arn, permission, call.operation.target(call).named, reason)

    def _execute(self, call: Call) -> Result:
        operation = call.operation
        checks: list[t.Callable[[], None]] = [
            lambda: wire.validate(_model(operation), call.params),
            lambda: self._authorize(call),
        ]
        for check in reversed(checks) if self.settings.authorize_before_validation else checks:
            check()
        return self._change(call) if operation.record else operation.handler(call)

    def _change(self, call: Call) -> Result:
        """What changes something: reads that lag do not show it yet, and CloudTrail tells of it."""
        self.remember(call.live)
        try:
            result = call.operation.handler(call)
        except AwsError as error:
            record_call(self.trail, self.settings, call, None, error.code)
            raise
        record_call(self.trail, self.settings, call, result, None)
        return result

    def _authorize(self, call: Call) -> None:
        try:
            self._require_permission(call)
        except AwsError as error:
            record_call(self.trail, self.settings, call, None, error.code)
            raise

    def _require_permission(self, call: Call) -> None:
        caller = call.caller
        if call.operation.service == "iam" and caller.temporary is not None and not caller.has_mfa:
            code = self.settings.session_without_mfa_code  # GetSessionToken: no IAM "unless MFA … is included"
            raise AwsError(code, "The security token included in the request is invalid", 403)
        if call.operation.permission is not None:
            self.authorizer.require(call, call.operation.permission, call.operation.target(call))

    def _after(self, faults: list[Fault], reply: HttpReply) -> HttpReply:
        for fault in faults:
            if fault.lost_reply:
                raise AwsError("InternalFailure", "The reply was lost", 500)
            if fault.truncate_body:
                reply.body = reply.body[: len(reply.body) // 2]
        return reply


def _model(operation: Operation) -> t.Any:
    return wire.service_model(operation.service).operation_model(operation.name)


def _service_without_signature(request: HttpRequest) -> str:
    """By the host name or the form of the request; for what is not signed."""
    host = request.headers.get("host", "")
    for service in ("sts", "cloudtrail", "account", "s3", "secretsmanager", "organizations", "iam"):
        if service in host.split("."):
            return service
    return "cloudtrail" if "x-amz-target" in request.headers else "iam"


def _partition(request: HttpRequest, credential: Credential) -> str:
    """By the endpoint's name; behind a custom endpoint by the Region for which the request is signed."""
    host = request.headers.get("host", "").partition(":")[0]
    if host.endswith(".amazonaws.com.cn"):
        return "aws-cn"
    if host.endswith(".amazonaws.com") and ".us-gov" in host:
        return "aws-us-gov"
    if host.endswith(".amazonaws.com") and credential.service == "iam":
        return "aws"
    return ids.partition_of_region(credential.region)
