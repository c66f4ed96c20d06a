# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The policies that the collection ships, as roles of the sandbox.

They are in docs/policies, one by one, and in the template for the accounts of a fleet. Roles have them from the
template; ``test_cloudformation.py`` holds that they are the same.
"""

from __future__ import annotations

import copy
import json
import pathlib

from support.cloudformation import Stack
from support.observing import ACCOUNT_ID, Json, Spec

FOLDER = pathlib.Path(__file__).parents[2] / "docs" / "policies"
ROLES = ("audit", "prepare", "enable", "remove")
# For whoever finds the accounts, before there is a role in any.
LISTING = "organizations/permissions"
# The placeholder of the file, and what stands for it in the sandbox.
KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT_ID}:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def files() -> dict[str, Json]:
    """Every JSON file by its name without the ending, such as ``audit/permissions``."""
    found = sorted(FOLDER.rglob("*.json"))
    return {str(path.relative_to(FOLDER).with_suffix("")): json.loads(path.read_text("utf-8")) for path in found}


def in_the_template() -> dict[str, Json]:
    """The permissions of all roles of the template with everything that can be switched on, by the file that has the
    same."""
    optional = ("ReadSignIns", "SimulatePolicies", "SeedsInSecretsManager", "CheckCodesWithSeeds")
    switches = dict.fromkeys(("Audit", "Enroll", "Remove", *optional), "true")
    stack = Stack("spoke-roles", ACCOUNT_ID, OrganizationId="o-exampleorgid", SeedKeyArn=KEY, **switches)
    found = [item for made in stack.roles() for item in made["inline_policies"]]
    return {item["name"].replace("-", "/", 1): item["document"] for item in found}


FILES = files()
SHIPPED = in_the_template()
# What is attached to roles, and what says who may assume them.
PERMISSIONS = {
    name: document
    for name, document in FILES.items()
    if name == LISTING or (name.split("/")[0] in ROLES and "trust" not in name)
}
TRUST = {name: document for name, document in FILES.items() if "trust" in name}


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def actions(*names: str) -> list[str]:
    """All that these files allow, each once."""
    statements = [statement for name in names for statement in FILES[name]["Statement"]]
    return sorted({action for statement in statements for action in as_list(statement["Action"])})


def without(document: Json, action: str | None) -> Json | None:
    """The document without one action; nothing if it had no other."""
    left = []
    for statement in copy.deepcopy(document["Statement"]):
        statement["Action"] = [item for item in as_list(statement["Action"]) if item != action]
        if statement["Action"]:
            left.append(statement)
    return {**document, "Statement": left} if left else None


def role(name: str, *names: str, missing: str | None = None) -> Spec:
    """A role with these as its only policies, by the names of their files, which the account itself may assume."""
    found = [(file.replace("/", "-"), without(SHIPPED[file], missing)) for file in names]
    principal = {"AWS": f"arn:aws:iam::{ACCOUNT_ID}:root"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return {
        "name": name,
        "trust_policy": {"Version": "2012-10-17", "Statement": [statement]},
        "inline_policies": [{"name": file, "document": document} for file, document in found if document],
    }
