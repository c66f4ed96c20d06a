# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a report: made from records as a run writes them, whole, and in agreement with everything else."""

from __future__ import annotations

import collections
import csv
import dataclasses
import datetime as dt
import html
import json
import os
import pathlib
import re
import stat
import typing as t
import weakref
import xml.etree.ElementTree as ET

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.iamguard.console_mfa.plugins.filter.judge_records import judge_records
from ansible_collections.iamguard.console_mfa.plugins.module_utils import _report_files
from ansible_collections.iamguard.console_mfa.plugins.module_utils._csv_text import decode
from ansible_collections.iamguard.console_mfa.plugins.module_utils._directory_store import DirectoryStore
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import canonical_json, seal
from ansible_collections.iamguard.console_mfa.plugins.module_utils._rejudge import judge_again
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_record import account_view
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_sources import Sources
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_views import AccountView
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verification import verify
from ansible_collections.iamguard.console_mfa.plugins.modules import console_mfa_record, console_mfa_report
from support.judging import ACCOUNT_ID, device, row
from support.reports import account_row, answer, decisions_of_every_verdict, every_verdict, record

Json = dict[str, t.Any]

ACCOUNTS = {"production": ACCOUNT_ID}
STAGING = "222233334444"
FILES = ["accounts/111122223333.html", "chat.txt", "findings.csv", "fleet-counts.html", "fleet.html", "junit.xml"]
FILES.append("summary.json")

READABLE = [user for user in every_verdict() if user["user_name"] != "joe"]
GOOD = [row(device("virtual", "phone"), user_name="ada")]


class Place:
    """A store and a directory for reports, and the two modules that work on them."""

    def __init__(self, home: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.records = home / "records"
        self.output = home / "reports"
        self._capsys = capsys

    def run(self, module: t.Any, *, check_mode: bool = False, **options: t.Any) -> Json:
        store = {"kind": "directory", "path": str(self.records)}
        arguments = {"store": store, "_ansible_check_mode": check_mode} | options
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        return t.cast(Json, json.loads(self._capsys.readouterr().out))

    def record(
        self, found: Json | None, run_id: str = "r1", account_id: str = ACCOUNT_ID, *, check_mode: bool = False
    ) -> Json:
        data = {
            "answer": found,
            "error": None if found else {"message": "may not"},
            "first_access": None,
            "options": {},
        }
        return self.run(
            console_mfa_record,
            check_mode=check_mode,
            kind="validation",
            account_id=account_id,
            run_id=run_id,
            data=data,
        )

    def report(self, *, check_mode: bool = False, **options: t.Any) -> Json:
        given = {"kind": "validation", "accounts": ACCOUNTS, "output_dir": str(self.output)} | options
        return self.run(console_mfa_report, check_mode=check_mode, **given)

    def text(self, *names: str) -> str:
        return self.output.joinpath(*names).read_text(encoding="utf-8")

    def summary(self) -> Json:
        return t.cast(Json, json.loads(self.text("summary.json")))

    def page(self, account_id: str = ACCOUNT_ID) -> str:
        """What a reader sees of an account's page, without its style and script."""
        body = re.sub(r"<(style|script)\b.*?</\1>", "", self.text("accounts", f"{account_id}.html"), flags=re.DOTALL)
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())

    def csv(self) -> list[dict[str, str]]:
        with (self.output / "findings.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture
def place(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> Place:
    return Place(tmp_path, capsys)


def names_below(directory: pathlib.Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir())


def test_the_files_of_a_report(place: Place) -> None:
    place.record(answer(READABLE, None, decisions_of_every_verdict()))
    result = place.report()
    assert result["files"] == [str(place.output / name) for name in FILES]
    assert names_below(place.output) == FILES
    assert result["changed"] is True
    modes = {stat.S_IMODE(path.stat().st_mode) for path in place.output.rglob("*") if path.is_file()}
    assert modes == {0o640}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (place.output, place.output / "accounts")} == {0o750}


def test_whatever_the_umask_others_may_read_nothing(place: Place) -> None:
    place.record(answer(GOOD))
    before = os.umask(0)
    try:
        place.report()
    finally:
        os.umask(before)
    assert not [path for path in (place.output, *place.output.rglob("*")) if path.stat().st_mode & 0o007]


def test_without_a_directory_no_file_is_written_and_nothing_is_changed(place: Place) -> None:
    place.record(answer(GOOD))
    result = place.report(output_dir=None)
    assert (result["files"], result["changed"], place.output.exists()) == ([], False, False)


def findings_of(document: t.Iterable[Json]) -> dict[str, tuple[str, bool, str]]:
    return {one["user_name"]: (one["verdict"], one["gap"], one["message"]) for one in document}


@pytest.mark.parametrize("rows", [READABLE, every_verdict()], ids=["read completely", "one user unread"])
def test_the_module_the_record_the_filter_the_verifier_and_every_file_have_the_same_findings(
    place: Place, rows: list[Json]
) -> None:
    found = answer(rows, None, decisions_of_every_verdict())
    expected = findings_of(found["findings"])
    path = pathlib.Path(place.record(found)["record"]["location"])
    assert findings_of(json.loads(path.read_text())["judgement"]["findings"]) == expected
    store = DirectoryStore(str(place.records))
    assert verify(store, store.shelves(), judge_again) == (1, [])
    (judged,) = judge_records([json.loads(path.read_text())])
    assert findings_of(judged["findings"]) == expected
    result = place.report()

    lines = place.csv()
    assert {
        decode(line["user_name"]): (line["verdict"], line["gap"] == "true", decode(line["message"])) for line in lines
    } == expected

    cases = {case.attrib["name"]: case for case in ET.parse(place.output / "junit.xml").iter("testcase")}
    failing = {
        name for name, case in cases.items() if case.find("failure") is not None or case.find("error") is not None
    }
    assert failing - {"(the account was read completely and recently)"} == {
        name for name, (_verdict, gap, _message) in expected.items() if gap
    }

    page = place.page()
    assert all(name in page and message in page for name, (_verdict, _gap, message) in expected.items())

    numbers = place.summary()["accounts"][0]["numbers"]
    counted = collections.Counter(verdict for verdict, _gap, _message in expected.values())
    assert {verdict: count for verdict, count in numbers["by_verdict"].items() if count} == counted
    assert numbers["gaps"] == result["summary"]["gaps"] == found["summary"]["gaps"]
    assert numbers["coverage_percent"] == result["summary"]["coverage_percent"] == found["summary"]["coverage_percent"]
    assert result["numbers"]["fleet"]["gaps"] == found["summary"]["gaps"]


def test_the_page_of_counts_names_no_user(place: Place) -> None:
    place.record(answer(READABLE, None, decisions_of_every_verdict()))
    place.report()
    named = [user["arn"] for user in READABLE if user["arn"] in place.text("fleet-counts.html")]
    named += [name for name in ("z-new-ben", "break-glass") if name in place.text("fleet-counts.html")]
    assert named == []
    assert "z-new-ben" in place.text("accounts", f"{ACCOUNT_ID}.html")


def test_all_expected_accounts_are_in_every_file_red_ones_too(place: Place) -> None:
    accounts = ACCOUNTS | {"staging": STAGING, "failed": "333344445555"}
    place.record(answer(GOOD))
    place.record(None, account_id="333344445555")
    result = place.report(accounts=accounts)
    assert [(row["name"], row["status"]) for row in result["accounts"]] == [
        ("failed", "failed"),
        ("staging", "missing"),
        ("production", "complete"),
    ]
    assert {line["account_id"]: line["account_status"] for line in place.csv()} == {
        "333344445555": "failed",
        STAGING: "missing",
        ACCOUNT_ID: "complete",
    }
    suites = ET.parse(place.output / "junit.xml").getroot()
    assert [int(suite.attrib["errors"]) for suite in suites] == [1, 1, 0]
    assert [account["level"] for account in place.summary()["accounts"]] == ["red", "red", "compliant"]
    assert (place.output / "accounts" / f"{STAGING}.html").exists()
    assert "staging" in place.text("fleet.html")
    assert "2 red" in place.text("chat.txt")


# What a run that is told to fail on these says of an account with them.
FAILING = {
    "overdue": "1 console user overdue: no MFA device",
    "undecided": "1 console user undecided: no category of the policy and no default matches",
}


def test_an_account_that_is_red_by_its_verdicts_alone_is_red_in_every_file_for_the_reasons_of_the_gate(
    place: Place,
) -> None:
    place.record(answer(READABLE, None, decisions_of_every_verdict()))
    result = place.report(fail_on=list(FAILING))
    assert result["red"] == [
        {"name": "production", "account_id": ACCOUNT_ID, "reasons": [FAILING["undecided"], FAILING["overdue"]]}
    ]
    assert result["accounts"][0]["status"] == "complete"

    [account] = place.summary()["accounts"]
    assert (account["level"], account["red"], account["reasons"]) == ("red", True, result["red"][0]["reasons"])
    assert place.summary()["fleet"]["accounts"] == {
        "all": 1,
        "red": 1,
        "gaps": 0,
        "rollout": 0,
        "compliant": 0,
        "left_out": 0,
    }
    for reason in FAILING.values():
        assert reason in place.page()
        assert reason in html.unescape(place.text("fleet.html"))
        assert all(reason in line["account_reasons"] for line in place.csv())
    assert 'class="statement red"' in place.text("accounts", f"{ACCOUNT_ID}.html")
    assert "Gaps that make the run fail" in place.text("fleet-counts.html")
    assert "6 gaps in 1 of 1 account to be closed now." in place.text("fleet.html")
    # It was read completely and recently, so what is said of it is proven.
    assert "could not be judged reliably" not in place.page() + place.text("fleet.html")
    assert "not proven" not in place.text("junit.xml")

    chat = place.text("chat.txt").splitlines()
    assert "1 account: 1 red." in chat
    assert f"Red: production {FAILING['undecided']}, {FAILING['overdue']}." in chat

    place.report(fail_on=["contradicted"])
    assert place.summary()["accounts"][0]["level"] == "gaps"
    assert 'class="statement bad"' in place.text("accounts", f"{ACCOUNT_ID}.html")


# --- which records ---------------------------------------------------------------------------------------------------


def result_of(recorded: Json, found: Json, run_id: str = "r1") -> Json:
    """What the role says of an account that was run."""
    return {
        "production": {
            "run_id": run_id,
            "account_id": ACCOUNT_ID,
            "status": recorded["record"]["status"],
            "error": None,
            "summary": recorded["summary"],
            "record": recorded["record"],
            "sandbox": False,
            "compliant": found["compliant"],
            "rollout_complete": found["rollout_complete"],
        }
    }


def test_an_account_that_was_run_is_reported_from_the_record_of_this_run_also_in_check_mode(place: Place) -> None:
    place.record(answer(GOOD), "real")
    found = answer(READABLE, None, decisions_of_every_verdict())
    recorded = place.record(found, "checked", check_mode=True)
    place.report(
        check_mode=True, results=result_of(recorded, found, "checked"), run_hosts=["production"], run_id="checked"
    )
    assert len(place.csv()) == len(READABLE)
    assert place.summary()["check_mode"] is True
    assert "CHECK MODE" in place.text("chat.txt")
    assert "check mode" in place.page().lower()
    # Later, without a run, it is nobody's latest record.
    place.report()
    assert len(place.csv()) == 1


def test_an_account_that_was_run_without_a_record_is_red_in_files_and_gate(place: Place) -> None:
    found = answer(GOOD)
    results = result_of(place.record(found), found)
    results["production"]["record"] = None
    result = place.report(results=results, run_hosts=["production"])
    assert (result["compliant"], result["red"][0]["reasons"]) == (False, ["there is no record of its validation"])
    assert result["gate"][1].endswith("there is no record of its validation")
    assert place.summary()["accounts"][0]["level"] == "red"


@pytest.mark.parametrize("name", ["../../../etc/passwd", "x.json", ""])
def test_a_name_that_is_none_of_a_record_is_not_looked_for(place: Place, name: str) -> None:
    found = answer(GOOD)
    results = result_of(place.record(found), found)
    results["production"]["record"] = {"name": name}
    result = place.report(results=results, run_hosts=["production"])
    assert result["accounts"][0]["status"] == "failed"
    assert result["compliant"] is False


def tamper(path: pathlib.Path, change: t.Callable[[Json], object], *, resealed: bool) -> None:
    record = json.loads(path.read_bytes())
    change(record)
    path.chmod(0o640)
    path.write_bytes(canonical_json(seal(record) if resealed else record))


def claim(record: Json) -> None:
    record["judgement"]["findings"][1] |= {"verdict": "compliant", "gap": False, "meets_requirement": True}


TAMPERED: dict[str, tuple[t.Callable[[Json], object], bool, str]] = {
    "altered": (claim, False, "was altered"),
    "altered and sealed anew": (claim, True, "disagree"),
    "with less read than it says": (
        lambda record: record["source"].update(complete=False),
        True,
        "not read completely",
    ),
    "with another sum": (lambda record: record["summary"].update(in_scope=7), True, "disagree"),
    "of a newer schema": (lambda record: record.update(schema=2), True, "update it"),
    "moved here from another account": (lambda record: record.update(account_id=STAGING), True, "was moved"),
}


@pytest.mark.parametrize(("change", "resealed", "part"), TAMPERED.values(), ids=TAMPERED)
def test_a_record_that_is_no_evidence_makes_its_account_red_everywhere(
    place: Place, change: t.Callable[[Json], object], resealed: bool, part: str
) -> None:
    rows = [*GOOD, row(user_name="ben")]
    tamper(pathlib.Path(place.record(answer(rows))["record"]["location"]), change, resealed=resealed)
    without_files = place.report(output_dir=None)
    result = place.report()
    assert result["accounts"][0]["status"] in ("failed", "missing")
    assert part in " ".join(result["gate"])
    for key in ("accounts", "red", "gate", "summary", "numbers", "compliant_reading", "compliant"):
        assert without_files[key] == result[key]
    assert result["compliant"] is False
    assert place.summary()["accounts"][0]["level"] == "red"
    assert part in place.page()
    assert [case.tag for case in ET.parse(place.output / "junit.xml").iter("error")] != []


def test_a_record_that_was_written_by_half_is_never_read(place: Place) -> None:
    whole = pathlib.Path(place.record(answer(GOOD))["record"]["location"])
    data = whole.read_bytes()
    # Left by a run that was killed while it wrote; and, on a disk that lies, under its name.
    (whole.parent / f".tmp-{whole.name}-0123456789abcdef").write_bytes(data[: len(data) // 2])
    assert place.report()["accounts"][0]["status"] == "complete"
    later = whole.parent / whole.name.replace("-r1", "-r2").replace("20", "21", 1)
    later.write_bytes(data[: len(data) // 2])
    result = place.report()
    assert result["accounts"][0]["status"] == "missing"
    assert "is not the JSON of a record" in " ".join(result["gate"])


# --- history ---------------------------------------------------------------------------------------------------------


def test_what_changed_since_the_previous_validation_is_told(place: Place) -> None:
    place.record(answer([*GOOD, row(user_name="ben")]), "before")
    place.record(
        answer([row(user_name="ada"), row(device("fido", "key"), user_name="ben"), row(user_name="cleo")]), "now"
    )
    place.report()
    last = place.text("chat.txt").splitlines()[-1]
    assert last == (
        "Since the previous validation: 1 new console user, 1 lost MFA, 1 gained MFA, 2 new gaps, 1 gap closed."
    )
    page = place.page()
    assert "New console users: 1 cleo" in page
    assert "Lost MFA: 1 ada" in page


def test_a_damaged_previous_validation_is_named_and_passed_over(place: Place) -> None:
    place.record(answer([row(user_name="ada")]), "first")
    damaged = pathlib.Path(place.record(answer(GOOD), "second")["record"]["location"])
    place.record(answer(GOOD), "third")
    tamper(damaged, claim_nothing, resealed=False)
    result = place.report()
    assert result["accounts"][0]["status"] == "complete"
    assert damaged.name in place.page()
    assert "1 gained MFA" in place.text("chat.txt")


def claim_nothing(record: Json) -> None:
    record["run_id"] = "other"


def test_the_numbers_over_time_are_those_of_the_runs(place: Place) -> None:
    for day, meeting in (("20", 1), ("22", 2), ("23", 3)):
        rows = [
            {
                "account_id": ACCOUNT_ID,
                "read_at": f"2026-11-{day}T12:00:00Z",
                "sandbox": False,
                "summary": {"console_users": 4, "in_scope": 4, "meeting_requirement": meeting, "gaps": 4 - meeting},
            }
        ]
        data = {"status": "complete", "summary": {}, "facts": {"accounts": rows}}
        place.run(console_mfa_record, kind="run", account_id="fleet", run_id=f"day{day}", data=data)
    place.record(answer(GOOD))
    place.report()
    page = place.page()
    for words in ("2026-11-20 12:00", "25", "2026-11-22 12:00", "50", "2026-11-23 12:00", "75"):
        assert words in page


# --- writing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "part"),
    [
        pytest.param({"output_dir": "reports"}, "absolute path", id="a relative path"),
        pytest.param({"kind": "assessment"}, "kind=validation", id="assessments have no files"),
    ],
)
def test_what_makes_no_sense_is_refused(place: Place, options: Json, part: str) -> None:
    result = place.report(**options)
    assert result["failed"] is True
    assert part in result["msg"]


def test_without_jinja2_files_are_refused_and_the_report_is_not(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.record(answer(GOOD))
    monkeypatch.setattr(console_mfa_report._report_page, "HAS_JINJA2", False)
    result = place.report()
    assert result["failed"] is True
    assert "jinja2" in result["msg"]
    assert place.report(output_dir=None)["compliant"] is True


def test_a_directory_that_cannot_be_written_fails_the_run_and_not_the_report(place: Place) -> None:
    place.record(answer(GOOD))
    place.output.write_text("a file")
    result = place.report()
    assert result["files"] == []
    assert result["compliant"] is True
    assert "could not be written as files" in result["gate"][-1]
    assert str(place.output) in result["gate"][-1]
    assert len(result["text"]) > 1


@pytest.mark.parametrize("name", [name for name in FILES if "/" not in name] + [f"accounts/{ACCOUNT_ID}.html"])
def test_a_file_of_somebody_else_is_not_replaced(place: Place, name: str) -> None:
    """Nothing is written then; one of an earlier report is replaced, whatever it said."""
    place.record(answer(READABLE, None, decisions_of_every_verdict()))
    place.report()
    place.record(answer(GOOD), "later")
    before = {one: place.text(one) for one in names_below(place.output)}
    (place.output / name).write_text("<html><title>iamguard.console_mfa</title> is not what this is about\n")
    result = place.report()
    assert (result["files"], result["removed"]) == ([], [])
    assert f"in {place.output}, {name} would be replaced" in result["gate"][-1]
    after = {one: place.text(one) for one in names_below(place.output)}
    assert {one for one in after if after[one] != before[one]} == {name}
    (place.output / name).unlink()
    assert place.report()["gate"] == []
    assert {one for one in FILES if place.text(one) != before[one]} >= {"findings.csv", "fleet.html", "summary.json"}


def test_an_empty_file_and_what_only_looks_alike_are_of_nobodys_report(place: Place) -> None:
    place.record(answer(GOOD))
    place.output.mkdir()
    (place.output / "chat.txt").touch()
    (place.output / "summary.json").write_text('{"schema": 1, "kind": "assessment", "made_at": ""}')
    assert f"in {place.output}, chat.txt, summary.json would be replaced" in place.report()["gate"][-1]
    assert sorted(path.name for path in place.output.iterdir()) == ["chat.txt", "summary.json"]


def test_a_link_in_the_place_of_the_accounts_is_not_followed(place: Place, tmp_path: pathlib.Path) -> None:
    place.record(answer(GOOD))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    place.output.mkdir()
    (place.output / "accounts").symlink_to(elsewhere)
    assert "Something else is in the place of a directory" in place.report()["gate"][-1]
    assert list(elsewhere.iterdir()) == []


def test_a_link_in_the_place_of_a_file_is_replaced_and_what_it_leads_to_stays(
    place: Place, tmp_path: pathlib.Path
) -> None:
    place.record(answer(GOOD))
    precious = tmp_path / "precious"
    precious.write_text("precious")
    place.output.mkdir()
    (place.output / "fleet.html").symlink_to(precious)
    assert place.report()["gate"] == []
    assert precious.read_text() == "precious"
    assert "<html" in place.text("fleet.html")


def test_a_report_that_breaks_off_leaves_the_files_of_the_one_before_and_nothing_else(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.record(answer(GOOD))
    place.report()
    before = {name: place.text(name) for name in ("findings.csv", "junit.xml", "fleet.html")}
    place.record(answer(READABLE, None, decisions_of_every_verdict()))

    def full(_folder: object, *_data: object) -> t.NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_report_files.Folder, "write", full)
    result = place.report()
    assert "No space left" in result["gate"][-1]
    assert {name: place.text(name) for name in before} == before
    assert names_below(place.output) == FILES


def test_a_report_replaces_the_one_before(place: Place) -> None:
    place.record(answer(GOOD))
    place.report()
    place.record(answer(READABLE, None, decisions_of_every_verdict()))
    place.report()
    assert len(place.csv()) == len(READABLE)
    assert names_below(place.output) == FILES


def test_an_account_that_is_left_out_has_no_page(place: Place) -> None:
    today = dt.datetime.now(dt.UTC).date()
    decision = {
        "account_id": STAGING,
        "reason": "Is closed",
        "approved_by": "ciso@example.com",
        "approved_on": str(today),
        "expires": str(today + dt.timedelta(days=30)),
    }
    place.record(answer(GOOD))
    place.report(accounts=ACCOUNTS | {"closed": STAGING}, accounts_out_of_scope=[decision])
    assert names_below(place.output) == FILES
    assert "Is closed" in place.text("fleet.html")


def test_pages_of_accounts_that_are_not_expected_any_more_go_and_no_other_file(place: Place) -> None:
    accounts = ACCOUNTS | {"staging": STAGING, "sold": "333344445555"}
    for account_id in accounts.values():
        place.record(answer(GOOD, account_id=account_id), account_id=account_id)
    assert place.report(accounts=accounts)["removed"] == []
    pages = place.output / "accounts"
    ours = (pages / f"{STAGING}.html").read_bytes()
    # Theirs: another page of such a name, ours under another name, a link to ours, and a directory.
    foreign = {"777788889999.html": b"<html>not ours</html>", "notes.html": ours, "readme.txt": b"see notes.html"}
    for name, data in foreign.items():
        (pages / name).write_bytes(data)
    (pages / "888899990000.html").symlink_to("notes.html")
    (pages / "999900001111.html").mkdir()
    (place.output / f"{STAGING}.html").write_bytes(ours)

    result = place.report(accounts=accounts | {"never run": "444455556666"})
    assert result["removed"] == []
    result = place.report()
    gone = ["333344445555.html", "444455556666.html", f"{STAGING}.html"]
    assert result["removed"] == [f"{pages}/{name}" for name in sorted(gone)]
    kept = [*foreign, "888899990000.html", "999900001111.html", f"{ACCOUNT_ID}.html"]
    assert sorted(path.name for path in pages.iterdir()) == sorted(kept)
    assert {name: (pages / name).read_bytes() for name in foreign} == foreign
    assert (place.output / f"{STAGING}.html").exists()
    assert [account["account_id"] for account in place.summary()["accounts"]] == [ACCOUNT_ID]


def test_a_report_that_could_not_be_written_removes_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts = ACCOUNTS | {"staging": STAGING}
    for account_id in accounts.values():
        place.record(answer(GOOD, account_id=account_id), account_id=account_id)
    place.report(accounts=accounts)
    (place.output / "chat.txt").unlink()
    (place.output / "chat.txt").mkdir()
    result = place.report()
    assert (result["files"], result["removed"]) == ([], [])
    assert (place.output / "accounts" / f"{STAGING}.html").exists()


def test_a_host_whose_id_is_no_account_id_has_no_page(place: Place) -> None:
    place.record(answer(GOOD))
    result = place.report(accounts=ACCOUNTS | {"odd": "../../evil"})
    assert names_below(place.output.parent / "reports") == FILES
    assert result["accounts"][0]["name"] == "odd"


def test_never_more_than_one_record_is_in_memory(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts = {f"account-{number}": f"{number:012d}" for number in range(1, 5)}
    for account_id in accounts.values():
        for run_id in ("before", "now"):
            place.record(answer(READABLE, None, {}, account_id=account_id), run_id, account_id)
    alive: list[weakref.ref[t.Any]] = []
    most = 0
    read = Sources.record

    class Record(dict[str, t.Any]):
        """A dictionary of which it can be seen whether anybody still has it."""

    def counted(self: Sources, account_id: str, name: str) -> Json:
        nonlocal most
        record = Record(read(self, account_id, name))
        alive.append(weakref.ref(record))
        most = max(most, sum(ref() is not None for ref in alive))
        return record

    monkeypatch.setattr(Sources, "record", counted)
    place.report(accounts=accounts)
    assert (len(alive), most) == (8, 1)


def test_of_a_fleet_only_the_gaps_that_its_page_shows_are_kept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_report_files._page_fleet, "GAPS_SHOWN", 12)
    accounts = {f"account-{number}": f"{number:012d}" for number in range(1, 5)}
    rows = [row(user_name=f"user-{number:02d}") for number in range(40)]
    for account_id in accounts.values():
        place.record(answer(rows, account_id=account_id), "r1", account_id)
    place.report(accounts=accounts)
    page = place.text("fleet.html")
    assert sum(page.count(f">user-{number:02d}<") for number in range(40)) == 4 * 5  # at least five of each account
    assert page.count("35 more gaps") == 4
    assert place.summary()["fleet"]["numbers"]["gaps"] == 160
    assert place.text("chat.txt").splitlines()[2] == "160 gaps: 160 overdue."


def test_what_is_kept_of_each_account_shrinks_as_the_fleet_grows() -> None:
    """So that three hundred accounts of five thousand users fit into memory."""
    rows = [row(user_name=f"user-{number:03d}") for number in range(300)]
    view = account_view(account_row(), record(rows)).for_fleet()
    views: list[AccountView] = []
    kept = []
    for number in range(300):
        views = _report_files._page_fleet.trimmed([*views, dataclasses.replace(view, name=f"account-{number}")])
        kept.append(sum(len(one.record.findings) for one in views if one.record))
    assert kept[0] == 300
    assert max(kept) <= 2000
    assert len(_report_files._page_fleet.gaps(views)[0]) == kept[-1]


def test_what_an_organization_leaves_out_is_in_every_file(place: Place) -> None:
    place.record(answer(GOOD))
    organization = {
        "source": "aws.aws_accounts.yml",
        "organization_id": "o-exampleorgid",
        "partition": "aws",
        "read_at": dt.datetime.now(dt.UTC).isoformat(),
        "cached": True,
        "accounts": [ACCOUNT_ID],
        "left_out": [{"account_id": STAGING, "name": "<b>=Old</b>", "reason": "its state is SUSPENDED, not ACTIVE"}],
    }
    found = place.report(organizations=[organization])
    assert (found["gate"], found["compliant"]) == ([], True)
    (row_,) = (row for row in found["accounts"] if row["account_id"] == STAGING)
    note = "left out by the inventory (aws.aws_accounts.yml): its state is SUSPENDED, not ACTIVE"
    assert (row_["status"], row_["note"]) == ("left_out", note)
    assert "1 of 2 accounts of the organization o-exampleorgid (aws) are to be hosts" in "\n".join(found["text"])
    summary = place.summary()
    assert [one["note"] for one in summary["accounts"] if one["account_id"] == STAGING] == [note]
    assert summary["organizations"] == found["organizations"]
    assert (summary["organizations"][0]["left_out"], summary["organizations"][0]["cached"]) == (1, True)
    page = place.text("fleet.html")
    assert note in html.unescape(page)
    assert "<b>=Old" not in page
    assert "from a cache." in page
    assert not (place.output / "accounts" / f"{STAGING}.html").exists()


def test_a_list_of_accounts_that_is_too_old_fails_the_report(place: Place) -> None:
    place.record(answer(GOOD))
    organization = {
        "source": "aws.aws_accounts.yml",
        "organization_id": "o-exampleorgid",
        "partition": "aws",
        "read_at": "2026-11-01T00:00:00Z",
        "cached": True,
        "accounts": [ACCOUNT_ID],
        "left_out": [],
    }
    found = place.report(organizations=[organization])
    assert (found["compliant"], found["compliant_reading"]) == (False, False)
    assert "newer accounts may be missing" in "\n".join(found["gate"])
    assert place.summary()["fleet"]["compliant"] is False
    assert "newer accounts may be missing" in place.text("fleet.html")
    refused = place.report(organizations=[{}])
    assert "is not what the inventory plugin aws_accounts writes" in refused["msg"]
