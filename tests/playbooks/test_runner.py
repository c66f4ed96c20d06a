# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs as AWX runs them, with ansible-runner: an audit, slices that share a store in S3, one of them cancelled, the
report on all accounts, and an enrollment by survey; and that no secret is in what AWX keeps of a job."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import datetime as dt
import json
import pathlib
import threading
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import Shelf
from ansible_collections.iamguard.console_mfa.plugins.module_utils._rejudge import judge_again
from ansible_collections.iamguard.console_mfa.plugins.module_utils._s3_store import S3Store
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verification import verify
from sandbox import Sandbox
from sandbox.authenticator import Authenticator
from support.configuring import host, member, shown_by, start_clock, stop_clock
from support.fleet import BASE_ACCOUNT, Fleet, Json, base_account, console_user, document, policy
from support.leaks import Secrets
from support.runner import MAX_EVENT_RES, Finished, Job, inventory_of, slice_of, template_vars

FleetOf = t.Callable[..., Fleet]

PHONE = {"kind": "virtual", "name": "phone", "enabled": "-300d"}
ALPHA, BRAVO, CHARLIE, DELTA = "111111111111", "222222222222", "333333333333", "444444444444"
IDS = {"alpha": ALPHA, "bravo": BRAVO, "charlie": CHARLIE, "delta": DELTA}
REPORT = "fleet | report | Put the fleet together"
READ = "observe | Who can sign in to the console, and whether with the MFA that is asked for"
GATE = "fleet | report | Fail when the fleet is red"
GREEN = {"status": "complete", "red": False, "compliant": True, "gaps": 0}
GAP = {"status": "complete", "red": False, "compliant": False, "gaps": 1}
NEVER_RUN = {"status": "missing", "red": True}


def hub() -> Json:
    """The account of the credential that AWX has, with the bucket for records."""
    made = base_account()
    made["buckets"] = [{"name": "records", "region": "eu-central-1", "versioning": True}]
    keep = {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject", "s3:PutObject"], "Resource": "*"}
    made["users"][0]["inline_policies"].append({"name": "keep", "document": document(keep)})
    return made


def organization() -> Json:
    """What the inventory plugin says of the accounts that it has made hosts of, which every slice has, too."""
    return {
        "source": "example.aws_accounts.yml",
        "organization_id": "o-exampleorgid",
        "partition": "aws",
        "read_at": dt.datetime.now(dt.UTC).isoformat(),
        "cached": False,
        "accounts": list(IDS.values()),
        "left_out": [],
    }


@dataclasses.dataclass
class Awx:
    """Who starts jobs, and looks into what they keep."""

    home: pathlib.Path
    sandbox: Sandbox
    inventory: Json
    keys: dict[str, str]
    jobs: list[Job] = dataclasses.field(default_factory=list)
    codes: list[str] = dataclasses.field(default_factory=list)

    def job(self, playbook: str, inventory: Json | None = None, *arguments: str, **more: t.Any) -> Job:
        given = {"environment": self.keys, "arguments": arguments, **more}
        self.jobs.append(Job(self.home, len(self.jobs) + 1, playbook, inventory or self.inventory, **given))
        return self.jobs[-1]

    def slice(self, number: int, count: int, **more: t.Any) -> Job:
        part = slice_of(self.inventory, number, count)
        return self.job("validate.yml", part, template_vars=template_vars("validate.yml"), **more)

    @property
    def store(self) -> S3Store:
        return S3Store(self.sandbox.session(BASE_ACCOUNT, user="pipeline").client("s3"), "records", "console-mfa")

    def problems(self) -> set[tuple[str, str, str]]:
        """What is wrong with the records, each of which is judged again."""
        _count, found = verify(self.store, self.store.shelves(), judge_again)
        return {(problem.severity, problem.problem, problem.shelf.account_id) for problem in found}

    def records(self, account_id: str, kind: str = "validation") -> list[Json]:
        """Oldest first; those of check mode, too."""
        shelf, store = Shelf.of(account_id, kind), self.store
        return [json.loads(store.read(shelf, name)) for name in store.names(shelf) if name.endswith(".json")]

    def phone(self) -> Authenticator:
        """bob's, with the key that waits for him."""
        (seed,) = (seeds[-1] for serial, seeds in self.sandbox.control.seeds(BRAVO).items() if "/iamguard/" in serial)
        return Authenticator(seed, self.sandbox)

    def secrets(self) -> Secrets:
        """All that there ever were, of every account."""
        seeds = [self.sandbox.control.seeds(account_id) for account_id in self.sandbox.accounts]
        sessions = self.sandbox.credentials.sessions.values()
        keys = [self.keys["AWS_SECRET_ACCESS_KEY"], *(key for one in sessions for key in (one.secret, one.token))]
        return Secrets([seed for each in seeds for made in each.values() for seed in made], self.codes, keys=keys)

    @contextlib.contextmanager
    def at_record_of(
        self, account_id: str, before: t.Callable[[], object] = bool, after: t.Callable[[], object] = bool
    ) -> t.Iterator[None]:
        """Does something whenever a record of the account is to be kept, before or after it is; the job waits."""
        serve = self.sandbox.handle

        def handle(request: t.Any) -> t.Any:
            kept = request.method == "PUT" and f"/{account_id}/" in request.path
            if kept:
                before()
            reply = serve(request)
            if kept:
                after()
            return reply

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.sandbox, "handle", handle)
            yield


@pytest.fixture(scope="module")
def awx(fleet_of: FleetOf) -> Awx:
    accounts = [
        hub(),
        member(ALPHA, console_user("alice", PHONE)),
        member(BRAVO, console_user("bob")),
        member(CHARLIE, console_user("carol", PHONE)),
        member(DELTA, *(console_user(f"user-{number}", PHONE | {"name": f"phone-{number}"}) for number in range(24))),
    ]
    fleet = fleet_of(accounts, {}, {})
    store = {"kind": "s3", "bucket": "records", "prefix": "console-mfa", "region": "eu-central-1"}
    group_vars = {
        "ansible_connection": "local",
        "console_mfa_allow_custom_endpoint": True,
        "console_mfa_endpoint_url": fleet.url,
        "console_mfa_max_clock_skew": 86400,
        "console_mfa_region": "eu-central-1",
    }
    hosts = {name: host(account_id) for name, account_id in IDS.items()}
    for one in hosts.values():
        del one["console_mfa_profile"]
    all_vars = {
        "console_mfa_policy": policy("virtual", enrollment={"method": "assisted"}),
        "console_mfa_record_store": {**store, "endpoint_url": fleet.url},
        "console_mfa_organization_example": organization(),
    }
    keys = fleet.sandbox.environment(BASE_ACCOUNT, user="pipeline")
    return Awx(fleet.home, fleet.sandbox, inventory_of(hosts, all_vars, group_vars), keys)


def told(job: Finished) -> dict[str, Json]:
    """What the job hands on of each account."""
    return {
        row["name"]: {key: row[key] for key in ("status", "red", "compliant", "gaps") if row.get(key) is not None}
        for row in job.handed_on["console_mfa_validation"]["accounts"]
    }


# --- the jobs, one after the other -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def audit(awx: Awx) -> Finished:
    return awx.job("audit.yml", None, "--check").send()


@pytest.fixture(scope="module")
def slices(awx: Awx, audit: Finished) -> list[Finished]:
    """Two jobs at the same time that share an account, since the number of slices was changed in between; its record is
    only kept when both have one. Nobody has bravo."""
    both = threading.Barrier(2, timeout=120)
    jobs = [awx.slice(1, count) for count in (2, 3)]
    with awx.at_record_of(ALPHA, before=both.wait), concurrent.futures.ThreadPoolExecutor() as threads:
        return list(threads.map(Job.send, jobs))


@pytest.fixture(scope="module")
def partial(awx: Awx, slices: list[Finished]) -> Finished:
    return awx.job("report.yml").send()


@pytest.fixture(scope="module")
def cancelled(awx: Awx, partial: Finished) -> Finished:
    """A slice that is cancelled when it has kept the first of two records, and does not know of it."""
    job = awx.slice(2, 2, forks=1)

    def cancel() -> None:
        job.cancel()
        assert job.over.wait(60)

    with awx.at_record_of(BRAVO, after=cancel):
        return job.send()


@pytest.fixture(scope="module")
def problems_then(awx: Awx, cancelled: Finished) -> set[tuple[str, str, str]]:
    return awx.problems()


@pytest.fixture(scope="module")
def again(awx: Awx, problems_then: object) -> Finished:
    """The same slice, by ansible-runner alone."""
    return awx.slice(2, 2).run()


@pytest.fixture(scope="module")
def report(awx: Awx, again: Finished) -> Finished:
    return awx.job("report.yml").send()


@pytest.fixture(scope="module")
def enrolled(awx: Awx, report: Finished) -> tuple[Finished, Finished]:
    """bob, by two surveys: the second one has the codes of his phone."""
    step = "console_mfa_enroll_step"
    left_empty = [
        f"console_mfa_enroll_{name}" for name in ("codes", "codes_read_at", "kind", "replaces", "serial_number")
    ]
    survey = {
        "console_mfa_enroll_user_name": "bob",
        "console_mfa_enroll_account_id": BRAVO,
        **dict.fromkeys(left_empty, ""),
    }
    delivery = {"console_mfa_seed_delivery": {"kind": "secretsmanager"}}
    options: Json = {"extra_vars": survey, "template_vars": {step: "prepare", **delivery}}
    stop_clock(awx.sandbox)
    prepared = awx.job("enroll.yml", None, "--limit", "bravo", "-vvvv", **options).send()
    assert prepared.status == "successful", prepared.output
    awx.sandbox.control.advance(90)
    shown = shown_by(awx.phone())
    awx.codes += shown["codes"]
    survey |= {
        "console_mfa_enroll_codes": " ".join(shown["codes"]),
        "console_mfa_enroll_codes_read_at": shown["read_at"],
    }
    options["template_vars"] = {step: "activate"}
    activated = awx.job("enroll.yml", None, "--limit", "bravo", "-vvvv", **options).send()
    start_clock(awx.sandbox)
    return prepared, activated


# --- what came of them -----------------------------------------------------------------------------------------------


def test_an_audit_finds_what_there_is_and_marks_what_it_keeps(awx: Awx, audit: Finished) -> None:
    assert (audit.status, audit.rc) == ("successful", 0), audit.output
    assert told(audit) == {"alpha": GREEN, "bravo": GAP, "charlie": GREEN, "delta": GREEN}
    first = {name: awx.records(account_id)[0] for name, account_id in IDS.items()}
    assert {name: (record["check_mode"], record["status"]) for name, record in first.items()} == dict.fromkeys(
        IDS, (True, "complete")
    )
    assert first["alpha"]["launcher"]["awx_job_id"] == "1"
    assert awx.sandbox.control.calls(BRAVO)["GetLoginProfile"] > 0


def test_slices_report_on_their_own_accounts_only(slices: list[Finished]) -> None:
    assert [(job.status, told(job)) for job in slices] == [
        ("successful", {"alpha": GREEN, "charlie": GREEN}),
        ("successful", {"alpha": GREEN, "delta": GREEN}),
    ]


def test_slices_that_overlap_both_count_and_that_is_told(awx: Awx, slices: list[Finished], report: Finished) -> None:
    _check, one, other = awx.records(ALPHA)
    assert one["run_id"] != other["run_id"]
    assert (one["previous"], other["previous"]) == (None, None)
    problems = awx.problems()
    assert ("warning", "fork", ALPHA) in problems
    # Both wrote what they came to as well, at about the same time.
    assert problems <= {("warning", "fork", ALPHA), ("warning", "fork", "fleet")}


def test_an_account_that_no_slice_had_is_red(partial: Finished) -> None:
    assert (partial.status, partial.rc) == ("failed", 2)
    assert told(partial) == {"alpha": GREEN, "bravo": NEVER_RUN, "charlie": GREEN, "delta": GREEN}
    (gate,) = partial.results(GATE).values()
    assert "1 of 4 accounts" in gate["msg"]
    assert f"bravo ({BRAVO}): not run now, and the store has no record of it" in gate["msg"]


def test_a_job_that_is_cancelled_leaves_a_store_that_verifies(
    awx: Awx, cancelled: Finished, problems_then: set[tuple[str, str, str]], again: Finished
) -> None:
    assert (cancelled.status, cancelled.rc) == ("canceled", 254)
    assert {problem[0] for problem in problems_then} == {"warning"}
    _check, of_cancelled, of_again = awx.records(BRAVO)
    assert of_again["previous"]["name"] == of_cancelled["name"]
    assert of_cancelled["run_id"] not in {record["run_id"] for record in awx.records("fleet", "run")}
    assert (again.status, told(again)) == ("successful", {"bravo": GAP, "delta": GREEN})


def test_the_report_is_of_all_slices(report: Finished) -> None:
    assert (report.status, report.rc) == ("successful", 0), report.output
    assert told(report) == {"alpha": GREEN, "bravo": GAP, "charlie": GREEN, "delta": GREEN}
    fleet = report.handed_on["console_mfa_validation"]["fleet"]
    assert {name: fleet[name] for name in ("accounts", "red", "gaps", "sandbox")} == {
        "accounts": 4,
        "red": 0,
        "gaps": 1,
        "sandbox": True,
    }


def test_a_user_is_enrolled_by_survey(awx: Awx, enrolled: tuple[Finished, Finished]) -> None:
    assert [job.status for job in enrolled] == ["successful", "successful"], enrolled[1].output
    done = [job.handed_on["console_mfa_enrollment"] for job in enrolled]
    assert [(numbers["prepared"], numbers["enabled"], numbers["failed"]) for numbers in done] == [(1, 0, 0), (0, 1, 0)]
    user = awx.sandbox.account(BRAVO).user("bob")
    assert user is not None
    assert [f"/iamguard/{user.unique_id}/" in serial for serial in user.serials] == [True]


def test_a_directory_is_refused_in_a_job_before_any_account_is_read(awx: Awx, enrolled: object) -> None:
    """Also where ansible-runner alone says so, and not AWX."""
    directory = {"kind": "directory", "path": str(awx.home / "records")}
    before = awx.sandbox.control.calls()
    inventory = json.loads(json.dumps(awx.inventory))
    inventory["all"]["vars"]["console_mfa_record_store"] = directory
    job = awx.job("validate.yml", inventory, environment={**awx.keys, "AWX_PRIVATE_DATA_DIR": ""}).run()
    assert (job.status, job.rc) == ("failed", 2)
    (gate,) = job.results(GATE).values()
    for name, account_id in IDS.items():
        assert f"{name} ({account_id})" in gate["msg"]
    assert "this is an execution environment (AWX_ISOLATED_DATA_DIR is set)" in gate["msg"]
    assert awx.sandbox.control.calls() == before
    assert not (awx.home / "records").exists()


def test_no_secret_is_in_what_is_kept_of_a_job(awx: Awx, enrolled: tuple[Finished, Finished]) -> None:
    secrets = awx.secrets()
    assert (len(secrets.seeds) >= 4, len(secrets.codes), len(secrets.keys) > 10) == (True, 2, True)
    # What AWX writes for the job, and what the engine keeps of the environment that it was given. AWX takes both away.
    given = [job.controller / "env" for job in awx.jobs]
    kept = [job.artifacts / "command" for job in awx.jobs]
    assert {what.rpartition(": ")[2] for what in secrets.in_files(*given)} == {"key 0", "code 0", "code 1"}
    assert {what.rpartition(": ")[2] for what in secrets.in_files(*kept)} == {"key 0"}
    assert secrets.in_files(awx.home, but=[*given, *kept, awx.home / "aws"]) == []
    assert [job.node for job in awx.jobs if job.node.exists()] == []


def test_results_are_kept_with_their_events_unless_they_are_large(
    awx: Awx, again: Finished, report: Finished, enrolled: object
) -> None:
    """So none is larger than AWX keeps, however large the account; tasks get them all the same."""
    sizes = [size for job in awx.jobs for size in Finished(job.artifacts).sizes().values()]
    assert (len(sizes) > 100, max(sizes) < MAX_EVENT_RES // 10) == (True, True)
    answers = again.results(READ)
    assert [finding["user_name"] for finding in answers["bravo"]["findings"]] == ["bob"]
    assert set(answers["delta"]) == {"censored"}
    assert len(awx.records(DELTA)[-1]["judgement"]["findings"]) == 24
    assert report.results(REPORT)["alpha"]["summary"]["accounts"] == 4
    assert {event["job_id"] for event in report.events} == {7}
