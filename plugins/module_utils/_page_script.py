# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the pages can do in a browser that runs scripts: filter, search, sort and copy, by keyboard as well.

All rows are in the page without it. It reads what is written in the cells and writes text only, never markup, so what
a user of an account is called stays text.

Pure. This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

SCRIPT: t.Final = """
"use strict";
(function () {
  document.documentElement.classList.add("js");
  var collator = new Intl.Collator("en", {numeric: true, sensitivity: "base"});
  function all(selector, root) { return Array.from((root || document).querySelectorAll(selector)); }

  all("[data-list]").forEach(function (list) {
    var tools = list.querySelector(".tools");
    var said = list.querySelector(".said");
    var table = list.querySelector("table");
    var body = table.tBodies[0];
    var rows = Array.from(body.rows);
    var texts = rows.map(function (row) { return row.textContent.toLowerCase(); });
    var noun = list.getAttribute("data-list");

    function filter() {
      var words = tools.elements.search.value.toLowerCase().split(/\\s+/).filter(Boolean);
      var wanted = all("select", tools).map(function (select) { return select.value; }).filter(Boolean);
      var shown = 0;
      rows.forEach(function (row, index) {
        var marks = (row.getAttribute("data-is") || "").split(" ");
        var fits = wanted.every(function (mark) { return marks.indexOf(mark) >= 0; }) &&
          words.every(function (word) { return texts[index].indexOf(word) >= 0; });
        row.classList.toggle("out", !fits);
        shown += fits;
      });
      said.textContent = "Showing " + shown + " of " + rows.length + " " + noun + (shown ? "." : ". Nothing matches.");
    }

    function sort(column, head) {
      var down = head.getAttribute("aria-sort") === "ascending";
      var pairs = Array.from(body.rows).map(function (row) {
        var cell = row.cells[column];
        return [cell.getAttribute("data-by") || cell.textContent.trim(), row];
      });
      pairs.sort(function (a, b) { return (down ? -1 : 1) * collator.compare(a[0], b[0]); });
      all("th[aria-sort]", table.tHead).forEach(function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      var sorted = document.createDocumentFragment();
      pairs.forEach(function (pair) { sorted.appendChild(pair[1]); });
      body.appendChild(sorted);
      said.textContent = "Sorted by " + head.textContent + ", " + (down ? "descending." : "ascending.");
    }

    Array.from(table.tHead.rows[0].cells).forEach(function (head, column) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.textContent = "";
      head.appendChild(button);
      button.addEventListener("click", function () { sort(column, head); });
    });

    var waiting;
    tools.hidden = false;
    tools.addEventListener("input", function () { clearTimeout(waiting); waiting = setTimeout(filter, 120); });
    tools.addEventListener("submit", function (event) { event.preventDefault(); filter(); });
    tools.addEventListener("reset", function () { setTimeout(filter); });
    all("select", tools).forEach(function (select) { select.value = ""; });
    tools.elements.search.value = "";
  });

  var heard = document.getElementById("heard");
  function copied(button) {
    button.firstChild.data = "Copied";
    heard.textContent = "";
    setTimeout(function () { heard.textContent = "Command copied."; });
    setTimeout(function () { button.firstChild.data = "Copy"; }, 2000);
  }
  function copy(code, button) {
    function byHand() {
      getSelection().selectAllChildren(code);
      if (document.execCommand("copy")) { copied(button); }
    }
    if (navigator.clipboard) {
      navigator.clipboard.writeText(code.textContent).then(function () { copied(button); }, byHand);
    } else {
      byHand();
    }
  }
  all("code.cmd").forEach(function (code) {
    var button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    var what = document.createElement("span");
    what.className = "hide";
    what.textContent = " the command " + code.textContent;
    button.append(what);
    button.addEventListener("click", function () { copy(code, button); });
    code.after(button);
  });

  addEventListener("beforeprint", function () { all("details").forEach(function (one) { one.open = true; }); });
})();
"""
