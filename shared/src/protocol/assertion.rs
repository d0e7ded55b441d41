//! JSON Web Tokens that a client signs: as a grant (RFC 7523 §2.1), to prove who it is (§2.2), and as the client secret or
//! API token that some providers want signed anew each time.
//!
//! The private key is text that a person pasted, so what is wrong with it is said in words, and never quoted.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::SecureRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use rustls_pki_types::{PrivateKeyDer, alg_id, pem::PemObject};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    clock::{Random, Timestamp},
    secret::Assertion,
};

/// The longest text that is looked at for a key; one of RSA with 4096 bits has 3.3 KB.
const PASTED_LIMIT: usize = 16 * 1024;

/// How a token is signed (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Algorithm {
    /// RSA with PKCS#1 v1.5 and SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// HMAC with SHA-256, by a secret that both sides know.
    #[serde(rename = "HS256")]
    Hs256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    /// As in a header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::Hs256 => "HS256",
            Self::EdDsa => "EdDSA",
        }
    }

    const fn wanted(self) -> &'static str {
        match self {
            Self::Rs256 => "an RSA key",
            Self::Es256 => "a key on the curve P-256",
            Self::Hs256 => "a shared secret",
            Self::EdDsa => "an Ed25519 key",
        }
    }
}

/// How a shared secret is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretEncoding {
    /// Its characters are the key.
    #[default]
    Text,
    /// Hexadecimal digits.
    Hex,
    /// Base64 or base64url, padded or not.
    Base64,
}

/// Why a key can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No private key in it.
    #[error("the private key is no PEM: it begins with -----BEGIN PRIVATE KEY-----")]
    NotPem,
    /// What a certificate or a public key says is public.
    #[error("this is a certificate or a public key; the private key is needed")]
    Public,
    /// Behind a passphrase.
    #[error("the private key is encrypted; give it without a passphrase")]
    Encrypted,
    /// Not what the algorithm takes.
    #[error("wrong kind of key for {}: it takes {}, this is {found}", algorithm.as_str(), algorithm.wanted())]
    WrongKind {
        /// The algorithm.
        algorithm: Algorithm,
        /// What the key is instead.
        found: &'static str,
    },
    /// Only its secret number, as some libraries write it.
    #[error("the private key lacks its public half; `openssl pkey -in key.pem` writes it along")]
    NoPublicHalf,
    /// Outside of what can be signed with.
    #[error("the RSA key has fewer than 2048 bits or more than 4096")]
    Size,
    /// The envelope is a PEM, what is in it no key.
    #[error("the private key is damaged")]
    Damaged,
    /// Not in the encoding that it is said to be in.
    #[error("the shared secret is empty or not encoded as it should be")]
    Secret,
}

/// A signature that could not be made: the system has no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature could not be made")]
pub struct SignatureError;

/// A key that signs by one algorithm.
pub struct Key(Inner);

enum Inner {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Hmac(hmac::Key),
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.algorithm().as_str())
    }
}

impl Key {
    /// A private key as a person pasted it: PEM with PKCS#8, PKCS#1 or SEC 1 in it. Line breaks may be missing or written
    /// as `\n`, as in the JSON files that some providers hand keys out in; all of such a file is as good.
    pub fn parse(algorithm: Algorithm, pasted: &str, random: &Random) -> Result<Self, KeyError> {
        let der = private_key(pasted)?;
        let kind = Kind::of(&der);
        match (algorithm, kind) {
            (Algorithm::Rs256, Kind::Rsa) => rsa(&der),
            (Algorithm::Es256, Kind::P256) => p256(&der, random.source()),
            (Algorithm::EdDsa, Kind::Ed25519) => Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_der())
                .map(|pair| Self(Inner::Ed25519(pair)))
                .map_err(|_| KeyError::Damaged),
            (_, Kind::Unknown) => Err(KeyError::Damaged),
            (Algorithm::Rs256 | Algorithm::Es256 | Algorithm::Hs256 | Algorithm::EdDsa, _) => {
                Err(KeyError::WrongKind { algorithm, found: kind.name() })
            }
        }
    }

    /// A secret that both sides know, for [`Algorithm::Hs256`].
    pub fn shared(secret: &str, encoding: SecretEncoding) -> Result<Self, KeyError> {
        let bytes = match encoding {
            SecretEncoding::Text => Some(secret.as_bytes().to_vec()),
            SecretEncoding::Hex => from_hex(secret),
            SecretEncoding::Base64 => from_base64(secret),
        };
        let bytes = bytes.filter(|bytes| !bytes.is_empty()).ok_or(KeyError::Secret)?;
        Ok(Self(Inner::Hmac(hmac::Key::new(hmac::HMAC_SHA256, &bytes))))
    }

    /// By which algorithm it signs.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.0 {
            Inner::Rsa(_) => Algorithm::Rs256,
            Inner::Ecdsa(_) => Algorithm::Es256,
            Inner::Ed25519(_) => Algorithm::EdDsa,
            Inner::Hmac(_) => Algorithm::Hs256,
        }
    }

    fn signature(&self, message: &[u8], random: &Random) -> Result<Vec<u8>, SignatureError> {
        match &self.0 {
            Inner::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, random.source(), message, &mut signature).map_err(|_| SignatureError)?;
                Ok(signature)
            }
            Inner::Ecdsa(pair) => {
                let signature = pair.sign(random.source(), message).map_err(|_| SignatureError)?;
                Ok(signature.as_ref().to_vec())
            }
            Inner::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Inner::Hmac(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
        }
    }
}

/// What a token says (RFC 7523 §3).
#[derive(Clone, Copy, Debug)]
pub struct Claims<'a> {
    /// `iss`, `sub`, `aud` and whatever else the provider reads.
    pub members: &'a Map<String, Value>,
    /// `iat`.
    pub issued_at: Timestamp,
    /// `exp`: for most providers at most an hour later.
    pub expires_at: Timestamp,
    /// `jti`, where a provider wants to tell tokens apart.
    pub jti: Option<&'a str>,
}

/// Signs a token (RFC 7515 §3.1). `header` may name a `kid`, another `typ` or further members; the algorithm is the key's own.
/// The times and `jti` are what was handed in, whatever members of their names say.
pub fn sign(
    key: &Key,
    header: &Map<String, Value>,
    claims: &Claims<'_>,
    random: &Random,
) -> Result<Assertion, SignatureError> {
    let mut head = Map::from_iter([("typ".to_owned(), "JWT".into())]);
    head.extend(header.clone());
    head.insert("alg".to_owned(), key.algorithm().as_str().into());
    let mut body = claims.members.clone();
    body.insert("iat".to_owned(), claims.issued_at.secs().into());
    body.insert("exp".to_owned(), claims.expires_at.secs().into());
    body.extend(claims.jti.map(|jti| ("jti".to_owned(), jti.into())));
    let signed = signing_input(&Value::Object(head), &Value::Object(body));
    let signature = key.signature(signed.as_bytes(), random)?;
    Ok(Assertion::from(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

/// The parameters of a token request whose grant is the token (RFC 7523 §2.1).
#[must_use]
pub fn grant_params(assertion: &Assertion) -> [(&'static str, String); 2] {
    [
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned()),
        ("assertion", assertion.expose().to_owned()),
    ]
}

/// The parameters by which a token proves who the client is (RFC 7523 §2.2, `private_key_jwt`).
#[must_use]
pub fn client_params(assertion: &Assertion) -> [(&'static str, String); 2] {
    [
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned()),
        ("client_assertion", assertion.expose().to_owned()),
    ]
}

/// What is signed (RFC 7515 §5.1).
pub(super) fn signing_input(header: &Value, claims: &Value) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// What kind of key a PEM holds. Its algorithm's name is looked for; whether the key is whole is for `ring` to say.
#[derive(Clone, Copy)]
enum Kind {
    Rsa,
    P256,
    OtherCurve,
    Ed25519,
    Unknown,
}

impl Kind {
    fn of(key: &PrivateKeyDer<'_>) -> Self {
        let der = key.secret_der();
        let head = der.get(..64).unwrap_or(der); // the name stands before anything that is random
        let named = |name: &[u8]| contains(head, name);
        match key {
            PrivateKeyDer::Pkcs1(_) => Self::Rsa,
            PrivateKeyDer::Sec1(sec1) if contains(sec1.secret_sec1_der(), P256_OID) => Self::P256,
            PrivateKeyDer::Sec1(_) => Self::OtherCurve,
            PrivateKeyDer::Pkcs8(_) if named(&alg_id::RSA_ENCRYPTION) => Self::Rsa,
            PrivateKeyDer::Pkcs8(_) if named(&alg_id::ECDSA_P256) => Self::P256,
            PrivateKeyDer::Pkcs8(_) if named(EC_OID) => Self::OtherCurve,
            PrivateKeyDer::Pkcs8(_) if named(&alg_id::ED25519) => Self::Ed25519,
            _ => Self::Unknown, // the type is open to further forms
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Rsa => "an RSA key",
            Self::P256 => "a key on the curve P-256",
            Self::OtherCurve => "a key on another curve",
            Self::Ed25519 => "an Ed25519 key",
            Self::Unknown => "no known key",
        }
    }
}

/// `id-ecPublicKey`, 1.2.840.10045.2.1 (RFC 5480 §2.1.1).
const EC_OID: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/// `secp256r1`, 1.2.840.10045.3.1.7 (RFC 5480 §2.1.1.1).
const P256_OID: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|part| part == needle)
}

/// The key of a pasted text.
fn private_key(pasted: &str) -> Result<PrivateKeyDer<'static>, KeyError> {
    if pasted.len() > PASTED_LIMIT {
        return Err(KeyError::NotPem);
    }
    if pasted.contains("ENCRYPTED") {
        return Err(KeyError::Encrypted); // PKCS#8 says so in its label, the older forms in a line `Proc-Type`
    }
    if !pasted.contains("PRIVATE KEY-----") {
        let public = pasted.contains("PUBLIC KEY-----") || pasted.contains("CERTIFICATE-----");
        return Err(if public { KeyError::Public } else { KeyError::NotPem });
    }
    PrivateKeyDer::from_pem_slice(unfolded(pasted).as_bytes()).map_err(|_| KeyError::Damaged)
}

/// The text with its line breaks back: a JSON file writes them as `\n`, a form field of one line loses them.
fn unfolded(pasted: &str) -> String {
    let lines = pasted.replace("\\r", "").replace("\\n", "\n");
    lines.replace("-----BEGIN", "\n-----BEGIN").replace("-----END", "\n-----END").replace(" KEY-----", " KEY-----\n")
}

fn rsa(key: &PrivateKeyDer<'_>) -> Result<Key, KeyError> {
    let pair = match key {
        PrivateKeyDer::Pkcs1(pkcs1) => RsaKeyPair::from_der(pkcs1.secret_pkcs1_der()),
        _ => RsaKeyPair::from_pkcs8(key.secret_der()),
    };
    pair.map(|pair| Key(Inner::Rsa(pair))).map_err(|rejected| match rejected.to_string().as_str() {
        "TooSmall" | "TooLarge" | "PrivateModulusLenNotMultipleOf512Bits" => KeyError::Size,
        _ => KeyError::Damaged,
    })
}

fn p256(key: &PrivateKeyDer<'_>, random: &dyn SecureRandom) -> Result<Key, KeyError> {
    let pkcs8 = match key {
        PrivateKeyDer::Sec1(sec1) => wrapped(sec1.secret_sec1_der()),
        _ => key.secret_der().to_vec(),
    };
    // a point of 65 bytes, uncompressed, as a bit string
    let has_public_half = contains(&pkcs8, &[0x03, 0x42, 0x00, 0x04]);
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8, random)
        .map(|pair| Key(Inner::Ecdsa(pair)))
        .map_err(|_| if has_public_half { KeyError::Damaged } else { KeyError::NoPublicHalf })
}

/// SEC 1 in the envelope of PKCS#8 (RFC 5958 §2), which is what `ring` reads.
fn wrapped(sec1: &[u8]) -> Vec<u8> {
    const VERSION: &[u8] = &[0x02, 0x01, 0x00];
    der(0x30, &[VERSION, &der(0x30, &alg_id::ECDSA_P256), &der(0x04, sec1)].concat())
}

/// A value with its tag and length (X.690 §8.1). What is wrapped here came out of a text of 16 KiB.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    let head: &[u8] = match (high, low) {
        (0, 0..=0x7f) => &[tag, low],
        (0, _) => &[tag, 0x81, low],
        _ => &[tag, 0x82, high, low],
    };
    [head, content].concat()
}

/// The bytes that hexadecimal digits stand for, in either case.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let url_safe = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    URL_SAFE_NO_PAD.decode(url_safe).ok()
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, KeyPair, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::json;

    use super::*;

    const RSA_PKCS1: &str = include_str!("../../tests/keys/rsa.pkcs1.pem");
    const RSA_PKCS8: &str = include_str!("../../tests/keys/rsa.pkcs8.pem");
    const RSA_ENCRYPTED: &str = include_str!("../../tests/keys/rsa.encrypted.pem");
    const RSA_1024: &str = include_str!("../../tests/keys/rsa1024.pkcs8.pem");
    const P256_PKCS8: &str = include_str!("../../tests/keys/p256.pkcs8.pem");
    const P256_SEC1: &str = include_str!("../../tests/keys/p256.sec1.pem");
    const P256_BARE: &str = include_str!("../../tests/keys/p256.bare.pem");
    const P384: &str = include_str!("../../tests/keys/p384.pkcs8.pem");
    const ED25519_PKCS8: &str = include_str!("../../tests/keys/ed25519.pkcs8.pem");

    /// The claims of RFC 7515 Appendix A.1 to A.3, line breaks and all.
    const CLAIMS: &str =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

    fn parse(algorithm: Algorithm, pasted: &str) -> Result<Key, KeyError> {
        Key::parse(algorithm, pasted, &Random::system())
    }

    fn signature(key: &Key, message: &str) -> String {
        URL_SAFE_NO_PAD.encode(key.signature(message.as_bytes(), &Random::system()).unwrap())
    }

    #[test]
    fn the_signature_is_that_of_rfc_7515_appendix_a_1() {
        let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let key = Key::shared(secret, SecretEncoding::Base64).unwrap();
        let message = format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{CLAIMS}");
        assert_eq!(signature(&key, &message), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }

    #[test]
    fn the_signature_is_that_of_rfc_7515_appendix_a_2() {
        for pem in [RSA_PKCS1, RSA_PKCS8] {
            let key = parse(Algorithm::Rs256, pem).unwrap();
            assert_eq!(
                signature(&key, &format!("eyJhbGciOiJSUzI1NiJ9.{CLAIMS}")),
                "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CU\
                 Ar7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_d\
                 O--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0ig\
                 cN_IoypGlUPQGe77Rw"
            );
        }
    }

    #[test]
    fn the_key_of_rfc_7515_appendix_a_3_signs_as_its_public_half_verifies() {
        let x = URL_SAFE_NO_PAD.decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU").unwrap();
        let y = URL_SAFE_NO_PAD.decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0").unwrap();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [vec![4], x, y].concat());
        let message = format!("eyJhbGciOiJFUzI1NiJ9.{CLAIMS}");
        let verifies =
            |signature: &str| public.verify(message.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).is_ok();
        assert!(verifies("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"));
        for pem in [P256_PKCS8, P256_SEC1] {
            assert!(verifies(&signature(&parse(Algorithm::Es256, pem).unwrap(), &message)));
        }
    }

    #[test]
    fn the_signature_is_that_of_rfc_8037_appendix_a_4() {
        let key = parse(Algorithm::EdDsa, ED25519_PKCS8).unwrap();
        assert_eq!(
            signature(&key, "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }

    #[test]
    fn a_token_says_what_was_handed_in_and_verifies() {
        let random = Random::system();
        let header = json!({"kid": "k1", "alg": "none"});
        let members = json!({"iss": "me", "aud": "https://a.example", "exp": 1, "jti": "mine"});
        let claims = Claims {
            members: members.as_object().unwrap(),
            issued_at: Timestamp::from_secs(1000),
            expires_at: Timestamp::from_secs(1300),
            jti: Some("j"),
        };
        for (algorithm, pem) in
            [(Algorithm::Rs256, RSA_PKCS8), (Algorithm::Es256, P256_SEC1), (Algorithm::EdDsa, ED25519_PKCS8)]
        {
            let key = parse(algorithm, pem).unwrap();
            let token = sign(&key, header.as_object().unwrap(), &claims, &random).unwrap();
            let (signed, signature) = token.expose().rsplit_once('.').unwrap();
            let (head, body) = signed.split_once('.').unwrap();
            let read =
                |part: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
            assert_eq!(read(head), json!({"typ": "JWT", "alg": algorithm.as_str(), "kid": "k1"}));
            assert_eq!(
                read(body),
                json!({"iss": "me", "aud": "https://a.example", "iat": 1000, "exp": 1300, "jti": "j"})
            );
            let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
            let verified = match &key.0 {
                Inner::Rsa(pair) => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref())
                    .verify(signed.as_bytes(), &signature),
                Inner::Ecdsa(pair) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref())
                    .verify(signed.as_bytes(), &signature),
                Inner::Ed25519(pair) => {
                    UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref()).verify(signed.as_bytes(), &signature)
                }
                Inner::Hmac(key) => hmac::verify(key, signed.as_bytes(), &signature),
            };
            assert!(verified.is_ok(), "{algorithm:?}");
        }
    }

    #[test]
    fn a_key_is_read_however_it_was_pasted() {
        let in_one_line = RSA_PKCS8.replace('\n', "");
        let spaced = RSA_PKCS8.replace('\n', " ");
        let escaped = RSA_PKCS8.replace('\n', "\\n");
        let file = json!({"type": "service_account", "private_key": RSA_PKCS8, "client_email": "a@b.example"});
        let table = [
            ("as it is", RSA_PKCS8.to_owned()),
            ("without line breaks", in_one_line),
            ("with spaces in their place", spaced),
            ("as in JSON", escaped.clone()),
            ("with its quotes", format!("\"{escaped}\"")),
            ("with carriage returns", RSA_PKCS8.replace('\n', "\r\n")),
            ("with escaped carriage returns", RSA_PKCS8.replace('\n', "\\r\\n")),
            ("the whole file", file.to_string()),
            ("among other things", format!("Bag Attributes\n  friendlyName: a\n{RSA_PKCS8}\n\n")),
            (
                "behind a certificate",
                format!("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n{RSA_PKCS8}"),
            ),
        ];
        for (case, pasted) in table {
            assert_eq!(parse(Algorithm::Rs256, &pasted).map(|key| key.algorithm()), Ok(Algorithm::Rs256), "{case}");
        }
        let with_parameters =
            format!("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{P256_SEC1}");
        assert!(parse(Algorithm::Es256, &with_parameters).is_ok());
    }

    #[test]
    fn what_is_wrong_with_a_key_is_said_and_not_shown() {
        let table = [
            (
                "nothing",
                Algorithm::Rs256,
                String::new(),
                "the private key is no PEM: it begins with -----BEGIN PRIVATE KEY-----",
            ),
            (
                "a word",
                Algorithm::Rs256,
                "hunter2".to_owned(),
                "the private key is no PEM: it begins with -----BEGIN PRIVATE KEY-----",
            ),
            (
                "a megabyte",
                Algorithm::Rs256,
                RSA_PKCS8.repeat(700),
                "the private key is no PEM: it begins with -----BEGIN PRIVATE KEY-----",
            ),
            (
                "a public key",
                Algorithm::Rs256,
                "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----".to_owned(),
                "this is a certificate or a public key; the private key is needed",
            ),
            (
                "encrypted",
                Algorithm::Rs256,
                RSA_ENCRYPTED.to_owned(),
                "the private key is encrypted; give it without a passphrase",
            ),
            (
                "RSA for ES256",
                Algorithm::Es256,
                RSA_PKCS8.to_owned(),
                "wrong kind of key for ES256: it takes a key on the curve P-256, this is an RSA key",
            ),
            (
                "another curve",
                Algorithm::Es256,
                P384.to_owned(),
                "wrong kind of key for ES256: it takes a key on the curve P-256, this is a key on another curve",
            ),
            (
                "P-256 for RS256",
                Algorithm::Rs256,
                P256_SEC1.to_owned(),
                "wrong kind of key for RS256: it takes an RSA key, this is a key on the curve P-256",
            ),
            (
                "Ed25519 for RS256",
                Algorithm::Rs256,
                ED25519_PKCS8.to_owned(),
                "wrong kind of key for RS256: it takes an RSA key, this is an Ed25519 key",
            ),
            (
                "a key for HS256",
                Algorithm::Hs256,
                RSA_PKCS1.to_owned(),
                "wrong kind of key for HS256: it takes a shared secret, this is an RSA key",
            ),
            (
                "half a key",
                Algorithm::Es256,
                P256_BARE.to_owned(),
                "the private key lacks its public half; `openssl pkey -in key.pem` writes it along",
            ),
            (
                "a small key",
                Algorithm::Rs256,
                RSA_1024.to_owned(),
                "the RSA key has fewer than 2048 bits or more than 4096",
            ),
            (
                "no end",
                Algorithm::Rs256,
                RSA_PKCS8.replace("-----END PRIVATE KEY-----", ""),
                "the private key is damaged",
            ),
            ("no base64", Algorithm::Rs256, RSA_PKCS8.replace("MII", "***"), "the private key is damaged"),
            (
                "cut short",
                Algorithm::Rs256,
                RSA_PKCS1.replacen(RSA_PKCS1.lines().nth(9).unwrap(), "", 1),
                "the private key is damaged",
            ),
            (
                "something else",
                Algorithm::EdDsa,
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----".to_owned(),
                "the private key is damaged",
            ),
        ];
        for (case, algorithm, pasted, expected) in table {
            assert_eq!(parse(algorithm, &pasted).unwrap_err().to_string(), expected, "{case}");
        }
        assert_eq!(format!("{:?}", parse(Algorithm::Rs256, RSA_PKCS8).unwrap()), "Key(RS256)");
    }

    #[test]
    fn a_shared_secret_is_read_in_its_encoding() {
        let table = [
            ("abc", SecretEncoding::Text, Some("abc")),
            ("616263", SecretEncoding::Hex, Some("abc")),
            ("61626", SecretEncoding::Hex, None),
            ("6g", SecretEncoding::Hex, None),
            ("é1", SecretEncoding::Hex, None),
            ("YWJj", SecretEncoding::Base64, Some("abc")),
            ("YWI=", SecretEncoding::Base64, Some("ab")),
            ("YWI", SecretEncoding::Base64, Some("ab")),
            ("Pz8_", SecretEncoding::Base64, Some("???")),
            ("Pz8/", SecretEncoding::Base64, Some("???")),
            ("Y W", SecretEncoding::Base64, None),
            ("", SecretEncoding::Text, None),
        ];
        for (secret, encoding, expected) in table {
            let key = Key::shared(secret, encoding).map(|key| signature(&key, "m")).ok();
            let expected = expected.map(|text| signature(&Key::shared(text, SecretEncoding::Text).unwrap(), "m"));
            assert_eq!(key, expected, "{secret}");
        }
    }

    #[test]
    fn the_parameters_are_those_of_rfc_7523() {
        let assertion = Assertion::from("a.b.c".to_owned());
        assert_eq!(
            grant_params(&assertion),
            [
                ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned()),
                ("assertion", "a.b.c".to_owned())
            ]
        );
        assert_eq!(
            client_params(&assertion),
            [
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned()),
                ("client_assertion", "a.b.c".to_owned())
            ]
        );
    }
}
