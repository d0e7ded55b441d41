"""An unknown server connected by its address alone: oidc-provider by its issuer, and an MCP server whose tokens come from it."""

import json
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from driver import Local, Mooring, connect, make_project, oidc_provider, send, wait_for_line  # noqa: E402

SPOKEN = {"accept": "application/json, text/event-stream", "content-type": "application/json", "mcp-protocol-version": "2025-06-18"}


def main():
    with tempfile.TemporaryDirectory() as folder, Local(sys.argv[1], folder) as local:
        run(Mooring(local.env["BASE_URL"], local.env["ROOT_KEY"]))


def run(mooring):
    with started("server.mjs", "--redirect-uri", "http://127.0.0.1:1/nobody", "--open") as provider:
        by_issuer(mooring, provider)
        by_mcp(mooring, provider)
    by_key(mooring)


@contextmanager
def started(script, *arguments):
    """A server of this folder, and the line that it prints."""
    server = subprocess.Popen(["node", str(HERE / script), *arguments], stdout=subprocess.PIPE)
    try:
        yield json.loads(wait_for_line(server))
    finally:
        server.terminate()
        server.wait(20)


def discover(mooring, **body):
    return mooring.call("POST", "/v1/connectors/discover", mooring.root_key, body)


def by_issuer(mooring, provider):
    project, key = make_project(mooring, "Unknown server")
    found = discover(mooring, project=project, issuer=provider["issuer"], id="unknown")
    oauth2 = found["definition"]["oauth2"]
    assert found["clients"]["test"]["is"] == "registered", found
    for endpoint in ("pushed_authorization_request_endpoint", "device_authorization_endpoint"):
        assert oauth2[endpoint].startswith(provider["issuer"]), (endpoint, oauth2)
    assert oauth2["authorization_response_iss_parameter_supported"] is True, oauth2
    assert found["definition"]["profile"]["account_id"] == "sub", found

    connection = connect(mooring, project, key, "unknown", oidc_provider, "alice@oidc.example")
    status, profile = mooring.api("unknown/me", key, connection)
    assert (status, profile["sub"]) == (200, "alice"), (status, profile)
    again = discover(mooring, project=project, issuer=provider["issuer"], id="unknown")
    assert (again["outcome"], again["clients"]) == ("unchanged", found["clients"]), again
    receipt = mooring.call("DELETE", f"/v1/vault/connections/{connection}", key)
    assert receipt["revocation"] == "revoked", receipt
    gone = mooring.admin("DELETE", f"/projects/{project}/connectors/unknown")
    assert gone["registrations"] == {"test": "deleted", "live": "deleted"}, gone
    print("oidc-provider by its issuer alone: registered, connected, called, revoked, given up")


def by_mcp(mooring, provider):
    client = ["--client-id", provider["client_id"], "--client-secret", provider["client_secret"]]
    with started("mcp.mjs", "--issuer", provider["issuer"], *client) as server:
        address = server["mcp"]
        project, key = make_project(mooring, "Unknown tools")
        found = discover(mooring, project=project, mcp=address, id="tools")
        assert found["name"] == "Certified tools" and found["definition"]["oauth2"]["resource"] == address, found
        connection = connect(mooring, project, key, "tools", oidc_provider, "")
        tools(mooring, key, connection)


def by_key(mooring):
    """A server that takes no passwords: the operator registers a client by hand, with a key."""
    project, key = make_project(mooring, "Keyed server")
    name = mooring.admin("GET", "/connectors/github")["redirect_uri"].replace("github", f"keyed-{project}")
    with started("server.mjs", "--redirect-uri", name, "--keyed") as provider:
        found = discover(mooring, project=project, issuer=provider["issuer"], id="keyed")
        assert found["redirect_uri"] == name and found["clients"]["test"]["is"] == "missing", found
        assert found["definition"]["oauth2"]["token_endpoint_auth_method"] == "private_key_jwt", found
        client = {"client_id": provider["client_id"], "settings": {"private_key": provider["private_key"]}}
        mooring.admin("PUT", f"/projects/{project}/environments/test/connectors/keyed", client)
        connection = connect(mooring, project, key, "keyed", oidc_provider, "alice@oidc.example")
        status, profile = mooring.api("keyed/me", key, connection)
        assert (status, profile["sub"]) == (200, "alice"), (status, profile)
    print("oidc-provider without passwords: connected by private_key_jwt")


def tools(mooring, key, connection):
    def ask(session=None, **message):
        headers = {**SPOKEN, "authorization": f"Bearer {key}", "x-one-connection-key": connection}
        headers |= {"mcp-session-id": session} if session else {}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, **message}).encode()
        status, answered, text = send("POST", f"{mooring.passthrough}/v1/passthrough/tools", headers, body)
        assert (status, answered["content-type"]) == (200, "text/event-stream"), (status, text)
        data = next(line for line in text.splitlines() if line.startswith("data: "))
        return answered, json.loads(data.removeprefix("data: "))

    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    answered, said = ask(method="initialize", params=hello)
    session = answered["mcp-session-id"]
    assert session and said["result"]["serverInfo"]["name"] == "certified", said
    assert ask(session, method="tools/list")[1]["result"]["tools"][0]["name"] == "double"
    _, said = ask(session, method="tools/call", params={"name": "double", "arguments": {"number": 21}})
    assert said["result"]["content"][0]["text"] == "42", said
    print("an MCP server by its address alone: registered, connected, a session opened, a tool called")


if __name__ == "__main__":
    main()
