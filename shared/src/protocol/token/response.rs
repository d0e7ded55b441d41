//! The token response (RFC 6749 §5), read with the tolerances that providers need.

use std::{collections::BTreeMap, time::Duration};

use aws_smithy_types::{DateTime, date_time::Format};
use bytes::Bytes;
use serde_json::Value;

use super::{Slot, Tokens};
use crate::{
    clock::Timestamp,
    error::ProviderError,
    protocol::{
        answer::{self, signalled},
        connector::{Expiry, OAuth2, ResponseFormat, TokenSlot},
        template,
    },
    secret::{AccessToken, RefreshToken},
};

/// The longest lifetime that is believed: a year. Beyond lies a wrong unit.
pub(in crate::protocol) const LONGEST: Duration = Duration::from_hours(8784);

const NO_TOKEN: &str = "a token is longer than 16 KiB or holds other than printable ASCII";

/// Reads a token response. A refusal is told apart from a failure: the first is the provider's word, the second is not.
pub fn read(oauth2: &OAuth2, response: &http::Response<Bytes>, now: Timestamp) -> Result<Tokens, ProviderError> {
    read_tokens(oauth2, response, now).map_err(|error| in_the_standards_word(oauth2, response, error))
}

/// RFC 6749 §5.2: the grant, be it a code or a refresh token, is not or no longer good.
const INVALID_GRANT: &str = "invalid_grant";

/// A refusal by which this provider says that the grant is over, as the standard calls it.
fn in_the_standards_word(oauth2: &OAuth2, response: &http::Response<Bytes>, error: ProviderError) -> ProviderError {
    let ended = || {
        let answer: Option<Value> = serde_json::from_slice(response.body()).ok();
        let says = |(path, text): (&str, &str)| template::pluck_text(answer.as_ref()?, path).map(|found| found == text);
        oauth2.grant_ended.iter().any(|member| says(member) == Some(true))
    };
    match error {
        ProviderError::Refused(_) if ended() => ProviderError::Refused(INVALID_GRANT.to_owned()),
        error => error,
    }
}

fn read_tokens(oauth2: &OAuth2, response: &http::Response<Bytes>, now: Timestamp) -> Result<Tokens, ProviderError> {
    let answer = rooted(oauth2, response)?;
    let paths = &oauth2.token_response;
    let text = |path: &str| template::pluck_text(&answer, path).filter(|text| !text.is_empty());
    // GitHub and others answer 200 with an `error` member; none sends one along with a token
    let Some(access_token) = text(&paths.access_token) else {
        return Err(text("error").map_or(ProviderError::InvalidResponse("no access token"), |error| {
            ProviderError::Refused(answer::code(&error))
        }));
    };
    let refresh_token = text(&paths.refresh_token);
    let slots = slots(oauth2, &answer, now);
    let further = slots.values().flat_map(|slot| {
        std::iter::once(slot.access_token.expose()).chain(slot.refresh_token.as_ref().map(RefreshToken::expose))
    });
    let all = std::iter::once(access_token.as_str()).chain(refresh_token.as_deref()).chain(further);
    if all.into_iter().any(|token| !is_token(token)) {
        return Err(ProviderError::InvalidResponse(NO_TOKEN));
    }
    let expires_at = ends(&answer, &paths.expires_in, paths.expiry, now)
        .or(oauth2.default_expires_in.map(|seconds| now.after(Duration::from_secs(seconds).min(LONGEST))));
    Ok(Tokens {
        access_token: AccessToken::from(access_token),
        refresh_token: refresh_token.map(RefreshToken::from),
        expires_at,
        scopes: scopes(oauth2, &paths.scope, &answer),
        slots,
        answer,
    })
}

/// Reads the answer that renewed a further token: where the slot stood in the first answer, or as any token response.
pub fn read_slot(
    oauth2: &OAuth2,
    slot: &str,
    response: &http::Response<Bytes>,
    now: Timestamp,
) -> Result<Slot, ProviderError> {
    let answer = rooted(oauth2, response).map_err(|error| in_the_standards_word(oauth2, response, error))?;
    if let Some(found) = slots(oauth2, &answer, now).remove(slot) {
        let tokens = [Some(found.access_token.expose()), found.refresh_token.as_ref().map(RefreshToken::expose)];
        let whole = tokens.into_iter().flatten().all(is_token);
        return if whole { Ok(found) } else { Err(ProviderError::InvalidResponse(NO_TOKEN)) };
    }
    let Tokens { access_token, refresh_token, expires_at, scopes, .. } = read(oauth2, response, now)?;
    Ok(Slot { access_token, refresh_token, expires_at, scopes })
}

/// The answer, or the place in it where the data says that its members stand. A refusal that came with status 200 is told.
fn rooted(oauth2: &OAuth2, response: &http::Response<Bytes>) -> Result<Value, ProviderError> {
    let answer = formatted(oauth2.token_response.format, response)?;
    if let Some(error) = signalled(oauth2.error_signal.as_ref(), &answer) {
        return Err(ProviderError::Refused(error));
    }
    let root = oauth2.token_response.root.as_ref().and_then(|path| template::pluck(&answer, path)).cloned();
    Ok(root.unwrap_or(answer))
}

/// The further tokens that an answer carries; a slot without a token is none.
fn slots(oauth2: &OAuth2, answer: &Value, now: Timestamp) -> BTreeMap<String, Slot> {
    let text = |path: &str| template::pluck_text(answer, path).filter(|text| !text.is_empty());
    let slot = |slot: &TokenSlot| {
        let found = Slot {
            access_token: AccessToken::from(text(&slot.access_token)?),
            refresh_token: slot.refresh_token.as_deref().and_then(text).map(RefreshToken::from),
            expires_at: slot.expires_in.as_deref().and_then(|path| ends(answer, path, Expiry::Seconds, now)),
            scopes: slot.scope.as_deref().and_then(|path| scopes(oauth2, path, answer)),
        };
        Some((slot.name.to_string(), found))
    };
    let mut slots = BTreeMap::new();
    slots.extend(oauth2.token_slots.iter().filter_map(slot));
    slots
}

/// An answer in the form that the data names. One that is refused is JSON everywhere, or has no form to speak of.
fn formatted(format: ResponseFormat, response: &http::Response<Bytes>) -> Result<Value, ProviderError> {
    let pairs = match format {
        ResponseFormat::Form if response.status().is_success() => url::form_urlencoded::parse(response.body()),
        ResponseFormat::Form | ResponseFormat::Json => return answer::json(response),
    };
    let members = pairs.map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())));
    Ok(Value::Object(members.collect()))
}

/// The scopes as one text with separators, or as a list. A space separates whatever was said: no scope has one in it (RFC 6749 §3.3).
fn scopes(oauth2: &OAuth2, path: &str, answer: &Value) -> Option<Vec<String>> {
    let separator = oauth2.response_scope_separator.as_deref().unwrap_or(&oauth2.scope_separator);
    let parts: Vec<&str> = match template::pluck(answer, path)? {
        Value::String(text) => text.split(separator).flat_map(|part| part.split(' ')).collect(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let scopes: Vec<String> =
        parts.into_iter().map(str::trim).filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
    let told = !scopes.is_empty() && scopes.iter().map(String::len).sum::<usize>() <= LONGEST_SCOPES;
    told.then_some(scopes)
}

/// Longer lists of scopes are not believed: they are kept with the connection, whose room in the table is bounded.
const LONGEST_SCOPES: usize = 16 * 1024;

/// Printable ASCII (RFC 6749 Appendix A.12 and A.17), and not more than can be kept and sent in a header.
pub(in crate::protocol) fn is_token(text: &str) -> bool {
    text.len() <= 16 * 1024 && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// When what an answer tells of ends. Nothing is an end that never comes, and zero is one that has.
pub(in crate::protocol) fn ends(answer: &Value, path: &str, expiry: Expiry, now: Timestamp) -> Option<Timestamp> {
    let said = match template::pluck(answer, path)? {
        Value::Number(number) => number.to_string(), // however large
        _ => template::pluck_text(answer, path)?,
    };
    let number = || said.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    let since_the_epoch = |length: Duration| Timestamp::default().after(length);
    let ends = match expiry {
        Expiry::Seconds => now.after(Duration::from_secs_f64_saturating(number()?).min(LONGEST)),
        Expiry::Milliseconds => now.after(Duration::from_secs_f64_saturating(number()? / 1000.0).min(LONGEST)),
        Expiry::UnixSeconds => since_the_epoch(Duration::try_from_secs_f64(number()?).ok()?),
        Expiry::UnixMilliseconds => since_the_epoch(Duration::try_from_secs_f64(number()? / 1000.0).ok()?),
        Expiry::Rfc3339 => {
            let at = DateTime::from_str(&said, Format::DateTimeWithOffset).ok()?;
            since_the_epoch(Duration::from_secs(u64::try_from(at.secs()).ok()?))
        }
    };
    Some(ends.min(now.after(LONGEST)))
}

/// `Duration::from_secs_f64` panics on a number too large; this one does not.
trait Saturating {
    fn from_secs_f64_saturating(seconds: f64) -> Duration;
}

impl Saturating for Duration {
    fn from_secs_f64_saturating(seconds: f64) -> Duration {
        Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST)
    }
}

/// Whether a refusal of a refresh means that the grant is over. Other codes tell of our own client or request, which
/// another try after a mended setting can heal: `access_denied` too, which is Atlassian's word for a wrong secret.
#[must_use]
pub fn ends_the_grant(error: &ProviderError) -> bool {
    matches!(error, ProviderError::Refused(code) if matches!(code.as_str(), INVALID_GRANT | "invalid_token" | "token_expired" | "token_revoked"))
}
