//! OAuth 1.0 (RFC 5849): signed requests, and the two exchanges that lead to a token.
//!
//! A request is signed over its method, its address, its parameters and a form body. RSA-SHA1 is left out: no provider
//! asks for it any more. Parameters travel in the `Authorization` header (§3.5.1) and nowhere else.

use std::{fmt, fmt::Write as _};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};
use ring::hmac;
use serde_json::{Map, Value};
use url::Url;

use super::{
    answer::code,
    request::{USER_AGENT, sensitive, uri},
    template::TemplateError,
};
use crate::{
    clock::Timestamp,
    error::ProviderError,
    secret::{AccessToken, ClientSecret, TokenSecret},
};

/// All but the unreserved characters (§3.6): stricter than what forms and queries are encoded with.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a quoted string can't hold (RFC 9110 §5.6.4), and the percent sign that stands in its place.
const UNQUOTABLE: &AsciiSet = &percent_encoding::CONTROLS.add(b'"').add(b'\\').add(b'%');

/// The longest answer that is read.
const ANSWER_LIMIT: usize = 64 * 1024;

/// The most members of an answer.
const MEMBERS_LIMIT: usize = 64;

/// The longest token or secret that is kept.
const TOKEN_LIMIT: usize = 16 * 1024;

pub use super::connector::SignatureMethod;

impl SignatureMethod {
    /// As on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha1 => "HMAC-SHA1",
            Self::HmacSha256 => "HMAC-SHA256",
            Self::Plaintext => "PLAINTEXT",
        }
    }
}

/// The client's credentials (§1.1), by the name they have in the parameters.
#[derive(Clone, Copy, Debug)]
pub struct Consumer<'a> {
    /// `oauth_consumer_key`: public.
    pub key: &'a str,
    /// The secret shared with the provider.
    pub secret: &'a ClientSecret,
}

/// Temporary credentials or token credentials (§1.1).
#[derive(Clone, Copy, Debug)]
pub struct Token<'a> {
    /// `oauth_token`.
    pub token: &'a AccessToken,
    /// The secret that belongs to it.
    pub secret: &'a TokenSecret,
}

/// Who signs, and how.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    /// The client.
    pub consumer: Consumer<'a>,
    /// In whose name: nobody's when temporary credentials are asked for.
    pub token: Option<Token<'a>>,
    /// By which method.
    pub method: SignatureMethod,
    /// The realm that the header names, where a provider wants one; it is not signed (§3.4.1.3.1).
    pub realm: Option<&'a str>,
}

impl Signer<'_> {
    /// The `Authorization` header of an API request. `form` is its body if [`form_body`] says that it is signed.
    #[must_use]
    pub fn sign(&self, method: &Method, url: &Url, form: Option<&[u8]>, at: Timestamp, nonce: &str) -> HeaderValue {
        self.authorization(method, url, form, self.protocol(at, nonce, &[("oauth_version", "1.0")]))
    }

    /// The request for temporary credentials (§2.1). `callback` is where the browser is sent back to, or `oob`.
    pub fn temporary_credential_request(
        &self,
        method: &Method,
        endpoint: &Url,
        callback: &str,
        at: Timestamp,
        nonce: &str,
    ) -> Result<http::Request<Bytes>, TemplateError> {
        self.request(method, endpoint, at, nonce, &[("oauth_version", "1.0"), ("oauth_callback", callback)])
    }

    /// The request that exchanges temporary credentials, by which the signer signs, for a token (§2.3).
    pub fn token_request(
        &self,
        method: &Method,
        endpoint: &Url,
        verifier: &str,
        at: Timestamp,
        nonce: &str,
    ) -> Result<http::Request<Bytes>, TemplateError> {
        self.request(method, endpoint, at, nonce, &[("oauth_version", "1.0"), ("oauth_verifier", verifier)])
    }

    fn request(
        &self,
        method: &Method,
        endpoint: &Url,
        at: Timestamp,
        nonce: &str,
        further: &[(&str, &str)],
    ) -> Result<http::Request<Bytes>, TemplateError> {
        let mut request = http::Request::new(Bytes::new());
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri(endpoint)?;
        let authorization = self.authorization(method, endpoint, None, self.protocol(at, nonce, further));
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, authorization);
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        Ok(request)
    }

    /// The protocol parameters (§3.1), but for the signature.
    fn protocol(&self, at: Timestamp, nonce: &str, further: &[(&str, &str)]) -> Vec<(String, String)> {
        let seconds = at.secs().to_string();
        let token = self.token.map(|token| ("oauth_token", token.token.expose()));
        let own = [
            ("oauth_consumer_key", self.consumer.key),
            ("oauth_signature_method", self.method.as_str()),
            ("oauth_timestamp", &seconds),
            ("oauth_nonce", nonce),
        ];
        own.into_iter()
            .chain(token)
            .chain(further.iter().copied())
            .map(|(name, value)| (encoded(name.as_bytes()), encoded(value.as_bytes())))
            .collect()
    }

    /// The header (§3.5.1). Every part of it is percent-encoded, so that it always fits one.
    fn authorization(
        &self,
        method: &Method,
        url: &Url,
        form: Option<&[u8]>,
        protocol: Vec<(String, String)>,
    ) -> HeaderValue {
        let signature = self.signature(&base_string(method, url, form, &protocol));
        let mut header = "OAuth ".to_owned();
        if let Some(realm) = self.realm {
            let realm = percent_encoding::utf8_percent_encode(realm, UNQUOTABLE);
            let _ = write!(header, r#"realm="{realm}", "#); // writing to a string does not fail
        }
        for (name, value) in protocol {
            let _ = write!(header, r#"{name}="{value}", "#);
        }
        let _ = write!(header, r#"oauth_signature="{}""#, encoded(signature.as_bytes()));
        sensitive(&header)
    }

    /// What proves that the secrets are known (§3.4.2, §3.4.4).
    fn signature(&self, base_string: &str) -> String {
        let token = self.token.map_or("", |token| token.secret.expose());
        let key = format!("{}&{}", encoded(self.consumer.secret.expose().as_bytes()), encoded(token.as_bytes()));
        let algorithm = match self.method {
            SignatureMethod::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            SignatureMethod::HmacSha256 => hmac::HMAC_SHA256,
            SignatureMethod::Plaintext => return key,
        };
        STANDARD.encode(hmac::sign(&hmac::Key::new(algorithm, key.as_bytes()), base_string.as_bytes()))
    }
}

/// The body as far as it is signed: only a form is (§3.4.1.3.1).
#[must_use]
pub fn form_body<'a>(headers: &HeaderMap, body: &'a [u8]) -> Option<&'a [u8]> {
    let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let media_type = content_type.split(';').next()?.trim();
    media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded").then_some(body)
}

/// The page on which the person consents, for these temporary credentials (§2.2).
#[must_use]
pub fn authorization_url(endpoint: &Url, temporary: &AccessToken) -> Url {
    let mut url = endpoint.clone();
    url.query_pairs_mut().append_pair("oauth_token", temporary.expose());
    url
}

/// What is signed (§3.4.1). `protocol` is encoded already.
fn base_string(method: &Method, url: &Url, form: Option<&[u8]>, protocol: &[(String, String)]) -> String {
    let query = url.query().unwrap_or_default().as_bytes();
    let mut pairs: Vec<(String, String)> = parameters(query)
        .chain(parameters(form.unwrap_or_default()))
        .map(|(name, value)| (encoded(&name), encoded(&value)))
        .chain(protocol.iter().cloned())
        .collect();
    pairs.sort_unstable(); // §3.4.1.3.2: by the encoded name, then by the encoded value, byte by byte
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!(
        "{}&{}&{}",
        encoded(method.as_str().to_ascii_uppercase().as_bytes()),
        encoded(base_string_uri(url).as_bytes()),
        encoded(pairs.join("&").as_bytes())
    )
}

/// The address without its query (§3.4.1.2). `Url` has the host in lower case and no port that is the scheme's own.
fn base_string_uri(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

/// The parameters of a query or a form, decoded. They are bytes: a signature is made over what need not be UTF-8.
fn parameters(form: &[u8]) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        (decoded(halves.next().unwrap_or_default()), decoded(halves.next().unwrap_or_default()))
    })
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).collect()
}

fn encoded(bytes: &[u8]) -> String {
    percent_encode(bytes, ENCODED).to_string()
}

/// What an answer brought: temporary credentials, or a token.
pub struct Credentials {
    /// `oauth_token`.
    pub token: AccessToken,
    /// `oauth_token_secret`.
    pub secret: TokenSecret,
    /// All other members, for the captures: an account's id, a session handle.
    pub further: Map<String, Value>,
}

/// Only the names: a further member may be a secret too.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("further", &self.further.keys().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

/// Reads temporary credentials (§2.1). A provider that does not confirm the callback speaks the version of the protocol
/// in which a stranger's authorization could be slipped in, and is not believed.
pub fn read_temporary_credentials(response: &http::Response<Bytes>) -> Result<Credentials, ProviderError> {
    let credentials = read_token(response)?;
    if credentials.further.get("oauth_callback_confirmed").and_then(Value::as_str) != Some("true") {
        return Err(ProviderError::InvalidResponse("the callback is not confirmed"));
    }
    Ok(credentials)
}

/// Reads a token (§2.3). A refusal is told apart from a failure.
pub fn read_token(response: &http::Response<Bytes>) -> Result<Credentials, ProviderError> {
    let status = response.status();
    if status.is_server_error() || status == http::StatusCode::TOO_MANY_REQUESTS {
        return Err(ProviderError::Failed(status.as_u16()));
    }
    let members = members(response.body());
    // the Problem Reporting extension, which is older than the RFC and what providers use
    let problem = members.as_ref().ok().and_then(|members| members.get("oauth_problem")?.as_str()).map(code);
    if status.is_client_error() {
        return Err(ProviderError::Refused(problem.unwrap_or_else(|| format!("status {}", status.as_u16()))));
    }
    if !status.is_success() {
        return Err(ProviderError::InvalidResponse("a redirect where none is documented"));
    }
    let mut further = members?;
    let mut take = |name| match further.remove(name) {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        _ => None,
    };
    let Some(token) = take("oauth_token") else {
        return Err(problem.map_or(ProviderError::InvalidResponse("no token"), ProviderError::Refused));
    };
    let secret = take("oauth_token_secret").ok_or(ProviderError::InvalidResponse("no token secret"))?;
    if !is_token(&token) || !is_token(&secret) {
        return Err(ProviderError::InvalidResponse(
            "a token is longer than 16 KiB or holds other than printable ASCII",
        ));
    }
    Ok(Credentials { token: AccessToken::from(token), secret: TokenSecret::from(secret), further })
}

/// The members of a form-encoded answer. One that stands twice could be read either way, so neither is.
fn members(body: &[u8]) -> Result<Map<String, Value>, ProviderError> {
    if body.len() > ANSWER_LIMIT {
        return Err(ProviderError::InvalidResponse("the answer is longer than 64 KiB"));
    }
    let text = |bytes| String::from_utf8(bytes).map_err(|_| ProviderError::InvalidResponse("the answer is not UTF-8"));
    let mut members = Map::new();
    for (name, value) in parameters(body.trim_ascii()) {
        if members.insert(text(name)?, text(value)?.into()).is_some() {
            return Err(ProviderError::InvalidResponse("a member stands twice in the answer"));
        }
        if members.len() > MEMBERS_LIMIT {
            return Err(ProviderError::InvalidResponse("the answer has more than 64 members"));
        }
    }
    Ok(members)
}

fn is_token(text: &str) -> bool {
    text.len() <= TOKEN_LIMIT && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The credentials of a test, owned.
    struct Known {
        key: &'static str,
        secret: ClientSecret,
        token: AccessToken,
        token_secret: TokenSecret,
    }

    impl Known {
        fn new(key: &'static str, secret: &str, token: &str, token_secret: &str) -> Self {
            Self {
                key,
                secret: ClientSecret::from(secret.to_owned()),
                token: AccessToken::from(token.to_owned()),
                token_secret: TokenSecret::from(token_secret.to_owned()),
            }
        }

        fn signer(&self, method: SignatureMethod) -> Signer<'_> {
            let token = Token { token: &self.token, secret: &self.token_secret };
            let named = !self.token.expose().is_empty();
            let consumer = Consumer { key: self.key, secret: &self.secret };
            Signer { consumer, token: named.then_some(token), method, realm: None }
        }
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn header(value: &HeaderValue) -> &str {
        assert!(value.is_sensitive());
        value.to_str().unwrap()
    }

    fn signature(value: &HeaderValue) -> String {
        let (_, signature) = header(value).split_once("oauth_signature=\"").unwrap();
        String::from_utf8(decoded(signature.trim_end_matches('"').as_bytes())).unwrap()
    }

    /// The three requests of RFC 5849 §1.2, which have no `oauth_version`.
    #[test]
    fn the_signatures_are_those_of_rfc_5849_section_1_2() {
        let table = [
            (
                ("", ""),
                (Method::POST, "https://photos.example.net/initiate", 137_131_200, "wIjqoS"),
                Some(("oauth_callback", "http://printer.example.com/ready")),
                "74KNZJeDHnMBp0EMJ9ZHt/XKycU=",
            ),
            (
                ("hh5s93j4hdidpola", "hdhd0244k9j7ao03"),
                (Method::POST, "https://photos.example.net/token", 137_131_201, "walatlh"),
                Some(("oauth_verifier", "hfdp7dh39dks9884")),
                "gKgrFCywp7rO0OXSjdot/IHF7IU=",
            ),
            (
                ("nnch734d00sl2jdk", "pfkkdhi9sl3r4s00"),
                (
                    Method::GET,
                    "http://photos.example.net/photos?file=vacation.jpg&size=original",
                    137_131_202,
                    "chapoH",
                ),
                None,
                "MdpQcU8iPSUjWoN/UDMsK2sui9I=",
            ),
        ];
        for ((token, token_secret), (method, address, at, nonce), further, expected) in table {
            let known = Known::new("dpf43f3p2l4k3l03", "kd94hf93k423kf44", token, token_secret);
            let signer = known.signer(SignatureMethod::HmacSha1);
            let protocol = signer.protocol(Timestamp::from_secs(at), nonce, further.as_slice());
            let value = signer.authorization(&method, &url(address), None, protocol);
            assert_eq!(signature(&value), expected, "{address}");
        }
    }

    #[test]
    fn the_base_string_is_that_of_rfc_5849_section_3_4_1_1() {
        let protocol = [
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_token", "kkk9d7dh3k39sjv7"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "7d8f3e4a"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let address = url("http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b");
        assert_eq!(
            base_string(&Method::POST, &address, Some(b"c2&a3=2+q"), &protocol),
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26\
             oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26\
             oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
        );
    }

    /// <https://docs.x.com/fundamentals/authentication/oauth-1-0a/creating-a-signature>; SHA-256 computed with Python.
    #[test]
    fn the_signatures_are_those_of_a_providers_documentation() {
        let known = Known::new(
            "xvz1evFS4wEEPTGEFPHBog",
            "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
            "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
            "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
        );
        let table = [
            (SignatureMethod::HmacSha1, "hCtSmYh+iHYCEqBWrE7C7hYmtUk="),
            (SignatureMethod::HmacSha256, "PLbq+OWUE2vwiOZeZBSR06GFvymUHoaBdCIHyD66IcM="),
            (
                SignatureMethod::Plaintext,
                "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw&LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
            ),
        ];
        let form = b"status=Hello%20Ladies%20%2b%20Gentlemen%2c%20a%20signed%20OAuth%20request%21";
        for (method, expected) in table {
            let value = known.signer(method).sign(
                &Method::POST,
                &url("https://api.twitter.com/1.1/statuses/update.json?include_entities=true"),
                Some(form),
                Timestamp::from_secs(1_318_622_958),
                "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg",
            );
            assert_eq!(signature(&value), expected, "{method:?}");
        }
    }

    #[test]
    fn an_address_is_signed_in_its_one_form() {
        let table = [
            ("http://EXAMPLE.COM:80/r%20v/X?id=123", "http://example.com/r%20v/X"),
            ("https://www.example.net:8080/?q=1#f", "https://www.example.net:8080/"),
            ("https://user@www.example.net:443", "https://www.example.net/"),
            ("http://[::1]:443/a", "http://[::1]:443/a"),
        ];
        for (address, expected) in table {
            assert_eq!(base_string_uri(&url(address)), expected);
        }
    }

    #[test]
    fn parameters_are_signed_sorted_and_encoded_anew() {
        let table: [(&str, &[u8], &str); 6] = [
            ("a=2&a=1&a=10", b"", "a=1&a=10&a=2"),
            ("b&a=&&=c", b"", "=c&a=&b="),
            ("a=%7e%2b+*", b"", "a=~%2B%20%2A"),
            ("a=%FF%zz", b"", "a=%FF%25zz"),
            ("%C3%A9=1&z=1", b"y=\xc3\xa9", "%C3%A9=1&y=%C3%A9&z=1"),
            ("a=b=c", b"a=1\r\n", "a=1%0D%0A&a=b%3Dc"),
        ];
        for (query, form, expected) in table {
            let address = url(&format!("https://a.example/?{query}"));
            let base = base_string(&Method::GET, &address, Some(form), &[]);
            let signed = base.rsplit('&').next().unwrap().as_bytes();
            assert_eq!(String::from_utf8(decoded(signed)).unwrap(), expected, "{query}");
        }
    }

    #[test]
    fn only_a_form_is_signed_with_its_body() {
        let table = [
            (Some("application/x-www-form-urlencoded"), true),
            (Some("Application/X-WWW-Form-Urlencoded ; charset=utf-8"), true),
            (Some("application/x-www-form-urlencoded2"), false),
            (Some("application/json"), false),
            (Some("multipart/form-data; boundary=application/x-www-form-urlencoded"), false),
            (None, false),
        ];
        for (content_type, expected) in table {
            let mut headers = HeaderMap::new();
            if let Some(content_type) = content_type {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            }
            assert_eq!(form_body(&headers, b"a=1").is_some(), expected, "{content_type:?}");
        }
    }

    #[test]
    fn a_token_is_asked_for_in_the_header_alone() {
        let known = Known::new("key", "secret", "", "");
        let mut signer = known.signer(SignatureMethod::Plaintext);
        signer.realm = Some("12\"3\\4\r\nX: é");
        let request = signer
            .temporary_credential_request(
                &Method::POST,
                &url("https://a.example/initiate?scope=r"),
                "https://m.example/cb?x=1",
                Timestamp::from_secs(1),
                "n",
            )
            .unwrap();
        assert_eq!(
            header(&request.headers()["authorization"]),
            "OAuth realm=\"12%223%5C4%0D%0AX: %C3%A9\", oauth_consumer_key=\"key\", oauth_signature_method=\"PLAINTEXT\", oauth_timestamp=\"1\", \
             oauth_nonce=\"n\", oauth_version=\"1.0\", oauth_callback=\"https%3A%2F%2Fm.example%2Fcb%3Fx%3D1\", oauth_signature=\"secret%26\""
        );
        assert_eq!(
            (request.method(), request.uri().to_string(), request.body().len()),
            (&Method::POST, "https://a.example/initiate?scope=r".to_owned(), 0)
        );

        let known = Known::new("key", "secret", "temporary", "temporary secret");
        let request = known
            .signer(SignatureMethod::HmacSha1)
            .token_request(&Method::GET, &url("https://a.example/token"), "v\r\n\"", Timestamp::from_secs(1), "n")
            .unwrap();
        let value = header(&request.headers()["authorization"]);
        assert!(
            value.contains(r#"oauth_token="temporary", oauth_version="1.0", oauth_verifier="v%0D%0A%22""#),
            "{value}"
        );
        assert!(
            !format!("{request:?} {known:?}", known = known.signer(SignatureMethod::Plaintext)).contains("secret\"")
        );
    }

    #[test]
    fn the_consent_page_is_told_which_credentials() {
        let token = AccessToken::from("t&1".to_owned());
        let page = authorization_url(&url("https://a.example/authorize?name=M"), &token);
        assert_eq!(page.as_str(), "https://a.example/authorize?name=M&oauth_token=t%261");
    }

    fn said(result: Result<Credentials, ProviderError>) -> String {
        match result {
            Ok(credentials) => format!(
                "{} {} {}",
                credentials.token.expose(),
                credentials.secret.expose(),
                Value::Object(credentials.further)
            ),
            Err(ProviderError::Refused(code)) => format!("refused {code}"),
            Err(ProviderError::Failed(status)) => format!("failed {status}"),
            Err(ProviderError::InvalidResponse(why)) => format!("invalid {why}"),
            Err(other) => other.to_string(),
        }
    }

    #[test]
    fn an_answer_is_a_token_a_refusal_or_nothing_usable() {
        let many = (0..65).fold(String::new(), |all, number| format!("{all}m{number}=1&"));
        let long = format!("oauth_token={}&oauth_token_secret=s", "t".repeat(TOKEN_LIMIT + 1));
        let huge = "a".repeat(1 << 20);
        let table: [(&str, u16, &[u8], &str); 17] = [
            ("a token", 200, b"oauth_token=t%2B1&oauth_token_secret=s+1\n", "t+1 s 1 {}"),
            (
                "further members",
                200,
                b"oauth_token=t&oauth_token_secret=s&user_id=7&user_id.x=%C3%A9",
                r#"t s {"user_id":"7","user_id.x":"é"}"#,
            ),
            (
                "a member twice",
                200,
                b"oauth_token=t&oauth_token_secret=s&oauth_token=u",
                "invalid a member stands twice in the answer",
            ),
            ("a member twice by its encoding", 200, b"a%41=t&aA=s", "invalid a member stands twice in the answer"),
            ("no secret", 200, b"oauth_token=t", "invalid no token secret"),
            ("an empty token", 200, b"oauth_token=&oauth_token_secret=s", "invalid no token"),
            ("nothing", 200, b"", "invalid no token"),
            ("a page", 200, b"<html>a=b</html>", "invalid no token"),
            (
                "a token with a line break",
                200,
                b"oauth_token=t%0D%0AX&oauth_token_secret=s",
                "invalid a token is longer than 16 KiB or holds other than printable ASCII",
            ),
            (
                "a long token",
                200,
                long.as_bytes(),
                "invalid a token is longer than 16 KiB or holds other than printable ASCII",
            ),
            ("no UTF-8", 200, b"oauth_token=%FF", "invalid the answer is not UTF-8"),
            ("many members", 200, many.as_bytes(), "invalid the answer has more than 64 members"),
            ("a huge answer", 200, huge.as_bytes(), "invalid the answer is longer than 64 KiB"),
            ("a problem with 200", 200, b"oauth_problem=token_rejected", "refused token_rejected"),
            ("a problem to print", 401, b"oauth_problem=token%0Arejected%3C", "refused tokenrejected"),
            ("a huge refusal", 401, huge.as_bytes(), "refused status 401"),
            ("a failure", 503, b"oauth_problem=x", "failed 503"),
        ];
        for (case, status, body, expected) in table {
            let response = http::Response::builder().status(status).body(Bytes::copy_from_slice(body)).unwrap();
            assert_eq!(said(read_token(&response)), expected, "{case}");
        }
    }

    #[test]
    fn temporary_credentials_come_with_a_confirmed_callback() {
        let table = [
            ("&oauth_callback_confirmed=true", r#"t s {"oauth_callback_confirmed":"true"}"#),
            ("&oauth_callback_confirmed=false", "invalid the callback is not confirmed"),
            ("", "invalid the callback is not confirmed"),
        ];
        for (further, expected) in table {
            let body = format!("oauth_token=t&oauth_token_secret=s{further}");
            assert_eq!(said(read_temporary_credentials(&http::Response::new(body.into()))), expected);
        }
    }

    #[test]
    fn credentials_do_not_print() {
        let body = "oauth_token=canary1&oauth_token_secret=canary2&oauth_session_handle=canary3";
        let credentials = read_token(&http::Response::new(body.into())).unwrap();
        assert_eq!(format!("{credentials:?}"), r#"Credentials { further: ["oauth_session_handle"], .. }"#);
    }
}
