"""What must not get out: tokens, codes, states and secrets, in answers and in logs."""

import base64
import re
import urllib.parse

from . import ROOT, attack
from .browser import TRANSCRIPT, Browser, query
from .world import holds
from .world import harbour as harbour_of


@attack("RFC 9700 §2.3 and §4.10: a refresh token, or a client's secret, leaves")
def a_refresh_token_leaves(project):
    """Every answer of every route that tells about a connection is searched, and of every page on the way."""
    provider = harbour_of(project)
    TRANSCRIPT.clear()
    browser = Browser()
    attempt = project.credentials("victim", connector="harbour")
    page = browser.arrive(provider.consent(project.started(browser, attempt)), project.base, "cross-site")
    back = project.confirmed(browser, page).location
    redeemed = project.redeem(query(back, "code"), attempt.state, "victim", connector="harbour").json
    connection = redeemed["connectionId"]
    browser.arrive(f"{project.base}/connect/outcome/{attempt.id}", project.base)
    project.status(attempt, browser)
    for path in (
        "/v1/vault/connections",
        f"/v1/vault/connections/{connection}",
        "/users/victim/credentials",
        f"/credentials/{redeemed['credentialId']}",
        "/v1/available-connectors",
    ):
        assert project.call("GET", path).status == 200, path
    project.call("POST", "/v1/authkit/token", {"identity": "victim", "identityType": "user"})
    project.mooring.admin("GET", f"/projects/{project.id}/environments/test/connectors/harbour")
    project.mooring.admin("GET", f"/projects/{project.id}/connectors/harbour")
    project.me(connection, "harbour")
    provider.answers["/api/gone"] = (401, {}, {"error": "invalid_token"})
    provider.answers["/token"] = (400, {}, {"error": "invalid_grant", "error_description": "canary-description"})
    project.call("GET", "/v1/passthrough/harbour/gone", headers=[("x-one-connection-key", connection)])
    project.call("PATCH", f"/v1/vault/connections/{connection}", {"name": "Another"})
    project.call("DELETE", f"/v1/vault/connections/{connection}")
    ours = [answer.everything() for answer in TRANSCRIPT if answer.url.startswith(project.base)]
    said = "\n".join(ours)
    assert len(ours) > 10, "there is something to search"
    for canary in ("canary-refresh", "canary-access", "canary-client-secret", "canary-description"):
        holds(canary not in said, f"{canary} left in an answer")
        holds(base64.b64encode(canary.encode()).decode()[:-4] not in said, f"{canary} left in an answer, encoded")
    provider.stop()


@attack("RFC 9700 §4.3: tokens, codes and states in logs", reads_the_log=True)
def a_secret_in_the_logs(project):
    """Everything that goes wrong at a provider is made to go wrong, with secrets in each place where one can stand."""
    provider = harbour_of(project)
    browser, planted = Browser(), {project.key, project.mooring.root_key}
    link, session = project.link("victim"), project.session("victim")
    planted |= {query(link, "token"), session["session"], query(session["url"], "token")}
    browser.arrive(link, project.base)
    Browser().arrive(link, project.base)

    echo = (400, {}, {"error": "canary-error", "error_description": "canary-description"})
    for token, profile in ((None, None), (echo, None), ((500, {}, b"canary-body"), None), ((200, {}, b"{canary-body"), None), (None, echo)):
        provider.answers = {path: answer for path, answer in (("/token", token), ("/api/me", profile)) if answer}
        attempt = project.credentials("victim", connector="harbour")
        landed = provider.consent(project.started(browser, attempt))
        planted |= {attempt.state.rsplit(".", 1)[1], query(landed, "code"), browser.value(attempt.id)}
        page = browser.arrive(landed, project.base, "cross-site")
        for wrong in (landed + "&iss=x&iss=y", f"{project.base}/connectors/oauth/callback?{landed.split('?')[1]}", landed + "x"):
            browser.open(wrong, "cross-site")
            Browser().open(wrong, "cross-site")
        address, answer = landed.split("?", 1)
        Browser().post(address, answer, "cross-site")
        if "/connect/confirm/" in page.url:
            planted.add(page.form("/connect/confirm/")[1]["form_token"])
            code = query(project.confirmed(browser, page).location, "code")
            planted.add(code)
            for given in (code, code, "x"):
                project.redeem(given, attempt.state, "victim", connector="harbour")
    provider.answers = {}
    connection = project.connections("victim")[0]["key"]
    provider.answers["/api/slow"] = (500, {}, b"canary-body")
    for path in ("slow?access_token=canary-query", "https://127.0.0.1:1/canary-path"):
        project.call("GET", f"/v1/passthrough/harbour/{path}", headers=[("x-one-connection-key", connection)])
    provider.answers["/revoke"] = (500, {}, b"canary-body")
    project.call("DELETE", f"/v1/vault/connections/{connection}")
    project.call("GET", "/v1/vault/connections", key=project.key + "x")
    planted.add(project.key + "x")

    # a provider that can't be reached, at an address with a token in it
    provider.answers = {}
    attempt = project.front_end("victim", connector="harbour")
    project.confirmed(browser, browser.arrive(provider.consent(project.started(browser, attempt)), project.base, "cross-site"))
    connection = project.connections("victim")[0]["key"]
    provider.stop()
    unreachable = project.call("GET", "/v1/passthrough/harbour/me?access_token=canary-query", headers=[("x-one-connection-key", connection)])
    assert unreachable.status == 502, unreachable

    log = project.mooring.log.read_text(errors="replace")
    assert "answered" in log and "a grant" in log, "there is something to search: the server has to run with LOG=info"
    for secret in sorted(planted, key=len):
        assert secret and len(secret) > 10, secret
        for form in (secret, urllib.parse.quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")[:-1]):
            holds(form not in log, f"a secret stands in the log: {next(line for line in log.splitlines() if form in line)}" if form in log else "")
    found = [line for line in log.splitlines() if re.search(r"canary-(access|refresh|client-secret|code|query|body|description)", line)]
    holds(not found, f"a canary stands in the log: {found[:1]}")


@attack("RFC 9700 §4.3: the gateway's access log")
def an_access_log_that_names_paths(project):
    """What the deployment writes of each request: routes and ids, never paths, queries, headers or bodies."""
    template = (ROOT / "template.yaml").read_text()
    logged = template.split("AccessLogSetting:")[1].split("MethodSettings:")[0]
    variables = set(re.findall(r"\$context\.([\w.]+)", logged))
    allowed = {"requestId", "requestTimeEpoch", "httpMethod", "resourcePath", "status", "error.responseType", "responseLatency", "responseLength"}
    holds(variables <= allowed, f"the access log names {variables - allowed}")
    settings = template.split("MethodSettings:")[1][:400]
    holds('LoggingLevel: "OFF"' in settings and "DataTraceEnabled: false" in settings, "execution logs hold paths and queries")
    # and the paths that carry a secret carry it in the query, or in a variable of the route
    for address in (project.link(), project.front_end().start_url):
        path = urllib.parse.urlsplit(address).path
        holds(not re.search(r"[A-Za-z0-9_-]{40,}", path), f"a secret stands in the path {path}")
