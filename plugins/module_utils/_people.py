# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who somebody is, as people write it down: whether an approver is the user, and whether a name is what it looks like.

Pure: no AWS, no Ansible. This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import re
import unicodedata

from ansible_collections.iamguard.console_mfa.plugins.module_utils._inventory_values import Node, show
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import fold

#: In a text of several lines these are in order.
_LAYOUT = "\n\t"


def same_person(approver: str, user: str) -> bool:
    """Whether an approver, as somebody wrote it down, is the user of this name (or of this contact address).

    Compared are names and what stands before an ``@``: ``Alice Doe <alice@example.com>``, ``alice+aws@example.com``,
    ``mailto:alice@example.com`` and ``arn:aws:iam::111122223333:user/ops/alice`` are all the user ``alice``, and among
    several approvers each one counts. Letters of other alphabets that look like Latin ones are taken for those.
    """
    return not _names_of(approver).isdisjoint(_names_of(user))


# What stands between several people. A comma may also be in the name of a user, which counts as a whole, too.
_BETWEEN = re.compile(r"[,;&\n]|\s(?:and|or)\s")

# Cyrillic and Greek letters that look like Latin ones, small or as capitals.
_LOOKALIKES = str.maketrans("аеорсухіјѕһԁԛԝкмтвнανορυικτ", "aeopcyxijshdqwkmtbhavopyikt")


def _names_of(text: str) -> set[str]:
    plain = "".join(char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf")
    whole = fold(re.sub(r"\([^()]*\)", "", plain).strip()).translate(_LOOKALIKES)
    return {name for part in (whole, *_BETWEEN.split(whole)) for name in _names_of_one(part.strip()) if name}


def _names_of_one(whole: str) -> set[str]:
    in_brackets = re.search(r"<([^<>]*)>", whole)
    address = (in_brackets[1].strip() if in_brackets else whole).removeprefix("mailto:")
    mailbox = address.partition("@")[0].strip("\"'")
    names = {whole, address, mailbox}
    if address != mailbox:
        names.add(mailbox.partition("+")[0])
    if address.startswith(("arn:", "user/")):
        names.add(address.rpartition("/")[2])
    return names


def shown_text(node: Node) -> str:
    """A text of the inventory of which nothing is hidden: a record and a report must show what was decided."""
    text = node.text()
    hidden = sorted({char for char in text if unicodedata.category(char) in ("Cc", "Cf") and char not in _LAYOUT})
    if hidden:
        named = ", ".join(f"U+{ord(char):04X}" for char in hidden)
        node.refuse(f"{show(text)} has characters that do not show themselves ({named}): write it anew")
    return text


def shown_texts(node: Node, what: str) -> tuple[str, ...]:
    """A list of such texts."""
    texts = node.texts(what)
    for index, text in enumerate(texts):
        if text:
            shown_text(Node(text, f"{node.path}[{index}]", node.errors))
    return texts


def person(node: Node) -> str:
    """A name or an address, or several, that are what they look like: another name must not pass for somebody's."""
    known = len(node.errors)
    text = shown_text(node)
    if len(node.errors) > known:
        return text
    for word in re.findall(r"[^\W\d_]+", text):
        scripts = {unicodedata.name(char, "?").partition(" ")[0] for char in unicodedata.normalize("NFKC", word)}
        if "LATIN" in scripts and scripts & {"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"}:
            node.refuse(f"{word!a} mixes letters of different alphabets, which look alike: write it in one of them")
            return text
    if any(not mailbox.isascii() for mailbox in re.findall(r"([^\s<>,;&]*)@", text)):
        node.refuse(f"{text!a} has an address with letters that are not ASCII, and could pass for another one")
    return text
