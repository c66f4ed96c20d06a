# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pages as IAM serves them: possibly shorter than asked, with markers that mean nothing outside of the list they came
from.

A marker remembers the last key served, not a position: a later page shows the state of its own time, and nothing is
left out or served twice because something before it came or went (botocore's model: "fewer results, even when there are
more").
"""

from __future__ import annotations

import bisect
import typing as t
from collections import OrderedDict

from . import ids
from .errors import validation
from .settings import Settings

Item = t.TypeVar("Item")
Key = str | bytes

# Of 118 items asked for AWS was seen to serve 67.
SHORT_PAGE = 67 / 118


class Pager:
    """Issues markers and finds out what they stand for. The oldest are forgotten when there are very many."""

    def __init__(self, settings: Settings, *, remembered: int = 100_000) -> None:
        self._settings = settings
        self._remembered = remembered
        self._markers: OrderedDict[str, tuple[str, Key]] = OrderedDict()

    def page(
        self,
        items: t.Sequence[Item],
        key: t.Callable[[Item], Key],
        *,
        binding: str,
        marker: str | None,
        limit: int,
        foreign: t.Callable[[], Exception] = lambda: validation("Invalid Marker."),
    ) -> tuple[t.Sequence[Item], str | None]:
        """One page of ``items``, which are in the order of ``key``, and the marker of the next page if there is one.

        ``binding`` names the list: operation, account and everything that filters it.
        """
        start = 0
        if marker is not None:
            start = bisect.bisect_right(items, self._resolve(marker, binding, foreign), key=key)
        size = self._size(limit)
        page = items[start : start + size]
        if start + size >= len(items):
            return page, None
        return page, self._issue(binding, key(page[-1]))

    def empty_page(
        self,
        *,
        binding: str,
        marker: str | None,
        foreign: t.Callable[[], Exception] = lambda: validation("Invalid Marker."),
    ) -> str | None:
        """Where every other page is to be empty: the marker that an empty page gives, or None when it is a full one's
        turn."""
        turn = f"{binding}/after an empty page"
        if marker is not None and self._markers.get(marker, ("", ""))[0] == turn:
            return None
        return self._issue(turn, "" if marker is None else self._resolve(marker, binding, foreign))

    def _size(self, limit: int) -> int:
        if self._settings.short_pages:
            limit = max(1, int(limit * SHORT_PAGE))
        return min(limit, self._settings.page_size or limit)

    def _issue(self, binding: str, key: Key) -> str:
        marker = ids.digest("marker", binding, key, length=64)
        self._markers[marker] = (binding, key)
        while len(self._markers) > self._remembered:
            self._markers.popitem(last=False)
        return marker

    def _resolve(self, marker: str, binding: str, foreign: t.Callable[[], Exception]) -> Key:
        found = self._markers.get(marker)
        if found is None or found[0] not in (binding, f"{binding}/after an empty page"):
            raise foreign()
        return found[1]
