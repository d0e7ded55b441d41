"""Plays the app's back end and the person's browser against a running Mooring, over HTTP alone. Standard library only."""

import html
import json
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

LIMIT = 20  # seconds for any one request


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(NoRedirect, urllib.request.ProxyHandler({}))


def send(method, url, headers=None, body=None):
    """One request, no redirect followed: status, headers, text."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        response = OPENER.open(request, timeout=LIMIT)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        return response.status, response.headers, response.read().decode()


class Mooring:
    """The API, as a back end calls it. `passthrough` has another address where the emulator's gateway can't stream."""

    def __init__(self, base_url, root_key, passthrough=None):
        self.base_url, self.root_key = base_url.rstrip("/"), root_key
        self.passthrough = (passthrough or base_url).rstrip("/")

    def call(self, method, path, key, body=None, expect=(200, 201)):
        headers = {"authorization": f"Bearer {key}", "accept": "application/json"}
        data = None
        if body is not None:
            headers["content-type"], data = "application/json", json.dumps(body).encode()
        status, _, text = send(method, self.base_url + path, headers, data)
        assert status in expect, f"{method} {path}: {status} {text}"
        return json.loads(text)

    def admin(self, method, path, body=None):
        return self.call(method, f"/v1/admin{path}", self.root_key, body)

    def api(self, path, key, connection):
        """A GET through passthrough: status and JSON."""
        headers = {"authorization": f"Bearer {key}", "x-one-connection-key": connection}
        status, _, text = send("GET", f"{self.passthrough}/v1/passthrough/{path}", headers)
        return status, json.loads(text)


class Browser:
    """Cookies by host and port, redirects followed one by one, forms filled in and sent."""

    def __init__(self):
        self.cookies, self.url, self.page = {}, None, ""

    def visit(self, url, form=None, stop_at=None):
        body = urllib.parse.urlencode(form).encode() if form is not None else None
        for _ in range(20):
            host = urllib.parse.urlsplit(url).netloc
            jar = self.cookies.setdefault(host, {})
            headers = {"accept": "text/html", "sec-fetch-dest": "document", "cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
            status, answered, self.page = send("POST" if body is not None else "GET", url, headers, body)
            for line in answered.get_all("set-cookie") or []:
                name, value = line.split(";")[0].split("=", 1)
                jar[name] = value
                if re.search(r"max-age=0|expires=thu, 01 jan 1970", line, re.I):
                    jar.pop(name)
            self.url, self.status, target = url, status, answered.get("location")
            if target is None:
                return self
            url, body = urllib.parse.urljoin(url, target), None
            if stop_at and url.startswith(stop_at):
                self.url = url
                return self
        raise AssertionError("the browser was sent around in a circle")

    def submit(self, to="", stop_at=None, **values):
        """Sends the page's form that goes to this path, or its first, with these values beside its hidden ones."""
        forms = re.findall(r'<form[^>]*action="([^"]*)"[^>]*>(.*?)</form>', self.page, re.S)
        form = next((form for form in forms if to in form[0]), None)
        assert form, f"there is no such form at {self.url}: {self.page[:500]}"
        hidden = {}
        for tag in re.findall(r"<input[^>]*>", form[1]):
            if 'type="hidden"' in tag:
                name, value = (re.search(rf'{part}="([^"]*)"', tag) for part in ("name", "value"))
                hidden[name[1]] = html.unescape(value[1]) if value else ""
        return self.visit(urllib.parse.urljoin(self.url, html.unescape(form[0])), {**hidden, **values}, stop_at)


def acme(browser):
    """Logs in and consents at the demo provider."""
    browser.submit(username="alice", password="demo")
    browser.submit(to="/oauth/consent", decision="allow")


def oidc_provider(browser):
    """Logs in and consents at oidc-provider's own forms."""
    while 'name="prompt"' in browser.page:
        login = 'value="login"' in browser.page
        browser.submit(**({"login": "alice", "password": "x"} if login else {}))


def make_project(mooring, name):
    """A project and a back end's key for it."""
    project = mooring.admin("POST", "/projects", {"name": name})["id"]
    client = {"name": "Back end", "roles": ["connect", "use", "read"], "environment": "test"}
    return project, mooring.admin("POST", f"/projects/{project}/clients", client)["secret_key"]


def connect(mooring, project, key, connector, consent, account):
    """The whole flow of a one-time link: token, page, provider, callback, confirmation. Answers the connection's key."""
    asked = {"user_id": "alice", "connector_id": connector, "user_label": "Alice A."}
    token = mooring.call("POST", f"/org/{project}/generateOneTimeConnectorToken", key, asked)["token"]
    browser = Browser().visit(f"{mooring.base_url}/connect/{connector}?token={token}&organizationId={project}")
    assert browser.status == 200 and "Alice A." in browser.page, browser.page
    browser.submit()
    consent(browser)
    assert "/connect/confirm/" in browser.url, f"{browser.url}: {browser.page[:800]}"
    assert account in browser.page and "Alice A." in browser.page, browser.page
    listed = mooring.call("GET", "/v1/vault/connections?identity=alice", key)
    assert listed["rows"] == [], "a held grant is in no list"
    browser.submit(decision="confirm")
    assert "<h1>Connected</h1>" in browser.page, browser.page
    rows = mooring.call("GET", "/v1/vault/connections?identity=alice", key)["rows"]
    assert [row["platform"] for row in rows] == [connector], rows
    return rows[0]["key"]


def wait_for_line(process, seconds=60):
    """The first line that a program prints."""
    line = process.stdout.readline()
    assert line, f"it ended before it said anything, with {process.wait(seconds)}"
    return line.decode()


class Local:
    """The local server on free ports, with its state in a folder."""

    def __init__(self, binary, folder, **environment):
        import os

        self.folder = Path(folder)
        env = {**os.environ, "PORT": "0", "MOORING_DATA": str(folder), **environment}
        self.process = subprocess.Popen([binary], env=env, stdout=subprocess.PIPE)
        wait_for_line(self.process)
        deadline = time.monotonic() + 30
        while not (self.folder / "demo.env").exists():
            assert time.monotonic() < deadline and self.process.poll() is None, "the local server did not start"
            time.sleep(0.05)
        lines = (self.folder / "demo.env").read_text().splitlines()
        pairs = (re.match(r"export (\w+)='(.*)'", line) for line in lines)
        self.env = {pair[1]: pair[2] for pair in pairs if pair}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
