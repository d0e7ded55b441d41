//! AWS Signature Version 4, in the headers: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::{digest, hmac};

use crate::{
    clock,
    data::Sigv4,
    digest::hex,
    engine::Exchange,
    refusal::Refused,
    request::{Pairs, Request},
    state::State,
    template::interpolate,
};

/// What is not encoded.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Seconds that a signature may be from the provider's time.
const TOLERANCE: i64 = 900;

/// The registered key (fields `access_key_id`, `secret_access_key` and, for temporary ones, `session_token`) that signed the request.
pub fn holder(exchange: &Exchange<'_>, state: &State, data: &Sigv4) -> Result<BTreeMap<String, String>, Refused> {
    let request = exchange.request;
    let wrong = |words: &str| Refused::new("signature", format!("the signature {words}"));
    let written = request
        .authorization("AWS4-HMAC-SHA256")
        .ok_or_else(|| Refused::new("token_missing", "header Authorization has to begin with AWS4-HMAC-SHA256"))?;
    let part = |name: &str| {
        let parts = written.split(',').filter_map(|part| part.trim().split_once('='));
        parts.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
    };
    let need = |name: &str| part(name).ok_or_else(|| wrong(&format!("lacks {name}")));
    let (credential, names, signature) = (need("Credential")?, need("SignedHeaders")?, need("Signature")?);

    let (id, scope) = credential.split_once('/').ok_or_else(|| wrong("has a Credential without a scope"))?;
    let at = request.header("x-amz-date").ok_or_else(|| wrong("needs the header X-Amz-Date"))?;
    let (service, region) =
        (interpolate(&data.service, &exchange.captures), interpolate(&data.region, &exchange.captures));
    let expected = format!("{}/{region}/{service}/aws4_request", at.get(..8).unwrap_or_default());
    if scope != expected {
        return Err(wrong(&format!("has to be for {region}/{service} on the day of X-Amz-Date")));
    }
    // times in this form are in the order of their texts
    let (earliest, latest) = (clock::basic(exchange.now - TOLERANCE), clock::basic(exchange.now + TOLERANCE));
    if at.len() != earliest.len() || *at < *earliest || *at > *latest {
        return Err(wrong("is too far from the provider's time"));
    }
    let signed: Vec<&str> = names.split(';').collect();
    let needs = |name: &&str| *name == "host" || name.starts_with("x-amz-");
    if let Some(name) = std::iter::once("host")
        .chain(request.headers.keys().map(http::HeaderName::as_str))
        .find(|name| needs(name) && !signed.contains(name))
    {
        return Err(wrong(&format!("does not cover the header {name}")));
    }
    let body = hex(digest::digest(&digest::SHA256, &request.body).as_ref());
    if request.header("x-amz-content-sha256").is_some_and(|told| told != body) {
        return Err(wrong("has another X-Amz-Content-Sha256 than the body"));
    }

    let key = state.keys.iter().find(|key| key.get("access_key_id").is_some_and(|known| known == id));
    let key = key.ok_or_else(|| Refused::new("key_unknown", "no registered key has this access_key_id"))?;
    if request.header("x-amz-security-token") != key.get("session_token").map(String::as_str) {
        return Err(Refused::new("key_unknown", "X-Amz-Security-Token is not that of the key"));
    }
    let secret = key.get("secret_access_key").map(String::as_str).unwrap_or_default();
    let canonical = canonical(request, &signed, &body).ok_or_else(|| wrong("covers a header that is not there"))?;
    let text = format!(
        "AWS4-HMAC-SHA256\n{at}\n{scope}\n{}",
        hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref())
    );
    if self::signature(secret, scope, &text) != signature {
        return Err(wrong("is not that of the request by this key"));
    }
    Ok(key.clone())
}

/// The canonical request. Services but S3 encode the path, as it was sent, once more.
fn canonical(request: &Request, signed: &[&str], body: &str) -> Option<String> {
    let encode = |text: &str| utf8_percent_encode(text, UNRESERVED).to_string();
    let path = request.path.split('/').map(encode).collect::<Vec<_>>().join("/");
    let mut query: Pairs = request.query.iter().map(|(name, value)| (encode(name), encode(value))).collect();
    query.sort();
    let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let line = |name: &&str| {
        let value = request.header(name)?.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(format!("{name}:{value}\n"))
    };
    let headers: String = signed.iter().map(line).collect::<Option<_>>()?;
    Some(format!("{}\n{path}\n{}\n{headers}\n{}\n{body}", request.method, query.join("&"), signed.join(";")))
}

/// The key is derived for day, region and service.
fn signature(secret: &str, scope: &str, text: &str) -> String {
    let sign =
        |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec();
    let key = scope.split('/').fold(format!("AWS4{secret}").into_bytes(), |key, part| sign(&key, part));
    hex(&sign(&key, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_page() {
        // the example of "Create a signed AWS API request", IAM's ListUsers
        let text = "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n\
                    f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59";
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        assert_eq!(
            signature(secret, "20150830/us-east-1/iam/aws4_request", text),
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }
}
