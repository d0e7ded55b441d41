"""Every example in openapi.yaml fits its own schema. Writes the description as JSON, in which nothing is shared by an alias."""

import json
import sys
from pathlib import Path

import jsonschema_rs
import yaml

source, target = map(Path, sys.argv[1:])
API = json.loads(json.dumps(yaml.safe_load(source.read_text())))
METHODS = ("get", "put", "post", "patch", "delete", "head")


def follow(value):
    while "$ref" in value:
        at = API
        for name in value["$ref"].removeprefix("#/").split("/"):
            at = at[name]
        value = at
    return value


def with_examples():
    """What has a schema and examples, and where it stands."""
    for path, item in API["paths"].items():
        for method in item.keys() & METHODS:
            operation, where = item[method], f"{method.upper()} {path}"
            for parameter in map(follow, item.get("parameters", []) + operation.get("parameters", [])):
                yield f"{where} {parameter['name']}", parameter
            for kind, media in follow(operation.get("requestBody", {})).get("content", {}).items():
                yield f"{where} {kind}", media
            for status, response in operation["responses"].items():
                for kind, media in follow(response).get("content", {}).items():
                    yield f"{where} {status} {kind}", media


count = 0
for where, shown in with_examples():
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "allOf": [shown["schema"]], "components": API["components"]}
    validator = jsonschema_rs.validator_for(schema)
    examples = [shown["example"]] if "example" in shown else []
    examples += [follow(example)["value"] for example in shown.get("examples", {}).values()]
    for example in examples:
        errors = [error.message for error in validator.iter_errors(example)]
        assert not errors, f"{where}: {errors}"
        count += 1
target.write_text(json.dumps(API))
print(f"{count} examples fit their schemas")
