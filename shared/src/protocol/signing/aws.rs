//! AWS Signature Version 4, in the headers: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>.
//!
//! What is hard about it is done by the crate that the AWS SDK signs with. A request is signed last of all, as it will be
//! sent: whatever changes its address or a header afterwards breaks the signature.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials as Identity;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign as signature,
    },
    sign::v4::SigningParams,
};
use http::{HeaderName, HeaderValue, header, request::Parts};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    clock::Timestamp,
    secret::{AccessToken, ClientSecret},
};

/// What a path may hold as it is and AWS encodes: all but the unreserved characters. Escapes stay, as do slashes, and `+`,
/// which some clients mean a space by.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b'%').remove(b'+');

/// Headers that connections, proxies and HTTP clients make and change by themselves.
const UNSIGNED: [HeaderName; 10] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Headers that the signature brings; what a caller says in them is not for the provider.
const OURS: [HeaderName; 4] = [
    header::AUTHORIZATION,
    HeaderName::from_static("x-amz-content-sha256"),
    HeaderName::from_static("x-amz-date"),
    HeaderName::from_static("x-amz-security-token"),
];

/// Who signs.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// The key's name: public.
    pub access_key_id: &'a str,
    /// The key.
    pub secret_access_key: &'a ClientSecret,
    /// What temporary credentials have besides.
    pub session_token: Option<&'a AccessToken>,
}

/// What the signature is good for.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The region, `eu-central-1`.
    pub region: &'a str,
    /// The service's signing name, `execute-api`.
    pub service: &'a str,
}

/// Why a request can't be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// A header that is signed is text.
    #[error("a header holds other than visible ASCII")]
    Header,
    /// The address names no host, or a credential does not fit a header.
    #[error("the request or its credentials are malformed")]
    Malformed,
}

/// Signs a request with this body: adds `Authorization`, `X-Amz-Date` and what else the service wants to see.
pub fn sign(
    parts: &mut Parts,
    body: &[u8],
    credentials: &Credentials<'_>,
    scope: &Scope<'_>,
    at: Timestamp,
) -> Result<(), SigningError> {
    if parts.uri.host().is_none() {
        return Err(SigningError::Malformed);
    }
    for name in OURS {
        parts.headers.remove(name);
    }
    let identity = Identity::new(
        credentials.access_key_id,
        credentials.secret_access_key.expose(),
        credentials.session_token.map(|token| token.expose().to_owned()),
        None,
        "connection",
    );
    let identity = identity.into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.service)
        .time(UNIX_EPOCH + Duration::from_secs(at.secs()))
        .settings(settings(scope.service))
        .build()
        .map_err(|_| SigningError::Malformed)?
        .into();
    let mut headers = Vec::with_capacity(parts.headers.len());
    for (name, value) in parts.headers.iter().filter(|(name, _)| !UNSIGNED.contains(name)) {
        headers.push((name.as_str(), value.to_str().map_err(|_| SigningError::Header)?));
    }
    let address = address(&parts.uri, scope.service);
    let signable = SignableRequest::new(parts.method.as_str(), address, headers.into_iter(), SignableBody::Bytes(body));
    let signed = signable.and_then(|signable| signature(signable, &params)).map_err(|_| SigningError::Malformed)?;
    let (headers, _) = signed.into_parts().0.into_parts();
    for header in headers {
        let mut value = HeaderValue::from_str(header.value()).map_err(|_| SigningError::Malformed)?;
        value.set_sensitive(header.sensitive() || header.name() == "authorization");
        parts.headers.insert(header.name(), value);
    }
    Ok(())
}

/// Object storage takes a path as it is, dots and all, and wants the body's digest in a header; all other services encode
/// the path once more: <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>.
fn is_object_storage(service: &str) -> bool {
    matches!(service, "s3" | "s3-object-lambda" | "s3-outposts" | "s3express")
}

fn settings(service: &str) -> SigningSettings {
    let mut settings = SigningSettings::default();
    if is_object_storage(service) {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    settings
}

/// The address as it is signed: object storage is told the path with everything encoded that AWS encodes.
fn address(uri: &http::Uri, service: &str) -> String {
    if !is_object_storage(service) {
        return uri.to_string();
    }
    let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = utf8_percent_encode(uri.path(), ENCODED);
    format!("{}://{authority}{path}{query}", uri.scheme_str().unwrap_or("https"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_secs(1_440_938_160);

    fn signed(request: http::Request<&[u8]>, scope: &Scope<'_>, token: Option<&str>) -> Result<Parts, SigningError> {
        let secret = ClientSecret::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned());
        let token = token.map(|token| AccessToken::from(token.to_owned()));
        let credentials =
            Credentials { access_key_id: "AKIDEXAMPLE", secret_access_key: &secret, session_token: token.as_ref() };
        let (mut parts, body) = request.into_parts();
        sign(&mut parts, body, &credentials, scope, AT)?;
        assert!(parts.headers["authorization"].is_sensitive());
        Ok(parts)
    }

    fn text<'a>(parts: &'a Parts, name: &str) -> &'a str {
        parts.headers[name].to_str().unwrap()
    }

    macro_rules! suite {
        ($($case:literal)+) => {
            [$((
                $case,
                include_str!(concat!("../../../tests/sigv4/", $case, ".request.txt")),
                include_str!(concat!("../../../tests/sigv4/", $case, ".authorization.txt")),
            )),+]
        };
    }

    /// A request as the suite writes it. Its host goes into the address, as it does in ours.
    fn request(text: &'static str) -> http::Request<&'static [u8]> {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let (method, target) = lines.next().unwrap().trim_end_matches(" HTTP/1.1").split_once(' ').unwrap();
        let mut request = http::Request::builder().method(method);
        for (name, value) in lines.map(|line| line.split_once(':').unwrap()).filter(|(name, _)| *name != "Host") {
            request = request.header(name, value);
        }
        request.uri(format!("https://example.amazonaws.com{target}")).body(body.as_bytes()).unwrap()
    }

    #[test]
    fn the_signatures_are_those_of_the_published_suite() {
        let cases = suite![
            "get-header-key-duplicate" "get-header-value-order" "get-header-value-trim" "get-relative-normalized"
            "get-slash-dot-slash-normalized" "get-slashes-normalized" "get-unreserved" "get-vanilla"
            "get-vanilla-empty-query-key" "get-vanilla-query-order-encoded" "get-vanilla-query-order-key-case"
            "get-vanilla-query-unreserved" "get-vanilla-with-session-token" "post-header-key-sort"
            "post-header-value-case" "post-vanilla" "post-vanilla-query"
        ];
        for (case, sent, expected) in cases {
            let token = (case == "get-vanilla-with-session-token")
                .then_some("6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267");
            let parts = signed(request(sent), &Scope { region: "us-east-1", service: "service" }, token).unwrap();
            assert_eq!(format!("Authorization:{}", text(&parts, "authorization")), expected.trim_end(), "{case}");
            assert_eq!(text(&parts, "x-amz-date"), "20150830T123600Z");
            assert_eq!(parts.headers.get("x-amz-security-token").is_some(), token.is_some());
        }
    }

    /// The signatures are those that botocore 1.43 makes of the same requests at the same moment.
    #[test]
    fn object_storage_is_signed_in_its_own_way() {
        let table = [
            (
                "GET",
                "/a:b//c/../%C3%A9%20+.txt?list-type=2&prefix=a%2Fb&acl",
                "",
                None,
                "d1c2453fdba2bb2530a269b3857e2274311db775c6df5fb730bb0fa4d8628c68",
            ),
            ("GET", "/a:b()@=,", "", None, "670f6cb5a16ce82d5ed6b319aa7b40d9f63dabf93168f8a8ecef8b50ac5af499"),
            (
                "PUT",
                "/k%2B1",
                "hello",
                Some("session"),
                "c3630de446f04a5461509998f5fa2a04d27bcfffb8a695776f34a810e51dc23f",
            ),
        ];
        for (method, target, body, token, expected) in table {
            let mut request = http::Request::builder().method(method);
            if method == "PUT" {
                request = request.header("content-type", "text/plain").header("x-amz-meta-a", "  b   c ");
            }
            let address = format!("https://bucket.s3.eu-central-1.amazonaws.com{target}");
            let request = request.uri(&address).body(body.as_bytes()).unwrap();
            let parts = signed(request, &Scope { region: "eu-central-1", service: "s3" }, token).unwrap();
            let authorization = text(&parts, "authorization");
            assert_eq!(authorization.rsplit_once('=').unwrap().1, expected, "{authorization}");
            assert_eq!(parts.uri, address.as_str(), "what is sent stays as it is");
            assert_eq!(text(&parts, "x-amz-content-sha256").len(), 64);
        }
    }

    /// The signatures are those that botocore 1.43 makes of the same requests at the same moment.
    #[test]
    fn other_services_are_signed_with_the_path_encoded_once_more() {
        let table = [
            ("/model/a.b-v2%3A1/invoke", "193fe2d71356c7b098fb372ea3d5cafef35848155c9e28196a0ec1004aa99740"),
            ("/model/a.b-v2:1/invoke", "73f9f6deaf125f045a4f427b4fb11c5ac2973b32f6d325b2a1351317ac981803"),
        ];
        for (path, expected) in table {
            let request = http::Request::post(format!("https://bedrock-runtime.eu-central-1.amazonaws.com{path}"))
                .header("content-type", "application/json")
                .header("content-length", "7")
                .header("connection", "keep-alive")
                .header("user-agent", "a")
                .body(&br#"{"a":1}"#[..])
                .unwrap();
            let parts = signed(request, &Scope { region: "eu-central-1", service: "bedrock" }, None).unwrap();
            assert_eq!(text(&parts, "authorization").rsplit_once('=').unwrap().1, expected, "{path}");
        }
    }

    #[test]
    fn a_caller_has_no_word_in_the_signature() {
        let scope = Scope { region: "us-east-1", service: "service" };
        let plain = signed(http::Request::get("https://a.example/").body(&b""[..]).unwrap(), &scope, None).unwrap();
        let request = http::Request::get("https://a.example/")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=x")
            .header("x-amz-date", "20000101T000000Z")
            .header("x-amz-security-token", "mine")
            .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
            .body(&b""[..])
            .unwrap();
        assert_eq!(signed(request, &scope, None).unwrap().headers, plain.headers);
    }

    #[test]
    fn what_can_not_be_signed_is_refused() {
        let scope = Scope { region: "us-east-1", service: "service" };
        let get = || http::Request::get("https://a.example/");
        let opaque = HeaderValue::from_bytes(b"\xff").unwrap();
        let table = [
            (http::Request::get("/").body(&b""[..]).unwrap(), None, SigningError::Malformed),
            (get().header("x-a", opaque).body(&b""[..]).unwrap(), None, SigningError::Header),
            (get().body(&b""[..]).unwrap(), Some("a\r\nb"), SigningError::Malformed),
        ];
        for (request, token, expected) in table {
            assert_eq!(signed(request, &scope, token).unwrap_err(), expected);
        }
        for (region, service) in [("a\nb", "service"), ("us-east-1", "a\r\nb")] {
            let refused = signed(get().body(&b""[..]).unwrap(), &Scope { region, service }, None);
            assert_eq!(refused.unwrap_err(), SigningError::Malformed);
        }
    }
}
