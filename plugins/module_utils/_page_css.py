# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the pages look: light and dark, on paper, on a phone. Colours come in pairs that differ by 4.5:1 or more, and
never stand alone: each tone has a sign of its own.

Pure. This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import json
import typing as t

# Every table by its id, with the heads of its columns: one place for the head, and for what stands before each cell on
# a phone, where a row becomes a card.
TABLES: t.Final[t.Mapping[str, tuple[str, ...]]] = {
    "users": ("User", "Verdict", "Category", "What is wrong, and what to do", "Due", "Devices", "Last sign-in"),
    "deadlines": ("Due", "Users", "Of which"),
    "trials": ("User", "Test", "Device", "Result", "What to do"),
    "deeds": ("When", "What", "User", "Device", "By"),
    "simulated": ("Without MFA", "Answer", "Users"),
    "unused": ("User", "Device", "Enabled"),
    "decisions": ("User", "State", "Kind", "Expires", "Approved by", "Reason", "Where it stands"),
    "noticed": ("User or device", "What was noticed", "Command"),
    "categories": ("Category", "Coverage", "In scope", "Meet it", "Gaps", "Due later", "Requirement"),
    "devices": ("Kind", "Share", "Devices"),
    "holders": ("Devices per user", "Share", "Users"),
    "verdicts": ("Verdict", "Share", "Users"),
    "standards": ("Control", "State", "Users failing", "Users unknown"),
    "missing": ("Fact", "Why it is not known", "Permission"),
    "points": ("Read", "Coverage", "In scope", "Meet it", "Gaps"),
    "accounts": ("Account", "State", "Coverage", "Gaps", "Due later", "Let off", "Unknown", "Users", "Data"),
    "gaps": ("User", "Account", "Verdict", "Category", "What is wrong", "What to do"),
    "ahead": ("Due", "Users", "Accounts"),
    "granted": ("User", "State", "Kind", "Expires", "Approved by", "Reason", "Accounts"),
    "changes": ("Account", "Since", "New users", "Lost MFA", "New gaps", "Closed gaps", "New decisions"),
    "codes": ("What was noticed", "Users or devices"),
    "controls": ("Control", "Accounts failing", "Accounts unknown", "Users failing"),
}

_BASE = """
:root{--bg:#f5f6f8;--card:#fff;--ink:#1a2430;--dim:#4d5a69;--line:#d3d9e0;--soft:#eceff3;--link:#0b559f;
--red:#fff;--red-bg:#9b1c0c;--bad:#9b1c0c;--bad-bg:#fde9e6;--warn:#744200;--warn-bg:#fff1d6;--ok:#155f36;
--ok-bg:#e3f4ea;
--off:#444f5b;--off-bg:#e8ecf1;--unk:#57299c;--unk-bg:#efe8fb;
--f-bad:#c3331d;--f-warn:#b97900;--f-ok:#2a8553;--f-off:#74808d;--f-unk:#7446c0;--f-line:#1d62ad}
@media screen and (prefers-color-scheme:dark){:root{--bg:#10151b;--card:#19202a;--ink:#e8edf3;--dim:#aab6c3;
--line:#364250;
--soft:#232c38;--link:#8fc4ff;--red:#2b0702;--red-bg:#ff9b8a;--bad:#ffb5a8;--bad-bg:#472019;--warn:#ffd28c;
--warn-bg:#3f2c0e;
--ok:#95e2b5;--ok-bg:#143524;--off:#c5ced8;--off-bg:#2a3440;--unk:#d5beff;--unk-bg:#33244f;
--f-bad:#ff7b65;--f-warn:#eaa631;--f-ok:#4dbf83;--f-off:#8a98a7;--f-unk:#ab88f2;--f-line:#6fb1f7}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--ink);font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",
"Liberation Sans",Arial,sans-serif;overflow-wrap:break-word}
a{color:var(--link)}
a:focus-visible,button:focus-visible,input:focus-visible,select:focus-visible,summary:focus-visible,
[tabindex]:focus-visible{
outline:3px solid var(--link);outline-offset:2px}
.wrap{max-width:80rem;margin:0 auto;padding:0 1.5rem}
.skip{position:absolute;left:-99rem}
.skip:focus{left:1rem;top:.5rem;background:var(--card);padding:.5rem 1rem;z-index:9}
.banner{background:repeating-linear-gradient(135deg,var(--warn-bg) 0 1.2rem,var(--card) 1.2rem 2.4rem);
color:var(--warn);
border-bottom:2px solid var(--f-warn);font-weight:600}
.banner p{margin:0 auto;padding-top:.6rem;padding-bottom:.6rem}
.banner b{letter-spacing:.08em;background:var(--card);padding:.1rem .5rem;border:2px solid var(--f-warn);
margin-right:.6rem}
.banner span{background:var(--card);padding:.1rem .4rem}
header.wrap{padding-top:2rem;padding-bottom:1.2rem}
.kicker{margin:0;color:var(--dim);font-size:.85rem;letter-spacing:.06em;text-transform:uppercase;font-weight:600}
h1{font-size:1.9rem;line-height:1.2;margin:.2rem 0 .3rem;letter-spacing:-.01em}
h1 small{font-size:1.1rem;font-weight:400;color:var(--dim);letter-spacing:0;white-space:nowrap}
h2{font-size:1.3rem;line-height:1.3;margin:0 0 .25rem;letter-spacing:-.005em}
h3{font-size:1.02rem;margin:1.5rem 0 .35rem}
.two h3:first-child,li h3,th h3{margin-top:0}
p{margin:.3rem 0 .8rem}
.meta,.lead,.note{color:var(--dim)}
.meta{margin:0;font-size:.95rem}
.lead{max-width:50rem}
.note{font-size:.9rem}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:1.25rem 0 0;padding:0;font-size:.95rem}
nav li{padding:.15rem 0}
section,.statement{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1.4rem 1.5rem;
margin:0 0 1.25rem}
.statement{border-left:.5rem solid var(--f-off)}
.statement.bad,.statement.red{border-left-color:var(--f-bad)}
.statement.warn{border-left-color:var(--f-warn)}
.statement.ok{border-left-color:var(--f-ok)}
.statement .big{font-size:1.55rem;line-height:1.3;font-weight:650;margin:.5rem 0 .2rem;letter-spacing:-.01em;
max-width:70rem}
.statement>p:last-child{margin-bottom:0}
.statement ul{margin:.5rem 0 0;padding-left:1.2rem}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.75rem;margin:0 0 1.25rem;padding:0}
.figures div{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.8rem 1rem;
display:flex;flex-direction:column}
.figures dt{color:var(--dim);font-size:.88rem}
.figures dd{margin:0}
.figures .n{font-size:1.6rem;font-weight:650;line-height:1.35;font-variant-numeric:tabular-nums;white-space:nowrap}
.figures .s{color:var(--dim);font-size:.85rem}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:1.25rem 2.5rem;
margin-top:1.6rem}
.tag{display:inline-block;font-weight:600;font-size:.88rem;line-height:1.35;border-radius:.35rem;padding:.12rem .5rem;
white-space:nowrap;border:1px solid transparent}
.tag::before{display:inline-block;margin-right:.4rem;font-weight:700}
.red.tag,.red .tag{color:var(--red);background:var(--red-bg)}
.bad.tag,.bad .tag{color:var(--bad);background:var(--bad-bg)}
.warn.tag,.warn .tag{color:var(--warn);background:var(--warn-bg)}
.ok.tag,.ok .tag{color:var(--ok);background:var(--ok-bg)}
.off.tag,.off .tag{color:var(--off);background:var(--off-bg)}
.unk.tag,.unk .tag{color:var(--unk);background:var(--unk-bg)}
@SIGNS@table{border-collapse:collapse;width:100%;font-size:.93rem}
caption{text-align:left;color:var(--dim);padding:0 0 .4rem;font-size:.9rem}
th,td{text-align:left;vertical-align:top;padding:.55rem .9rem .55rem 0;border-top:1px solid var(--line)}
thead th{border-top:0;border-bottom:2px solid var(--line);font-size:.85rem;color:var(--dim);font-weight:600;
vertical-align:bottom;padding-top:.3rem;background:var(--card);overflow-wrap:normal}
tbody th{font-weight:600;min-width:8rem}
tbody th,tbody td{overflow-wrap:anywhere}
tbody .num{overflow-wrap:normal}
td small,th small{display:block;font-weight:400;color:var(--dim);font-size:.85rem}
.num{font-variant-numeric:tabular-nums}
td p{margin:.3rem 0 0}
td ul{margin:0;padding:0;list-style:none}
code{font:.86em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;background:var(--soft);
padding:.12em .35em;border-radius:.25rem}
.run{display:flex;gap:.4rem;align-items:stretch;margin:.35rem 0 0}
.cmd{flex:0 1 auto;padding:.3rem .5rem;user-select:all;white-space:pre-wrap;overflow-wrap:anywhere}
.who{display:inline-block;border:1px solid var(--line);border-radius:.35rem;font-size:.85rem;font-weight:600;
padding:.02rem .45rem;margin-right:.3rem}
svg{display:block}
.bar{width:100%;height:.7rem;min-width:5rem;margin-top:.45rem}
.stack{width:100%;height:1.5rem;margin:.8rem 0 .7rem}
.t0{fill:var(--soft)}.tbad,.tred{fill:var(--f-bad)}.twarn{fill:var(--f-warn)}.tok{fill:var(--f-ok)}.toff{
fill:var(--f-off)}
.tunk{fill:var(--f-unk)}.tline{fill:var(--f-line)}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.5rem 1.4rem;margin:0;padding:0;font-size:.93rem}
.trend{display:grid;grid-template-columns:auto 1fr;gap:0 .6rem;margin:.8rem 0 0;max-width:46rem}
.trend .y{display:flex;flex-direction:column;justify-content:space-between;font-size:.82rem;color:var(--dim);
text-align:right;line-height:1;margin:-.4rem 0}
.trend .x{grid-column:2;display:flex;justify-content:space-between;font-size:.82rem;color:var(--dim);padding-top:.5rem}
.trend svg{width:100%;height:10rem;overflow:visible}
.trend path{fill:none;vector-effect:non-scaling-stroke}
.axis{stroke:var(--line);stroke-width:1}
.curve{stroke:var(--f-line);stroke-width:2.5;stroke-linejoin:round}
.dots{stroke:var(--f-line);stroke-width:7;stroke-linecap:round}
figure{margin:0}
figcaption{font-size:.93rem}
details{margin:.8rem 0 0}
summary{cursor:pointer;color:var(--link)}
.steps{list-style:none;margin:.9rem 0 0;padding:0;display:grid;grid-template-columns:minmax(0,1fr);gap:.8rem}
.steps li{border:1px solid var(--line);border-radius:.5rem;padding:.8rem 1rem}
.steps p{margin:.3rem 0 0}
.tools{display:flex;flex-wrap:wrap;gap:.7rem 1rem;align-items:end;margin:.9rem 0 .5rem;padding:.9rem 1rem;
background:var(--soft);border-radius:.5rem}
.tools[hidden]{display:none}
.tools label{flex:1 1 9rem;display:flex;flex-direction:column;font-size:.85rem;font-weight:600;gap:.2rem;min-width:0}
.tools .wide{flex:2 1 14rem}
input,select,button{font:inherit;color:var(--ink);background:var(--card);border:1px solid var(--dim);
border-radius:.35rem;
padding:.4rem .6rem;min-height:2.5rem;max-width:100%}
.tools input,.tools select{width:100%}
button{cursor:pointer;font-weight:600}
.said{margin:.2rem 0 .6rem;font-size:.9rem;color:var(--dim);min-height:1.4em}
thead button{all:unset;cursor:pointer;display:inline-block;min-height:1.6rem;
color:var(--dim)}
[aria-sort=ascending] button,[aria-sort=descending] button{color:var(--ink)}
.copy{flex:none;min-height:1.75rem;padding:.05rem .6rem;font-size:.82rem;align-self:start}
.hide{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
dl.facts{display:grid;grid-template-columns:minmax(8rem,14rem) minmax(0,1fr);gap:.3rem 1.2rem;margin:.6rem 0 0;
font-size:.93rem}
dl.facts dt{color:var(--dim)}
dl.facts dd{margin:0;overflow-wrap:anywhere}
.changes{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,16rem),1fr));gap:1rem 2rem;margin:.8rem 0 0}
.changes dt{font-weight:600}
.changes dd{margin:0}
footer.wrap{color:var(--dim);font-size:.88rem;padding-top:.5rem;padding-bottom:3rem}
.mini td,.mini tbody th{padding:.3rem .9rem .3rem 0;font-weight:400}
.mini td:nth-child(2){width:45%}
td .tag{white-space:normal}
#users tbody th{min-width:9.5rem}
#users td:nth-child(2){min-width:8.5rem}
#users td:nth-child(4){width:36%;min-width:17rem}
#users td:nth-child(5),#users td:nth-child(7),#decisions td:nth-child(4),#granted td:nth-child(4){white-space:nowrap}
#users td:nth-child(6){min-width:9rem}
#decisions td:nth-child(5),#granted td:nth-child(5){min-width:10rem}
#accounts td:nth-child(2){min-width:13rem}
#accounts td:nth-child(3){min-width:8rem}
#accounts td:nth-child(9){min-width:8.5rem}
#categories td:nth-child(2){width:24%}
.noticed td:nth-child(3){width:38%}
.noticed th{width:22%}
#users td:nth-child(3),#gaps td:nth-child(2){min-width:8rem}
#decisions td:nth-child(3),#granted td:nth-child(3){min-width:6.5rem}
#gaps td:nth-child(3),#gaps td:nth-child(4){min-width:8.5rem}
#gaps td:nth-child(6){min-width:10rem}
#categories tbody th{min-width:9.5rem}
#granted td:nth-child(7),#decisions td:nth-child(7){min-width:7rem}
.id{font-size:.78rem;letter-spacing:-.01em}
@media screen{tr.out{display:none}}
"""

# A row of a table becomes a card.
_PHONE = """
@media screen and (max-width:70rem){
.wrap{padding:0 1rem}
section,.statement{padding:1.1rem 1rem}
h1{font-size:1.55rem}
.statement .big{font-size:1.3rem}
.figures{grid-template-columns:repeat(auto-fit,minmax(8.2rem,1fr));gap:.5rem}
.figures .n{font-size:1.45rem}
table:not(.flat),.card tbody,.card tr,.card td,.card tbody th{display:block}
.card tbody tr{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(8rem,100%),1fr));gap:.2rem 1rem}
.card tbody th,.card td:not(.num){grid-column:1/-1}
table[id] td:nth-child(n),table[id] th:nth-child(n){min-width:0;white-space:normal}
.card td:nth-child(n){width:auto}
.flat td,.flat th{padding-right:.5rem}
caption{display:block}
.card thead{display:none}
.js .card thead{display:block}
.card thead tr{display:flex;flex-wrap:wrap;gap:.4rem;margin-bottom:.6rem}
.card thead th{display:none;border:0;padding:0}
.card thead th:has(button){display:block}
.card thead button{border:1px solid var(--line);border-radius:.35rem;padding:.1rem .6rem;min-height:2rem;
align-items:center}
.card tbody tr{border:1px solid var(--line);border-radius:.5rem;padding:.7rem .9rem;margin:0 0 .6rem}
.card tbody th,.card tbody td{border:0;padding:.15rem 0}
.card tbody th{font-size:1.02rem}
.card td::before{color:var(--dim);font-size:.82rem;font-weight:600;display:block}
.bar{max-width:20rem}
dl.facts{grid-template-columns:minmax(0,1fr);gap:0}
dl.facts dd{margin-bottom:.5rem}
@LABELS@}
"""

_PRINT = """
@page{margin:14mm}
@media print{
body{background:#fff;font-size:9.5pt}
.wrap{max-width:none;padding:0}
nav,.tools,.said,.copy,.skip{display:none}
section,.statement,.figures div{border-color:#bbb;break-inside:auto;padding:.8rem 1rem}
section{margin-bottom:.8rem}
h2,h3{break-after:avoid}
tr,.steps li,.figures div,figure{break-inside:avoid}
thead{display:table-header-group}
thead button::after{content:none}
details::details-content{content-visibility:visible;block-size:auto}
a{color:inherit;text-decoration:none}
svg,.tag,.banner,.statement{-webkit-print-color-adjust:exact;print-color-adjust:exact}
.tag{border-color:currentColor}
.cmd{white-space:pre-wrap;border:1px solid #bbb}
}
"""


# Spoken by nobody: the words stand beside it.
_SIGNS = {
    ".red.tag::before,.red .tag::before": "!",
    ".bad.tag::before,.bad .tag::before": "\\2715",
    ".warn.tag::before,.warn .tag::before": "\\2192",
    ".ok.tag::before,.ok .tag::before": "\\2713",
    ".off.tag::before,.off .tag::before": "\\2013",
    ".unk.tag::before,.unk .tag::before": "?",
    "thead button::after": "\\a0\\2195",
    "[aria-sort=ascending] button::after": "\\a0\\2191",
    "[aria-sort=descending] button::after": "\\a0\\2193",
}


def _signs() -> str:
    """Twice each: browsers that do not know the form with an empty name for screen readers take the first."""
    return "".join(f'{where}{{content:"{sign}";content:"{sign}" / ""}}\n' for where, sign in _SIGNS.items())


def _selector(name: str) -> str:
    """There is a table of what was noticed for every kind of it."""
    return ".noticed" if name == "noticed" else f"#{name}"


def _labels() -> str:
    """The head of its column before each cell; the first cell is the head of its row."""
    lines = []
    for name, heads in TABLES.items():
        lines += [
            f"{_selector(name)}.card td:nth-child({column}):before{{content:{json.dumps(head)}}}"
            for column, head in enumerate(heads, 1)
            if column > 1
        ]
    return "\n".join(lines) + "\n"


CSS: t.Final = _BASE.replace("@SIGNS@", _signs()) + _PHONE.replace("@LABELS@", _labels()) + _PRINT
