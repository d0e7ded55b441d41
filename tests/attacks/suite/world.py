"""What every attack starts from: a running Mooring, a project of its own in it, the flow as honest people walk it."""

import json
import os
import re
import subprocess
import tempfile
import time
import urllib.parse
from pathlib import Path

from .browser import Browser, query, send
from .provider import Provider

APP = "https://orbit.example"  # nobody opens it: where a browser is sent is read from the redirect


class Fell(Exception):
    """The attack succeeded."""


def holds(condition, what):
    """What has to be true for the attack to have failed."""
    if not condition:
        raise Fell(str(what))


def refused(answer, *expected):
    """The answer is one of these refusals, as (status, code)."""
    holds(answer.refusal in expected, f"expected a refusal {expected}, got {answer}")


class Server:
    """The local server, on free ports: a site of its own to a browser, and so are its provider and its app."""

    def __init__(self, binary):
        self.folder = tempfile.TemporaryDirectory(prefix="mooring-attacks-")
        self.log = Path(self.folder.name, "server.log")
        # not `:memory:`: the keys are handed over in a file, and only a folder has one
        data = Path(self.folder.name, "data")
        env = {**os.environ, "PORT": "0", "LOOPBACK_NAMES": "1", "MOORING_DATA": str(data), "LOG": "info", "NO_COLOR": "1"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([binary], env=env, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 60
        while not (data / "lambda.env").exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the local server did not start:\n{self.log.read_text()}")
            time.sleep(0.05)
        self.env = dict(re.findall(r"export (\w+)='(.*)'", (data / "demo.env").read_text()))

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.folder.cleanup()


class Mooring:
    """A deployment: its address, its root key, and what stands around it."""

    def __init__(self, env, log=None):
        self.base = env["BASE_URL"].rstrip("/")
        self.root_key = env["ROOT_KEY"]
        self.demo_project, self.demo_key = env["PROJECT_ID"], env["SECRET_KEY"]
        self.app_url, self.acme_url = env["APP_URL"].rstrip("/"), env["PROVIDER_URL"].rstrip("/")
        self.log = log
        self.projects = 0

    def call(self, method, path, key=None, body=None, headers=()):
        said = [("accept", "application/json"), *headers]
        if key:
            said.append(("authorization", f"Bearer {key}"))
        data = None
        if body is not None:
            said.append(("content-type", "application/json"))
            data = json.dumps(body).encode()
        return send(method, self.base + path, said, data)

    def admin(self, method, path, body=None):
        answer = self.call(method, f"/v1/admin{path}", self.root_key, body)
        assert answer.status < 300, f"{method} {path}: {answer}"
        return answer.json

    def project(self, name="Orbit CRM", **more):
        addresses = {"allowed_origins": [APP], "redirect_uris": [f"{APP}/connected", f"{APP}/"]}
        made = self.admin("POST", "/projects", {"name": name, **addresses, **more})
        return Project(self, made["id"])

    def grants(self):
        """Every grant at Acme as (user, state), the newest first."""
        grants = send("GET", f"{self.acme_url}/grants").json["grants"]
        return [(grant["user"], grant["state"]) for grant in grants]


class Attempt:
    """One person's way to one connection, as its address says."""

    def __init__(self, start_url):
        self.start_url = start_url
        self.state = query(start_url, "state")
        self.id = urllib.parse.urlsplit(start_url).path.rsplit("/", 1)[-1]
        assert self.state and self.id.startswith("att_"), f"that is no start: {start_url}"


class Project:
    """A customer of Mooring's with a key, and its users."""

    def __init__(self, mooring, id):
        self.mooring, self.base, self.id = mooring, mooring.base, id
        self.key = self.client()

    def client(self, environment="test", roles=("connect", "use", "read")):
        body = {"name": "Back end", "roles": list(roles), "environment": environment}
        return self.mooring.admin("POST", f"/projects/{self.id}/clients", body)["secret_key"]

    def call(self, method, path, body=None, key=None, headers=()):
        return self.mooring.call(method, path, key or self.key, body, headers)

    def custom(self, id, definition, **decision):
        """A connector of the project's own, and its client."""
        self.mooring.admin("PUT", f"/projects/{self.id}/connectors/{id}", definition)
        client = {"client_id": f"client-of-{id}-{self.id}", "client_secret": f"canary-client-secret-{id}", **decision}
        self.mooring.admin("PUT", f"/projects/{self.id}/environments/test/connectors/{id}", client)

    # the ways to start

    def link(self, user="mallory", label="Mallory M.", connector="acme", **more):
        body = {"user_id": user, "connector_id": connector, "user_label": label, **more}
        token = good(self.call("POST", f"/org/{self.id}/generateOneTimeConnectorToken", body))["token"]
        return f"{self.base}/connect/{connector}?token={token}&organizationId={self.id}"

    def session(self, user="mallory", label="Mallory M.", connector="acme", **more):
        body = {"identity": user, "identityType": "user", "identityLabel": label, "connectors": [connector], **more}
        return good(self.call("POST", "/v1/connect/sessions", body))

    def front_end(self, user="mallory", label="Mallory M.", connector="acme", **more):
        asked = {"identity": user, "identityLabel": label, "baseUrl": f"{APP}/done", **more} if user else more
        answer = self.call("GET", f"/connectors/{connector}/oauth/authorize?{urllib.parse.urlencode(asked)}")
        return Attempt(good(answer)["authorizationUrl"])

    def credentials(self, user="mallory", label="Mallory M.", connector="acme", **more):
        body = {"credentialType": "oauth2", "redirectUri": f"{APP}/connected", **more}
        if user:
            body |= {"userId": user, "identityLabel": label}
        answer = self.call("POST", f"/connectors/{connector}/credentials", body)
        return Attempt(good(answer)["oauthUrl"])

    def redeem(self, code, state, user=None, connector="acme", key=None, **more):
        body = {"code": code, "state": state, **({"userId": user} if user else {}), **more}
        return self.call("POST", f"/connectors/{connector}/credentials/callback", body, key)

    # the browser's part

    def opened(self, browser, url, connector="acme", site="none"):
        """A browser opens what somebody handed it, up to the attempt."""
        if "/connect/start/" in url:
            return Attempt(url)
        page = browser.arrive(url, self.base, site)
        assert page.status == 200, f"the page of a link: {page}"
        begun = browser.submit(page, f"/connect/{connector}")
        assert "/connect/start/" in begun.location, f"the form of a link: {begun}"
        return Attempt(begun.location)

    def started(self, browser, attempt, site="none"):
        """Our own start: where at the provider it leads."""
        answer = browser.open(attempt.start_url, site)
        assert answer.status == 302 and answer.location, f"the start: {answer}"
        return answer.location

    def answered(self, browser, attempt, account="alice"):
        """At Acme: log in, allow. The address that Acme sends the browser to."""
        return consent_at_acme(browser, self.started(browser, attempt), account)

    def held(self, browser, attempt, account="alice"):
        """All of it up to our confirmation page."""
        page = browser.arrive(self.answered(browser, attempt, account), self.base, "cross-site")
        assert "/connect/confirm/" in page.url and page.status == 200, f"the confirmation: {page}"
        return page

    def confirmed(self, browser, page, decision="confirm"):
        answer = browser.submit(page, "/connect/confirm/", decision=decision)
        assert answer.status == 303, f"the person's word: {answer}"
        return answer

    # what became of it

    def connections(self, user=None, key=None):
        suffix = f"?identity={user}&identityType=user" if user else ""
        return good(self.call("GET", f"/v1/vault/connections{suffix}", key=key))["rows"]

    def status(self, attempt, browser=None, session=None):
        if session:
            return self.mooring.call("GET", f"/v1/connect/attempts/{attempt.id}", session)
        return browser.fetch(f"{self.base}/v1/connect/attempts/{attempt.id}")

    def me(self, connection, platform="acme", key=None):
        return self.call("GET", f"/v1/passthrough/{platform}/me", key=key, headers=[("x-one-connection-key", connection)])

    def nothing_is_connected(self, why="nothing may be connected"):
        rows = self.connections()
        holds(rows == [], f"{why}: {rows}")

    def honest_flow(self, user="honest", account="alice"):
        """A person connects, by a link, and the app calls the API. Answers the connection."""
        browser = Browser()
        before = {row["key"] for row in self.connections(user)}
        page = self.held(browser, self.opened(browser, self.link(user, "Honest H.")), account)
        assert "Honest H." in page.text and f"{account}@acme.example" in page.text, page
        done = browser.arrive(self.confirmed(browser, page).location, self.base)
        assert "<h1>Connected</h1>" in done.text, f"the end: {done}"
        new = [row["key"] for row in self.connections(user) if row["key"] not in before]
        assert len(new) == 1, f"one connection more: {new}"
        answer = self.me(new[0])
        assert answer.status == 200 and answer.json["id"] == f"usr_{account}", f"the API: {answer}"
        return new[0]


def good(answer):
    assert answer.status in (200, 201), f"that was expected to work: {answer}"
    return answer.json


def consent_at_acme(browser, url, account="alice", decision="allow"):
    """Logs in if need be, as this account, and decides. The address that Acme sends the browser to."""
    page = browser.open(url, "cross-site")
    for _ in range(6):
        if page.location:
            page = browser.open(page.location, "same-origin")
        elif "/oauth/login" in page.text:
            page = browser.submit(page, "/oauth/login", username=account, password="demo")
        elif f"{account}@acme.example" not in page.text:
            page = browser.submit(page, "/oauth/switch")
        else:
            answer = browser.submit(page, "/oauth/consent", decision=decision)
            assert answer.location, f"the consent: {answer}"
            return answer.location
    raise AssertionError(f"Acme did not get to a decision: {page}")


def harbour(project, id="harbour", **more):
    """A lenient honest provider, connected to the project."""
    provider = Provider()
    project.custom(id, provider.definition(**more))
    return provider
