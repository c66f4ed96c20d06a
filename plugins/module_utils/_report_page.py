# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTML pages of a report: one for each account, one for the fleet, and one for the fleet with counts only.

Each is one file that loads nothing. Pure: the same views, history and moment give the same bytes. This module util is
PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _page_account, _page_fleet, _page_html
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_views import AccountView, History

# Without jinja2 there are no pages; ansible-core comes with it.
HAS_JINJA2 = _page_html.HAS_JINJA2


def is_page(data: bytes) -> bool:
    """Whether this is a page that was made here, whoever it is about."""
    return _page_html.GENERATOR.encode() in data.partition(b"<title>")[0]


def account_page(view: AccountView, history: History | None, now: dt.datetime) -> str:
    """The page of one account, to be written as ``accounts/<page_name>`` beside the fleet's page."""
    return _page_html.render("account", **_page_account.values(view, history, now))


def fleet_page(
    views: t.Sequence[AccountView],
    history: t.Mapping[str, History],
    now: dt.datetime,
    *,
    counts_only: bool = False,
    lists: t.Sequence[str] = (),
) -> str:
    """The page of the fleet; ``history`` by account id, ``lists``: where its accounts are from. ``counts_only``:
    nothing in it names a user, a device, a principal or an address, so that it can be sent to many."""
    values = _page_fleet.values(views, history, now, counts_only=counts_only)
    return _page_html.render("fleet", **values, lists=lists)
