# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lets botocore remember from one session to the next what it would find out again for each.

A module has one session and ends; the tests make thousands of them in one process, and spent a third of their time on
what never changes: the models of the services, which name an event goes by now, and whether a function takes any
keywords. Nothing else of botocore is touched.
"""

from __future__ import annotations

import functools
import inspect
import typing as t

from botocore import hooks, session

_names: dict[str, str] = {}


def remember() -> None:
    """From now on, for this process."""
    # A loader remembers what it has read; a session has one of its own.
    session.create_loader = functools.cache(session.create_loader)
    _share_names()
    _look_at_flags()


def _share_names() -> None:
    """Every session has the same aliases, and a cache of its own."""
    initialize = hooks.EventAliaser.__init__

    def init(self: t.Any, *args: t.Any, **kwargs: t.Any) -> None:
        initialize(self, *args, **kwargs)
        if self._event_aliases == hooks.EVENT_ALIASES:
            self._alias_name_cache = _names

    hooks.EventAliaser.__init__ = init


def _look_at_flags() -> None:
    """Whether a function takes keywords is a bit of its code; `inspect` makes a signature of it first."""
    ask = hooks.accepts_kwargs

    def accepts_kwargs(function: t.Any) -> t.Any:
        code = getattr(function, "__code__", None)
        return ask(function) if code is None else bool(code.co_flags & inspect.CO_VARKEYWORDS)

    hooks.accepts_kwargs = accepts_kwargs
