"""Attacks on the frame in an app's page, and on the way that the published widget goes in the page's own window."""

import base64

from . import attack
from .browser import Browser, query, with_query
from .chromium import Site, played
from .links import forwarded
from .pages import elsewhere
from .world import APP, Attempt, consent_at_acme, good, holds, refused

OUR_PAGE = ("sec-fetch-site", "same-origin")


def asked(project, path, body, session, headers=(OUR_PAGE,)):
    return project.mooring.call("POST", path, session, body, headers)


def same_window(project, session):
    """What our frame tells the published widget: where its page goes."""
    body = {"connector": "acme", "parent": APP, "window": "same"}
    return Attempt(good(asked(project, "/v1/connect/attempts", body, session))["url"])


@attack("RFC 9700 §4.7: session fixation by the published widget's address, polled by its sender")
def a_forwarded_widget_address(project):
    session = project.session()["session"]
    forwarded(project, same_window(project, session).start_url, lambda attempt: project.status(attempt, session=session))


@attack("RFC 9700 §4.11.1: open redirect by the page that the published widget says it left")
def an_open_redirect_by_the_page_that_was_left(project):
    for address in [*elsewhere(), f"{APP}/settings"]:
        behind = base64.urlsafe_b64encode(address.encode()).rstrip(b"=").decode()
        for version in ("", "~v3"):
            browser, attempt = Browser(), same_window(project, project.session("victim")["session"])
            started = browser.open(with_query(attempt.start_url, state=f"{attempt.state}~{behind}{version}"))
            holds(query(started.location, "state") == attempt.state, f"the provider is told more: {started}")
            landed = consent_at_acme(browser, started.location)
            done = project.confirmed(browser, browser.arrive(landed, project.base, "cross-site"))
            expected = (project.base, APP + "/") if address.strip().startswith(APP + "/") else (project.base,)
            holds(done.location.startswith(expected), f"{address!r} leads to {done.location}")
            holds("evil" not in done.location, f"{address!r} leads to {done.location}")


@attack("RFC 9700 §4.17, design of the frame: an attempt in the name of a page that is not the app's")
def a_frame_that_speaks_for_a_foreign_page(project):
    session = project.session("victim")["session"]
    body = {"connector": "acme"}
    for parent in ("https://evil.example", "null", "", f"{APP}.evil.example", project.base, f"{APP}/", APP.upper()):
        refused(asked(project, "/v1/connect/frame", {"parent": parent}, session), (403, "origin_not_allowed"))
        for window in ("own", "same"):
            for more in ({}, {"opener": project.base}):
                told = {**body, **more, "parent": parent, "window": window}
                refused(asked(project, "/v1/connect/attempts", told, session), (403, "origin_not_allowed"))
    told = {**body, "opener": "https://evil.example", "parent": APP}
    refused(asked(project, "/v1/connect/attempts", told, session), (403, "origin_not_allowed"))
    refused(asked(project, "/v1/connect/attempts", {**body, "opener": project.base}, session), (400, "invalid_request"))
    for headers in ([("sec-fetch-site", "cross-site")], [("origin", "https://evil.example")], [("origin", APP)]):
        refused(asked(project, "/v1/connect/frame", {"parent": APP}, session, headers), (403, "forged_form"))
        refused(asked(project, "/v1/connect/attempts", {**body, "parent": APP}, session, headers), (403, "forged_form"))
    assert asked(project, "/v1/connect/frame", {"parent": APP}, session).status == 200
    project.nothing_is_connected()


@attack("RFC 9700 §4.16: clickjacking of the frame that any page may embed, in Chromium")
def a_frame_of_ours_in_an_attackers_page(project):
    evil, app = Site(), Site()
    project.mooring.admin("PATCH", f"/projects/{project.id}", {"allowed_origins": [app.url]})
    session = project.session("victim")["session"]
    said = played(attack="embedded", sites=[evil.url, app.url], frame=f"{project.base}/connect/frame", session=session)
    holds(all(found == [] for found in said[evil.url]), f"a foreign page can have pressed: {said[evil.url]}")
    assert all(found for found in said[app.url]), f"the app's own page shows nothing: {said[app.url]}"
    project.nothing_is_connected()
    for site in (evil, app):
        site.stop()


@attack("postMessage to the frame from another window than its parent (CWE-346), in Chromium")
def a_window_beside_speaks_to_the_frame(project):
    evil, app = Site(), Site()
    project.mooring.admin("PATCH", f"/projects/{project.id}", {"allowed_origins": [app.url]})
    session = project.session("victim")["session"]
    said = played(attack="spokenTo", evil=evil.url, app=app.url, frame=f"{project.base}/connect/frame", session=session)
    holds(said["shown"] != [], f"who spoke first, and was not the parent, was believed: {said}")
    holds(said["heard"] == [], f"the frame answered a stranger: {said['heard']}")
    for site in (evil, app):
        site.stop()
