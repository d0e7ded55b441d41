"""Attacks that make Mooring call an address for the attacker (server-side request forgery, CWE-918)."""

import urllib.parse

from . import attack
from .browser import Browser, query
from .provider import Provider
from .world import harbour, holds, refused

# addresses of machines that only a server reaches: metadata, private networks, this machine by other names
INSIDE = [
    "169.254.169.254",
    "[fd00:ec2::254]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "10.0.0.1",
    "192.168.0.1",
    "172.16.0.1",
    "100.64.0.1",
    "0.0.0.0",
    "[::]",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "[64:ff9b::a9fe:a9fe]",
    "[fe80::1]",
]


def outcome(project, connector, provider):
    """Walks a flow to its callback: the status of the attempt."""
    browser = Browser()
    attempt = project.front_end("victim", connector=connector)
    landed = provider.consent(project.started(browser, attempt))
    browser.arrive(landed, project.base, "cross-site")
    return project.status(attempt, browser).json


@attack("SSRF (CWE-918): a custom connector's endpoints lead inside")
def a_custom_connector_leads_inside(project):
    provider = Provider()
    for number, host in enumerate(INSIDE):
        for scheme, port in (("https", ""), ("http", f":{provider.server.server_port}")):
            inside = f"{scheme}://{host}{port}"
            definition = provider.definition({"token_endpoint": f"{inside}/token"})
            path = f"/v1/admin/projects/{project.id}/connectors/inside-{number}"
            answer = project.mooring.call("PUT", path, project.mooring.root_key, definition)
            if answer.status != 200:
                refused(answer, (400, "invalid_connector"))
                continue
            client = {"client_id": "c", "client_secret": "s"}
            project.mooring.admin("PUT", f"/projects/{project.id}/environments/test/connectors/inside-{number}", client)
            before = len(provider.calls("/token"))
            said = outcome(project, f"inside-{number}", provider)
            holds(len(provider.calls("/token")) == before, f"{inside} was called")
            holds(said == {"status": "failed", "error": "provider_address_refused"}, f"{inside}: {said}")
    project.custom("harbour", provider.definition())
    assert outcome(project, "harbour", provider) == {"status": "held"}
    provider.stop()


@attack("SSRF (CWE-918): other schemes, users and fragments in a connector's addresses")
def a_custom_connector_with_a_strange_address(project):
    provider = Provider()
    for address in (
        "file:///etc/passwd",
        "gopher://127.0.0.1/x",
        "ftp://127.0.0.1/x",
        "http://evil.example/token",
        "https://user:secret@harbour.example/token",
        "//evil.example/token",
        "unix:///var/run/docker.sock",
        "https://{tenant}/token",
        "https://harbour.example:99999/token",
    ):
        definition = provider.definition({"token_endpoint": address})
        path = f"/v1/admin/projects/{project.id}/connectors/strange"
        refused(project.mooring.call("PUT", path, project.mooring.root_key, definition), (400, "invalid_connector"))
    provider.stop()


@attack("SSRF (CWE-918) and RFC 9700 §4.12: a provider that redirects our call")
def a_provider_redirects_our_call(project):
    inside = Provider("Inside", greedy=True)
    provider = harbour(project)
    for status in (301, 302, 303, 307, 308):
        provider.answers["/token"] = (status, {"location": f"{inside.url}/steal"}, {})
        said = outcome(project, "harbour", provider)
        holds(inside.seen == [], f"a redirect {status} was followed, with {inside.seen}")
        holds(said["status"] == "failed", said)
    provider.answers = {}
    browser = Browser()
    attempt = project.front_end("victim", connector="harbour")
    project.confirmed(browser, browser.arrive(provider.consent(project.started(browser, attempt)), project.base, "cross-site"))
    connection = project.connections("victim")[0]["key"]
    provider.answers["/api/moved"] = (307, {"location": f"{inside.url}/steal"}, {})
    answer = project.call("GET", "/v1/passthrough/harbour/moved", headers=[("x-one-connection-key", connection)])
    holds(inside.seen == [], "passthrough followed a redirect with the credential")
    assert answer.status == 307, answer
    for server in (inside, provider):
        server.stop()


@attack("SSRF (CWE-918): an input of a connector stands in a host")
def an_input_leads_elsewhere(project):
    inside, provider = Provider("Inside", greedy=True), Provider()
    tenant = {"name": "tenant", "label": "Tenant", "pattern": "[a-z0-9-]+"}
    host = "https://{tenant}.harbour.example"
    definition = provider.definition({"authorization_endpoint": f"{host}/authorize", "token_endpoint": f"{host}/token"}, inputs=[tenant])
    project.custom("tenants", definition)
    port = inside.server.server_port
    for value in (
        f"127.0.0.1:{port}/",
        f"x@127.0.0.1:{port}/",
        f"localhost:{port}#",
        f"localhost:{port}?",
        f"a.localhost:{port}\\",
        "a/../b",
        "A",
        "a.b",
        "a%2f",
        "169.254.169.254",
        "ａ",
        "a\n",
        "-a",
        "",
        "a" * 64,
    ):
        asked = urllib.parse.urlencode({"tenant": value, "identity": "victim"})
        answer = project.call("GET", f"/connectors/tenants/oauth/authorize?{asked}")
        holds(answer.status == 400, f"{value!r} was not refused: {answer}")
        body = {"credentialType": "oauth2", "redirectUri": "https://orbit.example/connected", "credentials": {"tenant": value}}
        holds(project.call("POST", "/connectors/tenants/credentials", body).status == 400, f"{value!r} was not refused")
    holds(inside.seen == [], "a machine inside was called")
    assert project.front_end("victim", connector="tenants", tenant="acme").id
    for server in (inside, provider):
        server.stop()


@attack("CWE-522 and RFC 7591: a client that one server registered is sent to another that a person names")
def a_registered_client_is_led_away(project):
    provider = Provider()
    server = {"name": "server", "label": "Server", "pattern": "[a-z0-9-]+([.][a-z0-9-]+)+"}
    path = f"/v1/admin/projects/{project.id}/connectors/federated"
    for registers in ("https://apps.harbour.example/register", f"{provider.url}/register"):
        named = {"token_endpoint": "https://{server}/token", "registration": {"endpoint": registers}}
        definition = provider.definition(named, inputs=[server])
        refused(project.mooring.call("PUT", path, project.mooring.root_key, definition), (400, "invalid_connector"))
    provider.stop()


@attack("CWE-522: what the operator keeps secret is sent to a host that a person names")
def a_person_names_the_host_of_an_operators_secret(project):
    provider = Provider()
    path = f"/v1/admin/projects/{project.id}/connectors/keyed"
    host = {"name": "host", "label": "Host", "pattern": "[a-z0-9-]+([.][a-z0-9-]+)+"}
    key = {"name": "api_key", "label": "Key", "secret": True}
    setting = {"name": "app_secret", "label": "Secret", "secret": True}
    definition = {
        "name": "Keyed",
        "inputs": [host, key],
        "settings": [setting],
        "api": {"base_url": "https://{host}/v1", "headers": {"X-App": "{app_secret}"}, "credential": {"in": "header", "value": "{api_key}"}},
    }
    refused(project.mooring.call("PUT", path, project.mooring.root_key, definition), (400, "invalid_connector"))
    own = {**definition, "settings": [], "api": {**definition["api"], "headers": {}}}
    # their own key goes where they say
    assert project.mooring.call("PUT", path, project.mooring.root_key, own).status == 200
    provider.stop()


@attack("SSRF (CWE-918): of what a provider tells, a part that is no label stands in a host")
def a_part_of_a_value_leads_elsewhere(project):
    provider = Provider()
    path = f"/v1/admin/projects/{project.id}/connectors/parts"
    for pattern in ("s:(?<value>.*)", "s:(?<value>[^x]+)", "(?<value>[a-z.]+)/", "(?<value>[a-z]+(@[a-z]+)?):"):
        captures = {"token_response": {"shard": "shard"}, "patterns": {"shard": pattern}}
        api = {"base_url": "https://{shard}.harbour.example"}
        definition = provider.definition(captures=captures, api=api, profile=None, revoke=None)
        definition = {name: value for name, value in definition.items() if value}
        answer = project.mooring.call("PUT", path, project.mooring.root_key, definition)
        refused(answer, (400, "invalid_connector"))
    captures["patterns"]["shard"] = "s:(?<value>[a-z0-9-]+)"
    project.custom("parts", definition)
    provider.stop()


@attack("SSRF (CWE-918) and RFC 9700 §4.9: a credential is sent to another host by the path")
def a_passthrough_path_leads_elsewhere(project):
    thief = Provider("Thief", greedy=True)
    provider = harbour(project)
    browser = Browser()
    attempt = project.front_end("victim", connector="harbour")
    project.confirmed(browser, browser.arrive(provider.consent(project.started(browser, attempt)), project.base, "cross-site"))
    connection = project.connections("victim")[0]["key"]
    own = provider.url.removeprefix("http://")
    for path in (
        f"{thief.url}/steal",
        f"{thief.url.replace('http', 'HTTP')}/steal",
        f"http://{own}@{thief.url.removeprefix('http://')}/steal",
        f"//{thief.url.removeprefix('http://')}/steal",
        "http://169.254.169.254/latest/meta-data/",
        "..%2f..%2ftoken",
        "../token",
        "%2e%2e/token",
        f"@{thief.url.removeprefix('http://')}/steal",
    ):
        seen = len(provider.seen)
        headers = [("x-one-connection-key", connection), ("host-override", "x")]
        project.call("GET", f"/v1/passthrough/harbour/{path}", headers=headers)
        holds(thief.seen == [], f"{path} sent the credential to another host")
        reached = [call["path"] for call in provider.seen[seen:]]
        holds(all(reached_path.startswith("/api/") for reached_path in reached), f"{path} left the API: {reached}")
    headers = [("x-one-connection-key", connection), ("x-forwarded-host", "evil"), ("cookie", "a=1"), ("x-one-secret", project.key)]
    assert project.call("GET", "/v1/passthrough/harbour/me", headers=headers).status == 200
    sent = {name.lower(): value for name, value in provider.seen[-1]["headers"].items()}
    holds(not {"cookie", "x-one-secret", "x-one-connection-key", "x-forwarded-host"} & set(sent), f"ours went out: {sent}")
    holds(project.key not in str(sent), "the secret key went out")
    assert query(attempt.start_url, "state")
    for server in (thief, provider):
        server.stop()
