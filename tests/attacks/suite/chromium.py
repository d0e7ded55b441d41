"""Attacks that need a real browser: Chromium, by playwright-core."""

import http.server
import json
import subprocess
import threading
import urllib.parse

from . import ROOT, attack
from .world import holds
from .world import harbour as harbour_of


class Site:
    """The attacker's site, at a host of its own: `evil.localhost` is another site than `mooring.localhost`."""

    def __init__(self, provider=None):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked = urllib.parse.urlsplit(self.path)
                headers, body = [("content-type", "text/html")], b"<!doctype html><title>Prizes</title><h1>You have won</h1>"
                if asked.path == "/consent":
                    url = dict(urllib.parse.parse_qsl(asked.query))["url"]
                    headers.append(("location", provider.consent(url)))
                self.send_response(302 if len(headers) > 1 else 200)
                for name, value in [*headers, ("content-length", str(len(body)))]:
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(body)
                except BrokenPipeError:
                    pass  # the browser went on

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://evil.localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def played(**setting):
    """One attack in Chromium."""
    install = f'set -euo pipefail; . "{ROOT}/tests/e2e/lib.sh"; chromium'
    subprocess.run(["bash", "-c", install], check=True, capture_output=True)
    script = ROOT / "tests/attacks/suite/page.mjs"
    node = subprocess.run(["node", script, json.dumps(setting)], capture_output=True, text=True, timeout=120)
    assert node.returncode == 0, node.stderr
    return json.loads(node.stdout)


@attack("RFC 9700 §4.16: clickjacking, in Chromium")
def a_frame_of_an_attackers_page(project):
    site = Site()
    addresses = [project.link("victim"), project.front_end("victim").start_url, f"{project.base}/connect/confirm/att_x"]
    said = played(attack="framed", evil=site.url, start=project.front_end("victim").start_url, addresses=addresses)
    holds(said["shown"] == [], f"shown in a frame: {said['shown']}")
    project.nothing_is_connected()
    site.stop()


@attack("RFC 9700 §4.2.4: leaks by referrer, in Chromium")
def a_referrer_of_our_pages(project):
    provider = harbour_of(project)
    site = Site(provider)
    more = {"allowed_origins": [site.url], "redirect_uris": [f"{site.url}/done"]}
    project.mooring.admin("PATCH", f"/projects/{project.id}", more)
    link = project.link("victim", "Victim V.", "harbour", redirect_uri=f"{site.url}/done")
    said = played(attack="referred", evil=site.url, link=link, base=project.base, provider=provider.url, consent=f"{site.url}/consent")
    secrets = [entry for entry in said["said"] if not entry[0].startswith(project.base)]
    holds(secrets == [], f"named as a referrer to others: {secrets}")
    within = [entry for entry in said["said"] if "token=" in entry[1] or "state=" in entry[1] or "code=" in entry[1]]
    holds(within == [], f"a secret in a referrer: {within}")
    assert "status=connected" in said["end"], said
    headers = [call["headers"] for call in provider.calls("/authorize")]
    assert headers, "the browser went to the provider"
    named = [{name.lower(): value for name, value in each.items()}.get("referer", "") for each in headers]
    holds(not any(named), f"the provider was told {named}")
    site.stop()
    provider.stop()


@attack("postMessage and window references from another site (CWE-346), in Chromium")
def a_message_to_our_pages(project):
    site = Site()
    addresses = [project.link("victim"), f"{project.base}/connect/outcome/att_x"]
    said = played(attack="messaged", evil=site.url, start=project.front_end("victim").start_url, addresses=addresses)
    holds(said["heard"] == [], f"our pages said {said['heard']}")
    project.nothing_is_connected("a message is not the person's word")
    site.stop()


@attack("RFC 9700 §4.7 and §4.17: a session handed to our start page by a page that is not the app's, in Chromium")
def a_foreign_page_hands_over_a_session(project):
    evil, app = Site(), Site()
    project.mooring.admin("PATCH", f"/projects/{project.id}", {"allowed_origins": [app.url]})
    start = f"{project.base}/connect/start?connector=acme"
    said = played(attack="bound", evil=evil.url, app=app.url, start=start, session=project.session()["session"])
    holds(not any("attempt" in message for message in said["evil"]), f"a foreign page began: {said['evil']}")
    holds(any(message.get("error") == "origin_not_allowed" for message in said["evil"]), said["evil"])
    assert any(str(message.get("attempt", "")).startswith("att_") for message in said["app"]), said["app"]
    project.nothing_is_connected()
    for site in (evil, app):
        site.stop()


@attack("Double-clickjacking (Yibelo, 2024), in Chromium")
def a_double_click_lands_on_our_button(project):
    site = Site()
    said = played(attack="doubleClicked", evil=site.url, start=project.front_end("victim").start_url)
    holds(said["stays"], f"a click that was meant for another window counts: {said}")
    assert len(project.connections("victim")) == 1, "who moves to the button and presses it is taken at the word"
    site.stop()
