"""The deployed functions, behind the deployed API, with the deployed roles: what needs no provider to answer.

    check.py <folder of the release binaries> <log>
"""

import base64
import http.client
import json
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

sys.path[1:1] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "oidc")]

import flow as certified
import stack
from botocore.exceptions import ClientError
from driver import Mooring
from front import Front


def call(url, method="GET", body=None, key=None, headers=None):
    """One request, nothing followed: (status, headers, body as JSON where it is)."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    sent = {**({"authorization": f"Bearer {key}"} if key else {}), **(headers or {})}
    if isinstance(body, dict):
        body, sent["content-type"] = json.dumps(body), "application/json"
    connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body, sent)
    response = connection.getresponse()
    text = response.read().decode()
    found = {name.lower(): value for name, value in response.getheaders()}
    connection.close()
    return response.status, found, json.loads(text) if text and "json" in found.get("content-type", "") else text


def expect(answer, status, what):
    assert answer[0] == status, f"{what}: {answer}"
    print(f"  {what}")
    return answer[2]


def roles_are_enforced(emulator, deployment):
    """The control of everything below: what the template does not allow is refused."""
    lambda_ = emulator.client("lambda")
    variables = lambda_.get_function_configuration(FunctionName=deployment.resources["TokenFunction"])["Environment"]["Variables"]
    keys = {f"aws_{name.lower()}": variables[f"ROLE_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")}
    dynamodb = stack.boto3.client("dynamodb", endpoint_url=emulator.endpoint, region_name=stack.REGION, **keys)
    dynamodb.batch_get_item(RequestItems={deployment.resources["SettingsTable"]: {"Keys": [{"pk": {"S": "a"}, "sk": {"S": "b"}}]}})
    try:
        dynamodb.get_item(TableName=deployment.resources["ConnectionsTable"], Key={"pk": {"S": "a"}})
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDeniedException", error
    else:
        raise AssertionError("token may read connections: roles are not enforced, and nothing below proves anything")


def check(emulator, deployment, base):
    roles_are_enforced(emulator, deployment)
    root = deployment.root_key()

    keys = expect(call(f"{base}/.well-known/jwks.json"), 200, "token: public keys")
    assert keys["keys"][0]["crv"] == "Ed25519"
    metadata = expect(call(f"{base}/.well-known/oauth-authorization-server"), 200, "token: metadata")
    assert metadata["issuer"] == base, metadata
    lost = expect(call(f"{base}/nothing/here"), 404, "connect: an address that is nothing")
    assert set(lost) == {"error", "error_description", "requestId"}, lost
    status, headers, _ = call(f"{base}/oauth2/token")
    assert (status, "POST" in headers["allow"]) == (405, True)

    expect(call(f"{base}/v1/admin/projects", key="wrong"), 401, "admin: a wrong root key")
    project = expect(call(f"{base}/v1/admin/projects", "POST", {"name": "Emulated"}, root), 201, "admin: a project")
    new = {"name": "back end", "roles": ["connect", "use", "read"], "environment": "test"}
    client = expect(call(f"{base}/v1/admin/projects/{project['id']}/clients", "POST", new, root), 201, "admin: an app client")
    for secret in ("first", "second"):
        given = {"client_id": "c", "client_secret": secret}
        expect(call(f"{base}/v1/admin/connectors/dropbox", "PUT", given, root), 200, f"admin: a provider client, its {secret} secret")
    place = f"{base}/v1/admin/projects/{project['id']}/environments/test/connectors/dropbox"
    expect(call(place, "PUT", {"client_id": "own", "client_secret": "s"}, root), 200, "admin: a project's own")
    listed = emulator.client("secretsmanager").list_secrets()["SecretList"]
    names = {s["Name"] for s in listed if s["Name"].startswith(f"{stack.NAME}/clients/")}
    assert names == {f"{stack.NAME}/clients/default", f"{stack.NAME}/clients/{project['id']}/test"}, names

    form = {"grant_type": "client_credentials", "client_id": client["id"], "client_secret": client["client_secret"]}
    as_form = {"content-type": "application/x-www-form-urlencoded"}
    token = expect(call(f"{base}/oauth2/token", "POST", urlencode(form), headers=as_form), 200, "token: an access token")["access_token"]
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    stack_id = emulator.client("cloudformation").describe_stacks(StackName=stack.NAME)["Stacks"][0]["StackId"]
    assert (claims["iss"], claims["aud"]) == (base, stack_id.split("/")[2]), claims

    rows = expect(call(f"{base}/v1/available-connectors?limit=300", key=token), 200, "connections: the catalogue")["rows"]
    assert "dropbox" in {row["key"] for row in rows}
    expect(call(f"{base}/v1/vault/connections", key=token), 200, "connections: none yet")
    session = expect(call(f"{base}/v1/connect/sessions", "POST", {"identity": "u1"}, token), 200, "token: a connect session")
    status, _, page = call(session["url"], headers={"accept": "text/html"})
    assert status == 200 and "<html" in page, (status, page)
    print("  connect: its page")

    begun = expect(call(f"{base}/connectors/dropbox/oauth/authorize", key=token), 200, "authorize: an authorization URL")
    status, headers, _ = call(begun["authorizationUrl"])
    sent = parse_qs(urlsplit(headers["location"]).query)
    assert status == 302 and sent["client_id"] == ["own"] and sent["code_challenge_method"] == ["S256"], headers
    assert sent["redirect_uri"] == [f"{base}/connectors/dropbox/oauth/callback"]
    cookie = headers["set-cookie"].split(";")[0]
    refused = urlencode({"state": begun["state"], "error": "access_denied"})
    expect(call(f"{base}/connectors/dropbox/oauth/callback?{refused}"), 400, "callback: without the browser's cookie")
    expect(call(f"{base}/connectors/dropbox/oauth/callback?{refused}", headers={"cookie": cookie}), 302, "callback: the person said no")

    unknown = {"x-one-connection-key": "conn_" + "a" * 22}
    lost = call(f"{base}/v1/passthrough/dropbox/files", key=token, headers=unknown)
    expect(lost, 404, "passthrough: no such connection, through the function URL")
    assert lost[1]["x-mooring-error"] == "connection_not_found", lost
    deployment.keep()
    print("  keeper: a round")


def main(binaries, log):
    with open(log, "w") as output, stack.MiniStack(output) as emulator:
        front = Front()
        front.deployment = stack.Deployment(emulator, Path(binaries), public_url=front.url)
        try:
            check(emulator, front.deployment, front.url)
            # and the whole flow, renewal included, with a provider that is not ours
            certified.run(Mooring(front.url, front.deployment.root_key()))
        except BaseException:
            print(front.deployment.logs(), file=sys.stderr)
            raise


main(*sys.argv[1:])
