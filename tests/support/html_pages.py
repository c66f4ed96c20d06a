# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads an HTML page as a browser without scripts would, for tests that look at what a reader sees."""

from __future__ import annotations

import html.parser
import typing as t

VOID = ("meta", "rect", "path", "input", "br")
Row = dict[str, str]


class Page(html.parser.HTMLParser):
    """``tables``: by id, a dictionary for each row, from the head of a column to the text below it; ``texts``: of the
    elements with an id; ``tags``: every start tag with its attributes; ``raw``: what styles and scripts are made of."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[tuple[str, str | None]] = []
        self._texts: dict[str, list[str]] = {}
        self.tables: dict[str, list[Row]] = {}
        self.raw: dict[str, str] = {"style": "", "script": ""}
        self.words: list[str] = []
        self.commands: list[str] = []
        self._heads: dict[str, list[str]] = {}
        self._cells: list[str] | None = None
        self.feed(source)
        self.close()
        self.texts = {name: "".join(parts) for name, parts in self._texts.items()}
        if self.open:
            raise AssertionError(f"never closed: {self.open}")

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def _table(self) -> str | None:
        return next((name for tag, name in reversed(self.open) if tag == "table"), None)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        if found.get("id"):
            if found["id"] in self._texts:
                raise AssertionError(f"two elements with id {found['id']}")
            self._texts[str(found["id"])] = []
        if tag in VOID:
            return
        self.open.append((tag, found.get("id")))
        if tag == "tr":
            self._cells = []
        elif tag in ("td", "th") and self._cells is not None:
            self._cells.append("")
        elif tag == "code" and found.get("class") == "cmd":
            self.commands.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        table = self._table()
        last, _name = self.open.pop()
        if last != tag:
            raise AssertionError(f"</{tag}> closes <{last}>")
        if tag == "tr" and table and self._cells is not None:
            cells = [" ".join(cell.split()) for cell in self._cells]
            if any(outer == "thead" for outer, _id in self.open):
                self._heads[table] = cells
            elif len(cells) > 1:
                heads = self._heads[table]
                self.tables.setdefault(table, []).append(dict(zip(heads, cells, strict=True)))
            self._cells = None

    def handle_data(self, data: str) -> None:
        tags = [tag for tag, _name in self.open]
        if tags and tags[-1] in self.raw:
            self.raw[tags[-1]] += data
            return
        self.words.append(data)
        for _tag, name in self.open:
            if name:
                self._texts[name].append(data)
        if self._cells:
            self._cells[-1] += data
        if tags and tags[-1] == "code" and self.commands:
            self.commands[-1] += data


def rows(page: Page, table: str, head: str) -> dict[str, Row]:
    """The rows of a table by what stands in one of its columns."""
    return {row[head]: row for row in page.tables[table]}


def attributes(page: Page, name: str) -> list[t.Any]:
    return [found[name] for _tag, found in page.tags if name in found]
