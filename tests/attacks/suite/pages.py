"""Attacks on pages, cookies and addresses: redirection to elsewhere, framing, cookie tossing, headers that lie."""

import base64
import json
import urllib.parse

from . import attack
from .browser import Browser, query, send, with_query
from .world import APP, consent_at_acme, harbour, holds, refused

UNKNOWN = (400, "unknown_state")


def elsewhere():
    host = urllib.parse.urlsplit(APP).netloc
    return [
        "https://evil.example",
        "https://evil.example/connected",
        "//evil.example",
        "/connected",
        "javascript:alert(1)",
        "data:text/html,x",
        f"{APP}.evil.example/connected",
        f"{APP}@evil.example/connected",
        f"https://user:secret@{host}/connected",
        f"https://evil.example\\@{host}/connected",
        f"https://{host}%2eevil.example/connected",
        f"https://evil.example#{APP}/connected",
        f"http://{host}/connected",
        f"https://{host}:444/connected",
        f"blob:{APP}/connected",
        f"{APP}/connected#x",
        f"\t{APP}/connected",
        "null",
    ]


@attack("RFC 9700 §4.1 and §4.11.1: open redirect by redirectUri")
def an_open_redirect_by_redirect_uri(project):
    for address in [*elsewhere(), f"{APP}/connected?x=1", f"{APP}/connected/", f"{APP}/connected/../evil", f"{APP}//connected"]:
        body = {"credentialType": "oauth2", "redirectUri": address}
        refused(project.call("POST", "/connectors/acme/credentials", body), (400, "invalid_redirect_uri"))
    assert project.credentials().id


@attack("RFC 9700 §4.11.1: open redirect by a session's or a token's redirect_uri")
def an_open_redirect_by_the_way_back(project):
    for address in elsewhere():
        for name in ("redirect_uri", "redirectUri"):
            refused(project.call("POST", "/v1/connect/sessions", {"identity": "victim", name: address}), (400, "invalid_redirect_uri"))
            body = {"user_id": "victim", "connector_id": "acme", name: address}
            answer = project.call("POST", f"/org/{project.id}/generateOneTimeConnectorToken", body)
            refused(answer, (400, "invalid_redirect_uri"))
    assert project.session(redirect_uri=f"{APP}/")["url"]


@attack("RFC 9700 §4.11.1: open redirect by baseUrl")
def an_open_redirect_by_base_url(project):
    same_page = {f"{APP}/connected#x", f"\t{APP}/connected"}
    for address in elsewhere():
        asked = urllib.parse.urlencode({"baseUrl": address})
        answer = project.call("GET", f"/connectors/acme/oauth/authorize?{asked}")
        if address in same_page and answer.status == 200:
            continue  # a parser takes a blank away, and the origin is the project's own
        refused(answer, (400, "invalid_base_url"))
    assert project.front_end().id


@attack("RFC 9700 §4.11.1: open redirect by what stands behind the ~ of a state")
def an_open_redirect_by_the_state_suffix(project):
    evil = base64.urlsafe_b64encode(b"https://evil.example/").rstrip(b"=").decode()
    for suffix in (f"~{evil}", f"~{evil}~v3", "~", "~~", "~https://evil.example", f"~v3~{evil}"):
        browser, attempt = Browser(), project.front_end("victim", baseUrl=f"{APP}/done")
        answer = browser.open(with_query(attempt.start_url, state=attempt.state + suffix))
        assert answer.location.startswith(project.mooring.acme_url), f"{suffix}: {answer}"
        landed = consent_at_acme(browser, answer.location)
        page = browser.arrive(with_query(landed, state=query(landed, "state") + suffix), project.base, "cross-site")
        done = project.confirmed(browser, page)
        holds(done.location.startswith((project.base, f"{APP}/")), f"{suffix} leads to {done.location}")
        holds("evil" not in done.everything(), done)


@attack("RFC 9700 §4.11.1: open redirect by parameters of our pages")
def an_open_redirect_by_a_result_page(project):
    names = ("redirect_uri", "redirectUri", "return_to", "next", "url", "baseUrl", "redirect")
    evil = {name: "https://evil.example/" for name in names}
    extra = urllib.parse.urlencode(evil)
    browser = Browser()
    page = browser.arrive(f"{project.link('victim')}&{extra}", project.base)
    begun = browser.submit(page, "/connect/acme", **evil)
    holds(begun.location.startswith(project.base), begun)
    attempt = project.opened(browser, begun.location)
    started = browser.open(f"{attempt.start_url}&{extra}")
    holds(started.location.startswith(project.mooring.acme_url) and "evil" not in started.location, started)
    landed = browser.open(f"{consent_at_acme(browser, started.location)}&{extra}", "cross-site")
    holds(landed.location.startswith(project.base) and "evil" not in landed.location, landed)
    page = browser.open(f"{landed.location}?{extra}")
    done = browser.submit(page, "/connect/confirm/", decision="confirm", **evil)
    holds(done.location.startswith(project.base) and "evil" not in done.location, done)
    outcome = browser.open(f"{done.location}?{extra}")
    holds("evil.example" not in outcome.everything().replace(outcome.url, ""), outcome)
    holds("<h1>Connected</h1>" in outcome.text, outcome)


def every_page(project):
    """Each page and each redirect of a flow that begins with a link."""
    browser = Browser()
    first = browser.arrive(project.link("victim"), project.base)
    begun = browser.submit(first, "/connect/acme")
    attempt = project.opened(browser, begun.location)
    started = browser.open(attempt.start_url)
    landed = browser.open(consent_at_acme(browser, started.location), "cross-site")
    confirm = browser.open(landed.location)
    confirmed = browser.submit(confirm, "/connect/confirm/", decision="confirm")
    outcome = browser.open(confirmed.location)
    lost = browser.open(f"{project.base}/connect/confirm/att_x")
    used = Browser().open(attempt.start_url)
    return [first, confirm, outcome, lost, used], [begun, started, landed, confirmed]


@attack("RFC 9700 §4.16: clickjacking")
def a_page_of_ours_in_a_frame(project):
    pages, redirects = every_page(project)
    for page in pages:
        policy = page.header("content-security-policy")
        holds("frame-ancestors 'none'" in policy and "default-src 'none'" in policy, f"{page.url}: {policy}")
        holds(page.header("x-frame-options") == "DENY", f"{page.url} has no X-Frame-Options")
        holds(page.header("cross-origin-opener-policy"), f"{page.url} keeps its opener")
        holds("<script" not in page.text or "script-src" in policy, f"{page.url} has a script without a policy")
    started = redirects[1]
    holds(started.header("x-frame-options") == "DENY", "a provider's page in a frame")
    # the framed form of the connect page is for the project's own origins, and has nothing to press
    link = project.link("victim")
    framed = Browser().open(link, "cross-site", dest="iframe")
    policy = framed.header("content-security-policy")
    holds("frame-ancestors" in policy and "evil" not in policy and "*" not in policy.split("frame-ancestors")[1], policy)
    holds("<form" not in framed.text or "'none'" in policy, "a form in a frame")
    assert Browser().arrive(link, project.base).status == 200, "the token is left for the window of its own"


@attack("RFC 9700 §4.2.4 and §4.12: leaks by referrer, and redirects that repeat a form")
def a_page_of_ours_tells_where_it_was(project):
    pages, redirects = every_page(project)
    for page in pages:
        holds(page.header("referrer-policy") == "no-referrer", f"{page.url} names itself as a referrer")
        holds(page.header("cache-control") == "no-store", f"{page.url} is kept by caches")
        own = [part for part in page.text.replace("'", '"').split('src="')[1:] if not part.startswith("/")]
        holds(not own, f"{page.url} loads something of others: {own}")
    for redirect in redirects:
        holds(redirect.status in (302, 303), f"{redirect.url} repeats a form: {redirect.status}")
        holds("no-store" in redirect.header("cache-control"), redirect)
    for redirect in redirects[1:3]:
        holds(redirect.header("referrer-policy") == "no-referrer", f"{redirect.url} names itself as a referrer")


@attack("RFC 6265bis §4.1.3.2, RFC 9700 §4.7: cookie tossing from a sibling host")
def a_tossed_cookie(project):
    """A sibling host can set a cookie of a plain name for all of the domain; so the name has to be one that browsers guard, and of
    two cookies of one name neither is believed."""
    browser = Browser()
    page = browser.arrive(project.link("victim"), project.base)
    attempt = project.opened(browser, browser.submit(page, "/connect/acme").location)
    landed = project.answered(browser, attempt)
    for cookie in browser.cookies:
        if "mooring" not in cookie.name:
            continue
        holds(cookie.name.startswith("__Host-"), f"a sibling host can set {cookie.name}")
        wanted = {"secure", "httponly", "path=/", "samesite=lax"}
        holds(wanted <= set(cookie.attributes) and "domain" not in cookie.line.lower(), cookie.line)
    name = browser.cookie(attempt.id).name
    own = browser.value(attempt.id)
    grants = project.mooring.grants()
    for first, second in ((own, "tossed"), ("tossed", own)):
        victim = browser.copy()
        victim.cookies = [cookie for cookie in victim.cookies if cookie.name != name]
        victim.plant(project.base, name, first)
        victim.plant(project.base, name, second)
        refused(victim.open(landed, "cross-site"), UNKNOWN)
    holds(project.mooring.grants() == grants, "the code was redeemed")
    project.confirmed(browser, browser.arrive(landed, project.base, "cross-site"))


@attack("Cookie prefix bypass by a blank before the name (PortSwigger, 2025)")
def a_tossed_cookie_with_a_blank_before_its_name(project):
    """A browser guards names that begin with `__Host-`. One that begins with a blank of another alphabet it does not guard, and a
    server that takes such a blank away reads the guarded name."""
    attacker = Browser()
    attempt = project.front_end("mallory")
    landed = project.answered(attacker, attempt, "bob")
    own = attacker.value(attempt.id)
    grants = project.mooring.grants()
    for blank in ("\u00a0", "\u0085", "\u2000".encode().decode("latin-1"), "\x0b", "\x0c", "\u00a0 "):
        victim = Browser()
        victim.plant(project.base, f"{blank}__Host-mooring_{attempt.id}", own)
        # as raw bytes, which is how a cookie travels
        victim.cookies[-1].name = f"{blank}__Host-mooring_{attempt.id}"
        answer = victim.open(landed, "cross-site")
        holds(project.mooring.grants() == grants, f"a name after {blank!r} is believed: {answer}")
        holds(answer.status == 400, f"{blank!r}: {answer}")
    for name in ("__host-mooring_", "__HOST-mooring_", "mooring_", "__Secure-mooring_"):
        victim = Browser()
        victim.plant(project.base, name + attempt.id, own)
        refused(victim.open(landed, "cross-site"), UNKNOWN)
    project.nothing_is_connected()


LIES = [
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-port", "666"),
    ("x-forwarded-prefix", "/evil"),
    ("x-forwarded-for", "127.0.0.1"),
    ("forwarded", "host=evil.example;proto=https"),
    ("x-original-host", "evil.example"),
    ("x-host", "evil.example"),
    ("x-original-url", "/evil"),
    ("x-rewrite-url", "/evil"),
]


@attack("Host header injection (CWE-644): headers that name another address")
def a_header_names_another_address(project):
    asks = [
        ("POST", f"/org/{project.id}/generateOneTimeConnectorToken", {"user_id": "victim", "connector_id": "acme"}),
        ("POST", "/v1/connect/sessions", {"identity": "victim", "connectors": ["acme"]}),
        ("GET", "/connectors/acme/oauth/authorize", None),
        ("POST", "/connectors/acme/credentials", {"credentialType": "oauth2", "redirectUri": f"{APP}/connected"}),
        ("GET", "/.well-known/oauth-authorization-server", None),
    ]
    for method, path, body in asks:
        for lies in ([lie] for lie in LIES), [LIES]:
            for lie in lies:
                answer = project.call(method, path, body, headers=lie)
                holds(answer.status in (200, 201), f"{lie} changed the answer: {answer}")
                holds("evil" not in answer.text and ":666" not in answer.text, f"{lie} changed an address: {answer.text}")
                if "//" in answer.text:
                    holds(project.base in answer.text, answer.text)
    browser, attempt = Browser(), project.front_end("victim")
    started = browser.open(attempt.start_url, headers=LIES)
    holds(query(started.location, "redirect_uri").startswith(project.base), f"the redirect URI: {started.location}")
    page = browser.arrive(project.answered(browser, attempt), project.base, "cross-site")
    done = browser.post(page.form("/connect/confirm/")[0], dict(page.form("/connect/confirm/")[1], decision="confirm"), headers=LIES)
    holds("evil" not in done.everything(), done)
    assert done.status == 303, done


@attack("DNS rebinding and Host header injection (CWE-350, CWE-644): a foreign Host")
def a_foreign_host(project):
    for host in ("evil.example", "localhost.evil.example", "evil.example:80", "127.0.0.1.evil.example"):
        for path in ("/connectors/acme/oauth/authorize", "/.well-known/oauth-authorization-server", "/connect/style.css"):
            answer = send("GET", project.base + path, [("authorization", f"Bearer {project.key}"), ("accept", "text/html")], host=host)
            holds(answer.status == 421 and host not in answer.text + answer.location, f"{host}{path}: {answer}")


@attack("Cross-site scripting by what a project, a user or a provider is called (CWE-79)")
def a_name_becomes_markup(project):
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    other = project.mooring.project("<b>Orbit</b>\"'")
    provider = harbour(other)
    provider.answers["/api/me"] = (200, {}, {"id": "1", "name": evil, "email": evil})
    browser = Browser()
    attempt = other.front_end("victim", evil, connector="harbour")
    page = browser.arrive(provider.consent(other.started(browser, attempt)), other.base, "cross-site")
    assert "/connect/confirm/" in page.url, page
    holds("<script>" not in page.text and "<img src=x" not in page.text and "<b>Orbit" not in page.text, page.text)
    back = browser.arrive(with_query(provider.consent(other.started(browser, other.front_end(None, connector="harbour"))), code=None, error=evil), other.base, "cross-site")
    holds("<script>" not in back.text and "<img src=x" not in back.text, back.text)
    provider.stop()


@attack("CORS: a page of another origin reads an answer")
def a_foreign_origin_reads_an_answer(project):
    session = project.session("victim")
    for origin in ("https://evil.example", "null", f"{APP}.evil.example", "http://127.0.0.1"):
        for path, bearer in (("/v1/vault/connections", project.key), ("/v1/connect/attempts/att_x", session["session"])):
            answer = project.call("GET", path, key=bearer, headers=[("origin", origin)])
            holds(not answer.header("access-control-allow-origin"), f"{origin} reads {path}")
            holds(not answer.header("access-control-allow-credentials"), "no answer is for credentials across sites")
    answer = project.call("GET", "/v1/vault/connections", headers=[("origin", APP)])
    assert answer.header("access-control-allow-origin") == APP, answer
    assert json.loads(answer.body)["rows"] == []
