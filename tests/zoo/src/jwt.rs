//! JSON Web Tokens: the check of those that clients sign, and the zoo's own (RFC 7515, RFC 7519).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{self, EcdsaKeyPair, KeyPair, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::{random, template::plain};

/// What a client's JWT has to say.
pub struct Expected<'e> {
    /// `iss`.
    pub issuer: &'e str,
    /// `sub`, where it has to be something.
    pub subject: Option<&'e str>,
    /// One of these is in `aud`; none given: it is not looked at.
    pub audiences: &'e [String],
    /// The time.
    pub now: i64,
    /// Seconds from `iat`, or from now where it has none, until `exp` at most.
    pub longest: i64,
}

/// Checks signature and claims; says in words what is wrong.
pub fn check(token: &str, keys: &[Value], expected: &Expected<'_>) -> Result<Value, String> {
    let claims = claims(token).ok_or("is not a JWT")?;
    if !keys.iter().any(|key| verify(token, key)) {
        return Err("is not signed by a registered key".to_owned());
    }
    if claims.get("iss").map(plain).as_deref() != Some(expected.issuer) {
        return Err(format!("has to have iss {}", expected.issuer));
    }
    if let Some(subject) = expected.subject.filter(|wanted| claims["sub"].as_str() != Some(wanted)) {
        return Err(format!("has to have sub {subject}"));
    }
    let named = |wanted: &String| match &claims["aud"] {
        Value::Array(audiences) => audiences.iter().any(|audience| audience.as_str() == Some(wanted)),
        one => one.as_str() == Some(wanted),
    };
    if !expected.audiences.is_empty() && !expected.audiences.iter().any(named) {
        return Err(format!("has to have aud {}", expected.audiences.join(" or ")));
    }
    let expires = claims["exp"].as_i64().ok_or("has no exp that is a number")?;
    if expires <= expected.now {
        return Err("has expired".to_owned());
    }
    let issued = claims["iat"].as_i64().unwrap_or(expected.now);
    if issued > expected.now {
        return Err("was issued in the future".to_owned());
    }
    if expires - issued > expected.longest {
        return Err(format!("may be valid for {} seconds at most", expected.longest));
    }
    Ok(claims)
}

/// The claims, unchecked.
#[must_use]
pub fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_, claims, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    claims.is_object().then_some(claims)
}

/// The header, unchecked.
#[must_use]
pub fn header(token: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?).ok()
}

/// Whether a public key (RFC 7517) or a shared secret (`oct`) signed it. The algorithm is the key's, never only what
/// the token says; a key that has an id has to be named.
#[must_use]
pub fn verify(token: &str, key: &Value) -> bool {
    verified(token, key).is_some()
}

fn verified(token: &str, key: &Value) -> Option<()> {
    let (signed, signature) = token.rsplit_once('.')?;
    let header = header(token)?;
    if !key["kid"].is_null() && key["kid"] != header["kid"] {
        return None;
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    let part = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str()?).ok();
    let message = signed.as_bytes();
    match (key["kty"].as_str()?, header["alg"].as_str()?) {
        ("RSA", "RS256") => signature::RsaPublicKeyComponents { n: part("n")?, e: part("e")? }
            .verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, &signature)
            .ok(),
        ("EC", "ES256") => {
            let point = [vec![4], part("x")?, part("y")?].concat(); // uncompressed, SEC 1 §2.3.3
            UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(message, &signature).ok()
        }
        ("OKP", "EdDSA") => UnparsedPublicKey::new(&signature::ED25519, part("x")?).verify(message, &signature).ok(),
        ("oct", "HS256") => {
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &part("k")?);
            ring::hmac::verify(&key, message, &signature).ok()
        }
        _ => None,
    }
}

/// The key that the zoo signs with.
pub struct Signer(EcdsaKeyPair);

impl Signer {
    /// A new key.
    pub fn new() -> Result<Self, ring::error::Unspecified> {
        let algorithm = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random::system())?;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random::system())
            .map_err(|_| ring::error::Unspecified)?;
        Ok(Self(pair))
    }

    /// A signed token.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "ES256", "kid": "zoo", "typ": "JWT" });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let signature = self.0.sign(&random::system(), signed.as_bytes());
        signature.map_or_else(|_| signed.clone(), |bytes| format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The public key (RFC 7517 §5).
    #[must_use]
    pub fn published(&self) -> Value {
        json!({ "keys": [self.public()] })
    }

    /// The public key alone.
    #[must_use]
    pub fn public(&self) -> Value {
        let (x, y) = self.0.public_key().as_ref()[1..].split_at(32);
        let encode = |half: &[u8]| URL_SAFE_NO_PAD.encode(half);
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "zoo", "x": encode(x), "y": encode(y) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_checked_claim_by_claim() {
        let signer = Signer::new().unwrap();
        let keys = [signer.public()];
        let good = json!({ "iss": "c", "sub": "c", "aud": ["https://a.example/token"], "exp": 100 });
        let with = |name: &str, value: Value| {
            let mut claims = good.clone();
            claims[name] = value;
            signer.sign(&claims)
        };
        let other = Signer::new().unwrap();
        let table = [
            (signer.sign(&good), "fine"),
            (other.sign(&good), "is not signed by a registered key"),
            ("abc".to_owned(), "is not a JWT"),
            (with("iss", "d".into()), "has to have iss c"),
            (with("sub", "d".into()), "has to have sub c"),
            (with("aud", "https://b.example".into()), "has to have aud https://a.example/token"),
            (with("iat", 50.into()), "fine"),
            (with("iat", 51.into()), "was issued in the future"),
            (with("exp", 50.into()), "has expired"),
            (with("exp", "100".into()), "has no exp that is a number"),
            (with("iat", (-201).into()), "may be valid for 300 seconds at most"),
            (with("exp", 5000.into()), "may be valid for 300 seconds at most"),
        ];
        let audiences = ["https://a.example/token".to_owned()];
        let expected = Expected { issuer: "c", subject: Some("c"), audiences: &audiences, now: 50, longest: 300 };
        for (token, said) in table {
            let result = check(&token, &keys, &expected).err().unwrap_or("fine".to_owned());
            assert_eq!(result, said);
        }
    }

    #[test]
    fn a_secret_is_not_taken_for_a_public_key() {
        let signer = Signer::new().unwrap();
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        let token = format!("{header}.{}.", URL_SAFE_NO_PAD.encode("{}"));
        assert!(!verify(&token, &signer.public()));
    }
}
