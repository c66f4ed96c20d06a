# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m sandbox``: the embedded AWS in a process of its own."""

from __future__ import annotations

import argparse
import pathlib
import signal
import sys
import threading
import types

import yaml

from .aws_config import write_aws_config
from .engine import Sandbox
from .modelled import modelled_document
from .server import SandboxServer


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.list_modelled:
        print(modelled_document(), end="")
        return 0
    settings = {} if options.page_size is None else {"page_size": options.page_size}
    try:
        sandbox = Sandbox.from_scenario(options.scenario, real_delays=True, **settings)
        server = SandboxServer(sandbox, options.port)
    except (ValueError, OSError, OverflowError, yaml.YAMLError) as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    _serve(sandbox, server, options)
    return 0


def _serve(sandbox: Sandbox, server: SandboxServer, options: argparse.Namespace) -> None:
    """Until a signal says that it is enough."""
    stop = threading.Event()

    def stopped(_number: int, _frame: types.FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stopped)
    with server:
        if options.aws_config:
            write_aws_config(sandbox, pathlib.Path(options.aws_config), server.url)
        if options.ready_file:
            _announce(pathlib.Path(options.ready_file), server.url)
        print(f"Sandbox AWS is ready at {server.url}", flush=True)
        stop.wait()


def _announce(path: pathlib.Path, url: str) -> None:
    """Whoever waits for the file never finds it half written."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(f"{url}\n", encoding="utf-8")
    new.replace(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox", description="An embedded AWS for tests, on 127.0.0.1 only."
    )
    parser.add_argument("--scenario", default="demo", help="name of a shipped scenario, or a path to one")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one and prints it")
    parser.add_argument(
        "--aws-config", metavar="DIR", help="write config and credentials of the scenario's profiles there"
    )
    parser.add_argument("--ready-file", metavar="FILE", help="write the URL there as soon as requests are answered")
    parser.add_argument("--page-size", type=int, metavar="N", help="serve no page with more than N items")
    parser.add_argument("--list-modelled", action="store_true", help="print what is modelled, and stop")
    return parser


if __name__ == "__main__":
    sys.exit(main())
