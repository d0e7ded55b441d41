"""Schemathesis against the local server, in passes: who asks, and what already exists for them."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from driver import Browser, Local, Mooring, acme, connect, make_project  # noqa: E402

# What cuts the branch that the other requests sit on comes last, in a project that is thrown away.
FOR_GOOD_APP = "^(deleteConnection|deleteUser)$"
FOR_GOOD_ADMIN = "^(revokeClient|deleteProjectConnector|deleteDefaultClient|deleteCustomConnector)$"
SESSION = "^attemptStatus$"
BROWSER = "^(start|startPage|startFromPage|callback|callbackCommon|callbackV1|parkCallback|parkCallbackCommon|parkCallbackV1|choosePage|claimLink|connectPage|editPage|submitConnect|confirmPage|confirm|outcomePage)$"
APP = ("--include-path-regex", "^/(?!v1/admin/|v1/connect/attempts/)", "--exclude-operation-id-regex", FOR_GOOD_APP)
ADMIN = ("--include-path-regex", "^/v1/admin/", "--exclude-operation-id-regex", FOR_GOOD_ADMIN)


class Fuzzer:
    def __init__(self, program, description, base_url):
        self.program, self.description, self.base_url = program, description, base_url
        self.failed = []

    def run(self, name, key, existing, *filters, **headers):
        """One pass. Half of the requests name what exists."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        # ASCII text is written in TOML as in Python
        lines = [(HERE / "schemathesis.toml").read_text(), "[headers]"]
        lines += [f"{name!r} = {value!r}" for name, value in headers.items()]
        for parameter, values in existing.items():
            lines += [f"[dictionaries.{parameter!r}]", f"values = {values!r}"]
        lines += ["[parameters]"]
        lines += [f"{parameter!r} = {{ dictionary = {parameter!r}, probability = 0.5 }}" for parameter in existing]
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "schemathesis.toml"
            config.write_text("\n".join(lines) + "\n")
            # whatever is not meant for loopback goes to a port where nobody is
            nobody = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
            command = [self.program, "--config-file", str(config), "run", self.description, "--url", self.base_url, "--warnings", "off", *filters]
            print(f"-- {name}", flush=True)
            if subprocess.run(command, env={**os.environ, **nobody}).returncode != 0:
                self.failed.append(name)


def person(mooring, key):
    """A browser with one attempt that waits for a word and one that waits for the provider, and what its pages say."""
    browser = Browser()
    session, attempt, answered, fields = begin(mooring, key, browser)
    acme(browser.visit(browser.url))
    fields["form_token"].append(hidden(browser, "form_token"))
    _, handle, state, _ = begin(mooring, key, browser)
    browser.visit(browser.url)
    found = {"path.attempt": [attempt], "path.handle": [handle], "query.state": [state, answered]}
    found |= {"path.connector": ["acme"], "query.link": fields["link"], "body.link": fields["link"], "body.form_token": fields["form_token"]}
    cookies = browser.cookies[mooring.base_url.removeprefix("http://")]
    return session, attempt, "; ".join(f"{name}={value}" for name, value in cookies.items()), found


def begin(mooring, key, browser):
    """Up to the address that starts an attempt."""
    made = mooring.call("POST", "/v1/connect/sessions", key, {"identity": "bob", "connectors": ["acme"]})
    browser.visit(made["url"])
    fields = {name: [hidden(browser, name)] for name in ("link", "form_token")}
    browser.submit(stop_at=f"{mooring.base_url}/connect/start/")
    attempt, state = re.search(r"/connect/start/(att_\w+)\?state=(.*)", browser.url).groups()
    return made["session"], attempt, state, fields


def hidden(browser, name):
    return re.search(rf'name="{name}" value="([^"]*)"', browser.page)[1]


def main():
    server, program, description = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder, Local(server, folder) as local:
        mooring = Mooring(local.env["BASE_URL"], local.env["ROOT_KEY"])
        fuzzer = Fuzzer(program, description, mooring.base_url)
        root = local.env["ROOT_KEY"]
        project, key = local.env["PROJECT_ID"], local.env["SECRET_KEY"]
        spare_project, spare_key = make_project(mooring, "Thrown away")
        # calls go through the first connection: wherever their paths lead, it is at the demo provider
        connection = connect(mooring, project, key, "acme", acme, "alice@acme.example")
        spare = connect(mooring, spare_project, spare_key, "acme", acme, "alice@acme.example")
        clients = [row["id"] for row in mooring.admin("GET", f"/projects/{spare_project}/clients")["rows"]]

        known = {"path.environment": ["test"], "path.connector": ["acme", "github"], "path.userId": ["alice"]}
        ours = {**known, "path.org": [project], "path.project": [project]}
        paths = {"path.id": [connection, connection.replace("conn_", "cred_")], "path.path": ["me", "notes", "echo"]}
        fuzzer.run("an app client", key, {**ours, **paths}, *APP, x_one_connection_key=connection)
        session, attempt, cookies, found = person(mooring, key)
        fuzzer.run("a session", session, {"path.id": [attempt]}, "--include-operation-id-regex", SESSION)
        fuzzer.run("a browser", None, found, "--include-operation-id-regex", BROWSER, Cookie=cookies)
        fuzzer.run("the root key", root, ours, *ADMIN)

        theirs = {**known, "path.project": [spare_project], "path.client": clients, "path.id": [spare]}
        fuzzer.run("an app client, for good", spare_key, theirs, "--include-operation-id-regex", FOR_GOOD_APP)
        fuzzer.run("the root key, for good", root, theirs, "--include-operation-id-regex", FOR_GOOD_ADMIN)
    assert not fuzzer.failed, f"schemathesis found something as {', '.join(fuzzer.failed)}"


main()
