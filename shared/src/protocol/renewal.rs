//! When a token is renewed: before it ends, before it dies unused, or never.
//!
//! | how a connector renews | when it is due |
//! |---|---|
//! | by a refresh token, by asking once more, by a login | when the token ends |
//! | by the access token itself | well before its end, since afterwards there is nothing to renew it with |
//! | by a refresh token that dies unused | well before that |

use std::time::Duration;

use super::{
    connector::{Connector, Grant, OAuth2, RefreshKind},
    credentials::Credentials,
};
use crate::clock::Timestamp;

/// A token that has this long to live is renewed before it is used.
pub const MARGIN: Duration = Duration::from_secs(10);

const DAY: Duration = Duration::from_hours(24);

/// Whether what an API call carries has to be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It is good.
    Not,
    /// It is good and should be renewed: nobody waits for that, and nothing is lost where it fails.
    Soon,
    /// It has ended.
    Now,
}

/// Whether what a call carries has to be renewed. `slot` names a further token.
#[must_use]
pub fn need(connector: &Connector, credentials: &Credentials, slot: Option<&str>, now: Timestamp) -> Need {
    let ends_at = match slot {
        Some(slot) => credentials.slots.get(slot).and_then(|slot| slot.expires_at),
        None => credentials.ends_at(),
    };
    if has_ended(ends_at, now) {
        Need::Now
    } else if slot.is_none() && due(connector, credentials).is_some_and(|due| due <= now) {
        Need::Soon
    } else {
        Need::Not
    }
}

/// Whether something that ends then is not to be used any more.
#[must_use]
pub fn has_ended(ends_at: Option<Timestamp>, now: Timestamp) -> bool {
    ends_at.is_some_and(|at| at <= now.after(MARGIN))
}

/// When a connection has to be renewed although nobody uses it; `None` where it can wait until somebody does.
#[must_use]
pub fn due(connector: &Connector, credentials: &Credentials) -> Option<Timestamp> {
    let oauth2 = connector.oauth2.as_ref()?;
    match oauth2.refresh {
        RefreshKind::AccessToken => {
            let ends_at = credentials.expires_at?;
            let life = credentials.issued_at.map_or(DAY, |issued_at| issued_at.until(ends_at));
            Some(ends_at.before(margin(life)))
        }
        RefreshKind::RefreshToken => {
            let life = Duration::from_secs(oauth2.refresh_token_expires_in?);
            credentials.refresh_token.as_ref()?;
            Some(credentials.issued_at?.after(life.saturating_sub(margin(life))))
        }
        RefreshKind::Remint | RefreshKind::None => None,
    }
}

/// How long before its end something is renewed that can't be renewed afterwards: when a fifth of its life is left, and a day
/// where it lives for days, so that a provider that is down for hours loses nobody.
fn margin(life: Duration) -> Duration {
    if life >= 2 * DAY { (life / 5).max(DAY) } else { life / 5 }
}

/// Whether the access token can be renewed with these credentials.
#[must_use]
pub fn is_renewable(oauth2: &OAuth2, credentials: &Credentials) -> bool {
    match oauth2.refresh {
        RefreshKind::RefreshToken => credentials.refresh_token.is_some(),
        RefreshKind::AccessToken => credentials.access_token.is_some(),
        RefreshKind::Remint => match oauth2.grant {
            Grant::ClientCredentials | Grant::JwtBearer => true,
            Grant::AuthorizationCode | Grant::DeviceCode => false,
        },
        RefreshKind::None => false,
    }
}

/// Whether anything of what a call carries can be renewed. `slot` names a further token.
#[must_use]
pub fn can_renew(connector: &Connector, credentials: &Credentials, slot: Option<&str>) -> bool {
    let main = |oauth2: &OAuth2| is_renewable(oauth2, credentials);
    match (slot, &connector.oauth2) {
        (Some(slot), Some(oauth2)) => {
            credentials.slots.get(slot).is_some_and(|slot| slot.refresh_token.is_some())
                || oauth2.refresh == RefreshKind::Remint && main(oauth2)
        }
        (Some(_), None) => false,
        (None, oauth2) => connector.login.is_some() || oauth2.as_ref().is_some_and(main),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        protocol::credentials::Session,
        secret::{AccessToken, RefreshToken, SessionToken},
    };

    fn connector(refresh: &str, more: &Value) -> Connector {
        let mut oauth2 = json!({ "authorization_endpoint": "https://a.example/a", "token_endpoint": "https://a.example/t", "refresh": refresh });
        oauth2.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(json!({ "name": "A", "oauth2": oauth2, "api": { "base_url": "https://a.example" } }))
            .unwrap()
    }

    /// Tokens of the first moment that end after so many hours.
    fn tokens(hours: u64) -> Credentials {
        Credentials {
            access_token: Some(AccessToken::from("a".to_owned())),
            refresh_token: Some(RefreshToken::from("r".to_owned())),
            issued_at: Some(Timestamp::default()),
            expires_at: Some(hour(hours)),
            ..Credentials::default()
        }
    }

    fn hour(hours: u64) -> Timestamp {
        Timestamp::from_secs(hours * 3600)
    }

    #[test]
    fn what_dies_unused_is_due_well_before() {
        let month = json!({ "refresh_token_expires_in": 30 * 24 * 3600 });
        let table = [
            ("an hour: a fifth of it", "access_token", json!({}), 1, Some(48)),
            ("a day: a fifth of it", "access_token", json!({}), 24, Some(1152)),
            ("two days: a day", "access_token", json!({}), 48, Some(24 * 60)),
            ("sixty days: a fifth of them", "access_token", json!({}), 60 * 24, Some(48 * 24 * 60)),
            ("a refresh token for a month", "refresh_token", month, 1, Some(24 * 24 * 60)),
            ("a refresh token for good", "refresh_token", json!({}), 1, None),
            ("for good", "none", json!({}), 1, None),
        ];
        for (case, refresh, more, hours, minutes) in table {
            let expected = minutes.map(|minutes| Timestamp::from_secs(minutes * 60));
            let connector = connector(refresh, &more);
            assert_eq!(due(&connector, &tokens(hours)), expected, "{case}");
            if let Some(due) = expected.filter(|due| *due < hour(hours)) {
                let moment = Duration::from_millis(1);
                assert_eq!(need(&connector, &tokens(hours), None, due.before(moment)), Need::Not, "{case}");
                assert_eq!(need(&connector, &tokens(hours), None, due), Need::Soon, "{case}");
            }
        }
        let forgotten = Credentials { issued_at: None, ..tokens(10 * 24) };
        assert_eq!(due(&connector("access_token", &json!({})), &forgotten), Some(hour(10 * 24).before(DAY / 5)));
    }

    #[test]
    fn what_has_ended_is_renewed_now() {
        let connector = connector("refresh_token", &json!({}));
        let end = hour(1);
        assert_eq!(need(&connector, &tokens(1), None, end.before(MARGIN).before(Duration::from_millis(1))), Need::Not);
        assert_eq!(need(&connector, &tokens(1), None, end.before(MARGIN)), Need::Now);
        let session = Session { token: SessionToken::from("s".to_owned()), expires_at: Some(hour(9)) };
        let in_session = Credentials { session: Some(session), ..tokens(1) };
        assert_eq!(need(&connector, &in_session, None, end), Need::Not, "the session lives on");
    }

    #[test]
    fn what_can_be_renewed_is_told() {
        let without = Credentials { refresh_token: None, ..tokens(1) };
        let table = [
            ("refresh_token", true, false),
            ("access_token", true, true),
            ("none", false, false),
            ("remint", false, false),
        ];
        for (refresh, with_token, without_token) in table {
            let connector = connector(refresh, &json!({}));
            assert_eq!(can_renew(&connector, &tokens(1), None), with_token, "{refresh}");
            assert_eq!(can_renew(&connector, &without, None), without_token, "{refresh}");
        }
        let typed = connector("remint", &json!({ "grant": "client_credentials" }));
        assert!(can_renew(&typed, &Credentials::default(), None));
    }
}
