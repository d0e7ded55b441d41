"""The flow against oidc-provider as a custom connector: PKCE, iss, rotation, refresh by passthrough, revocation."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from driver import Local, Mooring, connect, make_project, oidc_provider, wait_for_line  # noqa: E402

TTL = 12  # seconds; renewed when ten or fewer are left, so every call after two seconds renews


def definition(issuer):
    return {
        "name": "Certified",
        "oauth2": {
            "authorization_endpoint": f"{issuer}/auth",
            "token_endpoint": f"{issuer}/token",
            "issuer": issuer,
            "authorization_response_iss_parameter_supported": True,
            "scopes": ["openid", "email"],
        },
        "api": {"base_url": issuer},
        "profile": {"url": f"{issuer}/me", "account_id": "sub", "email": "email"},
        "revoke": {"url": f"{issuer}/token/revocation", "params": {"token": "{refresh_token}"}, "effect": "token"},
    }


def main():
    with tempfile.TemporaryDirectory() as folder, Local(sys.argv[1], folder) as local:
        run(Mooring(local.env["BASE_URL"], local.env["ROOT_KEY"]))


def run(mooring):
    """The flow with a provider of its own, against any Mooring that may call this machine."""
    project, key = make_project(mooring, "Certified flow")
    # each connector has a redirect URI of its own, and that of a project's own connector names the project
    redirect_uri = mooring.admin("GET", "/connectors/github")["redirect_uri"].replace("github", f"certified-{project}")
    command = ["node", str(HERE / "server.mjs"), "--redirect-uri", redirect_uri, "--access-token-ttl", str(TTL)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        flow(mooring, project, key, json.loads(wait_for_line(server)))
    finally:
        server.terminate()
        server.wait(20)


def flow(mooring, project, key, provider):
    mooring.admin("PUT", f"/projects/{project}/connectors/certified", definition(provider["issuer"]))
    client = {"client_id": provider["client_id"], "client_secret": provider["client_secret"]}
    mooring.admin("PUT", f"/projects/{project}/environments/test/connectors/certified", client)

    connection = connect(mooring, project, key, "certified", oidc_provider, "alice@oidc.example")
    for renewal in range(3):
        status, profile = mooring.api("certified/me", key, connection)
        assert (status, profile["sub"]) == (200, "alice"), (renewal, status, profile)
        time.sleep(3)
    receipt = mooring.call("DELETE", f"/v1/vault/connections/{connection}", key)
    assert receipt["revocation"] == "revoked", receipt
    status, gone = mooring.api("certified/me", key, connection)
    assert (status, gone["error"]) == (404, "connection_not_found"), (status, gone)
    print("the flow with oidc-provider: connected, renewed by rotation twice, revoked")


if __name__ == "__main__":
    main()
