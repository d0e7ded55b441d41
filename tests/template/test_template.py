"""Every check holds for the template, and each is seen to fail for a template that is broken in its way."""

import dataclasses
import re

import calls
import checks
import pytest
import yaml
from template import ROOT, source, transformed


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_the_template_passes(check):
    assert check(transformed()) == []


def test_the_reader_of_the_sources_misses_nothing():
    assert calls.Sources(ROOT).leaks() == []


def test_tables_are_those_of_the_local_server():
    """`functions/local/src/tables.rs` makes the same tables, with the same indexes that carry the same attributes."""
    text = calls.blanked((ROOT / "functions/local/src/tables.rs").read_text(), literals=False)
    (carried,) = re.findall(r"const PROJECTED: [^=]*= \[([^\]]*)\]", text)
    types = {name: kind for kind, names in [("S", r"\btext\(\"(\w+)\"\)"), ("N", r"\bnumber\(\"(\w+)\"\)")] for name in re.findall(names, text)}
    indexes = re.findall(r'\bindex\(\s*"(\w+)",\s*"(\w+)",\s*"(\w+)"\s*\)', text)
    made = {name: {"keys": [f"{k}:{types[k]}" for k in keys], "with": sorted(re.findall(r"\w+", carried))} for name, *keys in indexes}
    assert made == checks.DOCUMENTED["ConnectionsTable"]["indexes"]
    for name, keys in [("settings", "&composite"), ("flows", "&simple"), ("connections", "&simple"), ("journal", "&composite")]:
        assert re.search(rf'\btable\(\s*"{name}",\s*{keys},', text), name
        expected = ["pk:S", "sk:S"] if keys == "&composite" else ["pk:S"]
        assert checks.DOCUMENTED[checks.TABLES[name]]["keys"] == expected


def test_openapi_has_every_route_and_no_other():
    described = yaml.safe_load((ROOT / "openapi.yaml").read_text())["paths"]
    methods = {"get", "head", "post", "put", "patch", "delete"}
    found = {(m.upper(), path) for path, item in described.items() for m in item if m in methods}
    wanted = {(method, path.replace("+}", "}")) for method, path in checks.routes()}
    assert found == wanted


# Ways to break it: a name, the check that has to notice, and what to do to the template as written.
def properties(template, name):
    return template["Resources"][name]["Properties"]


def event(template, function, name):
    return properties(template, function)["Events"][name]["Properties"]


def statement(template, function, sid):
    (found,) = [s for s in properties(template, function)["Policies"][0]["Statement"] if s["Sid"] == sid]
    return found


def drop(mapping, key):
    assert key in mapping
    del mapping[key]


BROKEN = [
    ("the linters' trap", checks.streaming_addresses_are_on_the_streaming_routes, lambda t: event(t, "PassthroughFunction", "V1PassthroughPath").update(ResponseTransferMode="STREAM")),
    ("buffered", checks.streaming_addresses_are_on_the_streaming_routes, lambda t: drop(event(t, "PassthroughFunction", "V1PassthroughPath"), "ResponseTransferMode")),
    ("a page that streams", checks.streaming_addresses_are_on_the_streaming_routes, lambda t: event(t, "ConnectFunction", "Root").update(ResponseTransferMode="RESPONSE_STREAM")),
    ("the gateway gives up first", checks.time_limits_are_raised_together, lambda t: drop(event(t, "PassthroughFunction", "V1PassthroughPath"), "TimeoutInMillis")),
    ("the function gives up first", checks.time_limits_are_raised_together, lambda t: drop(properties(t, "PassthroughFunction"), "Timeout")),
    ("two names at a level", checks.no_level_has_two_variables, lambda t: event(t, "AuthorizeFunction", "ConnectorsConnectorCredentials").update(Path="/connectors/{id}/credentials")),
    ("a variable and a greedy one", checks.no_level_has_two_variables, lambda t: event(t, "ConnectFunction", "Connect").update(Path="/{page}")),
    ("a function that names the API", checks.no_references_go_round, lambda t: properties(t, "TokenFunction")["Environment"]["Variables"].update(PUBLIC_URL={"Fn::Sub": "https://${Api}.execute-api.${AWS::Region}.amazonaws.com/prod"})),
    ("the same round a corner", checks.no_references_go_round, lambda t: properties(t, "TokenLog").update(LogGroupName={"Fn::GetAtt": ["Api", "RootResourceId"]})),
    ("a name that is nobody's", checks.every_reference_leads_somewhere, lambda t: properties(t, "ErrorsAlarm").update(AlarmActions=[{"Ref": "Topic"}])),
    ("a route without an event", checks.every_route_has_its_function, lambda t: drop(properties(t, "TokenFunction")["Events"], "Oauth2Token")),
    ("an event without a route", checks.every_route_has_its_function, lambda t: event(t, "TokenFunction", "Oauth2Token").update(Path="/oauth3/token")),
    ("one method alone", checks.every_route_has_its_function, lambda t: event(t, "TokenFunction", "Oauth2Token").update(Method="POST")),
    ("nothing behind the rest", checks.every_route_has_its_function, lambda t: drop(properties(t, "ConnectFunction")["Events"], "Anything")),
    ("a keeper that is not called", checks.every_function_is_called, lambda t: drop(properties(t, "KeeperFunction"), "Events")),
    ("a keeper that sleeps", checks.every_function_is_called, lambda t: properties(t, "KeeperFunction")["Events"]["EveryMinute"]["Properties"].update(Schedule="rate(1 day)")),
    ("an action too few", checks.roles_allow_what_the_code_calls, lambda t: statement(t, "CallbackFunction", "HoldGrants").update(Action=["dynamodb:GetItem", "dynamodb:PutItem"])),
    ("an action too many", checks.roles_allow_what_the_code_calls, lambda t: statement(t, "TokenFunction", "WriteLinks").update(Action=["dynamodb:PutItem", "dynamodb:Scan"])),
    ("a whole table for an index", checks.roles_allow_what_the_code_calls, lambda t: statement(t, "KeeperFunction", "FindDueGrants").update(Resource={"Fn::GetAtt": ["ConnectionsTable", "Arn"]})),
    ("every secret", checks.roles_allow_what_the_code_calls, lambda t: statement(t, "CallbackFunction", "ReadProviderClients").update(Resource="*")),
    ("settings open to a flow step", checks.only_admin_writes_settings_at_large, lambda t: drop(statement(t, "CallbackFunction", "ClaimRing"), "Condition")),
    ("a variable too few", checks.variables_are_what_the_code_reads, lambda t: drop(t["Globals"]["Function"]["Environment"]["Variables"], "TABLE_JOURNAL")),
    ("a secret's name too many", checks.variables_are_what_the_code_reads, lambda t: properties(t, "TokenFunction")["Environment"]["Variables"].update(SECRET_RING_SEED={"Ref": "RingSeed"})),
    ("two tables swapped", checks.variables_are_what_the_code_reads, lambda t: t["Globals"]["Function"]["Environment"]["Variables"].update(TABLE_FLOWS={"Ref": "JournalTable"})),
    ("another prefix", checks.variables_are_what_the_code_reads, lambda t: properties(t, "AdminFunction")["Environment"]["Variables"].update(SECRET_CLIENTS_PREFIX="mooring/")),
    ("a table that goes with the stack", checks.state_is_kept, lambda t: drop(t["Resources"]["ConnectionsTable"], "DeletionPolicy")),
    ("a seed that goes when replaced", checks.state_is_kept, lambda t: drop(t["Resources"]["RingSeed"], "UpdateReplacePolicy")),
    ("a fixed name", checks.state_is_kept, lambda t: properties(t, "SettingsTable").update(TableName="settings")),
    ("no way back in time", checks.state_is_kept, lambda t: drop(properties(t, "ConnectionsTable"), "PointInTimeRecoverySpecification")),
    ("a longer seed", checks.seeds_are_frozen, lambda t: properties(t, "RingSeed")["GenerateSecretString"].update(PasswordLength=65)),
    ("a seed of another alphabet", checks.seeds_are_frozen, lambda t: properties(t, "SigningSeed")["GenerateSecretString"].update(ExcludeCharacters="l")),
    ("ring versions written over", checks.seeds_are_frozen, lambda t: properties(t, "RingVersions").update(SecretString='{"versions":{}}')),
    ("sealed bytes in an index", checks.tables_are_as_documented, lambda t: properties(t, "ConnectionsTable")["GlobalSecondaryIndexes"][0].update(Projection={"ProjectionType": "ALL"})),
    ("a time as text", checks.tables_are_as_documented, lambda t: properties(t, "ConnectionsTable")["AttributeDefinitions"][3].update(AttributeType="S")),
    ("flows that stay", checks.tables_are_as_documented, lambda t: drop(properties(t, "FlowsTable"), "TimeToLiveSpecification")),
    ("the gateway's own form", checks.gateway_answers_have_our_form, lambda t: drop(properties(t, "Api")["GatewayResponses"], "DEFAULT_5XX")),
    ("an object for a string", checks.gateway_answers_have_our_form, lambda t: properties(t, "Api")["GatewayResponses"]["THROTTLED"]["ResponseTemplates"].update({"application/json": '{"message":$context.error.messageString}'})),
    ("no CORS", checks.gateway_answers_have_our_form, lambda t: drop(properties(t, "Api")["GatewayResponses"]["THROTTLED"]["ResponseParameters"]["Headers"], "Access-Control-Allow-Origin")),
    ("paths in the log", checks.logs_hold_no_paths, lambda t: properties(t, "Api")["AccessLogSetting"].update(Format='{"status":$context.status,"path":"$context.path"}')),
    ("execution logs", checks.logs_hold_no_paths, lambda t: properties(t, "Api")["MethodSettings"][0].update(LoggingLevel="INFO")),
    ("traces", checks.logs_hold_no_paths, lambda t: properties(t, "Api").update(TracingEnabled=True)),
    ("a log for ever", checks.logs_are_kept_for_a_while, lambda t: drop(properties(t, "CallbackLog"), "RetentionInDays")),
    ("a log of its own missing", checks.logs_are_kept_for_a_while, lambda t: properties(t, "CallbackFunction").update(LoggingConfig={"LogGroup": {"Ref": "TokenLog"}})),
    ("Intel", checks.functions_run_as_built, lambda t: t["Globals"]["Function"].update(Architectures=["x86_64"])),
    ("an alarm that nobody hears", checks.alarms_are_heard, lambda t: drop(properties(t, "KeeperSilentAlarm"), "AlarmActions")),
    ("a function that no alarm watches", checks.alarms_are_heard, lambda t: properties(t, "ErrorsAlarm")["Metrics"].pop()),
    ("silence taken for health", checks.alarms_are_heard, lambda t: properties(t, "KeeperSilentAlarm").update(TreatMissingData="notBreaching")),
    ("a second door unasked", checks.the_function_url_is_a_choice, lambda t: drop(t["Resources"]["PassthroughUrl"], "Condition")),
    ("a second door that buffers", checks.the_function_url_is_a_choice, lambda t: properties(t, "PassthroughUrl").update(InvokeMode="BUFFERED")),
    ("a riddle", checks.parameters_are_explained, lambda t: drop(t["Parameters"]["PublicUrl"], "Description")),
]


@pytest.mark.parametrize(("check", "break_it"), [b[1:] for b in BROKEN], ids=[f"{b[1].__name__}: {b[0]}" for b in BROKEN])
def test_a_broken_template_is_noticed(check, break_it):
    template = source()
    break_it(template)
    assert check(transformed(template)) != []


def test_every_check_is_seen_to_fail():
    gateway_calls = checks.every_call_is_permitted  # SAM writes the permissions; below one is taken away
    assert {check for _, check, _ in BROKEN} | {gateway_calls} == set(checks.CHECKS)


def test_a_missing_permission_is_noticed():
    template = transformed()
    drop(template["Resources"], "TokenFunctionOauth2TokenPermissionprod")
    assert checks.every_call_is_permitted(template) == ["token may not be called on /oauth2/token"]


def test_a_call_that_the_code_gains_or_loses_is_noticed():
    """The other side of the comparison: the template stays and the sources change."""
    gained, lost = calls.Sources(ROOT), calls.Sources(ROOT)
    (find,) = gained.graph[("Codes", "find")]
    gained.graph[("Codes", "find")] = [dataclasses.replace(find, body=find.body + " self.table.client.scan()")]
    lost.graph[("App", "fetch_signing_key")] = []
    assert "callback calls dynamodb:Scan on flows and may not" in checks.roles_allow_what_the_code_calls(transformed(), gained)
    never = "token may secretsmanager:GetSecretValue on secret:signing_seed and never does"
    assert never in checks.roles_allow_what_the_code_calls(transformed(), lost)
