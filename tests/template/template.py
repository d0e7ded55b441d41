"""The template as CloudFormation will see it, offline."""

import copy
import functools
import json
import logging
import os
import re
from pathlib import Path

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")

from samtranslator.translator.transform import transform  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402

logging.getLogger("samtranslator").setLevel(logging.ERROR)
ROOT = Path(__file__).resolve().parents[2]
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


class ManagedPolicies:
    def load(self):
        return {"AWSLambdaBasicExecutionRole": BASIC}


def source():
    """The template as written."""
    return yaml_parse((ROOT / "template.yaml").read_text())


@functools.cache
def _transformed(text):
    return json.loads(json.dumps(transform(json.loads(text), {}, ManagedPolicies())))


def transformed(template=None):
    """The template after SAM's transform."""
    template = copy.deepcopy(source() if template is None else template)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://packaged/code.zip"  # as `sam deploy` writes it
    return copy.deepcopy(_transformed(json.dumps(template, default=str)))


def resources(template, kind):
    """The resources of this type, by their logical ids."""
    return {name: r for name, r in template["Resources"].items() if r["Type"] == kind}


def functions(template):
    """The functions' logical ids by their binaries' names: `PassthroughFunction` is `passthrough`."""
    return {name.removesuffix("Function").lower(): name for name in resources(template, "AWS::Lambda::Function")}


def body(template):
    """The API's definition."""
    (api,) = resources(template, "AWS::ApiGateway::RestApi").values()
    return api["Properties"]["Body"]


def integrations(template):
    """Each path's integration: {(path, method): integration}."""
    paths = body(template)["paths"].items()
    return {(path, method): m["x-amazon-apigateway-integration"] for path, methods in paths for method, m in methods.items()}


def target(integration):
    """The function that an integration calls, and whether by the streaming address."""
    uri = integration["uri"]["Fn::Sub"]
    match = re.fullmatch(
        r"arn:[^:]+:apigateway:\$\{AWS::Region\}:lambda:path/(?P<version>[\d-]+)/functions/\$\{(?P<name>\w+)\.Arn\}/(?P<kind>[\w-]+)", uri
    )
    streams = (match["version"], match["kind"]) == ("2021-11-15", "response-streaming-invocations")
    plain = (match["version"], match["kind"]) == ("2015-03-31", "invocations")
    assert streams or plain, uri
    return match["name"].removesuffix("Function").lower(), streams


def references(value):
    """The logical ids that a value refers to."""
    if isinstance(value, list):
        return set().union(*map(references, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    found = set()
    for key, inner in value.items():
        if key == "Ref":
            found.add(inner)
        elif key == "Fn::GetAtt":
            found.add(inner[0] if isinstance(inner, list) else inner.split(".")[0])
        elif key == "Fn::Sub":
            text, names = inner if isinstance(inner, list) else (inner, {})
            found |= {n.split(".")[0] for n in re.findall(r"\$\{([\w.:]+)\}", text) if n not in names}
            found |= references(list(names.values()))
        elif key != "Condition":
            found |= references(inner)
    return found
