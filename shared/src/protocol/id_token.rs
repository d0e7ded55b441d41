//! The claims of an `id_token` that the token endpoint gave (OpenID Connect Core §3.1.3.3), and of an access token that is a JWT.
//!
//! Their signatures are not checked: they came over TLS from the token endpoint itself, which §3.1.3.7 (6) lets stand for that. What
//! is taken from them is believed as far as any member of the same answer.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use super::template;

/// The longest that is read.
const LONGEST: usize = 32 * 1024;

/// The claims, if the answer carries any.
#[must_use]
pub fn claims(answer: &Value) -> Option<Value> {
    claims_of(template::pluck(answer, "id_token")?.as_str()?)
}

/// The claims of a token, if it is a JWT.
#[must_use]
pub fn claims_of(token: &str) -> Option<Value> {
    if token.len() > LONGEST {
        return None;
    }
    let (_, rest) = token.split_once('.')?;
    let (payload, _) = rest.split_once('.')?;
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&payload).ok().filter(Value::is_object)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_are_read_and_nothing_else_is() {
        let encoded = |text: &str| format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(text));
        let table = [
            (json!(encoded(r#"{"realm":"r1"}"#)), Some(json!({ "realm": "r1" }))),
            (json!(encoded("[1]")), None),
            (json!(encoded("{")), None),
            (json!("e30.e30"), None),
            (json!("e30.?.s"), None),
            (json!(encoded(&" ".repeat(LONGEST))), None),
            (json!(7), None),
            (Value::Null, None),
        ];
        for (token, expected) in table {
            assert_eq!(claims(&json!({ "id_token": token })), expected, "{token}");
        }
        assert_eq!(claims(&json!({})), None);
    }
}
