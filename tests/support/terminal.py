# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A person at a real terminal: sees what a program shows, and types when it waits for keys."""

from __future__ import annotations

import fcntl
import os
import pathlib
import re
import select
import struct
import subprocess
import sys
import termios
import time
import typing as t

LIMIT = 60.0
WINDOW = struct.pack("HHHH", 40, 100, 0, 0)

# In the new process: what runs in a session of its own has no terminal until it takes one.
TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """Runs a program in the foreground of a terminal of its own. ``shown``: all that was on the screen."""

    def __init__(self, command: list[str], env: dict[str, str], cwd: pathlib.Path) -> None:
        self._near, self._far = os.openpty()
        fcntl.ioctl(self._far, termios.TIOCSWINSZ, WINDOW)
        self.shown = ""
        self._seen = 0
        far = self._far
        command = [sys.executable, "-c", TAKE_TERMINAL, *command]
        self.program = subprocess.Popen(
            command, env=env, cwd=cwd, stdin=far, stdout=far, stderr=far, start_new_session=True
        )

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *problem: object) -> None:
        if self.program.poll() is None:
            self.program.kill()
        self.program.wait()
        os.close(self._near)
        os.close(self._far)

    def answer(self, question: str, *keys: str, enter: bool = True) -> None:
        """Types when this is asked; of several keys, each in answer to the same question again."""
        for key in keys:
            self._wait(lambda: question in self._unseen() and self._waits_for_keys(), question)
            self._seen = len(self.shown)
            os.write(self._near, (key + ("\r" if enter else "")).encode())

    def finish(self) -> int:
        """The program's status once it has ended by itself."""
        self._wait(lambda: self.program.poll() is not None, "the end of the program")
        while self._read():
            pass
        return self.program.returncode

    @property
    def text(self) -> str:
        """What was shown, without what colors and clears the screen."""
        return re.sub(r"\x1b\[[0-9;]*[A-Za-z]|\r", "", self.shown)

    def _unseen(self) -> str:
        return " ".join(re.sub(r"\x1b\[[0-9;]*[A-Za-z]|\r", "", self.shown[self._seen :]).split())

    def _waits_for_keys(self) -> bool:
        # Before it reads, the program forgets what was typed too early. When it reads, it does not wait (O_NONBLOCK),
        # which shows here as well: both ends of the fork have the same open file.
        return not os.get_blocking(self._far)

    def _wait(self, done: t.Callable[[], bool], what: str) -> None:
        end = time.monotonic() + LIMIT
        while not done():
            self._read()
            if time.monotonic() > end:
                raise AssertionError(f"waited in vain for {what}:\n{self.text}")
            if self.program.poll() is not None and not self._read() and not done():
                raise AssertionError(f"the program ended before {what}:\n{self.text}")

    def _read(self) -> bool:
        ready, _writable, _failed = select.select([self._near], [], [], 0.02)
        if ready:
            self.shown += os.read(self._near, 65536).decode("utf-8", "replace")
        return bool(ready)
