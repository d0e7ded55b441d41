"""Attacks across borders: projects, environments, sessions, and the app's own users."""

import json
import urllib.parse

from . import attack
from .browser import Browser, query, send
from .code import INVALID_GRANT, vouched
from .world import good, harbour, holds, refused


def strangers(project):
    """Keys that are good, elsewhere: of another project, and of the same one's other environment."""
    roles = ("connect", "use", "read")
    return [project.mooring.project("Beside").client("test", roles), project.client("live", roles)]


@attack("Confused deputy across tenants and environments: RFC 9700 §4.5, a code")
def a_foreign_key_redeems_a_code(project):
    vouching = project.mooring.project(vouches_for_users=True)
    attempt, code = vouched(vouching)
    for key in strangers(vouching):
        refused(vouching.redeem(code, attempt.state, "victim", key=key), INVALID_GRANT)
    vouching.nothing_is_connected()
    assert vouching.redeem(code, attempt.state, "victim").json["status"] == "connected"


@attack("Confused deputy across tenants and environments: a connection")
def a_foreign_key_uses_a_connection(project):
    connection = project.honest_flow("victim")
    for key in strangers(project):
        path = f"/v1/vault/connections/{connection}"
        refused(project.me(connection, key=key), (404, "connection_not_found"))
        refused(project.call("GET", path, key=key), (404, "connection_not_found"))
        refused(project.call("PATCH", path, {"name": "mine"}, key=key), (404, "connection_not_found"))
        refused(project.call("DELETE", path, key=key), (404, "connection_not_found"))
        refused(project.call("GET", f"/credentials/{connection.replace('conn_', 'cred_')}", key=key), (404, "credential_not_found"))
        holds(project.connections("victim", key=key) == [], "a foreign list shows it")
    holds(project.me(connection).status == 200, "the connection is as it was")


@attack("Confused deputy: an organization in the path that is not the key's")
def a_key_starts_for_another_project(project):
    other = project.mooring.project("Beside")
    body = {"user_id": "victim", "connector_id": "acme"}
    refused(project.call("POST", f"/org/{project.id}/generateOneTimeConnectorToken", body, other.key), (404, "project_not_found"))
    link = project.link("victim")
    answer = Browser().arrive(link.replace(f"organizationId={project.id}", f"organizationId={other.id}"), project.base)
    refused(answer, (400, "unknown_state"))


@attack("Status polling with another session; design of the status route")
def a_foreign_session_asks_for_the_status(project):
    made = project.session("victim", "Victim V.")
    browser = Browser()
    attempt = project.opened(browser, made["url"])
    page = project.held(browser, attempt)
    others = [project.session("mallory")["session"], project.mooring.project().session("victim")["session"]]
    team = {"identity": "victim", "identityType": "team", "connectors": ["acme"]}
    others.append(project.call("POST", "/v1/connect/sessions", team).json["session"])
    for session in others:
        refused(project.status(attempt, session=session), (404, "attempt_not_found"))
    # what no session started is nobody's to ask for
    alone = project.front_end("victim")
    refused(project.status(alone, session=project.session("victim")["session"]), (404, "attempt_not_found"))
    for bearer in (project.key, "guess"):
        holds(project.status(attempt, session=bearer).status == 401, "a key or a guess is no session")
    project.confirmed(browser, page)
    said = project.status(attempt, session=made["session"]).json
    holds(said["status"] == "connected" and "code" not in json.dumps(said), said)


@attack("Connect session as a secret key; RFC 9700 §2.3, privilege of a token")
def a_session_is_no_key(project):
    project.honest_flow("victim")
    session = project.session("victim")["session"]
    for method, path in (("GET", "/v1/vault/connections"), ("GET", "/connectors/acme/oauth/authorize"), ("GET", "/v1/admin/projects")):
        holds(project.call(method, path, key=session).status == 401, f"{method} {path} takes a session for a key")
    body = {"user_id": "mallory", "connector_id": "acme"}
    holds(project.call("POST", f"/org/{project.id}/generateOneTimeConnectorToken", body, session).status == 401, "it makes links")


@attack("Key of the test environment decides about live users")
def a_test_key_moves_live_users(project):
    key = project.client("test", ("admin", "connect", "use", "read"))
    path = f"/v1/admin/projects/{project.id}"
    for body in ({"redirect_uris": ["https://evil.example/"]}, {"allowed_origins": ["https://evil.example"]}, {"vouches_for_users": True}):
        answer = project.call("PATCH", path, body, key)
        holds(answer.status == 403, f"{body}: {answer}")
    body = {"name": "Evil", "api": {"base_url": "http://127.0.0.1:1"}}
    holds(project.call("PUT", f"{path}/connectors/evil", body, key).status == 403, "a custom connector serves live users too")
    answer = project.call("PUT", f"{path}/environments/live/connectors/acme", {"client_id": "evil", "client_secret": "x"}, key)
    holds(answer.status in (403, 404), f"the live provider client: {answer}")


@attack("Forged x-user-id at the app's own token route (CWE-639)")
def a_forged_user_id_at_the_app(project):
    app, browser = project.mooring.app_url, Browser()
    page = browser.open(f"{app}/")
    browser.submit(page, "/login", user="bob")
    as_script = [("accept", "application/json")]

    def token(user):
        return browser.request("GET", f"{app}/api/get-one-time-connector-token?userId={user}&connectorId=acme", as_script)

    def widget(user):
        return browser.request("POST", f"{app}/api/one-auth", [*as_script, ("x-user-id", user)], b"")

    for ask in (token, widget):
        answer = ask("alice")
        holds(answer.status == 403 and "token" not in answer.text and "session" not in answer.text, f"for somebody else: {answer}")
        assert ask("bob").status == 200, ask("bob")
    nobody = send("POST", f"{app}/api/one-auth", [("x-user-id", "alice")], b"")
    holds(nobody.status == 401, f"without a login: {nobody}")
    nobody = send("GET", f"{app}/api/get-one-time-connector-token?userId=alice&connectorId=acme")
    holds(nobody.status == 401, f"without a login: {nobody}")
    answer = browser.request("POST", f"{app}/api/one-auth", [("origin", "https://evil.example"), ("x-user-id", "bob")], b"")
    holds(not answer.header("access-control-allow-origin"), "a page of another origin reads the session")


@attack("Client secret of the deployment at a host that a tenant names; RFC 9700 §2.5, design of free hosts")
def a_tenant_names_the_host_of_the_deployments_client(project):
    """A project's admin chooses the host of a connector whose client, and so its secret, is the deployment's. No program on this
    machine answers for such a host, but the person is sent to the one to which the code and the secret would follow."""
    mooring, admin = project.mooring, project.client(roles=("admin",))
    decided = f"/v1/admin/projects/{project.id}/environments/test/connectors/gitlab"
    shared = {"client_id": "client-of-the-deployment", "client_secret": "canary-client-secret-deployment"}
    own = {"client_id": "client-of-mallory", "client_secret": "canary-client-secret-mallory"}
    thief = {"settings": {"host": "thief.mallory.example"}}

    def decide(decision):
        return mooring.call("PUT", decided, admin, decision)

    def led():
        """With which client a person is sent, and where."""
        address = project.started(Browser(), project.front_end("victim", connector="gitlab"))
        return query(address, "client_id"), urllib.parse.urlsplit(address).netloc

    try:
        for said, host in (({}, "gitlab.com"), ({"settings": {"host": "git.orbit.example"}}, "git.orbit.example")):
            mooring.admin("DELETE", "/connectors/gitlab")
            good(decide(thief))  # while there is no client, nothing could be led away
            mooring.admin("PUT", "/connectors/gitlab", shared | said)
            usual = (shared["client_id"], host)
            holds(led() == usual, "a tenant leads the deployment's client to a host of its own")
            refused(decide(thief), (400, "invalid_request"))
            # with a client of its own it may, and taking that back does not leave the host behind
            good(decide(own | thief))
            assert led() == (own["client_id"], thief["settings"]["host"])
            refused(decide(thief | {"client_id": None}), (400, "invalid_request"))
            good(decide({"client_id": None}))
            holds(led() == usual, "the deployment's client takes the place of one at the tenant's host")
    finally:
        mooring.admin("DELETE", "/connectors/gitlab")


@attack("RFC 9700 §4.14, RFC 7009 §5: revoking a live grant by an abandoned flow")
def an_abandoned_flow_revokes_a_live_grant(project):
    """The provider withdraws consent as a whole. Mallory sends a link; the victim consents with her account, which is connected
    already, and cancels, or never comes back."""
    provider = harbour(project)
    browser = Browser()
    attempt = project.front_end("victim", connector="harbour")
    page = browser.arrive(provider.consent(project.started(browser, attempt)), project.base, "cross-site")
    project.confirmed(browser, page)
    live = project.connections("victim")[0]["key"]
    assert project.me(live, "harbour").status == 200

    forwarded = project.front_end("mallory", connector="harbour")
    page = browser.arrive(provider.consent(project.started(browser, forwarded)), project.base, "cross-site")
    project.confirmed(browser, page, "cancel")
    holds(provider.revoked == [], f"a live grant was revoked: {provider.revoked}")
    holds(project.me(live, "harbour").status == 200, "the victim's connection works")
    answer = project.call("DELETE", f"/v1/vault/connections/{live}")
    assert answer.status == 200 and len(provider.revoked) == 1, f"an explicit end revokes: {answer}"
    provider.stop()


@attack("Query and header confusion: two credentials, two connections in one request")
def two_of_one_in_a_request(project):
    connection = project.honest_flow("victim")
    other = project.mooring.project("Beside")
    answer = project.call("GET", "/v1/vault/connections", headers=[("x-one-secret", other.key)])
    refused(answer, (400, "invalid_request"))
    answer = project.call("GET", "/v1/vault/connections", headers=[("authorization", f"Bearer {other.key}")])
    refused(answer, (400, "invalid_request"))
    headers = [("x-one-connection-key", connection), ("x-pica-connection-key", "conn_other")]
    refused(project.call("GET", "/v1/passthrough/acme/me", headers=headers), (400, "invalid_request"))
    assert query(project.link(), "organizationId") == project.id
