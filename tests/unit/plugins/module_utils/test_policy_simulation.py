# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the answers of a simulation mean. Never more than they say."""

from __future__ import annotations

import datetime as dt
import itertools
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import User
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy_simulation import (
    Answer,
    Enforcement,
    Simulation,
    all_allowed,
    enforcement_of,
    message,
    overall,
    pick,
    policy_set,
    read_answers,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._simulation_request import (
    ENROLLMENT,
    PASSWORD_RESET,
    BadSimulationError,
    Options,
    Place,
    Request,
    Session,
    resource_of,
)

Json = dict[str, t.Any]

ALICE = User("alice", "AIDAALICE", "arn:aws-cn:iam::111122223333:user/staff/alice", "/staff/", dt.datetime.now(dt.UTC))
ALLOWED, DENIED, NOTHING, SILENT = (Answer(word) for word in ("allowed", "explicitDeny", "implicitDeny", None))
HANGS = Answer("explicitDeny", missing=("aws:SourceIp",))
PROBES = Options(("s3:ListAllMyBuckets", "ec2:DescribeInstances"))
BUCKETS, INSTANCES = PROBES.probe_checks


# --- one action ---


@pytest.mark.parametrize(
    ("with_mfa", "otherwise", "wanted"),
    [
        (ALLOWED, DENIED, "enforced"),
        (ALLOWED, NOTHING, "enforced"),
        (ALLOWED, ALLOWED, "not_enforced"),
        (DENIED, ALLOWED, "not_enforced"),
        (DENIED, DENIED, "inconclusive"),
        (NOTHING, HANGS, "inconclusive"),
        (ALLOWED, HANGS, "unknown"),
        (ALLOWED, SILENT, "unknown"),
        (SILENT, DENIED, "unknown"),
        (SILENT, ALLOWED, "unknown"),
        (Answer("allowed", missing=("aws:SourceIp",)), DENIED, "enforced"),
    ],
)
def test_enforcement_of_one_action(with_mfa: Answer, otherwise: Answer, wanted: str) -> None:
    assert str(enforcement_of(with_mfa, otherwise)) == wanted


# --- several ---

E = Enforcement


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([E.ENFORCED, E.ENFORCED], E.ENFORCED),
        ([E.ENFORCED, E.INCONCLUSIVE], E.ENFORCED),
        ([E.INCONCLUSIVE], E.INCONCLUSIVE),
        ([], E.INCONCLUSIVE),
        ([E.ENFORCED, E.NOT_ENFORCED], E.PARTIAL),
        ([E.NOT_ENFORCED, E.INCONCLUSIVE], E.NOT_ENFORCED),
        ([E.NOT_ENFORCED, E.UNKNOWN], E.NOT_ENFORCED),
        ([E.ENFORCED, E.UNKNOWN], E.UNKNOWN),
        ([E.INCONCLUSIVE, E.UNKNOWN], E.UNKNOWN),
    ],
)
def test_enforcement_of_several_actions(found: list[Enforcement], wanted: Enforcement) -> None:
    for order in itertools.permutations(found):
        assert overall(order) is wanted


@given(st.lists(st.sampled_from(list(Enforcement))))
def test_enforced_means_that_nothing_speaks_against_it(found: list[Enforcement]) -> None:
    if overall(found) is E.ENFORCED:
        assert set(found) <= {E.ENFORCED, E.INCONCLUSIVE}
        assert E.ENFORCED in found
    for index in range(len(found)):
        less = [*found[:index], E.UNKNOWN, *found[index + 1 :]]  # one of them could not be read
        assert overall(less) is not E.ENFORCED


ANSWERS = st.sampled_from([ALLOWED, DENIED, NOTHING, SILENT, HANGS])


@given(st.dictionaries(st.tuples(st.sampled_from(list(Session)), st.sampled_from(PROBES.checks)), ANSWERS), st.data())
def test_to_lose_an_answer_never_makes_a_result_better(
    answers: dict[tuple[Session, t.Any], Answer], data: st.DataObject
) -> None:
    """Whatever is lost, nothing becomes enforced or possible by it."""
    before = Simulation(ALICE, PROBES, answers)
    kept = data.draw(st.sets(st.sampled_from(sorted(answers, key=str)))) if answers else set()
    after = Simulation(ALICE, PROBES, {key: value for key, value in answers.items() if key in kept})
    for session in (Session.WITHOUT_MFA, Session.ACCESS_KEY):
        if after.enforcement(session) is E.ENFORCED:
            assert before.enforcement(session) is E.ENFORCED
    for checks in (ENROLLMENT, PASSWORD_RESET):
        assert before.can(checks) is True or after.can(checks) is not True


@pytest.mark.parametrize(
    ("answers", "wanted"),
    [
        ([ALLOWED, ALLOWED], True),
        ([ALLOWED, DENIED], False),
        ([SILENT, NOTHING], False),
        ([ALLOWED, SILENT], None),
    ],
)
def test_all_are_allowed(answers: list[Answer], wanted: bool | None) -> None:
    assert all_allowed(answers) is wanted


def test_only_a_console_session_without_mfa_counts_for_who_has_no_device() -> None:
    answers = {(Session.WITH_MFA, check): ALLOWED for check in ENROLLMENT}
    assert Simulation(ALICE, PROBES, answers).can(ENROLLMENT) is None
    answers |= {(Session.WITHOUT_MFA, check): ALLOWED for check in ENROLLMENT}
    assert Simulation(ALICE, PROBES, answers).can(ENROLLMENT) is True


# --- what is asked ---


def requests(options: Options = PROBES) -> list[Request]:
    return options.requests(ALICE)


def test_each_session_is_asked_about_in_two_requests() -> None:
    asked = requests()
    assert [request.session for request in asked] == [session for session in Session for _n in range(2)]
    for anything, own in zip(asked[::2], asked[1::2], strict=True):
        assert anything.resources == ()
        assert anything.actions == (*PROBES.probes, "iam:GetAccountPasswordPolicy")
        assert own.resources == (ALICE.arn, "arn:aws-cn:iam::111122223333:mfa/alice")
        assert own.actions == (
            "iam:CreateVirtualMFADevice",
            "iam:EnableMFADevice",
            "iam:ListMFADevices",
            "iam:ChangePassword",
        )


def test_sessions_differ_in_mfa_alone() -> None:
    told = {
        request.session: {entry["ContextKeyName"]: entry["ContextKeyValues"] for entry in request.context()}
        for request in requests()
    }
    usual = {"aws:SecureTransport": ["true"], "aws:ViaAWSService": ["false"]}
    assert told[Session.WITH_MFA] == usual | {
        "aws:MultiFactorAuthPresent": ["true"],
        "aws:MultiFactorAuthAge": ["60"],
    }
    assert told[Session.WITHOUT_MFA] == usual | {"aws:MultiFactorAuthPresent": ["false"]}
    assert told[Session.ACCESS_KEY] == usual


def test_what_is_told_replaces_what_is_usual() -> None:
    options = Options.parse(["s3:ListAllMyBuckets"], [context("AWS:securetransport", "false", kind="boolean")])
    names = [entry["ContextKeyName"].lower() for entry in requests(options)[-1].context()]
    assert sorted(names) == ["aws:securetransport", "aws:viaawsservice"]


def test_a_probe_that_is_needed_anyway_is_asked_about_once() -> None:
    options = Options.parse(["iam:GetAccountPasswordPolicy", "iam:EnableMFADevice", "iam:EnableMFADevice"], [])
    anything, own, *_others = requests(options)
    assert anything.actions == ("iam:GetAccountPasswordPolicy", "iam:EnableMFADevice")
    assert own.actions.count("iam:EnableMFADevice") == 1


def context(name: str, *values: str, kind: str = "string") -> Json:
    return {"name": name, "type": kind, "values": list(values)}


@pytest.mark.parametrize(
    ("probes", "told", "words"),
    [
        ([], [], "probe_actions must be 1 to 50 actions"),
        (["s3:Get"] * 51, [], "must be 1 to 50"),
        (["s3:*"], [], "probe_actions[0] 's3:*' is not the name of one action"),
        (["--profile=x"], [], "is not the name of one action"),
        (["ListUsers"], [], "is not the name of one action"),
        (["s3:Get\n"], [], "is not the name of one action"),
        (["s3:Get"], [context("aws:MultiFactorAuthPresent", "true")], "is what is varied"),
        (["s3:Get"], [context("AWS:multifactorauthage", "1")], "is what is varied"),
        (["s3:Get"], [context("SourceIp", "1")], "is not the name of a context key"),
        (["s3:Get"], [context("aws:SourceIp", "1"), context("aws:sourceip", "2")], "is given more than once"),
        (["s3:Get"], [context("aws:SourceIp")], "values must be one value"),
        (["s3:Get"], [context("aws:SourceIp", "1", "2", kind="ip")], "values must be one value"),
        (["s3:Get"], [context("aws:TagKeys", kind="stringList")], "one or more"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(probes: list[str], told: list[Json], words: str) -> None:
    with pytest.raises(BadSimulationError) as refusal:
        Options.parse(probes, told)
    assert words in str(refusal.value)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(BadSimulationError) as refusal:
        Options.parse(["a", "b"], [context("x", "1")])
    assert str(refusal.value).count(";") == 2


# --- what AWS answers ---


def request_for(place: Place) -> Request:
    return next(
        one
        for one in requests()
        if one.session is Session.WITHOUT_MFA and bool(one.resources) is (place is not Place.ANYTHING)
    )


def read(place: Place, *results: Json) -> dict[tuple[Session, t.Any], Answer]:
    return read_answers(request_for(place), list(results), PROBES.checks, ALICE)


def result(action: str, decision: object, **more: t.Any) -> Json:
    return {"EvalActionName": action, "EvalDecision": decision, **more}


def test_an_action_of_which_nothing_is_said_is_unknown() -> None:
    found = read(Place.ANYTHING, result("S3:listallmybuckets", "allowed"))
    assert found[Session.WITHOUT_MFA, BUCKETS].allowed is True
    assert found[Session.WITHOUT_MFA, INSTANCES] == Answer()


@pytest.mark.parametrize("decision", ["Allowed", "", None, 1, True])
def test_a_word_that_is_not_known_is_unknown(decision: object) -> None:
    found = read(Place.ANYTHING, result("s3:ListAllMyBuckets", decision))
    assert found[Session.WITHOUT_MFA, BUCKETS].allowed is None


def test_two_answers_that_differ_are_none() -> None:
    found = read(
        Place.ANYTHING, result("s3:ListAllMyBuckets", "allowed"), result("s3:ListAllMyBuckets", "implicitDeny")
    )
    assert found[Session.WITHOUT_MFA, BUCKETS] == Answer()


def of_resource(resource: str, decision: str, **more: t.Any) -> Json:
    return {"EvalResourceName": resource, "EvalResourceDecision": decision, **more}


@pytest.mark.parametrize("form", ["one result for all resources", "one result for each"])
def test_the_decision_on_the_own_resource_counts_and_not_that_on_all(form: str) -> None:
    """AWS gave a result for each resource once, with all decisions in each (botocore iam model, EvaluationResult)."""
    user, device = (resource_of(ALICE, place) for place in (Place.OWN_USER, Place.OWN_DEVICE))
    specific = [of_resource(user, "allowed"), of_resource(device, "implicitDeny")]
    whole = result("iam:EnableMFADevice", "implicitDeny", ResourceSpecificResults=specific, EvalResourceName="template")
    found = read(Place.OWN_USER, *[whole] * (1 if form.startswith("one result for all") else 2))
    assert found[Session.WITHOUT_MFA, ("iam:EnableMFADevice", Place.OWN_USER)].allowed is True
    # Asked about a device, nobody was: creating one is another action.
    assert found[Session.WITHOUT_MFA, ("iam:CreateVirtualMFADevice", Place.OWN_DEVICE)] == Answer()


def test_without_decisions_on_resources_nothing_is_known_of_them() -> None:
    found = read(Place.OWN_USER, result("iam:EnableMFADevice", "allowed"))
    assert found[Session.WITHOUT_MFA, ("iam:EnableMFADevice", Place.OWN_USER)].allowed is None


def test_missing_keys_are_those_that_are_not_missing_on_purpose() -> None:
    missing = ["aws:SourceIp", "aws:multiFactorAuthPresent", "aws:MultiFactorAuthAge", "aws:PrincipalTag/x"]
    found = read(Place.ANYTHING, result("s3:ListAllMyBuckets", "implicitDeny", MissingContextValues=missing))
    assert found[Session.WITHOUT_MFA, BUCKETS].missing == ("aws:PrincipalTag/x", "aws:SourceIp")


def test_who_denies_is_told() -> None:
    detail = {
        "OrganizationsDecisionDetail": {"AllowedByOrganizations": False},
        "PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False},
    }
    found = read(Place.ANYTHING, result("s3:ListAllMyBuckets", "implicitDeny", **detail))
    assert found[Session.WITHOUT_MFA, BUCKETS].by == ("organization", "permissions_boundary")


# --- sentences ---


@pytest.mark.parametrize(
    ("console", "api", "depends", "wanted"),
    [
        ("enforced", "not_enforced", [], "denied in the console and allowed with an access key"),
        ("partial", "partial", [], "denied in part only in the console and denied in part only with an access key"),
        ("inconclusive", "inconclusive", [], "Nothing that was tried is allowed with MFA"),
        ("not_enforced", "inconclusive", [], "is, without it, allowed in the console."),
        (
            "unknown",
            "enforced",
            ["aws:SourceIp"],
            "unknown in the console and denied with an access key. It",
        ),
    ],
)
def test_the_sentence_says_what_the_words_say(console: str, api: str, depends: list[str], wanted: str) -> None:
    said = message({"console_enforcement": console, "api_enforcement": api, "depends_on": depends}, None)
    assert wanted in said


# --- who is like whom ---

DETAIL: Json = {
    "UserName": "alice",
    "Path": "/",
    "GroupList": ["b", "a"],
    "AttachedManagedPolicies": [{"PolicyName": "p", "PolicyArn": "arn:aws:iam::aws:policy/p"}],
    "UserPolicyList": [{"PolicyName": "own", "PolicyDocument": {"Version": "2012-10-17", "Statement": []}}],
    "PermissionsBoundary": {"PermissionsBoundaryArn": "arn:aws:iam::1:policy/limits"},
    "Tags": [{"Key": "a", "Value": "b"}],
}


def test_users_with_the_same_policies_are_alike() -> None:
    other = DETAIL | {"UserName": "bob", "GroupList": ["a", "b"], "Tags": []}
    other["UserPolicyList"] = [{**DETAIL["UserPolicyList"][0], "PolicyName": "another name"}]
    assert policy_set(DETAIL) == policy_set(other)


@pytest.mark.parametrize(
    "change",
    [
        {"Path": "/staff/"},
        {"GroupList": ["a"]},
        {"AttachedManagedPolicies": []},
        {"AttachedManagedPolicies": [{"PolicyName": "p", "PolicyArn": "arn:aws:iam::111122223333:policy/p"}]},
        {"UserPolicyList": []},
        {"PermissionsBoundary": None},
    ],
    ids=["path", "groups", "policies", "a policy of the same name", "own policies", "boundary"],
)
def test_users_who_differ_are_not_alike(change: Json) -> None:
    assert policy_set(DETAIL) != policy_set(DETAIL | change)


@pytest.mark.parametrize(
    ("members", "wanted"),
    [("a1", ("a1", None)), ("a1 b1 c1", ("a1", "c1")), ("a1 b2 c1", ("a1", "b2"))],
    ids=["one", "all with the same tags", "one with other tags"],
)
def test_who_checks_has_other_tags_if_there_is_one(members: str, wanted: tuple[str, str | None]) -> None:
    assert pick(members.split(), lambda member: member[1]) == wanted


def test_the_same_is_said_only_where_every_answer_is_the_same() -> None:
    one = Simulation(ALICE, PROBES, {(Session.WITH_MFA, BUCKETS): ALLOWED})
    assert one.says_the_same(Simulation(ALICE, PROBES, {(Session.WITH_MFA, BUCKETS): Answer("allowed")}))
    for other in ({}, {(Session.WITH_MFA, BUCKETS): DENIED}, {(Session.WITHOUT_MFA, BUCKETS): ALLOWED}):
        assert not one.says_the_same(Simulation(ALICE, PROBES, other))
