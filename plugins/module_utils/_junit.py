# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet's validations as JUnit XML, as pipelines show them: a suite for each account, a test case for each console
user, and one more for an account that could not be relied on.

A gap is a failure, what nobody knows an error; who is let off, or has a due date ahead, is skipped with the reason, so
that only who meets what is asked passes.

Pure. This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t
import xml.etree.ElementTree as ET

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_views import AccountView, FindingView
from ansible_collections.iamguard.console_mfa.plugins.module_utils._terminal import terminal_safe
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict import Verdict

SUITES = "Console MFA"

#: The name of the test case about the account itself.
ACCOUNT_CASE = "(the account was read completely and recently)"

Outcome = t.Literal["failure", "error", "skipped"]


def _frame() -> tuple[bytes, bytes]:
    """What comes before the suites, and what after them."""
    root = ET.Element("testsuites", {"name": SUITES})
    root.text = "\n"  # so that it has an end of its own
    empty: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    start, end = empty.rsplit(b"</", 1)
    return start, b"</" + end + b"\n"


START, END = _frame()


def junit(views: t.Iterable[AccountView]) -> t.Iterator[bytes]:
    """Yield the file in parts, one for each account: a fleet is never in memory at once."""
    yield START
    for view in views:
        yield suite(view)
    yield END


def suite(view: AccountView) -> bytes:
    """The suite of an account."""
    cases = [*_account_cases(view), *_user_cases(view)]
    counts = {
        outcome: sum(case.find(tag) is not None for case in cases)
        for outcome, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
    }
    attributes = {"name": _account(view), "tests": str(len(cases))}
    attributes |= {outcome: str(count) for outcome, count in counts.items()}
    if at := iso(view.read_at):
        attributes["timestamp"] = at.removesuffix("Z")  # the schema's, which is UTC
    element = ET.Element("testsuite", attributes)
    element.extend(cases)
    ET.indent(element, space=" ")
    text: bytes = ET.tostring(element, encoding="utf-8")
    return text + b"\n"


def _account(view: AccountView) -> str:
    return _text(f"{view.name} ({view.account_id})" if view.name else view.account_id)


def _account_cases(view: AccountView) -> t.Iterator[ET.Element]:
    if view.status == "left_out":
        yield _case(view, ACCOUNT_CASE, "skipped", view.note or "left out")
    elif not view.reliable:
        yield _case(view, ACCOUNT_CASE, "error", "; ".join(view.reasons), kind=view.status, details=view.reasons)


def _user_cases(view: AccountView) -> t.Iterator[ET.Element]:
    record = view.record
    for finding in record.findings if record else ():
        outcome, message = _outcome(finding, view)
        details = _details(finding) if outcome in ("failure", "error") else ()
        yield _case(view, finding.user_name, outcome, message, kind=finding.verdict, details=details)


def _outcome(finding: FindingView, view: AccountView) -> tuple[Outcome | None, str]:
    if finding.verdict is Verdict.UNKNOWN:
        return "error", finding.message
    if finding.gap:
        return "failure", finding.message
    if not view.reliable and view.status != "incomplete":
        # Good news of an account that was not read now, or whose record is no evidence, is none.
        return "skipped", f"not proven: {'; '.join(view.reasons)}"
    if finding.verdict is Verdict.COMPLIANT and finding.meets:
        return None, ""
    return "skipped", finding.message


def _details(finding: FindingView) -> tuple[str, ...]:
    remedy = finding.remedy
    if remedy is None:
        return (*finding.errors,)
    return (*finding.errors, f"{remedy.who}: {remedy.text}", *remedy.commands)


def _case(
    view: AccountView,
    name: str,
    outcome: Outcome | None,
    message: str,
    *,
    kind: str | None = None,
    details: t.Sequence[str] = (),
) -> ET.Element:
    case = ET.Element("testcase", {"classname": _account(view), "name": _text(name)})
    if outcome is not None:
        attributes = {"message": _text(message)}
        if outcome != "skipped" and kind is not None:
            attributes["type"] = _text(kind)
        result = ET.SubElement(case, outcome, attributes)
        if details:
            result.text = "\n".join(map(_text, details))
    return case


def _text(text: str) -> str:
    """One line of characters that XML 1.0 can hold; whatever else there is, is written as an escape."""
    return terminal_safe(text)
