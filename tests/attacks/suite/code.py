"""Attacks on what completes a grant: codes, and the person's word."""

from . import attack
from .browser import Browser, query
from .callback import at_once
from .world import APP, holds, refused

INVALID_GRANT = (400, "invalid_grant")
FORGED = (403, "forged_form")


def vouched(project, user="victim"):
    """A held grant whose code came back to an app that vouches: the attempt and the code."""
    attempt, browser = project.credentials(user), Browser()
    back = browser.open(project.answered(browser, attempt), "cross-site").location
    assert back.startswith(f"{APP}/connected?code="), back
    return attempt, query(back, "code")


@attack("Cross-user grant by redemption with another identity; RFC 9700 §4.5")
def a_redemption_with_another_identity(project):
    vouching = project.mooring.project(vouches_for_users=True)
    attempt, code = vouched(vouching)
    for user in ("mallory", "VICTIM", "victim2"):
        refused(vouching.redeem(code, attempt.state, user), (403, "identity_mismatch"))
    for team in ({"identity": "victim", "identityType": "team"}, {"identity": "mallory", "identityType": "user"}):
        refused(vouching.redeem(code, attempt.state, **team), (403, "identity_mismatch"))
    vouching.nothing_is_connected()
    assert vouching.redeem(code, attempt.state, "victim").json["status"] == "connected"


@attack("Cross-user grant by redemption without an identity; RFC 9700 §4.5")
def a_redemption_without_an_identity(project):
    vouching = project.mooring.project(vouches_for_users=True)
    attempt, code = vouched(vouching)
    refused(vouching.redeem(code, attempt.state), (400, "user_id_required"))
    refused(vouching.redeem(code, attempt.state, identityType="user"), (400, "user_id_required"), (400, "invalid_request"))
    vouching.nothing_is_connected()
    assert vouching.redeem(code, attempt.state, "victim").json["status"] == "connected"


@attack("RFC 6749 §4.1.2, RFC 9700 §4.5: replay of a completion code")
def a_completion_code_is_replayed(project):
    vouching = project.mooring.project(vouches_for_users=True)
    attempt, code = vouched(vouching)
    answers = at_once([lambda: vouching.redeem(code, attempt.state, "victim")] * 12)
    holds(sum(answer.status == 200 for answer in answers) == 1, f"redeemed {[answer.status for answer in answers]}")
    refused(vouching.redeem(code, attempt.state, "victim"), INVALID_GRANT)
    holds(len(vouching.connections("victim")) == 1, "one connection")

    # where the person confirmed before
    browser, attempt = Browser(), project.credentials("victim")
    back = project.confirmed(browser, project.held(browser, attempt)).location
    code = query(back, "code")
    assert project.redeem(code, attempt.state, "victim").status == 200
    refused(project.redeem(code, attempt.state, "victim"), INVALID_GRANT)
    answers = [project.redeem(code, attempt.state, user) for user in ("victim", None)]
    holds(all(answer.status == 400 for answer in answers), "a code of a connection is taken again")


@attack("RFC 9700 §4.5: a completion code with another state, connector or guess")
def a_completion_code_of_another_attempt(project):
    vouching = project.mooring.project(vouches_for_users=True)
    (attempt, code), (other, other_code) = vouched(vouching), vouched(vouching, "mallory")
    tries = [
        (code, other.state, "mallory"),
        (other_code, attempt.state, "victim"),
        (code, other.state, "victim"),
        (code, attempt.state + "x", "victim"),
        (code, attempt.state.replace("acme.", "slack."), "victim"),
        ("guess", attempt.state, "victim"),
    ]
    for given, state, user in tries:
        refused(vouching.redeem(given, state, user), INVALID_GRANT)
    refused(vouching.redeem(code, attempt.state, "victim", connector="slack"), INVALID_GRANT)
    vouching.nothing_is_connected()
    assert vouching.redeem(code, attempt.state, "victim").json["status"] == "connected"


@attack("RFC 9700 §4.7: a confirmation sent by another site's page")
def a_confirmation_from_another_site(project):
    """The attacker has everything but the browser's own word on where the form stood."""
    browser = Browser()
    page = project.held(browser, project.front_end("victim"))
    for site, origin in (
        ("same-site", "null"),
        ("same-site", "http://evil.localhost"),
        ("none", "null"),
        ("same-origin", "https://evil.example"),
        ("same-site", project.base),
    ):
        answer = browser.submit(page, "/connect/confirm/", site=site, origin=origin, decision="confirm")
        refused(answer, FORGED)
    answer = browser.submit(page, "/connect/confirm/", site="cross-site", origin="https://evil.example", decision="confirm")
    refused(answer, (400, "unknown_state"), FORGED)
    project.nothing_is_connected()
    project.confirmed(browser, page)
    assert len(project.connections("victim")) == 1


@attack("RFC 9700 §4.7: a confirmation without the token of our form")
def a_confirmation_without_its_token(project):
    browser = Browser()
    page = project.held(browser, project.front_end("victim"))
    other = project.held(browser, project.front_end("other"))
    foreign = other.form("/connect/confirm/")[1]["form_token"]
    refused(browser.submit(page, "/connect/confirm/", without=["form_token"], decision="confirm"), FORGED)
    for token in ("", "x", "AAAA", foreign):
        refused(browser.submit(page, "/connect/confirm/", form_token=token, decision="confirm"), FORGED)
    project.nothing_is_connected()
    project.confirmed(browser, page)
    assert len(project.connections("victim")) == 1


@attack("RFC 9700 §4.7: the first page's form, sent from elsewhere")
def a_connect_form_from_another_site(project):
    browser = Browser()
    page = browser.arrive(project.link("victim"), project.base)
    for values in ({"without": ["form_token"]}, {"form_token": "x"}, {"site": "same-site"}, {"origin": "https://evil.example"}):
        refused(browser.submit(page, "/connect/acme", **values), FORGED)
    answer = browser.submit(page, "/connect/acme", site="cross-site", origin="https://evil.example")
    refused(answer, (400, "unknown_state"), FORGED)
    assert "/connect/start/" in browser.submit(page, "/connect/acme").location


@attack("RFC 9700 §4.7: confirmed and cancelled at once")
def a_confirmation_and_a_cancellation_at_once(project):
    for _ in range(3):
        browser, attempt = Browser(), project.front_end("victim")
        page = project.held(browser, attempt)
        before = len(project.connections("victim"))
        at_once([lambda word=word: browser.copy().submit(page, "/connect/confirm/", decision=word) for word in ("confirm", "cancel")])
        status = project.status(attempt, browser).json["status"]
        more = len(project.connections("victim")) - before
        holds((status, more) in (("connected", 1), ("denied", 0)), f"it ended two ways: {status}, {more} connections more")
