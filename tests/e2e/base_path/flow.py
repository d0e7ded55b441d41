"""The whole flow below a base path, as behind a stage: every link, cookie and redirect has to keep it."""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from driver import Local, Mooring, acme, connect, make_project, send  # noqa: E402

with tempfile.TemporaryDirectory() as folder, Local(sys.argv[1], folder, BASE_PATH="/prod") as local:
    base_url = local.env["BASE_URL"]
    assert base_url.endswith("/prod"), base_url
    mooring = Mooring(base_url, local.env["ROOT_KEY"])
    project, key = make_project(mooring, "Below a stage")
    connection = connect(mooring, project, key, "acme", acme, "alice@acme.example")
    assert mooring.api("acme/me", key, connection) == (
        200,
        {"id": "usr_alice", "name": "Alice Archer", "email": "alice@acme.example"},
    )
    metadata = mooring.call("GET", "/.well-known/oauth-authorization-server", key)
    assert metadata["issuer"] == base_url, metadata
    assert send("GET", base_url + "/connect/style.css")[0] == 200
    assert send("GET", base_url.removesuffix("/prod") + "/connect/style.css")[0] == 404, "nothing stands above the base path"
    assert mooring.call("DELETE", f"/v1/vault/connections/{connection}", key)["revocation"] == "revoked"
    print("the flow below /prod: connected, called, revoked")
