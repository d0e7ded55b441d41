//! Authorization responses that the provider signs: HMAC-SHA256 over the query, by the client's secret.
//!
//! The signature proves that all of the answer is the provider's word, so every parameter counts, known or not:
//! <https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/authorization-code-grant>.

use std::borrow::Cow;

use percent_encoding::percent_decode;
use ring::hmac;
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use super::assertion::from_hex;
use crate::secret::ClientSecret;

/// The longest query that is looked at.
const LIMIT: usize = 16 * 1024;

/// How names and values are written where they are signed. They are decoded first: how the browser brought them does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// As they are, but for what would be read as a separator: `%` and `&`, and `=` in a name.
    #[default]
    Separators,
    /// As in a form.
    Form,
}

/// Why an answer is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not signed.
    #[error("the answer is not signed")]
    Missing,
    /// A parameter stands twice, so that it could be read otherwise than it was signed.
    #[error("a parameter stands twice in the answer")]
    Repeated,
    /// Signed by somebody else, or changed on the way.
    #[error("the answer's signature is wrong")]
    Wrong,
}

/// Checks the query of an authorization response, as it came, by the signature in this parameter of it.
pub fn verify(query: &str, parameter: &str, encoding: Encoding, secret: &ClientSecret) -> Result<(), Refusal> {
    if query.len() > LIMIT {
        return Err(Refusal::Wrong);
    }
    let mut params: Vec<(Vec<u8>, Vec<u8>)> = query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect();
    params.sort_unstable();
    if params.windows(2).any(|two| two[0].0 == two[1].0) {
        return Err(Refusal::Repeated);
    }
    let at = params.iter().position(|(name, _)| name == parameter.as_bytes()).ok_or(Refusal::Missing)?;
    let (_, signature) = params.remove(at);
    let signature = std::str::from_utf8(&signature).ok().and_then(from_hex).ok_or(Refusal::Wrong)?;
    let signed: Vec<Vec<u8>> = params.iter().map(|(name, value)| encoding.pair(name, value)).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    // takes as long for any other signature of the same length
    hmac::verify(&key, &signed.join(&b'&'), &signature).map_err(|_| Refusal::Wrong)
}

/// A parameter, decoded. Bytes, since what is signed need not be text.
fn pair(pair: &str) -> (Vec<u8>, Vec<u8>) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let decoded = |text: &str| percent_decode(text.replace('+', " ").as_bytes()).collect();
    (decoded(name), decoded(value))
}

impl Encoding {
    fn pair(self, name: &[u8], value: &[u8]) -> Vec<u8> {
        match self {
            Self::Separators => [escaped(name, b"%&=").as_ref(), b"=", escaped(value, b"%&").as_ref()].concat(),
            Self::Form => {
                let encoded = |bytes| form_urlencoded::byte_serialize(bytes).collect::<String>();
                format!("{}={}", encoded(name), encoded(value)).into_bytes()
            }
        }
    }
}

fn escaped<'a>(bytes: &'a [u8], separators: &[u8]) -> Cow<'a, [u8]> {
    if !bytes.iter().any(|byte| separators.contains(byte)) {
        return Cow::Borrowed(bytes);
    }
    let escaped = bytes.iter().flat_map(|byte| match byte {
        separator if separators.contains(separator) => format!("%{separator:02X}").into_bytes(),
        other => vec![*other],
    });
    Cow::Owned(escaped.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of the provider that is named above.
    const EXAMPLE: &str = "code=0907a61c0c8d55e99db179b68161bc00&hmac=700e2dadb827fcc8609e9d5ce208b2e9cdaab9df07390d2cbca10d7c328fc4bf\
        &shop=some-shop.myshopify.com&state=0.6784241404160823&timestamp=1337178173";

    fn checked(query: &str, encoding: Encoding) -> Result<(), Refusal> {
        verify(query, "hmac", encoding, &ClientSecret::from("hush".to_owned()))
    }

    #[test]
    fn the_documented_example_is_believed() {
        for encoding in [Encoding::Separators, Encoding::Form] {
            assert_eq!(checked(EXAMPLE, encoding), Ok(()));
        }
    }

    #[test]
    fn how_the_browser_brought_it_does_not_count() {
        let table = [
            ("another order", EXAMPLE.split('&').rev().collect::<Vec<_>>().join("&")),
            ("with escapes", EXAMPLE.replace("some-shop", "%73ome%2Dshop").replace("code=", "%63ode=")),
            ("with empty pairs", format!("&{}&", EXAMPLE.replace('&', "&&"))),
            (
                "in upper case",
                EXAMPLE.replace(
                    "700e2dadb827fcc8609e9d5ce208b2e9cdaab9df07390d2cbca10d7c328fc4bf",
                    "700E2DADB827FCC8609E9D5CE208B2E9CDAAB9DF07390D2CBCA10D7C328FC4BF",
                ),
            ),
        ];
        for (case, query) in table {
            assert_eq!(checked(&query, Encoding::Separators), Ok(()), "{case}");
        }
    }

    #[test]
    fn a_changed_answer_is_not_believed() {
        let huge = format!("{EXAMPLE}&a={}", "a".repeat(1 << 20));
        let table = [
            ("nothing", "", Refusal::Missing),
            ("no signature", "code=1&shop=a", Refusal::Missing),
            ("an empty signature", "code=1&hmac=", Refusal::Wrong),
            ("another code", &EXAMPLE.replace("code=0", "code=1"), Refusal::Wrong),
            ("a parameter more", &format!("{EXAMPLE}&host=a"), Refusal::Wrong),
            ("a parameter less", &EXAMPLE.replace("&state=0.6784241404160823", ""), Refusal::Wrong),
            ("a value that swallows the next", &EXAMPLE.replace("&state=", "%26state="), Refusal::Wrong),
            ("a name that swallows its value", &EXAMPLE.replace("state=0", "state%3D0"), Refusal::Wrong),
            ("escaped twice", &EXAMPLE.replace("some-shop", "some%252Dshop"), Refusal::Wrong),
            ("a code twice", &format!("{EXAMPLE}&code=1"), Refusal::Repeated),
            ("a code twice by its encoding", &format!("{EXAMPLE}&%63ode=1"), Refusal::Repeated),
            ("a signature twice", &format!("{EXAMPLE}&hmac=00"), Refusal::Repeated),
            ("half a signature", &EXAMPLE.replace("328fc4bf", ""), Refusal::Wrong),
            ("a signature that is none", "code=1&hmac=%FF%00%0D%0A", Refusal::Wrong),
            ("a megabyte", &huge, Refusal::Wrong),
        ];
        for (case, query, expected) in table {
            assert_eq!(checked(query, Encoding::Separators), Err(expected), "{case}");
        }
        let other = ClientSecret::from("hush!".to_owned());
        assert_eq!(verify(EXAMPLE, "hmac", Encoding::Separators, &other), Err(Refusal::Wrong));
    }

    /// Computed with Python's hmac over the text beside each.
    #[test]
    fn separators_are_escaped_as_documented_or_all_as_in_a_form() {
        let query = "b=x%26y%25z%3D&a%3D%26=%C3%A9+%2B&c&hmac=";
        let table = [
            (Encoding::Separators, "e5c19f8cc5f7f870da3ad23b6b9a0bddcc627b5f90ae59ed047d7232c40c2561"), // a%3D%26=é +&b=x%26y%25z=&c=
            (Encoding::Form, "5ad91d0a944d441899cf532f060483fbcf56d9fc199c63720f5857597ec72e46"), // a%3D%26=%C3%A9+%2B&b=x%26y%25z%3D&c=
        ];
        for (encoding, signature) in table {
            assert_eq!(checked(&format!("{query}{signature}"), encoding), Ok(()), "{encoding:?}");
        }
        assert_eq!(checked(&format!("{query}{}", table[0].1), Encoding::Form), Err(Refusal::Wrong));
    }
}
