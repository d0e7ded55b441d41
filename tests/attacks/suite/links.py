"""Attacks by links: somebody is sent into a flow that was started for somebody else. Each shape in which a flow starts is tried."""

import json
import re

from . import attack
from .browser import Browser, query
from .callback import at_once
from .world import APP, consent_at_acme, harbour, holds, refused

WARNING = "If somebody sent you here and that is not you, cancel."


def stays_with_the_sender(project, attempt, victim, poll):
    """What the sender sees while the victim has consented and not confirmed: `held`, no code, no connection, nothing to use."""
    said = poll()
    holds(said.status == 200 and said.json == {"status": "held"}, f"what the sender is told: {said}")
    project.nothing_is_connected("before the person's word")
    for code in ("", attempt.state, attempt.id, attempt.state.rsplit(".", 1)[1]):
        answer = project.redeem(code or "x", attempt.state, "mallory")
        holds(answer.status == 400, f"the sender redeemed {code!r}: {answer}")


def forwarded(project, url, poll=None):
    """Mallory starts, the victim opens what Mallory sends, logs in with her own account and allows. She has to read for whom it
    is; when she cancels, nothing is left."""
    victim = Browser()
    attempt = project.opened(victim, url, site="cross-site")
    landed = project.answered(victim, attempt, "alice")
    before = project.mooring.grants()
    page = victim.arrive(landed, project.base, "cross-site")
    holds("/connect/confirm/" in page.url, f"nobody asked the victim: {page.url}")
    project.nothing_is_connected("before the person's word")
    for words in ("Mallory M.", "alice@acme.example", "Orbit CRM", "Acme", WARNING):
        holds(words in page.text, f"the page does not say {words!r}: {page.text}")
    polled = poll or (lambda _: project.status(attempt, victim))
    stays_with_the_sender(project, attempt, victim, lambda: polled(attempt))
    # silent consent: nothing that a page can make a browser load is the person's word
    for address in (page.url, f"{page.url}?decision=confirm", f"{page.url}?decision=confirm&form_token=x"):
        for site in ("none", "cross-site", "same-origin"):
            holds(victim.open(address, site).status == 200, "looking at the page only shows it")
    victim.open(f"{project.base}/connect/outcome/{attempt.id}")
    project.nothing_is_connected("looking is not confirming")
    done = project.confirmed(victim, page, "cancel")
    holds(query(done.location, "code") is None, f"a code after a cancel: {done}")
    project.nothing_is_connected("after a cancel")
    holds(polled(attempt).json["status"] == "denied", "the sender is told that it was denied")
    revoked = [state for user, state in project.mooring.grants()].count("revoked") - [state for _, state in before].count("revoked")
    holds(revoked == 1, "the grant that nobody wanted was revoked")


@attack("RFC 9700 §4.7, RFC 6819 §4.4.1.9: session fixation by a one-time token link")
def a_forwarded_one_time_link(project):
    forwarded(project, project.link())


@attack("RFC 9700 §4.7: session fixation by an authorization URL for a front end")
def a_forwarded_authorization_url(project):
    forwarded(project, project.front_end().start_url)


@attack("RFC 9700 §4.7: session fixation by credentials, the app does not vouch")
def a_forwarded_credentials_url(project):
    forwarded(project, project.credentials().start_url)


@attack("RFC 9700 §4.7: session fixation by a connect session's link, polled by its sender")
def a_forwarded_session_link(project):
    made = project.session()
    forwarded(project, made["url"], lambda attempt: project.status(attempt, session=made["session"]))


@attack("RFC 9700 §4.7: session fixation by credentials, the app vouches for its users")
def a_forwarded_credentials_url_where_the_app_vouches(project):
    """The code comes back in the victim's browser, so the app names the victim, and that is not who started."""
    vouching = project.mooring.project(vouches_for_users=True)
    attempt = vouching.credentials("mallory")
    victim = Browser()
    back = victim.open(vouching.answered(victim, attempt), "cross-site").location
    holds(back.startswith(f"{APP}/connected?"), f"where the code goes: {back}")
    code = query(back, "code")
    holds(vouching.status(attempt, victim).json == {"status": "held"}, "a status holds no code")
    refused(vouching.redeem(code, attempt.state, "victim"), (403, "identity_mismatch"))
    vouching.nothing_is_connected()
    # the sender knows the state, but not the code
    for guess in (attempt.state, attempt.id, attempt.state.rsplit(".", 1)[1]):
        refused(vouching.redeem(guess, attempt.state, "mallory"), (400, "invalid_grant"))
    vouching.nothing_is_connected()
    # the same walked by one person alone
    own, browser = vouching.credentials("victim"), Browser()
    back = browser.open(vouching.answered(browser, own), "cross-site").location
    assert vouching.redeem(query(back, "code"), own.state, "victim").json["status"] == "connected"


@attack("RFC 9700 §4.7: an attempt for nobody, where the app vouches")
def an_attempt_for_nobody_is_confirmed(project):
    vouching = project.mooring.project(vouches_for_users=True)
    attempt, victim = vouching.credentials(None), Browser()
    landed = victim.open(vouching.answered(victim, attempt), "cross-site").location
    holds("/connect/confirm/" in landed and query(landed, "code") is None, f"nobody asked the victim: {landed}")
    page = victim.arrive(landed, project.base)
    holds("everyone in Orbit CRM" in page.text, "the page says for whom")
    vouching.nothing_is_connected()


@attack("Design of bound starts: a token in an address binds nobody")
def a_token_in_an_address_does_not_count_as_bound(project):
    """However a forwarded link is opened, the person is asked."""
    ways = [{"site": "none"}, {"site": "cross-site"}, {"site": "same-origin"}, {"site": "same-site"}]
    for way in ways:
        for url in (project.link(), project.session()["url"]):
            victim = Browser()
            page = victim.open(url, way["site"], headers=[("referer", f"{APP}/"), ("origin", APP)])
            if page.location.startswith(project.base):
                page = victim.arrive(page.location, project.base, way["site"])
            assert page.status == 200, page
            begun = victim.submit(page, "/connect/acme", opener=APP, bound="1", session="x")
            attempt = project.opened(victim, begun.location)
            landed = victim.arrive(project.answered(victim, attempt), project.base, "cross-site")
            holds("/connect/confirm/" in landed.url, f"nobody asked the victim: {landed.url}")
            holds(project.status(attempt, victim).json == {"status": "held"}, "it is held")
    project.nothing_is_connected()


def from_page(project, browser, session, origin, site="cross-site"):
    """A form of a page with a connect session, in the same window."""
    form = {"session": session, "connector": "acme", **({"return_to": f"{APP}/"} if origin == APP else {})}
    return browser.post(f"{project.base}/connect/start", form, site, origin)


@attack("RFC 9700 §4.7: session fixation by a bound start on the attacker's page")
def a_bound_start_from_an_attackers_page(project):
    """Mallory's page starts with Mallory's session in the victim's browser."""
    session = project.session()["session"]
    for origin in ("https://evil.example", f"{APP}.evil.example", "http://orbit.example", project.base):
        refused(from_page(project, Browser(), session, origin), (400, "origin_not_allowed"), (403, "origin_not_allowed"))
    # a page that hides its origin proves nothing: the person is asked
    for origin in ("null", None):
        victim = Browser()
        answer = from_page(project, victim, session, origin)
        assert answer.status == 303, answer
        landed = victim.arrive(consent_at_acme(victim, answer.location), project.base, "cross-site")
        holds("/connect/confirm/" in landed.url, f"nobody asked the victim: {landed.url}")
        holds("Mallory M." in landed.text, "the page says for whom")
    # nor can a page say another page's origin, as our own start page does
    for site, origin in (("cross-site", "https://evil.example"), ("same-site", "http://evil.localhost"), ("cross-site", "null")):
        said = [("authorization", f"Bearer {session}"), ("content-type", "application/json"), ("origin", origin), ("sec-fetch-site", site)]
        answer = Browser().request("POST", f"{project.base}/v1/connect/attempts", said, json.dumps({"connector": "acme", "opener": APP}).encode())
        refused(answer, (403, "forged_form"))
    # a token in an address is no session
    link = query(project.link(), "token")
    holds(from_page(project, Browser(), link, APP).status in (400, 401), "a link's token starts a bound flow")
    project.nothing_is_connected()


@attack("RFC 9700 §4.7: session fixation by the address that a bound start leads to")
def a_bound_starts_address_is_forwarded(project):
    """Mallory starts in her own browser, and sends the victim the provider's address."""
    attacker, victim = Browser(), Browser()
    asked = from_page(project, attacker, project.session()["session"], APP)
    assert asked.location.startswith(project.mooring.acme_url), asked
    grants = project.mooring.grants()
    landed = consent_at_acme(victim, asked.location, "alice")
    answer = victim.open(landed, "cross-site")
    holds(project.mooring.grants() == grants, "the victim's code was redeemed")
    refused(answer, (400, "unknown_state"))
    project.nothing_is_connected()
    # the same in one browser is what it is for
    browser = Browser()
    own = from_page(project, browser, project.session("victim")["session"], APP)
    browser.open(consent_at_acme(browser, own.location), "cross-site")
    assert len(project.connections("victim")) == 1


@attack("RFC 9700 §4.5: consent without a click, where the provider asks nothing")
def silent_consent(project):
    """The victim has allowed the app before, and the provider asks no more: a hidden navigation must not connect anything."""
    provider = harbour(project)
    victim = Browser()
    attempt = project.front_end("mallory", connector="harbour")
    landed = provider.consent(project.started(victim, attempt, "cross-site"))
    page = victim.arrive(landed, project.base, "cross-site")
    holds("/connect/confirm/" in page.url, f"nobody asked: {page.url}")
    for _ in range(3):
        victim.arrive(landed, project.base, "cross-site")
        victim.open(f"{page.url}?decision=confirm", "cross-site")
    holds(project.status(attempt, victim).json == {"status": "held"}, "it is held until the person's word")
    project.nothing_is_connected()
    provider.stop()


@attack("RFC 9700 §4.7: a thief redeems the one-time token first")
def a_thief_opens_the_link_first(project):
    link = project.link("victim", "Victim V.")
    thief, victim = Browser(), Browser()
    page = thief.arrive(link, project.base)
    # the person it was for learns of it, and is not led into what the thief began
    answer = victim.arrive(link, project.base)
    refused(answer, (409, "already_used"))
    holds("already used" in answer.text, "the victim is told")
    attempt = project.opened(thief, thief.submit(page, "/connect/acme").location)
    project.started(thief, attempt)
    refused(victim.open(attempt.start_url), (409, "already_used"))
    project.nothing_is_connected()
    # and of many at once one opens it
    for url in (project.link("victim"), project.session("victim")["url"]):
        answers = at_once([lambda: Browser().arrive(url, project.base)] * 10)
        opened = [answer for answer in answers if answer.status == 200]
        holds(len(opened) == 1, f"{len(opened)} browsers opened one link")
        holds({answer.refusal for answer in answers if answer.status != 200} == {(409, "already_used")}, answers)


@attack("RFC 9700 §4.7: a thief takes over a page or an attempt by its name")
def a_name_in_an_address_opens_nothing(project):
    browser, thief = Browser(), Browser()
    page = browser.arrive(project.link("victim"), project.base)
    names = re.findall(r'name="link" value="([^"]+)"', page.text)
    for name in names:
        refused(thief.open(f"{project.base}/connect/acme?link={name}"), (400, "unknown_state"))
    refused(thief.submit(page, "/connect/acme"), (400, "unknown_state"), (403, "forged_form"))
    attempt = project.opened(browser, browser.submit(page, "/connect/acme").location)
    held = project.held(browser, attempt)
    for path in (f"/connect/confirm/{attempt.id}", f"/connect/outcome/{attempt.id}"):
        refused(thief.open(project.base + path), (400, "unknown_state"))
    refused(thief.submit(held, "/connect/confirm/", decision="confirm"), (400, "unknown_state"))
    holds(project.status(attempt, thief).status == 401, "a stranger asks for the status")
    thief.plant(project.base, f"__Host-mooring_{attempt.id}", "guess")
    holds(project.status(attempt, thief).status == 404, "a stranger asks for the status with a guess")
    project.nothing_is_connected()
    project.confirmed(browser, held)
    assert len(project.connections("victim")) == 1


@attack("RFC 9700 §4.7: a start URL in a second browser")
def a_start_works_in_one_browser(project):
    for attempt in (project.front_end("victim"), project.credentials("victim")):
        first, second = Browser(), Browser()
        project.started(first, attempt)
        answer = second.open(attempt.start_url)
        holds(answer.refusal == (409, "already_used"), f"a second browser took the attempt: {answer}")
        project.confirmed(first, project.held(first, attempt))
