//! Signatures over a request's parameters in the order of their names, as several providers invented them alike.
//!
//! What differs between them is a closed set of choices. What is the same: the parameters are taken decoded, sorted by name,
//! byte by byte, and joined without a separator; the digest is written in lower-case hexadecimal and sent as a parameter.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};
use ring::hmac;
use serde::{Deserialize, Serialize};
use url::{Url, form_urlencoded};

use crate::secret::{AccessToken, ClientSecret};

/// How a provider wants its parameters signed.
#[derive(Clone, Copy, Debug)]
pub struct Recipe<'a> {
    /// The parameter that the signature is sent as. It is never signed itself.
    pub parameter: &'a str,
    /// The other parameters that are not signed.
    pub left_out: &'a [&'a str],
    /// How a parameter is written.
    pub pair: Pair,
    /// Whether the address' path stands before the parameters.
    pub path: bool,
    /// Whether the body stands behind them.
    pub body: bool,
    /// What is signed with.
    pub key: Key,
    /// How.
    pub digest: Digest,
}

/// How a parameter is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pair {
    /// `name=value`.
    #[default]
    NameEqualsValue,
    /// `namevalue`.
    NameValue,
}

/// What is signed with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// The client's secret.
    #[default]
    Secret,
    /// The MD5 of access token and secret one behind the other, in lower-case hexadecimal; the secret where there is no token.
    TokenAndSecret,
}

/// How the text is digested. There is none in which the secret takes no part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Digest {
    /// MD5 of the text and then the key.
    Md5Behind,
    /// MD5 of the text between the key and the key.
    Md5Around,
    /// HMAC-SHA256 of the text by the key.
    HmacSha256,
    /// HMAC-SHA256, by the key, of the text between the key and the key.
    HmacSha256Around,
}

/// What is signed of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Signed<'a> {
    /// The parameters of a form, if the body is one.
    pub form: &'a [u8],
    /// The body, where it is signed as such.
    pub body: &'a [u8],
}

impl Recipe<'_> {
    /// Adds the signature to the address, whose query has every other parameter by now. One that is there already is taken out:
    /// it is not the caller's to say.
    pub fn sign(&self, url: &mut Url, signed: Signed<'_>, secret: &ClientSecret, token: Option<&AccessToken>) {
        let query: Vec<(String, String)> =
            url.query_pairs().into_owned().filter(|(name, _)| name != self.parameter).collect();
        let form = form_urlencoded::parse(signed.form).into_owned();
        let params: Vec<(String, String)> = query.iter().cloned().chain(form).collect();
        let signature = self.signature(url.path(), &params, signed.body, secret, token);
        url.query_pairs_mut().clear().extend_pairs(query).append_pair(self.parameter, &signature);
    }

    /// The signature of these parameters, decoded.
    #[must_use]
    pub fn signature(
        &self,
        path: &str,
        params: &[(String, String)],
        body: &[u8],
        secret: &ClientSecret,
        token: Option<&AccessToken>,
    ) -> String {
        let mut params: Vec<&(String, String)> = params
            .iter()
            .filter(|(name, _)| name != self.parameter && !self.left_out.contains(&name.as_str()))
            .collect();
        params.sort_unstable();
        let mut text = if self.path { path.to_owned() } else { String::new() };
        for (name, value) in params {
            text.push_str(name);
            match self.pair {
                Pair::NameEqualsValue => text.push('='),
                Pair::NameValue => {}
            }
            text.push_str(value);
        }
        let body = if self.body { body } else { b"" };
        self.digested(&[text.as_bytes(), body].concat(), &self.key(secret, token))
    }

    fn key(&self, secret: &ClientSecret, token: Option<&AccessToken>) -> String {
        match (self.key, token) {
            (Key::TokenAndSecret, Some(token)) => hex(&Md5::digest(format!("{}{}", token.expose(), secret.expose()))),
            (Key::TokenAndSecret, None) | (Key::Secret, _) => secret.expose().to_owned(),
        }
    }

    fn digested(&self, text: &[u8], key: &str) -> String {
        let key = key.as_bytes();
        let hmac = |text: &[u8]| hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref());
        match self.digest {
            Digest::Md5Behind => hex(&Md5::digest([text, key].concat())),
            Digest::Md5Around => hex(&Md5::digest([key, text, key].concat())),
            Digest::HmacSha256 => hmac(text),
            Digest::HmacSha256Around => hmac(&[key, text, key].concat()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a string does not fail
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: Recipe<'static> = Recipe {
        parameter: "sig",
        left_out: &["access_token", "session_key"],
        pair: Pair::NameEqualsValue,
        path: false,
        body: false,
        key: Key::TokenAndSecret,
        digest: Digest::Md5Behind,
    };
    const WRAPPED: Recipe<'static> = Recipe {
        parameter: "sign",
        left_out: &["access_token"],
        pair: Pair::NameValue,
        path: true,
        body: true,
        key: Key::Secret,
        digest: Digest::HmacSha256Around,
    };

    fn secret(text: &str) -> ClientSecret {
        ClientSecret::from(text.to_owned())
    }

    /// The rule: <https://apiok.ru/en/dev/methods>; the example: <https://konstantintogoi.github.io/aiookru/api>.
    #[test]
    fn a_signature_by_token_and_secret_is_that_of_its_documentation() {
        let token = AccessToken::from("-s-84W-s3egarWUsbkq-IWTucuedzTKT8VUXIA.s4Xx8IW7".to_owned());
        let secret = secret("ABC123DEF456GHI789JKL123");
        let mut url = Url::parse("https://api.ok.ru/fb.do?method=events.get&format=json&sig=mine&access_token=-s-84W-s3egarWUsbkq-IWTucuedzTKT8VUXIA.s4Xx8IW7").unwrap();
        // a parameter of a form counts as one of the query
        SESSION.sign(&mut url, Signed { form: b"application_key=ABCDEFGHIGKLMNOPK", body: b"" }, &secret, Some(&token));
        assert_eq!(
            url.query(),
            Some(
                "method=events.get&format=json&access_token=-s-84W-s3egarWUsbkq-IWTucuedzTKT8VUXIA.s4Xx8IW7&sig=232c8eb921951c4dba9b72606f9ddb4c"
            )
        );
    }

    /// <https://partner.tiktokshop.com/docv2/page/sign-your-api-request>; the second computed with Python.
    #[test]
    fn a_signature_between_secrets_is_that_of_its_documentation() {
        let table = [
            (
                "/authorization/202309/shops?timestamp=1623812664&access_token=x&app_key=29a39d",
                "",
                "b596b73e0cc6de07ac26f036364178ab16b0a907af13d43f0a0cd2345f582dc8",
            ),
            (
                "/event/202309/webhooks?app_key=68xu9ks5p4i8&timestamp=1696909648&shop_cipher=ROW_xkMbgAAAeVAQra0eZWebFQq5aIK",
                r#"{"address":"https://partner.tiktokshop.com","event_type":"PACKAGE_UPDATE"}"#,
                "cd0d6268252f4ba293bf7ea4c0a2873bf9beec600d22530638564ab301435f7a",
            ),
        ];
        for (target, body, expected) in table {
            let mut url = Url::parse(&format!("https://open-api.shop.example{target}")).unwrap();
            WRAPPED.sign(&mut url, Signed { form: b"", body: body.as_bytes() }, &secret("e59af819cc"), None);
            let (name, signature) = url.query_pairs().last().unwrap();
            assert_eq!((&*name, &*signature), ("sign", expected));
        }
    }

    /// Computed with Python's hashlib and hmac.
    #[test]
    fn each_choice_changes_what_is_signed() {
        let plain = Recipe { left_out: &[], key: Key::Secret, ..SESSION };
        let table = [
            ("behind", plain, "eeb55b5bc2402c79ba5bf04a72e2a3a4"),
            ("around", Recipe { digest: Digest::Md5Around, ..plain }, "217172fd179241bc6f085b658127fe6e"),
            (
                "keyed",
                Recipe { digest: Digest::HmacSha256, ..plain },
                "999a650ef5614674f595e9d67617c1551993d34a3a93531c59dea94f96b4dfac",
            ),
            (
                "keyed and around",
                Recipe { digest: Digest::HmacSha256Around, ..plain },
                "51af5fcab18fa9699fed145f8eef3bdfedc0743bc238bebed015cbf39a392fa1",
            ),
            ("bare", Recipe { pair: Pair::NameValue, ..plain }, "138059cd1ea661b42a0493841d7b1e3c"),
            ("with the path", Recipe { path: true, ..plain }, "053347fbc2f2b288d921800045182d2d"),
            ("with the body", Recipe { body: true, ..plain }, "c16f80db176a64dccd1359ba45b2e2f6"),
            ("without a", Recipe { left_out: &["a"], ..plain }, "8fb86a5888b44ec68cbfd88e12280154"),
            ("no token to sign with", Recipe { key: Key::TokenAndSecret, ..plain }, "eeb55b5bc2402c79ba5bf04a72e2a3a4"),
        ];
        for (case, recipe, expected) in table {
            let mut url = Url::parse("https://a.example/p%20q?b=%C3%A9+%26&a=2&a=10&B=%00").unwrap();
            recipe.sign(&mut url, Signed { form: b"c=%2B", body: b"\xff\r\n" }, &secret("s3cret"), None);
            let signature = url.query_pairs().last().unwrap().1.into_owned();
            assert_eq!(signature, expected, "{case}");
        }
    }

    #[test]
    fn nobody_brings_a_signature_along() {
        let mut url = Url::parse("https://a.example/?sig=1&a=1&sig=2&%73ig=3").unwrap();
        SESSION.sign(&mut url, Signed::default(), &secret("s"), None);
        let names: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
        assert_eq!(names, ["a", "sig"]);
    }
}
