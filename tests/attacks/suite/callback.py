"""Attacks on the redirection endpoint: answers that are somebody else's."""

import base64
import hashlib
import hmac
import threading
import urllib.parse

from . import attack
from .browser import Browser, query, with_query
from .provider import Provider
from .world import APP, consent_at_acme, harbour, holds, refused

UNKNOWN = (400, "unknown_state")
NOT_BELIEVED = (400, "answer_not_believed")


def to_acme(project, authorization_url, callback):
    """What a malicious authorization endpoint does in a mix-up: sends the browser on to an honest provider, with the honest
    client's id and the state that it was given itself."""
    honest = project.started(Browser(), project.front_end("mallory"))
    own = base64.urlsafe_b64encode(hashlib.sha256(b"mallory's verifier").digest()).rstrip(b"=").decode()
    state = query(authorization_url, "state")
    return with_query(honest, redirect_uri=project.base + callback, state=state, code_challenge=own)


def mixed_up(project, connector, callback):
    """A victim connects at a connector that is the attacker's, whose endpoint sends it on to Acme, where it consents."""
    evil = Provider("Evil", greedy=True)
    project.custom(connector, evil.definition())
    victim = Browser()
    asked = project.started(victim, project.front_end("victim", connector=connector))
    landed = consent_at_acme(victim, to_acme(project, asked, callback))
    answer = victim.open(landed, "cross-site")
    stolen = [call["form"].get("code") for call in evil.calls("/token")]
    holds(query(landed, "code") not in stolen, "the attacker's token endpoint got the code of an honest provider")
    refused(answer, NOT_BELIEVED)
    project.nothing_is_connected()
    evil.stop()


@attack("RFC 9700 §4.4.1, RFC 9207 §2.4: mix-up between issuers that share a redirect URI")
def mix_up_with_the_issuer_of_another(project):
    """A provider with many tenants, each an issuer, and a client that is registered with all of them."""
    for told in (True, False):
        provider = Provider()
        issuer = {"issuer": f"{provider.url}/honest", "authorization_response_iss_parameter_supported": told}
        project.custom("harbour", provider.definition(issuer))
        victim, attempt = Browser(), project.front_end("victim", connector="harbour")
        asked = project.started(victim, attempt)
        for evil in ("/evil", "/honest/", "", "/HONEST"):
            answer = victim.open(provider.consent(asked, iss=provider.url + evil), "cross-site")
            holds(not provider.calls("/token"), f"the code of {evil} was redeemed at another issuer")
            refused(answer, NOT_BELIEVED)
        page = victim.arrive(provider.consent(asked, iss=f"{provider.url}/honest"), project.base, "cross-site")
        assert "/connect/confirm/" in page.url, page
        provider.stop()


def signed(url, secret):
    """As the provider signs: the parameters as they are, sorted by name."""
    answer = urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query)
    text = "&".join(f"{name}={value}" for name, value in sorted(answer))
    return with_query(url, hmac=hmac.new(secret.encode(), text.encode(), "sha256").hexdigest())


@attack("RFC 9700 §4.5: an answer that the provider signs, with another's code in it")
def an_answer_that_the_provider_did_not_sign(project):
    """What reads and changes the victim's address bar has the state and the cookie, and not the client's secret."""
    provider, secret = Provider(), "canary-client-secret-harbour"
    signature = {"callback_signature": {"parameter": "hmac", "algorithm": "hmac_sha256_sorted_query"}}
    project.custom("harbour", provider.definition(signature))

    def answered():
        browser, attempt = Browser(), project.front_end("victim", connector="harbour")
        return browser, provider.consent(project.started(browser, attempt))

    forgeries = {
        "unsigned": lambda url: url,
        "signed with a guess": lambda url: signed(url, "guess"),
        "with an empty signature": lambda url: with_query(url, hmac=""),
        "with another's code": lambda url: with_query(signed(url, secret), code=query(answered()[1], "code")),
    }
    for name, forge in forgeries.items():
        victim, landed = answered()
        page = victim.arrive(forge(landed), project.base, "cross-site")
        holds(not provider.calls("/token"), f"an answer {name} was believed, and its code redeemed")
        assert query(page.location, "error") == "invalid_callback_signature", page
        victim.open(signed(landed, secret), "cross-site")
        holds(not provider.calls("/token"), "an attempt that had failed was taken up again")
    project.nothing_is_connected()
    victim, landed = answered()
    page = victim.arrive(signed(landed, secret), project.base, "cross-site")
    assert "/connect/confirm/" in page.url, page
    provider.stop()


@attack("CWE-639: an installation of somebody else's, named in one's own answer")
def an_installation_of_somebody_elses(project):
    """The app logs in for whatever installation the callback names, and its key opens all of them. Which are whose, only the provider
    knows; what the browser brings is the attacker's to write."""
    provider = Provider()
    provider.answers["/installations"] = 200, {}, [{"id": 7, "owner": "id-mallory"}]
    for place in (7, 9):
        provider.answers[f"/installations/{place}/token"] = 201, {}, {"token": f"canary-session-{place}"}
    definition = provider.definition({"pkce": "none"})
    definition |= {
        "settings": [{"name": "signing_key", "label": "Key", "secret": True}],
        "lookups": [{
            "name": "installation", "url": f"{provider.url}/installations", "before_login": True,
            "chosen_by": "installation_id", "list": ".", "path": "id", "also": {"owner": "owner"},
        }],
        "login": {
            "url": f"{provider.url}/installations/{{installation}}/token", "token": "token",
            "credential": {"in": "header", "value": "Bearer {assertion}"},
            "assertion": {"algorithm": "HS256", "key": "{signing_key}", "claims": {"iss": "{client_id}"}},
        },
        "profile": {"account_id": "{owner}"},
    }  # fmt: skip
    definition["api"]["credential"] = {"in": "header", "value": "Bearer {session_token}"}
    del definition["revoke"]
    project.custom("harbour", definition, settings={"signing_key": "canary-signing-key-of-the-app-itself"})

    def answered(place):
        browser, attempt = Browser(), project.front_end("mallory", connector="harbour")
        landed = provider.consent(project.started(browser, attempt), "mallory", installation_id=place)
        return browser.arrive(landed, project.base, "cross-site")

    for place in ("9", "7/../9", "./9", "09", "9%00"):
        page = answered(place)
        holds(not [call for call in provider.seen if "/9/" in call["path"]], f"the app logged in to {place}, which is another's")
        assert query(page.location, "error") == "provider_invalid_response", page
    project.nothing_is_connected()
    assert "/connect/confirm/" in answered("7").url
    provider.stop()


@attack("RFC 9700 §4.4.2.2: mix-up, another connector's callback path")
def mix_up_on_the_path_of_another_connector(project):
    mixed_up(project, "evil", "/connectors/acme/oauth/callback")


@attack("RFC 9700 §4.4.2.2: mix-up, the common callback path")
def mix_up_on_the_common_path(project):
    mixed_up(project, "evil", "/connectors/oauth/callback")
    # whoever defines a connector can't have its answers come to the path that others share
    decision = {"client_id": "c", "client_secret": "s", "callback": "common"}
    path = f"/v1/admin/projects/{project.id}/environments/test/connectors/evil"
    refused(project.mooring.call("PUT", path, project.mooring.root_key, decision), (400, "invalid_request"))


@attack("RFC 9207 §2.4: an answer without the issuer that the provider always names")
def mix_up_without_an_issuer(project):
    browser = Browser()
    attempt = project.front_end("victim", "Victim V.")
    landed = project.answered(browser, attempt)
    grants = project.mooring.grants()
    for iss in (None, "", "https://evil.example", f"{project.mooring.acme_url}/"):
        for error in (None, "access_denied"):
            refused(browser.open(with_query(landed, iss=iss, error=error), "cross-site"), NOT_BELIEVED)
    refused(browser.open(f"{landed}&iss=https://evil.example", "cross-site"), (400, "invalid_request"))
    holds(project.mooring.grants() == grants, "the code was redeemed")
    project.confirmed(browser, browser.arrive(landed, project.base, "cross-site"))
    assert len(project.connections("victim")) == 1


@attack("Cross-app OAuth account takeover (COAT), Luo et al., USENIX Security 2025")
def coat_an_answer_of_an_attackers_connector(project):
    """The attacker's app is another project of the same platform, with a connector of its own; the victim tries it out."""
    attackers = project.mooring.project("Free wallpapers")
    mixed_up(attackers, "wallpapers", "/connectors/acme/oauth/callback")
    attackers.nothing_is_connected("the attacker's project has the victim's account")
    project.nothing_is_connected()


@attack("COAT between two tenants whose connectors have one name")
def coat_between_tenants_with_connectors_of_one_name(project):
    """Both tenants have a connector `harbour`: the victim's leads to the honest provider, the attacker's to the attacker. The victim
    tries the attacker's app; its authorization endpoint sends her on to the honest provider, with the challenge of a flow that
    the attacker began in the victim's tenant, to inject the code there."""
    honest = harbour(project)
    evil = Provider("Harbour", greedy=True)
    attackers = project.mooring.project("Free wallpapers")
    attackers.custom("harbour", evil.definition())
    attacker, victim = Browser(), Browser()
    own = project.front_end("mallory", connector="harbour")
    wanted = project.started(attacker, own)
    asked = attackers.started(victim, attackers.front_end("victim", connector="harbour"))
    landed = honest.consent(with_query(wanted, state=query(asked, "state")), "alice")
    answer = victim.open(landed, "cross-site")
    stolen = [call["form"].get("code") for call in evil.calls("/token")]
    holds(query(landed, "code") not in stolen, "the attacker's token endpoint got the code of an honest provider")
    holds(answer.status == 400, answer)
    evil.stop()
    honest.stop()


@attack("Cross-app OAuth request forgery (CORF), Luo et al., USENIX Security 2025")
def corf_a_connectors_answer_finishes_another_connectors_flow(project):
    """The attacker's authorization endpoint answers at Acme's callback, with a code for the attacker's own account there."""
    evil = Provider("Evil", greedy=True)
    project.custom("evil", evil.definition())
    own = project.front_end("mallory")
    code = query(project.answered(Browser(), own, "bob"), "code")
    victim = Browser()
    waiting = project.front_end("victim", "Victim V.")
    landed = project.answered(victim, waiting)
    asked = project.started(victim, project.front_end("victim", connector="evil"))
    grants = project.mooring.grants()
    for state in (query(asked, "state"), own.state):
        forged = with_query(landed, code=code, state=state)
        refused(victim.open(forged, "cross-site"), UNKNOWN, NOT_BELIEVED)
    holds(project.mooring.grants() == grants, "a code was redeemed")
    project.nothing_is_connected()
    page = victim.arrive(landed, project.base, "cross-site")
    project.confirmed(victim, page)
    assert len(project.connections("victim")) == 1
    evil.stop()


@attack("RFC 9700 §4.7: cross-site request forgery on the callback")
def a_victims_browser_completes_the_attackers_flow(project):
    attacker, victim = Browser(), Browser()
    attempt = project.front_end("mallory")
    landed = project.answered(attacker, attempt, "bob")
    grants = project.mooring.grants()
    answer = victim.open(landed, "cross-site")
    holds(project.mooring.grants() == grants, "the attacker's code was redeemed in the victim's browser")
    refused(answer, UNKNOWN)
    # nor with a cookie of its own flow, or a guessed one
    own = project.front_end("victim")
    project.started(victim, own)
    for value in ("guess", "", victim.value(own.id)):
        other = victim.copy()
        other.plant(project.base, f"__Host-mooring_{attempt.id}", value)
        refused(other.open(landed, "cross-site"), UNKNOWN)
    holds(project.mooring.grants() == grants, "the attacker's code was redeemed in the victim's browser")
    project.nothing_is_connected()


@attack("RFC 9700 §4.5: authorization code injection, against PKCE (§2.1.1)")
def a_stolen_code_is_injected_into_the_attackers_flow(project):
    provider = harbour(project)
    victims = project.front_end("victim", connector="harbour")
    stolen = query(provider.consent(project.started(Browser(), victims), "alice"), "code")
    attacker = Browser()
    attempt = project.front_end("mallory", connector="harbour")
    asked = project.started(attacker, attempt)
    injected = f"{query(asked, 'redirect_uri')}?{urllib.parse.urlencode({'code': stolen, 'state': attempt.state})}"
    page = attacker.arrive(injected, project.base, "cross-site")
    holds("/connect/confirm/" not in page.url, f"the victim's code is a grant of the attacker's: {page.url}")
    holds(project.status(attempt, attacker).json["status"] == "failed", "the attempt has failed")
    project.nothing_is_connected()
    provider.stop()


@attack("RFC 9700 §2.1.1 and §4.8: PKCE downgrade")
def a_pkce_downgrade(project):
    """Whoever can write to the start's address, or to a connector's parameters, can't take the challenge away or fix it."""
    provider = Provider()
    fixed = {"code_challenge_method": "plain"}, {"code_challenge": "x"}, {"code_challenge_method": ""}
    for parameters in fixed:
        answer = project.mooring.call(
            "PUT",
            f"/v1/admin/projects/{project.id}/connectors/harbour",
            project.mooring.root_key,
            provider.definition({"authorization_params": parameters}),
        )
        refused(answer, (400, "invalid_connector"))
    project.custom("harbour", provider.definition())
    for parameters in fixed:
        decision = {"client_id": "c", "client_secret": "s", "authorization_params": parameters}
        path = f"/v1/admin/projects/{project.id}/environments/test/connectors/harbour"
        answer = project.mooring.call("PUT", path, project.mooring.root_key, decision)
        refused(answer, (400, "invalid_request"))

    attempt = project.front_end("victim", connector="harbour", code_challenge="x", code_challenge_method="plain")
    browser = Browser()
    asked = browser.open(attempt.start_url + "&code_challenge=x&code_challenge_method=plain").location
    parameters = urllib.parse.parse_qsl(urllib.parse.urlsplit(asked).query)
    challenges = [value for name, value in parameters if name.startswith("code_challenge")]
    holds(len(challenges) == 2 and "S256" in challenges and len(challenges[0]) == 43, f"the challenge is ours: {asked}")
    # a network attacker who strips it from the request gains nothing: the verifier is sent all the same
    stripped = with_query(asked, code_challenge=None, code_challenge_method=None)
    page = browser.arrive(provider.consent(stripped), project.base, "cross-site")
    holds("/connect/confirm/" not in page.url, "a code without a challenge was redeemed")
    holds(provider.calls("/token")[0]["form"].get("code_verifier"), "the verifier is always sent")
    provider.stop()


@attack("RFC 9700 §4.5 and §2.1: replay of a state")
def a_state_is_replayed(project):
    provider = harbour(project)
    browser = Browser()
    attempt = project.front_end("victim", connector="harbour")
    landed = provider.consent(project.started(browser, attempt))
    page = browser.arrive(landed, project.base, "cross-site")
    assert "/connect/confirm/" in page.url, page
    fresh = query(provider.consent(project.started(Browser(), project.front_end("mallory", connector="harbour")), "bob"), "code")
    for again in (landed, with_query(landed, code=fresh), with_query(landed, code=None, error="access_denied")):
        answer = browser.open(again, "cross-site")
        holds(len(provider.calls("/token")) == 1, "a state was redeemed twice")
        holds("/connect/confirm/" in answer.location, f"it tells how it ended, and nothing more: {answer}")
    refused(Browser().open(landed, "cross-site"), UNKNOWN)
    project.confirmed(browser, page)
    account = project.connections("victim")[0]["name"]
    holds("bob" not in account.lower(), f"the replayed answer's account was connected: {account}")
    provider.stop()


@attack("RFC 9700 §4.7: a state is swapped for another one")
def a_state_is_swapped(project):
    browser = Browser()
    attempt, other = project.front_end("victim", "Victim V."), project.front_end("mallory")
    landed = project.answered(browser, attempt)
    project.started(browser, other)
    grants = project.mooring.grants()
    proof, others = (one.state.rsplit(".", 1)[1] for one in (attempt, other))
    swapped = [
        attempt.state.replace(proof, others),
        attempt.state.replace(attempt.id, other.id),
        attempt.state.replace("acme.", "slack."),
        attempt.state.replace(attempt.id, "att_unknown"),
        attempt.state.upper(),
        attempt.state + "x",
        "x" + attempt.state,
        attempt.state.replace(proof, ""),
    ]
    for state in swapped:
        refused(browser.open(with_query(landed, state=state), "cross-site"), UNKNOWN)
    refused(browser.open(f"{landed}&state={other.state}", "cross-site"), (400, "invalid_request"))
    refused(browser.open(with_query(landed, state=None), "cross-site"), UNKNOWN)
    holds(project.mooring.grants() == grants, "a code was redeemed")
    project.confirmed(browser, browser.arrive(landed, project.base, "cross-site"))
    assert len(project.connections("victim")) == 1


@attack("RFC 9700 §4.7: two tabs of one browser")
def two_tabs_race(project):
    """Two attempts in one browser, for two people and two accounts, crossing each other at every step."""
    browser = Browser()
    first, second = project.front_end("one", "One O."), project.front_end("two", "Two T.")
    landed = [project.answered(browser, first, "alice"), project.answered(browser, second, "bob")]
    crossed = with_query(landed[0], state=second.state)
    pages = {}
    for attempt, url in ((second, landed[1]), (first, landed[0])):
        pages[attempt.id] = browser.arrive(url, project.base, "cross-site")
    refused(browser.open(with_query(crossed, state=second.state + "x"), "cross-site"), UNKNOWN)
    for attempt, label, account in ((first, "One O.", "alice@"), (second, "Two T.", "bob@")):
        page = pages[attempt.id]
        holds(label in page.text and account in page.text, f"{label} with {account}: {page}")
    mixed = dict(pages[second.id].form("/connect/confirm/")[1], decision="confirm")
    refused(browser.post(pages[first.id].form("/connect/confirm/")[0], mixed), (403, "forged_form"))
    for attempt in (first, second):
        project.confirmed(browser, pages[attempt.id])
    for user, account in (("one", "alice@"), ("two", "bob@")):
        names = [row["name"] for row in project.connections(user)]
        holds(len(names) == 1 and account in names[0], f"{user} has {names}")


@attack("RFC 9700 §4.5: one answer twenty times at once")
def an_answer_comes_twenty_times_at_once(project):
    provider = harbour(project)
    browser = Browser()
    attempt = project.front_end("victim", connector="harbour")
    landed = provider.consent(project.started(browser, attempt))
    answers = at_once([lambda: browser.copy().open(landed, "cross-site")] * 20)
    holds(len(provider.calls("/token")) == 1, f"redeemed {len(provider.calls('/token'))} times")
    assert all(answer.status < 400 for answer in answers), answers
    page = browser.arrive(landed, project.base, "cross-site")
    at_once([lambda: browser.copy().submit(page, "/connect/confirm/", decision="confirm")] * 10)
    holds(len(project.connections("victim")) == 1, "one consent is one connection")
    provider.stop()


def at_once(calls):
    answers = [None] * len(calls)

    def run(index):
        answers[index] = calls[index]()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@attack("OAuth 2.0 Form Post Response Mode §4, RFC 9700 §4.7: an answer by POST from elsewhere")
def a_form_post_answer_from_elsewhere(project):
    attacker, victim = Browser(), Browser()
    attempt = project.front_end("mallory")
    landed = project.answered(attacker, attempt, "bob")
    address, answer = landed.split("?", 1)
    grants = project.mooring.grants()
    # the attacker's page posts the attacker's answer in the victim's browser
    parked = victim.post(address, answer, "cross-site", "https://evil.example")
    assert parked.status == 303, parked
    refused(victim.open(parked.location, "cross-site"), UNKNOWN)
    holds(project.mooring.grants() == grants, "the attacker's code was redeemed in the victim's browser")
    # nor can an answer be put into the victim's own attempt without its state
    own = project.front_end("victim", "Victim V.")
    honest = project.answered(victim, own)
    for state in (own.state + "x", own.state.replace(own.id, attempt.id), f"acme.{own.id}.guess"):
        forged = urllib.parse.urlencode({"code": query(landed, "code"), "state": state, "iss": project.mooring.acme_url})
        refused(victim.post(address, forged, "cross-site", "https://evil.example"), UNKNOWN)
    for guess in (f"{own.id}.guess", f"{own.id}.", parked.location.split("answer=")[1].replace(attempt.id, own.id)):
        refused(victim.open(f"{address}?answer={guess}", "cross-site"), UNKNOWN)
    project.nothing_is_connected()
    address, answer = honest.split("?", 1)
    by_post = victim.post(address, answer, "cross-site", project.mooring.acme_url)
    project.confirmed(victim, victim.arrive(by_post.location, project.base, "cross-site"))
    assert len(project.connections("victim")) == 1


@attack("RFC 9700 §4.5: a code after a refusal")
def a_code_after_a_refusal(project):
    for both in (False, True):
        browser = Browser()
        attempt = project.front_end("victim")
        landed = project.answered(browser, attempt)
        grants = project.mooring.grants()
        refusal = with_query(landed, error="access_denied", **({} if both else {"code": None}))
        holds(query(browser.open(refusal, "cross-site").location, "error") == "access_denied", "the app learns of the refusal")
        holds(browser.open(landed, "cross-site").location.startswith(f"{APP}/done?error="), "a code after a refusal is taken")
        holds(project.mooring.grants() == grants, "the code was redeemed")
    project.nothing_is_connected()
