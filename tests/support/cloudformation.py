# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The CloudFormation templates that the collection ships, as stacks, and what a stack makes as a sandbox's scenario.

Parameters, conditions and the intrinsic functions that the templates use are resolved as the CloudFormation User Guide
says (Template reference: Parameters, Intrinsic functions, Pseudo parameters). Whatever else a template uses is an
error, so that nothing is passed over.
"""

from __future__ import annotations

import functools
import pathlib
import re
import typing as t

import yaml

Json = dict[str, t.Any]

FOLDER = pathlib.Path(__file__).parents[2] / "docs" / "cloudformation"
TEMPLATES = tuple(sorted(path.stem for path in FOLDER.glob("*.yml")))
SUFFIXES = {"aws": "amazonaws.com", "aws-us-gov": "amazonaws.com", "aws-cn": "amazonaws.com.cn"}

# What `!Ref AWS::NoValue` leaves: the property or list item is as if it had not been written.
NO_VALUE: t.Final = object()


@functools.cache
def template(name: str) -> Json:
    """A template as it is written: its functions have their long form."""
    document: Json = yaml.safe_load((FOLDER / f"{name}.yml").read_text("utf-8"))
    return document


class Stack:
    """A template with values for its parameters, in an account and Region.

    ``resources``: of those whose condition holds, by logical id, ``{"Type", "Properties", ...}`` without functions.
    Raises ValueError for parameters that CloudFormation refuses.
    """

    def __init__(
        self, name: str, account_id: str, *, partition: str = "aws", region: str = "eu-central-1", **parameters: str
    ) -> None:
        self._template = template(name)
        self.account_id, self.partition, self.region = account_id, partition, region
        self._values: Json = {
            "AWS::AccountId": account_id,
            "AWS::Partition": partition,
            "AWS::Region": region,
            "AWS::URLSuffix": SUFFIXES[partition],
            "AWS::NoValue": NO_VALUE,
            **_parameter_values(self._template["Parameters"], parameters),
        }
        self.resources: dict[str, Json] = {
            logical: self._resolve(resource)
            for logical, resource in self._template["Resources"].items()
            if "Condition" not in resource or self._condition(resource["Condition"])
        }
        self.outputs: dict[str, str] = {
            output: self._resolve(spec["Value"])
            for output, spec in self._template["Outputs"].items()
            if "Condition" not in spec or self._condition(spec["Condition"])
        }

    def of_type(self, kind: str) -> dict[str, Json]:
        """The properties of the resources of a type, by logical id."""
        found = self.resources.items()
        return {logical: item["Properties"] for logical, item in found if item["Type"] == kind}

    # ------------------------------------------------------------------------------------------------- as a scenario

    def roles(self) -> list[Json]:
        return [_role(properties) for properties in self.of_type("AWS::IAM::Role").values()]

    def managed_policies(self) -> list[Json]:
        found = self.of_type("AWS::IAM::ManagedPolicy").values()
        return [
            {"name": item["ManagedPolicyName"], "path": item["Path"], "document": item["PolicyDocument"]}
            for item in found
        ]

    def kms_keys(self) -> list[Json]:
        found = self.of_type("AWS::KMS::Key").items()
        return [{"id": key_id(logical), "policy": properties["KeyPolicy"]} for logical, properties in found]

    def buckets(self) -> list[Json]:
        policies = {item["Bucket"]: item["PolicyDocument"] for item in self.of_type("AWS::S3::BucketPolicy").values()}
        return [self._bucket(item, policies[item["BucketName"]]) for item in self.of_type("AWS::S3::Bucket").values()]

    def _bucket(self, properties: Json, policy: Json) -> Json:
        (encryption,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        lock = properties["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
        return {
            "name": properties["BucketName"],
            "region": self.region,
            "versioning": properties["VersioningConfiguration"]["Status"] == "Enabled",
            "kms_key": encryption["ServerSideEncryptionByDefault"]["KMSMasterKeyID"],
            "object_lock": {"mode": lock["Mode"], "days": int(lock["Days"])},
            "policy": policy,
        }

    # -------------------------------------------------------------------------------------------- functions and values

    def _condition(self, name: str) -> bool:
        return bool(self._resolve(self._template["Conditions"][name]))

    def _resolve(self, node: t.Any) -> t.Any:
        if isinstance(node, list):
            items = [self._resolve(item) for item in node]
            return [item for item in items if item is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        name = next(iter(node), "")
        if len(node) == 1 and (name in ("Ref", "Condition") or name.startswith("Fn::")):
            return _FUNCTIONS[name](self, node[name])
        found = {key: self._resolve(value) for key, value in node.items()}
        return {key: value for key, value in found.items() if value is not NO_VALUE}

    def _ref(self, name: str) -> t.Any:
        return self._values[name] if name in self._values else self._attribute(name, "Ref")

    def _get_att(self, value: list[str]) -> str:
        return self._attribute(*value)

    def _attribute(self, logical: str, attribute: str) -> str:
        """Return values of resources, as each resource type's page says."""
        resource = self._template["Resources"][logical]
        kind, properties = resource["Type"], resource["Properties"]
        if (kind, attribute) == ("AWS::KMS::Key", "Ref"):
            return key_id(logical)
        if (kind, attribute) == ("AWS::KMS::Key", "Arn"):
            return f"arn:{self.partition}:kms:{self.region}:{self.account_id}:key/{key_id(logical)}"
        named = {
            ("AWS::IAM::Role", "Ref"): ("RoleName", ""),
            ("AWS::IAM::Role", "Arn"): ("RoleName", "role"),
            ("AWS::IAM::ManagedPolicy", "Ref"): ("ManagedPolicyName", "policy"),
            ("AWS::S3::Bucket", "Ref"): ("BucketName", ""),
        }
        property_name, resource_type = named[kind, attribute]
        name = str(self._resolve(properties[property_name]))
        if not resource_type:
            return name
        return f"arn:{self.partition}:iam::{self.account_id}:{resource_type}{self._resolve(properties['Path'])}{name}"

    def _sub(self, text: str) -> str:
        return re.sub(r"\$\{([A-Za-z0-9:]+)\}", lambda found: str(self._ref(found[1])), text)

    def _if(self, value: list[t.Any]) -> t.Any:
        name, then, otherwise = value
        return self._resolve(then if self._condition(name) else otherwise)

    def _equals(self, value: list[t.Any]) -> bool:
        first, second = self._resolve(value)
        return bool(first == second)

    def _join(self, value: list[t.Any]) -> str:
        separator, items = self._resolve(value)
        return str(separator).join(items)

    def _not(self, value: list[t.Any]) -> bool:
        (found,) = self._resolve(value)
        return not found

    def _and(self, value: list[t.Any]) -> bool:
        return all(self._resolve(value))


_FUNCTIONS: dict[str, t.Callable[[Stack, t.Any], t.Any]] = {
    "Ref": Stack._ref,
    "Condition": Stack._condition,
    "Fn::GetAtt": Stack._get_att,
    "Fn::Sub": Stack._sub,
    "Fn::If": Stack._if,
    "Fn::Equals": Stack._equals,
    "Fn::Join": Stack._join,
    "Fn::Not": Stack._not,
    "Fn::And": Stack._and,
}


def key_id(logical: str) -> str:
    """CloudFormation knows the id of a key when it was made. Here it follows from the logical id."""
    return f"1234abcd-12ab-34cd-56ef-{logical.encode().hex():0>12}"


def _role(properties: Json) -> Json:
    found = {
        "name": properties["RoleName"],
        "path": properties["Path"],
        "trust_policy": properties["AssumeRolePolicyDocument"],
        "max_session_duration": properties["MaxSessionDuration"],
        "attached": properties.get("ManagedPolicyArns", []),
        "inline_policies": [
            {"name": item["PolicyName"], "document": item["PolicyDocument"]} for item in properties["Policies"]
        ],
    }
    if "PermissionsBoundary" in properties:
        found["permissions_boundary"] = properties["PermissionsBoundary"]
    return found


def _parameter_values(specs: dict[str, Json], given: dict[str, str]) -> Json:
    """Every parameter's value: that of a list of them is a list."""
    unknown = sorted(set(given) - set(specs))
    if unknown:
        raise ValueError(f"no such parameters: {', '.join(unknown)}")
    missing = sorted(name for name, spec in specs.items() if name not in given and "Default" not in spec)
    if missing:
        raise ValueError(f"parameters without a value: {', '.join(missing)}")
    return {name: _parameter_value(name, spec, given.get(name, spec.get("Default"))) for name, spec in specs.items()}


def _parameter_value(name: str, spec: Json, value: t.Any) -> str | list[str]:
    items = [item.strip() for item in str(value).split(",")] if spec["Type"] == "CommaDelimitedList" else [str(value)]
    for item in items:
        if "AllowedPattern" in spec and not re.search(spec["AllowedPattern"], item):
            raise ValueError(f"{name}: {item!r} does not match {spec['AllowedPattern']}")
        if "AllowedValues" in spec and item not in spec["AllowedValues"]:
            raise ValueError(f"{name}: {item!r} is none of {spec['AllowedValues']}")
        if spec["Type"] == "Number" and not spec["MinValue"] <= float(item) <= spec["MaxValue"]:
            raise ValueError(f"{name}: {item} is not from {spec['MinValue']} to {spec['MaxValue']}")
    return items if spec["Type"] == "CommaDelimitedList" else items[0]
