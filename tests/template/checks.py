"""What has to hold of the deployment and no linter sees. Each check says what is wrong, in a list that should be empty.

Nobody could try this template in an account, so the structure that decides whether it deploys and works is tested here.
`test_template.py` also breaks a copy of the template in every way that matters, and sees that the check notices.
"""

import hashlib
import json
import re

import calls
from template import ROOT, BASIC, body, functions, integrations, references, resources, source, target, transformed

TABLES = {"settings": "SettingsTable", "flows": "FlowsTable", "connections": "ConnectionsTable", "journal": "JournalTable"}
SECRETS = {"ring_seed": "RingSeed", "ring_versions": "RingVersions", "signing_seed": "SigningSeed", "root_key": "RootKey"}
CLIENTS_PREFIX = "${AWS::StackName}/clients/"
CLIENTS = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:" + CLIENTS_PREFIX + "*"

# sha256 of the properties that make a secret's value. CloudFormation makes another value when they change, and what was
# sealed under the old one can't be opened again. These lines are never to be changed.
FROZEN = {
    "RingSeed": "5d9e87b10bbcd56bd2d27208ad1cbf3e1db56cebc6c93c5edf9887a83797d7d5",
    "RingVersions": "184dd7a68e0288f103fcda04ac9670da06a2d656ed0ee5df0723f479cdf3e0ee",
    "SigningSeed": "5d9e87b10bbcd56bd2d27208ad1cbf3e1db56cebc6c93c5edf9887a83797d7d5",
    "RootKey": "5d9e87b10bbcd56bd2d27208ad1cbf3e1db56cebc6c93c5edf9887a83797d7d5",
}


def routes():
    """The rows of the route table: {(method, path): function}."""
    text = (ROOT / "shared/src/routes.rs").read_text()
    table = text[text.index("pub const ROUTES") : text.index("\n];")]
    rows = re.findall(r'\broute\(\s*(\w+),\s*"([^"]+)",\s*(\w+),', table)
    assert len(rows) == len(re.findall(r"\broute\(", table)) > 40, "a row of ROUTES has another form"
    return {(method.upper(), path): function.lower() for method, path, function in rows}


def every_route_has_its_function(template):
    wanted = {path: function for (_, path), function in routes().items()} | {"/": "connect", "/{path+}": "connect"}
    found = {path: target(i)[0] for (path, _), i in integrations(template).items()}
    wrong = [f"{p}: {found.get(p)} instead of {wanted.get(p)}" for p in sorted(wanted | found) if wanted.get(p) != found.get(p)]
    wrong += [f"{path} has the method {method}" for path, method in integrations(template) if method != "x-amazon-apigateway-any-method"]
    return wrong


def every_function_is_called(template):
    routed = {target(i)[0] for i in integrations(template).values()}
    scheduled = {
        name.removesuffix("Function").lower()
        for rule in resources(template, "AWS::Events::Rule").values()
        if rule["Properties"].get("State", "ENABLED") == "ENABLED" and rule["Properties"]["ScheduleExpression"] == "rate(1 minute)"
        for name in references(rule["Properties"]["Targets"])
    }
    wrong = [f"{name} is called by nobody" for name in functions(template) if name not in routed | scheduled]
    wrong += [] if scheduled == {"keeper"} else [f"scheduled every minute: {sorted(scheduled)}"]
    return wrong + sorted(set(functions(template)) ^ set(calls.FUNCTIONS))


def every_call_is_permitted(template):
    """The gateway may call each function on each path, and the schedule the keeper."""
    permitted = set()
    for permission in resources(template, "AWS::Lambda::Permission").values():
        source_arn = permission["Properties"].get("SourceArn", {})
        for name in references(permission["Properties"]["FunctionName"]):
            sub = source_arn.get("Fn::Sub")
            path = sub[0].split("/${__Stage__}/*", 1)[1] if isinstance(sub, list) else "schedule"
            permitted.add((name.removesuffix("Function").lower(), path))
    needed = {(target(i)[0], re.sub(r"\{[^}]*\}", "*", path)) for (path, _), i in integrations(template).items()} | {("keeper", "schedule")}
    return [f"{function} may not be called on {path}" for function, path in sorted(needed - permitted)]


def streaming_addresses_are_on_the_streaming_routes(template):
    wrong = []
    for (path, _), integration in integrations(template).items():
        function, streams = target(integration)
        mode = integration.get("responseTransferMode", "BUFFERED")
        if (streams, mode) != ((True, "STREAM") if function == "passthrough" else (False, "BUFFERED")):
            wrong.append(f"{path}: streaming address {streams}, transfer mode {mode}")
    return wrong


def time_limits_are_raised_together(template):
    wrong = []
    for (path, _), integration in integrations(template).items():
        function, streams = target(integration)
        limit = template["Resources"][functions(template)[function]]["Properties"]["Timeout"]
        gateway = integration.get("timeoutInMillis", 29_000)
        if gateway != limit * 1000 or limit != (900 if streams else 29):
            wrong.append(f"{path}: the gateway waits {gateway} ms, the function {limit} s")
    return wrong


def no_level_has_two_variables(template):
    """API Gateway takes one variable child at a level, under one name, and fails at deployment otherwise."""
    children = {}
    for path in body(template)["paths"]:
        segments = path.strip("/").split("/")
        for depth, segment in enumerate(segments):
            if segment.startswith("{"):
                children.setdefault("/" + "/".join(segments[:depth]), set()).add(segment)
    wrong = [f"below {parent}: {', '.join(sorted(names))}" for parent, names in children.items() if len(names) > 1]
    return wrong + [f"{path}: a greedy variable is the last segment" for path in body(template)["paths"] if "+}/" in path]


def no_references_go_round(template):
    graph = {}
    for name, resource in template["Resources"].items():
        after = resource.get("DependsOn", [])
        after = {after} if isinstance(after, str) else set(after)
        graph[name] = {n for n in references(resource.get("Properties", {})) | after if n in template["Resources"]}
    wrong, done = [], set()

    def visit(name, path):
        if name in path:
            wrong.append(" → ".join([*path[path.index(name) :], name]))
        elif name not in done:
            for following in sorted(graph[name]):
                visit(following, [*path, name])
            done.add(name)

    for name in graph:
        visit(name, [])
    return wrong


def every_reference_leads_somewhere(template):
    known = set(template["Resources"]) | set(template["Parameters"]) | {"__Stage__", "__ApiId__"}
    named = references(template["Resources"]) | references(template["Outputs"]) | references(template["Conditions"])
    return sorted(name for name in named if name not in known and not name.startswith("AWS::"))


def permissions(template, function):
    """What a function's role allows: {(action, resource)}."""
    role = template["Resources"][functions(template)[function]]["Properties"]["Role"]["Fn::GetAtt"][0]
    properties = template["Resources"][role]["Properties"]
    assert [p for p in properties["ManagedPolicyArns"] if "AWSLambdaBasicExecutionRole" not in json.dumps(p)] == [], properties
    allowed = set()
    for policy in properties["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow", statement
            actions, on = statement["Action"], statement["Resource"]
            for action in actions if isinstance(actions, list) else [actions]:
                allowed |= {(action, name_of(resource)) for resource in (on if isinstance(on, list) else [on])}
    return allowed


def name_of(resource):
    """A policy's resource as `calls.py` names it."""
    tables = {v: k for k, v in TABLES.items()}
    secrets = {v: k for k, v in SECRETS.items()}
    match resource:
        case {"Fn::GetAtt": [table, "Arn"]} if table in tables:
            return tables[table]
        case {"Fn::Sub": str(text)} if text == CLIENTS:
            return "secret:clients"
        case {"Fn::Sub": str(text)} if match := re.fullmatch(r"\$\{(\w+)\.Arn\}/index/(\w+)", text):
            return f"{tables[match[1]]}/index/{match[2]}"
        case {"Ref": secret} if secret in secrets:
            return f"secret:{secrets[secret]}"
    return json.dumps(resource)


def roles_allow_what_the_code_calls(template, code=None):
    code = code or calls.Sources(ROOT)
    wrong = []
    for function in calls.FUNCTIONS:
        called, allowed = code.made_by(function), permissions(template, function)
        wrong += [f"{function} calls {action} on {on} and may not" for action, on in sorted(called - allowed)]
        wrong += [f"{function} may {action} on {on} and never does" for action, on in sorted(allowed - called)]
    return wrong


def only_admin_writes_settings_at_large(template):
    """The others write the deployment's own facts alone; `connections` marks deleted users besides, the keeper keeps registrations."""
    wrong = []
    for function in set(calls.FUNCTIONS) - {"admin"}:
        role = template["Resources"][functions(template)[function]]["Properties"]["Role"]["Fn::GetAtt"][0]
        for policy in template["Resources"][role]["Properties"]["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                if "dynamodb:UpdateItem" in statement["Action"] and name_of(statement["Resource"]) == "settings":
                    allowed = [{"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["deployment"]}}]
                    if function == "keeper":
                        allowed.append({"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["project#*"]}})
                    if statement.get("Condition") not in allowed:
                        wrong.append(function)
    return wrong


def variables_are_what_the_code_reads(template):
    """Every variable that `config.rs` requires, and of the secrets those that the function reads."""
    config = (ROOT / "shared/src/config.rs").read_text()
    required = set(re.findall(r'required\("(\w+)"\)', config)) - {"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    known = required | set(re.findall(r'optional\("(\w+)"\)', config))
    wrong = []
    for function, name in functions(template).items():
        variables = template["Resources"][name]["Properties"]["Environment"]["Variables"]
        read = {on.removeprefix("secret:") for _, on in permissions(template, function) if on.startswith("secret:")}
        expected = required | {"PUBLIC_URL"} | {f"SECRET_{s.upper()}" for s in read - {"clients"}} | ({"SECRET_CLIENTS_PREFIX"} if "clients" in read else set())
        wrong += [f"{function}: {v}" for v in sorted(set(variables) ^ expected)]
        wrong += [f"{function}: {v} is not read" for v in sorted(set(variables) - known)]
        values = {f"TABLE_{t.upper()}": {"Ref": i} for t, i in TABLES.items()}
        values |= {f"SECRET_{s.upper()}": {"Ref": i} for s, i in SECRETS.items()} | {"SECRET_CLIENTS_PREFIX": {"Fn::Sub": CLIENTS_PREFIX}}
        wrong += [f"{function}: {v} is {variables[v]}" for v in values.keys() & variables.keys() if variables[v] != values[v]]
    return wrong


STATE = ("AWS::DynamoDB::Table", "AWS::SecretsManager::Secret")


def state_is_kept(template):
    """Tables and secrets have generated names, stay when the stack goes, and tables can be restored."""
    wrong = []
    for name, resource in template["Resources"].items():
        if resource["Type"] not in STATE:
            continue
        properties = resource["Properties"]
        if resource.get("DeletionPolicy") != "Retain" or resource.get("UpdateReplacePolicy") != "Retain":
            wrong.append(f"{name} is not retained")
        if {"TableName", "Name"} & set(properties):
            wrong.append(f"{name} has a fixed name")
        if "Condition" in resource:
            wrong.append(f"{name} hangs on a condition")
        if resource["Type"] == "AWS::DynamoDB::Table":
            kept = {
                "BillingMode": "PAY_PER_REQUEST",
                "DeletionProtectionEnabled": True,
                "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                "SSESpecification": {"SSEEnabled": True},
            }
            wrong += [f"{name}: {key}" for key, value in kept.items() if properties.get(key) != value]
    found = {name for name, r in template["Resources"].items() if r["Type"] in STATE}
    return wrong + sorted(found ^ (set(TABLES.values()) | set(SECRETS.values())))


def frozen(resource):
    value = {k: v for k, v in resource["Properties"].items() if k != "Description"}
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def seeds_are_frozen(template):
    found = {name: frozen(secret) for name, secret in resources(template, "AWS::SecretsManager::Secret").items()}
    return sorted(name for name in FROZEN.keys() | found.keys() if FROZEN.get(name) != found.get(name))


def table(resource):
    """A table's keys, indexes and expiry, in a form that can be compared."""
    p = resource["Properties"]
    kinds = {a["AttributeName"]: a["AttributeType"] for a in p["AttributeDefinitions"]}

    def keys(schema):
        assert [k["KeyType"] for k in schema] == ["HASH", "RANGE"][: len(schema)]
        return [f"{k['AttributeName']}:{kinds[k['AttributeName']]}" for k in schema]

    return {
        "keys": keys(p["KeySchema"]),
        "ttl": p.get("TimeToLiveSpecification", {}).get("AttributeName"),
        "indexes": {
            i["IndexName"]: {"keys": keys(i["KeySchema"]), "with": sorted(i["Projection"].get("NonKeyAttributes", [i["Projection"]["ProjectionType"]]))}
            for i in p.get("GlobalSecondaryIndexes", [])
        },
    }


LISTED = sorted(["doc", "status", "generation", "token_expires_at", "attempt", "expires_at"])
DOCUMENTED = {
    "SettingsTable": {"keys": ["pk:S", "sk:S"], "ttl": None, "indexes": {}},
    "FlowsTable": {"keys": ["pk:S"], "ttl": "ttl", "indexes": {}},
    "ConnectionsTable": {
        "keys": ["pk:S"],
        "ttl": None,
        "indexes": {
            "owner": {"keys": ["owner:S", "created_at:N"], "with": LISTED},
            "project": {"keys": ["project_shard:S", "created_at:N"], "with": LISTED},
            "account": {"keys": ["account:S", "pk:S"], "with": LISTED},
            "due": {"keys": ["due:S", "due_at:N"], "with": LISTED},
        },
    },
    "JournalTable": {"keys": ["pk:S", "sk:S"], "ttl": None, "indexes": {}},
}


def tables_are_as_documented(template):
    found = {name: table(t) for name, t in resources(template, "AWS::DynamoDB::Table").items()}
    wrong = [f"{name}: {found.get(name)}" for name in sorted(found.keys() | DOCUMENTED.keys()) if found.get(name) != DOCUMENTED.get(name)]
    for name, t in resources(template, "AWS::DynamoDB::Table").items():
        used = {k["AttributeName"] for s in [t["Properties"], *t["Properties"].get("GlobalSecondaryIndexes", [])] for k in s["KeySchema"]}
        defined = {a["AttributeName"] for a in t["Properties"]["AttributeDefinitions"]}
        wrong += [f"{name}: {a} is defined or used, not both" for a in sorted(used ^ defined)]
    return wrong


def gateway_answers_have_our_form(template):
    wrong = []
    answers = body(template)["x-amazon-apigateway-gateway-responses"]
    for name in ("DEFAULT_4XX", "DEFAULT_5XX"):
        if name not in answers:
            wrong.append(f"{name} is missing")
    for name, answer in answers.items():
        text = answer["responseTemplates"]["application/json"]
        answered = json.loads(text.replace("$context.error.messageString", '"a message"'))
        if list(answered) != ["error", "error_description", "requestId"] or answered["requestId"] != "$context.requestId":
            wrong.append(f"{name}: {text}")
        if answer["responseParameters"].get("gatewayresponse.header.Access-Control-Allow-Origin") != "'*'":
            wrong.append(f"{name}: no page may read it")
    return wrong


def logs_hold_no_paths(template):
    """The access log names routes and ids; execution logs and traces, which hold whole URLs, are off."""
    (stage,) = resources(template, "AWS::ApiGateway::Stage").values()
    properties = stage["Properties"]
    named = set(re.findall(r"\$context\.([\w.]+)", properties["AccessLogSetting"]["Format"]))
    harmless = {"requestId", "requestTimeEpoch", "httpMethod", "resourcePath", "status", "error.responseType", "responseLatency", "responseLength"}
    json.loads(properties["AccessLogSetting"]["Format"].replace("$context.status", "200"))
    wrong = [f"the access log holds {name}" for name in sorted(named - harmless)]
    settings = properties["MethodSettings"]
    if [(s["LoggingLevel"], s["DataTraceEnabled"]) for s in settings] != [("OFF", False)] or properties.get("TracingEnabled"):
        wrong.append("execution logs or traces are on")
    for name, function in resources(template, "AWS::Lambda::Function").items():
        if function["Properties"].get("TracingConfig"):
            wrong.append(f"{name} is traced")
    return wrong


def logs_are_kept_for_a_while(template):
    groups = resources(template, "AWS::Logs::LogGroup")
    used = {references(f["Properties"]["LoggingConfig"]).pop() for f in resources(template, "AWS::Lambda::Function").values()}
    wrong = [f"{name} has no retention" for name, g in groups.items() if g["Properties"].get("RetentionInDays") != {"Ref": "LogRetentionDays"}]
    return wrong + sorted((used | {"ApiLog"}) ^ set(groups)) + ([] if len(used) == len(functions(template)) else ["functions share a log group"])


def functions_run_as_built(template):
    wrong = []
    binaries = {r["Metadata"]["BuildProperties"]["Binary"]: n for n, r in source()["Resources"].items() if r["Type"] == "AWS::Serverless::Function"}
    if {v: k for k, v in binaries.items()} != {v: k for k, v in functions(template).items()}:
        wrong.append(f"binaries: {binaries}")
    for name, function in resources(template, "AWS::Lambda::Function").items():
        p = function["Properties"]
        if (p["Runtime"], p["Architectures"], p["Handler"]) != ("provided.al2023", ["arm64"], "bootstrap"):
            wrong.append(name)
        if "FunctionName" in p:
            wrong.append(f"{name} has a fixed name")
    return wrong


def alarms_are_heard(template):
    alarms = resources(template, "AWS::CloudWatch::Alarm")
    heard = {"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}
    wrong = [name for name, alarm in alarms.items() if alarm["Properties"].get("AlarmActions") != heard]
    for name in ("ErrorsAlarm", "ThrottlesAlarm"):
        watched = references(alarms[name]["Properties"]["Metrics"])
        wrong += [f"{name} overlooks {function}" for function in sorted(set(functions(template).values()) - watched)]
    if alarms["KeeperSilentAlarm"]["Properties"]["TreatMissingData"] != "breaching":
        wrong.append("a keeper that does not run is no alarm")
    return wrong


def the_function_url_is_a_choice(template):
    wrong = []
    for name, resource in template["Resources"].items():
        url = resource["Type"] == "AWS::Lambda::Url"
        if (url or (resource["Type"] == "AWS::Lambda::Permission" and resource["Properties"]["Principal"] == "*")) and resource.get("Condition") != "HasFunctionUrl":
            wrong.append(f"{name} is there unasked")
        if url and (resource["Properties"]["InvokeMode"] != "RESPONSE_STREAM" or references(resource["Properties"]["TargetFunctionArn"]) != {"PassthroughFunction"}):
            wrong.append(f"{name} does not stream passthrough")
    if template["Parameters"]["EnableFunctionUrl"]["Default"] != "false":
        wrong.append("it is on by default")
    return wrong


def parameters_are_explained(template):
    return [name for name, p in template["Parameters"].items() if not p.get("Description") or "Default" not in p]


CHECKS = [
    every_route_has_its_function,
    every_function_is_called,
    every_call_is_permitted,
    streaming_addresses_are_on_the_streaming_routes,
    time_limits_are_raised_together,
    no_level_has_two_variables,
    no_references_go_round,
    every_reference_leads_somewhere,
    roles_allow_what_the_code_calls,
    only_admin_writes_settings_at_large,
    variables_are_what_the_code_reads,
    state_is_kept,
    seeds_are_frozen,
    tables_are_as_documented,
    gateway_answers_have_our_form,
    logs_hold_no_paths,
    logs_are_kept_for_a_while,
    functions_run_as_built,
    alarms_are_heard,
    the_function_url_is_a_choice,
    parameters_are_explained,
]

if __name__ == "__main__":
    for check in CHECKS:
        for line in check(transformed()):
            print(f"{check.__name__}: {line}")
