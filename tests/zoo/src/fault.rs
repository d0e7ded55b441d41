//! What goes wrong on demand.

use serde::Deserialize;
use serde_json::{Map, Value};

/// Something that goes wrong at the next calls of an endpoint. Several at one endpoint go wrong together.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The provider's refusal of a case, in place of doing anything: `"invalid_grant"`.
    Refuse(String),
    /// The same with status 200.
    RefuseWith200(String),
    /// A page as load balancers write them, with this status.
    HtmlPage(u16),
    /// This status with an empty body, and `Retry-After` in seconds where it is given.
    Status(u16, Option<u32>),
    /// All is done, and answered after so many milliseconds.
    Slow(u64),
    /// All is done, and the connection ends in the middle of the body.
    Cut,
    /// All is done (codes and refresh tokens are spent), and the connection ends before any answer.
    LostReply,
    /// All is done, and the answer lacks a member, wherever it stands: `"refresh_token"`.
    Without(String),
    /// All is done, and the answer's numbers are texts.
    NumbersAsTexts,
    /// The provider's clock is so many seconds ahead: `Date`, expiry, and what it takes for expired.
    ClockAhead(i64),
    /// A refresh brings another refresh token (or does not), whatever the data say.
    Rotates(bool),
    /// A spent refresh token works for so many seconds.
    Grace(i64),
    /// A spent refresh token that comes again ends its grant.
    ReuseEndsGrant,
    /// The person refuses.
    Deny,
    /// The authorization ends with this `error`.
    AuthorizationError(String),
    /// The way back names this issuer (RFC 9207), whoever it is. [`Fault::Without`] takes a parameter of it away.
    Issuer(String),
}

/// Faults that are planned for an endpoint.
pub struct Planned {
    /// The endpoint's name.
    pub endpoint: String,
    /// For so many calls.
    pub calls: u32,
    /// What goes wrong.
    pub fault: Fault,
}

/// What goes wrong at one call.
#[derive(Default)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// The first that is picked.
    pub fn pick<'f, T>(&'f self, pick: impl Fn(&'f Fault) -> Option<T>) -> Option<T> {
        self.0.iter().find_map(pick)
    }

    /// Whether it is among them.
    #[must_use]
    pub fn has(&self, fault: &Fault) -> bool {
        self.0.contains(fault)
    }

    /// Seconds that the provider's clock is ahead.
    #[must_use]
    pub fn ahead(&self) -> i64 {
        self.pick(|fault| if let Fault::ClockAhead(seconds) = fault { Some(*seconds) } else { None }).unwrap_or(0)
    }

    /// Milliseconds that an answer takes.
    #[must_use]
    pub fn slow(&self) -> u64 {
        self.pick(|fault| if let Fault::Slow(ms) = fault { Some(*ms) } else { None }).unwrap_or(0)
    }

    /// An answer's body without what it is to lack, and its numbers as texts.
    #[must_use]
    pub fn spoil(&self, body: Value) -> Value {
        self.0.iter().fold(body, |body, fault| match fault {
            Fault::Without(member) => without(member, body),
            Fault::NumbersAsTexts => texts(body),
            Fault::Refuse(_)
            | Fault::RefuseWith200(_)
            | Fault::HtmlPage(_)
            | Fault::Status(..)
            | Fault::Slow(_)
            | Fault::Cut
            | Fault::LostReply
            | Fault::ClockAhead(_)
            | Fault::Rotates(_)
            | Fault::Grace(_)
            | Fault::ReuseEndsGrant
            | Fault::Deny
            | Fault::AuthorizationError(_)
            | Fault::Issuer(_) => body,
        })
    }
}

fn without(member: &str, body: Value) -> Value {
    each(body, &|members| members.into_iter().filter(|(name, _)| name != member).collect(), &|value| value)
}

fn texts(body: Value) -> Value {
    each(body, &|members| members, &|value| if value.is_number() { value.to_string().into() } else { value })
}

fn each(
    value: Value,
    members: &impl Fn(Map<String, Value>) -> Map<String, Value>,
    leaf: &impl Fn(Value) -> Value,
) -> Value {
    match value {
        Value::Object(all) => {
            members(all).into_iter().map(|(name, value)| (name, each(value, members, leaf))).collect()
        }
        Value::Array(items) => items.into_iter().map(|item| each(item, members, leaf)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => leaf(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_spoiled_wherever_its_members_stand() {
        let body = json!({ "expires_in": 1, "user": [{ "expires_in": 2, "id": 3 }] });
        let spoil = |faults: &[Fault]| Faults(faults.to_vec()).spoil(body.clone());
        assert_eq!(spoil(&[Fault::Without("expires_in".to_owned())]), json!({ "user": [{ "id": 3 }] }));
        assert_eq!(
            spoil(&[Fault::NumbersAsTexts]),
            json!({ "expires_in": "1", "user": [{ "expires_in": "2", "id": "3" }] })
        );
    }
}
