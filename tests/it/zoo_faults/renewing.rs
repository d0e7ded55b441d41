//! What goes wrong while a token is renewed.

use zoo::Fault;

use super::{GITLAB, HUBSPOT, JIRA, SLACK, TOO_SLOW, ZOHO, pass, refuse, said, without};
use crate::{
    refresh::until,
    zoo::{DAY, Stage, VISITS, ask, connect},
};

#[tokio::test]
async fn a_failure_that_passes_costs_the_renewal_and_not_the_connection() {
    let table = [
        (Fault::HtmlPage(502), "502 provider_failed"),
        (Fault::HtmlPage(200), "502 provider_invalid_response"),
        (Fault::HtmlPage(403), "502 provider_refused"),
        (Fault::Status(429, Some(30)), "502 provider_failed"),
        (Fault::Status(503, None), "502 provider_failed"),
        (refuse("invalid_client"), "502 provider_refused"),
        (refuse("unsupported_grant_type"), "502 provider_refused"),
    ];
    for id in [HUBSPOT, ZOHO, SLACK, GITLAB, JIRA] {
        let stage = Stage::rotating().await;
        let key = stage.connected(id).await;
        for (fault, expected) in &table {
            stage.turn(DAY);
            stage.fault(id, "token", fault.clone());
            assert_eq!(stage.call(id, &key).await, *expected, "{id} {fault:?}");
            assert_eq!(stage.state(&key).await, "connected", "{id} {fault:?}");
            assert_eq!(stage.call(id, &key).await, "200 -", "{id} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_renewal_reads_what_is_spelled_otherwise_or_left_out() {
    let table = [
        ("slow and in time", Fault::Slow(50)),
        ("texts for numbers", Fault::NumbersAsTexts),
        ("without expires_in", without("expires_in")),
        ("a clock that is ahead", Fault::ClockAhead(120)),
        ("a clock that is behind", Fault::ClockAhead(-120)),
    ];
    for id in [HUBSPOT, ZOHO, SLACK, GITLAB, JIRA] {
        let stage = Stage::rotating().await;
        let key = stage.connected(id).await;
        for (case, fault) in &table {
            stage.turn(DAY);
            stage.fault(id, "token", fault.clone());
            assert_eq!(stage.call(id, &key).await, "200 -", "{id}: {case}");
            stage.turn(DAY);
            assert_eq!(stage.call(id, &key).await, "200 -", "{id}: {case}, the next day");
        }
        // an absent refresh token keeps the old one (RFC 6749 §6)
        stage.turn(DAY);
        stage.fault(id, "token", Fault::Rotates(false));
        stage.fault(id, "token", without("refresh_token"));
        assert_eq!(stage.call(id, &key).await, "200 -", "{id}: no refresh token");
        stage.turn(DAY);
        assert_eq!(stage.call(id, &key).await, "200 -", "{id}: no refresh token, the next day");
    }
}

#[tokio::test]
async fn a_definite_refusal_asks_the_person_to_connect_again() {
    for id in [HUBSPOT, ZOHO, SLACK, GITLAB, JIRA] {
        let stage = Stage::rotating().await;
        let key = stage.connected(id).await;
        stage.turn(DAY);
        stage.zoo.withdraw(id).unwrap();
        assert_eq!(stage.call(id, &key).await, "409 needs_reauth", "{id}");
        assert_eq!(stage.state(&key).await, "needs_reauth", "{id}");
        let asked = stage.zoo.calls(id, "token");
        assert_eq!(stage.call(id, &key).await, "409 needs_reauth", "{id}");
        assert_eq!(stage.zoo.calls(id, "token"), asked, "{id}: the provider is asked no more");
    }
}

/// Every connector that the zoo plays and that renews by a refresh token.
#[tokio::test(flavor = "multi_thread")]
async fn consent_that_was_taken_back_is_noticed_whatever_the_provider_calls_it() {
    let mut odd = Vec::new();
    for visit in VISITS.iter().filter(|visit| visit.renews) {
        let stage = Stage::new().await;
        let catalog = &stage.world.server.app.catalog;
        if catalog.connector(visit.id).is_none_or(|connector| connector.consent().is_none()) {
            continue;
        }
        let key = connect(&stage, visit).await.unwrap();
        stage.turn(DAY);
        stage.zoo.withdraw(visit.id).unwrap();
        let told = said(&ask(&stage, visit, &key).await);
        if told != "409 needs_reauth" {
            odd.push(format!("{}: {told} {:?}", visit.id, stage.refused()));
        }
    }
    assert_eq!(odd, [] as [String; 0]);
}

/// The refresh token was redeemed, and the answer never came.
#[tokio::test]
async fn an_answer_that_is_lost_is_asked_for_again_where_the_provider_lets_one() {
    let grace = |seconds| Some(Fault::Grace(seconds));
    let table = [
        ("it does not rotate", HUBSPOT, None, "200 -", "connected"),
        ("it does not rotate", ZOHO, None, "200 -", "connected"),
        ("it rotates", GITLAB, None, "409 needs_reauth", "needs_reauth"),
        ("it rotates", SLACK, None, "409 needs_reauth", "needs_reauth"),
        ("it rotates with a grace", GITLAB, grace(60), "200 -", "connected"),
        ("it rotates with a grace", JIRA, None, "200 -", "connected"),
        ("it ends the family", JIRA, grace(0), "409 needs_reauth", "needs_reauth"),
    ];
    for (case, id, more, next, state) in table {
        let stage = Stage::rotating().await;
        for (fault, expected) in [
            (Fault::LostReply, "502 provider_unreachable"),
            (Fault::Cut, "502 provider_unreachable"),
            (TOO_SLOW, "504 provider_timeout"),
        ] {
            let key = stage.connected(id).await;
            stage.turn(DAY);
            stage.fault(id, "token", fault.clone());
            let asked = stage.zoo.calls(id, "token");
            let (slow, waiting) = (fault == TOO_SLOW, stage.call(id, &key));
            let passing = async {
                if slow {
                    until(async || stage.zoo.calls(id, "token") > asked).await;
                    pass(11).await;
                }
            };
            let (told, ()) = tokio::join!(waiting, passing);
            assert_eq!(told, expected, "{case}: {id} {fault:?}");
            assert_eq!(stage.state(&key).await, "connected", "{case}: {id} {fault:?}: it may yet go well");
            if let Some(more) = &more {
                stage.fault(id, "token", more.clone());
            }
            assert_eq!(stage.call(id, &key).await, next, "{case}: {id} {fault:?}");
            assert_eq!(stage.state(&key).await, state, "{case}: {id} {fault:?}");
        }
    }
}

/// A token that is asked for anew, and a session that is logged into anew, are the person's own: only they can mend a refusal.
#[tokio::test]
async fn what_is_asked_for_anew_ends_by_a_refusal_alone() {
    for (id, endpoint, wrong) in
        [("zoom-server-to-server", "token", "invalid_client"), ("bill-com", "login", "key_unknown")]
    {
        let stage = Stage::new().await;
        let key = stage.connected(id).await;
        for (fault, expected) in [
            (Fault::HtmlPage(502), "502 provider_failed"),
            (Fault::LostReply, "502 provider_unreachable"),
            (Fault::HtmlPage(200), "502 provider_invalid_response"),
        ] {
            stage.turn(DAY);
            stage.fault(id, endpoint, fault.clone());
            assert_eq!(stage.call(id, &key).await, expected, "{id} {fault:?}");
            assert_eq!(stage.state(&key).await, "connected", "{id} {fault:?}");
            assert_eq!(stage.call(id, &key).await, "200 -", "{id} {fault:?}");
        }
        stage.turn(DAY);
        stage.fault(id, endpoint, refuse(wrong));
        assert_eq!(stage.call(id, &key).await, "409 needs_reauth", "{id}");
        assert_eq!(stage.state(&key).await, "needs_reauth", "{id}");
    }
}
