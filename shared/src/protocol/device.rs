//! The device authorization grant (RFC 8628): a code is typed on another screen while the token endpoint is asked again
//! and again.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use url::Url;

use super::answer::{members, seconds};
use crate::{error::ProviderError, secret::DeviceCode};

/// How long to wait between two polls unless the answer says otherwise (§3.2).
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);

/// What `slow_down` adds (§3.5).
const SLOWER: Duration = Duration::from_secs(5);

/// The longest wait that is believed.
const LONGEST_INTERVAL: Duration = Duration::from_mins(5);

/// The longest life of a code that is believed.
const LONGEST_LIFE: Duration = Duration::from_hours(24);

/// The longest address and the longest code that a person is shown.
const ADDRESS_LIMIT: usize = 2048;
const USER_CODE_LIMIT: usize = 64;

/// The longest device code that is kept.
const DEVICE_CODE_LIMIT: usize = 16 * 1024;

/// The parameters of a device authorization request (§3.1), but for the client's authentication.
#[must_use]
pub fn authorization_params(client_id: &str, scope: Option<&str>) -> Vec<(&'static str, String)> {
    let scope = scope.map(|scope| ("scope", scope.to_owned()));
    [("client_id", client_id.to_owned())].into_iter().chain(scope).collect()
}

/// The parameters of a poll (§3.4), but for the client's authentication.
#[must_use]
pub fn poll_params(device_code: &DeviceCode) -> [(&'static str, String); 2] {
    [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code".to_owned()),
        ("device_code", device_code.expose().to_owned()),
    ]
}

/// What the provider answers to a device authorization request (§3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceAuthorization {
    /// What is polled with.
    pub device_code: DeviceCode,
    /// What the person types.
    pub user_code: String,
    /// Where.
    pub verification_uri: Url,
    /// The same with the code in it, for a QR code.
    pub verification_uri_complete: Option<Url>,
    /// How long both codes are good for.
    pub expires_in: Duration,
    /// How long to wait before each poll.
    pub interval: Duration,
}

/// Reads the answer. Both addresses are shown to a person or opened, so they are HTTPS and name no user.
pub fn read(response: &http::Response<Bytes>) -> Result<DeviceAuthorization, ProviderError> {
    let members = members(response)?;
    let text = |name| members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let invalid = ProviderError::InvalidResponse;
    let device_code =
        text("device_code").filter(|code| is_device_code(code)).ok_or(invalid("no usable device_code"))?;
    let user_code = text("user_code").filter(|code| is_user_code(code)).ok_or(invalid("no usable user_code"))?;
    // the name in the drafts, which Google and others keep: https://developers.google.com/identity/protocols/oauth2/limited-input-device
    let verification_uri = text("verification_uri").or_else(|| text("verification_url"));
    let complete = text("verification_uri_complete").or_else(|| text("verification_url_complete"));
    let expires_in = members.get("expires_in").and_then(seconds).filter(|life| !life.is_zero());
    let interval = match members.get("interval") {
        None | Some(Value::Null) => DEFAULT_INTERVAL,
        Some(value) => seconds(value).ok_or(invalid("no usable interval"))?,
    };
    Ok(DeviceAuthorization {
        device_code: DeviceCode::from(device_code.to_owned()),
        user_code: user_code.to_owned(),
        verification_uri: verification_uri.and_then(address).ok_or(invalid("no usable verification_uri"))?,
        verification_uri_complete: match complete {
            Some(complete) => Some(address(complete).ok_or(invalid("no usable verification_uri_complete"))?),
            None => None,
        },
        expires_in: expires_in.ok_or(invalid("no usable expires_in"))?.min(LONGEST_LIFE),
        interval: interval.clamp(Duration::from_secs(1), LONGEST_INTERVAL),
    })
}

fn is_device_code(text: &str) -> bool {
    text.len() <= DEVICE_CODE_LIMIT && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// In whatever script, but of a length to type and without characters that turn or hide what stands beside them.
fn is_user_code(text: &str) -> bool {
    text.len() <= USER_CODE_LIMIT && text.chars().all(|c| c.is_alphanumeric() || c == ' ' || c.is_ascii_punctuation())
}

fn address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|_| text.len() <= ADDRESS_LIMIT)?;
    (url.scheme() == "https" && url.username().is_empty() && url.password().is_none()).then_some(url)
}

/// What a poll without tokens means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Poll again after this long, and keep to it.
    Wait(Duration),
    /// The person said no.
    Denied,
    /// The codes are too old: begin anew.
    Expired,
    /// Nothing will come of this.
    Over,
}

/// Judges a poll that brought no tokens (§3.5), as [`super::token::read`] tells it, after this interval.
#[must_use]
pub fn next(error: &ProviderError, interval: Duration) -> Next {
    let wait = |longer: Duration| Next::Wait(longer.min(LONGEST_INTERVAL));
    match error {
        ProviderError::Refused(code) => match code.as_str() {
            "authorization_pending" => wait(interval),
            "slow_down" => wait(interval.saturating_add(SLOWER)),
            // Microsoft has a word of its own: https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-device-code
            "access_denied" | "authorization_declined" => Next::Denied,
            "expired_token" => Next::Expired,
            _ => Next::Over,
        },
        // §3.5: after a timeout polls become rarer, for example twice as rare each time
        ProviderError::Timeout | ProviderError::Unreachable(_) | ProviderError::Failed(_) => {
            wait(interval.saturating_mul(2))
        }
        ProviderError::AddressRefused
        | ProviderError::Ended(_)
        | ProviderError::NothingFound
        | ProviderError::InvalidResponse(_)
        | ProviderError::CallbackSignature(_) => Next::Over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> http::Response<Bytes> {
        http::Response::builder().status(status).body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
    }

    fn said(result: Result<DeviceAuthorization, ProviderError>) -> String {
        match result {
            Ok(device) => format!(
                "{} {} {} {} {} {}",
                device.device_code.expose(),
                device.user_code,
                device.verification_uri,
                device.verification_uri_complete.map_or("-".to_owned(), String::from),
                device.expires_in.as_secs(),
                device.interval.as_secs()
            ),
            Err(ProviderError::Refused(code)) => format!("refused {code}"),
            Err(ProviderError::Failed(status)) => format!("failed {status}"),
            Err(ProviderError::InvalidResponse(why)) => format!("invalid {why}"),
            Err(other) => other.to_string(),
        }
    }

    #[test]
    fn the_answer_is_read_as_in_rfc_8628_section_3_2() {
        let body = r#"{"device_code":"GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS","user_code":"WDJB-MJHT",
            "verification_uri":"https://example.com/device","verification_uri_complete":"https://example.com/device?user_code=WDJB-MJHT",
            "expires_in":1800,"interval":5}"#;
        assert_eq!(
            said(read(&answered(200, body))),
            "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS WDJB-MJHT https://example.com/device \
             https://example.com/device?user_code=WDJB-MJHT 1800 5"
        );
    }

    #[test]
    fn an_answer_is_read_tolerantly_and_believed_narrowly() {
        let table = [
            (
                r#""verification_url":"https://a.example/","expires_in":"900","interval":"7""#,
                "d U https://a.example/ - 900 7",
            ),
            (r#""verification_uri":"https://a.example/","expires_in":900"#, "d U https://a.example/ - 900 5"),
            (
                r#""verification_uri":"https://a.example/","expires_in":900,"interval":null"#,
                "d U https://a.example/ - 900 5",
            ),
            (
                r#""verification_uri":"https://a.example/","expires_in":1e9,"interval":0"#,
                "d U https://a.example/ - 86400 1",
            ),
            (
                r#""verification_uri":"https://a.example/","expires_in":900,"interval":9999"#,
                "d U https://a.example/ - 900 300",
            ),
            (r#""verification_uri":"https://a.example/","expires_in":900,"interval":-1"#, "invalid no usable interval"),
            (
                r#""verification_uri":"https://a.example/","expires_in":900,"interval":"soon""#,
                "invalid no usable interval",
            ),
            (r#""verification_uri":"https://a.example/""#, "invalid no usable expires_in"),
            (r#""verification_uri":"https://a.example/","expires_in":0"#, "invalid no usable expires_in"),
            (r#""verification_uri":"https://a.example/","expires_in":"inf""#, "invalid no usable expires_in"),
            (r#""verification_uri":"https://a.example/","expires_in":"NaN""#, "invalid no usable expires_in"),
            (r#""verification_uri":"http://a.example/","expires_in":9"#, "invalid no usable verification_uri"),
            (
                r#""verification_uri":"https://bank.example@a.example/","expires_in":9"#,
                "invalid no usable verification_uri",
            ),
            (r#""verification_uri":"javascript:alert(1)","expires_in":9"#, "invalid no usable verification_uri"),
            (
                r#""verification_uri":"https://a.example/","verification_uri_complete":"data:,x","expires_in":9"#,
                "invalid no usable verification_uri_complete",
            ),
            (
                r#""verification_uri":"https://a.example/","user_code":"V""#,
                "invalid a member stands twice in the answer",
            ),
        ];
        for (members, expected) in table {
            let body = format!(r#"{{"device_code":"d","user_code":"U",{members}}}"#);
            assert_eq!(said(read(&answered(200, &body))), expected, "{members}");
        }
    }

    #[test]
    fn an_answer_that_can_not_be_used_is_refused() {
        let rest = r#""verification_uri":"https://a.example/","expires_in":9"#;
        let table = [
            (200, format!(r#"{{"device_code":"d","user_code":"U\u202eX",{rest}}}"#), "invalid no usable user_code"),
            (200, format!(r#"{{"device_code":"d","user_code":"U\nX",{rest}}}"#), "invalid no usable user_code"),
            (
                200,
                format!(r#"{{"device_code":"d","user_code":"{}",{rest}}}"#, "U".repeat(65)),
                "invalid no usable user_code",
            ),
            (200, format!(r#"{{"device_code":"d\r","user_code":"U",{rest}}}"#), "invalid no usable device_code"),
            (200, format!(r#"{{"device_code":7,"user_code":"U",{rest}}}"#), "invalid no usable device_code"),
            (
                200,
                format!(r#"{{"device_code":"{}"}}"#, "d".repeat(1 << 20)),
                "invalid the answer is longer than 64 KiB",
            ),
            (200, "[]".to_owned(), "invalid the answer is not a JSON object"),
            (200, "<html>".to_owned(), "invalid the answer is not JSON"),
            (200, "[".repeat(60_000), "invalid the answer is not JSON"),
            (400, r#"{"error":"invalid_scope"}"#.to_owned(), "refused invalid_scope"),
            (503, String::new(), "failed 503"),
        ];
        for (status, body, expected) in table {
            assert_eq!(said(read(&answered(status, &body))), expected);
        }
    }

    #[test]
    fn a_poll_is_judged_by_its_error() {
        let refused = |code: &str| ProviderError::Refused(code.to_owned());
        let wait = |seconds| Next::Wait(Duration::from_secs(seconds));
        let table = [
            (refused("authorization_pending"), 5, wait(5)),
            (refused("slow_down"), 5, wait(10)),
            (refused("slow_down"), 298, wait(300)),
            (refused("access_denied"), 5, Next::Denied),
            (refused("authorization_declined"), 5, Next::Denied),
            (refused("expired_token"), 5, Next::Expired),
            (refused("invalid_grant"), 5, Next::Over),
            (ProviderError::Timeout, 5, wait(10)),
            (ProviderError::Failed(503), 200, wait(300)),
            (ProviderError::InvalidResponse("x"), 5, Next::Over),
        ];
        for (error, interval, expected) in table {
            assert_eq!(next(&error, Duration::from_secs(interval)), expected, "{error}");
        }
    }

    #[test]
    fn the_parameters_are_those_of_rfc_8628() {
        assert_eq!(
            authorization_params("1406020730", Some("example_scope")),
            [("client_id", "1406020730".to_owned()), ("scope", "example_scope".to_owned())]
        );
        assert_eq!(authorization_params("c", None), [("client_id", "c".to_owned())]);
        assert_eq!(
            poll_params(&DeviceCode::from("d".to_owned())),
            [
                ("grant_type", "urn:ietf:params:oauth:grant-type:device_code".to_owned()),
                ("device_code", "d".to_owned())
            ]
        );
    }
}
