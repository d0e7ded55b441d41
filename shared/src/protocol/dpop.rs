//! Demonstrating proof of possession (RFC 9449): each request carries a proof by a key that the token is bound to.
//!
//! The key is made for one connection and sealed with its tokens. Proofs are ES256, which every server takes that asks
//! for proofs.

use std::{collections::BTreeMap, fmt};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use ring::{
    digest::{SHA256, digest},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};
use url::Url;

use super::{
    assertion::{KeyError, SignatureError, signing_input},
    request::sensitive,
    template::TemplateError,
};
use crate::{
    clock::{Random, Timestamp},
    secret::{AccessToken, ProofKey},
};

/// The header of a proof (§4.1).
pub const DPOP: HeaderName = HeaderName::from_static("dpop");

/// The header by which a server hands out a nonce (§8).
pub const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The longest nonce that is sent back.
const NONCE_LIMIT: usize = 1024;

/// A new key, to be sealed.
pub fn generate(random: &Random) -> Result<ProofKey, SignatureError> {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, random.source());
    pkcs8.map(|pkcs8| ProofKey::from(URL_SAFE_NO_PAD.encode(pkcs8))).map_err(|_| SignatureError)
}

/// A key that signs proofs.
pub struct Prover {
    pair: EcdsaKeyPair,
    x: String,
    y: String,
}

impl fmt::Debug for Prover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prover({})", self.thumbprint())
    }
}

/// What a proof is about, besides the request (§4.2).
#[derive(Clone, Copy, Debug)]
pub struct Proof<'a> {
    /// `jti`: never the same twice.
    pub jti: &'a str,
    /// `iat`.
    pub issued_at: Timestamp,
    /// The token that is presented along with it; none at the token endpoint.
    pub access_token: Option<&'a AccessToken>,
    /// The nonce that the server handed out last, if it does.
    pub nonce: Option<&'a str>,
}

impl Prover {
    /// The key that was sealed.
    pub fn load(key: &ProofKey, random: &Random) -> Result<Self, KeyError> {
        let pkcs8 = URL_SAFE_NO_PAD.decode(key.expose()).map_err(|_| KeyError::Damaged)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8, random.source())
            .map_err(|_| KeyError::Damaged)?;
        // a point uncompressed: 0x04, then both coordinates in 32 bytes each (SEC 1 §2.3.3)
        let (x, y) = pair.public_key().as_ref().get(1..).unwrap_or_default().split_at_checked(32).unwrap_or_default();
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        Ok(Self { pair, x, y })
    }

    /// The public half (RFC 7518 §6.2.1).
    #[must_use]
    pub fn jwk(&self) -> Value {
        json!({ "kty": "EC", "crv": "P-256", "x": self.x, "y": self.y })
    }

    /// The public half's name (RFC 7638): what a token is bound to, and `dpop_jkt` of an authorization request (§10).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        thumbprint([("kty", "EC"), ("crv", "P-256"), ("x", &self.x), ("y", &self.y)])
    }

    /// The header that proves possession for one request (§4.2, §4.3).
    pub fn prove(
        &self,
        method: &Method,
        url: &Url,
        proof: &Proof<'_>,
        random: &Random,
    ) -> Result<HeaderValue, SignatureError> {
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk() });
        let mut claims = json!({
            "jti": proof.jti, "htm": method.as_str(), "htu": target(url), "iat": proof.issued_at.secs()
        });
        if let Some(token) = proof.access_token {
            claims["ath"] = URL_SAFE_NO_PAD.encode(digest(&SHA256, token.expose().as_bytes())).into();
        }
        if let Some(nonce) = proof.nonce {
            claims["nonce"] = nonce.into();
        }
        let signed = signing_input(&header, &claims);
        let signature = self.pair.sign(random.source(), signed.as_bytes()).map_err(|_| SignatureError)?;
        Ok(sensitive(&format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

/// Puts a proof into a request, in place of any that is there: about this method and address, about the token that is presented
/// along with it, and with the server's nonce.
pub fn attach(
    request: &mut http::Request<Bytes>,
    key: &ProofKey,
    access_token: Option<&AccessToken>,
    nonce: Option<&str>,
    now: Timestamp,
    random: &Random,
) -> Result<(), TemplateError> {
    let url = Url::parse(&request.uri().to_string());
    let url = url.map_err(|_| TemplateError::Broken("the address is no URL".to_owned()))?;
    let jti = URL_SAFE_NO_PAD.encode(random.bytes::<16>());
    let proof = Proof { jti: &jti, issued_at: now, access_token, nonce };
    let proof = Prover::load(key, random)?.prove(request.method(), &url, &proof, random)?;
    request.headers_mut().insert(DPOP, proof);
    Ok(())
}

/// The header that presents a token which is bound to a key (§7.1).
#[must_use]
pub fn authorization(access_token: &AccessToken) -> HeaderValue {
    sensitive(&format!("DPoP {}", access_token.expose()))
}

/// The nonce that a server wants in the next proofs (§8.2), if it is one: §8.1 lets it hold no quotes and no control characters.
#[must_use]
pub fn nonce(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(DPOP_NONCE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let nonce = value.to_str().ok()?;
    let whole = nonce.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
    (whole && (1..=NONCE_LIMIT).contains(&nonce.len())).then_some(nonce)
}

/// The nonce without which this request was refused (§8, §9): the same request with it is worth one more try.
#[must_use]
pub fn nonce_demanded(response: &http::Response<Bytes>) -> Option<&str> {
    const ERROR: &str = "use_dpop_nonce";
    let demanded = match response.status() {
        StatusCode::BAD_REQUEST => {
            let answer: Option<Value> = serde_json::from_slice(response.body()).ok();
            answer.is_some_and(|answer| answer["error"] == ERROR)
        }
        StatusCode::UNAUTHORIZED => {
            let challenges = response.headers().get_all(header::WWW_AUTHENTICATE);
            challenges.iter().any(|challenge| challenge.to_str().is_ok_and(|text| text.contains(ERROR)))
        }
        _ => false,
    };
    nonce(response.headers()).filter(|_| demanded)
}

/// The request's address without query and fragment (§4.2).
fn target(url: &Url) -> String {
    let mut target = url.clone();
    target.set_query(None);
    target.set_fragment(None);
    target.into()
}

/// RFC 7638 §3: the required members alone, in the order of their names, without a space.
fn thumbprint<'a>(members: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let canonical = json!(members.into_iter().collect::<BTreeMap<_, _>>()).to_string();
    URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    #[test]
    fn the_thumbprint_is_that_of_rfc_7638_section_3_1() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMst\
                 n64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n9\
                 1CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        assert_eq!(
            thumbprint([("kty", "RSA"), ("n", n), ("e", "AQAB")]),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
    }

    #[test]
    fn the_thumbprint_is_that_of_rfc_9449_section_6_1() {
        let members = [
            ("kty", "EC"),
            ("x", "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs"),
            ("y", "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"),
            ("crv", "P-256"),
        ];
        assert_eq!(thumbprint(members), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }

    /// The proof's two halves as JSON, once its signature was verified by the key that it carries.
    fn verified(proof: &HeaderValue) -> (Value, Value) {
        assert!(proof.is_sensitive());
        let (signed, signature) = proof.to_str().unwrap().rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let header: Value = serde_json::from_slice(&decode(header)).unwrap();
        let coordinate = |name: &str| decode(header["jwk"][name].as_str().unwrap());
        let point = [vec![4], coordinate("x"), coordinate("y")].concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed.as_bytes(), &decode(signature)).unwrap();
        (header.clone(), serde_json::from_slice(&decode(claims)).unwrap())
    }

    /// So what is read of our own proofs below is read as it should be.
    #[test]
    fn the_proof_of_rfc_9449_section_4_1_verifies() {
        let mut proof = HeaderValue::from_static(
            "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFV\
             ZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VT\
             YzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4\
             vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg",
        );
        proof.set_sensitive(true);
        let (_, claims) = verified(&proof);
        assert_eq!(
            claims,
            json!({"jti": "-BwC3ESc6acc2lTc", "htm": "POST", "htu": "https://server.example.com/token", "iat": 1_562_262_616})
        );
    }

    #[test]
    fn a_proof_names_the_request_and_verifies() {
        let random = Random::system();
        let key = generate(&random).unwrap();
        let prover = Prover::load(&key, &random).unwrap();
        let proof = Proof {
            jti: "-BwC3ESc6acc2lTc",
            issued_at: Timestamp::from_secs(1_562_262_616),
            access_token: None,
            nonce: None,
        };
        let url = Url::parse("https://server.example.com/token?a=1#b").unwrap();
        let (header, claims) = verified(&prover.prove(&Method::POST, &url, &proof, &random).unwrap());
        assert_eq!(header, json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": prover.jwk()}));
        assert_eq!(
            claims,
            json!({"jti": "-BwC3ESc6acc2lTc", "htm": "POST", "htu": "https://server.example.com/token", "iat": 1_562_262_616})
        );

        // RFC 9449 §7.1
        let token = AccessToken::from("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU".to_owned());
        let proof = Proof { access_token: Some(&token), nonce: Some("n-1"), ..proof };
        let (_, claims) = verified(&prover.prove(&Method::GET, &url, &proof, &random).unwrap());
        assert_eq!(claims["ath"], "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
        assert_eq!(claims["nonce"], "n-1");
        assert_eq!(authorization(&token), "DPoP Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU");

        let again = Prover::load(&key, &random).unwrap();
        assert_eq!(again.thumbprint(), prover.thumbprint());
        assert_eq!(format!("{again:?} {key:?}"), format!("Prover({}) ProofKey(…)", prover.thumbprint()));
        assert_ne!(Prover::load(&generate(&random).unwrap(), &random).unwrap().thumbprint(), prover.thumbprint());
    }

    #[test]
    fn a_key_that_is_none_does_not_load() {
        let damaged = generate(&Random::system()).unwrap().expose().replace(|c: char| c.is_ascii_digit(), "A");
        for text in ["", "not base64!", "AAAA", &damaged[..80], &"A".repeat(1 << 20)] {
            let loaded = Prover::load(&ProofKey::from(text.to_owned()), &Random::system());
            assert_eq!(loaded.err(), Some(KeyError::Damaged));
        }
    }

    #[test]
    fn a_nonce_is_taken_only_whole_and_where_it_is_demanded() {
        let long = "n".repeat(1025);
        let challenge = r#"DPoP error="use_dpop_nonce", error_description="x""#;
        let table = [
            (
                400,
                r#"{"error":"use_dpop_nonce"}"#,
                "",
                vec!["eyJ7S_zG.eyJH0-Z.HX4w-7v"],
                Some("eyJ7S_zG.eyJH0-Z.HX4w-7v"),
                true,
            ),
            (401, "", challenge, vec!["n"], Some("n"), true),
            (401, "", "DPoP", vec!["n"], Some("n"), false),
            (400, r#"{"error":"invalid_grant"}"#, "", vec!["n"], Some("n"), false),
            (400, "<html>", "", vec!["n"], Some("n"), false),
            (200, r#"{"error":"use_dpop_nonce"}"#, challenge, vec!["n"], Some("n"), false),
            (400, r#"{"error":"use_dpop_nonce"}"#, "", vec![], None, false),
            (400, r#"{"error":"use_dpop_nonce"}"#, "", vec!["a", "b"], None, false),
            (400, r#"{"error":"use_dpop_nonce"}"#, "", vec!["a b"], None, false),
            (400, r#"{"error":"use_dpop_nonce"}"#, "", vec!["a\"b"], None, false),
            (400, r#"{"error":"use_dpop_nonce"}"#, "", vec![""], None, false),
            (400, r#"{"error":"use_dpop_nonce"}"#, "", vec![&long], None, false),
        ];
        for (status, body, challenge, nonces, expected, demanded) in table {
            let mut response = http::Response::builder().status(status).header("www-authenticate", challenge);
            for nonce in &nonces {
                response = response.header("DPoP-Nonce", *nonce);
            }
            let response = response.body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
            assert_eq!(nonce(response.headers()), expected, "{body} {nonces:?}");
            assert_eq!(nonce_demanded(&response), expected.filter(|_| demanded), "{body} {nonces:?}");
        }
    }
}
