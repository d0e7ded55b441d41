//! Our own access tokens: JSON Web Tokens (RFC 7519) signed with Ed25519 (RFC 8037), in the profile of RFC 9068 where it
//! fits a caller that is its own subject.
//!
//! They are written and read here and not by a library: one algorithm, one header, no negotiation. What a token says of its
//! algorithm is compared with the only one there is, never followed.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    clock::Timestamp,
    error::VaultError,
    id::{ClientId, Role},
    json::shape,
    vault::derive,
};

/// How long a token is good for, in seconds.
pub const LIFETIME_SECS: u64 = 1800;

/// The longest token that is looked at.
const LENGTH_LIMIT: usize = 4096;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Claims {
    /// Who issued it: our base URL.
    pub iss: String,
    /// The app client.
    pub sub: ClientId,
    /// The app client again, under RFC 9068's name.
    pub client_id: ClientId,
    /// The deployment that it is good for.
    pub aud: String,
    /// When it was issued, in seconds.
    pub iat: u64,
    /// When it expires, in seconds.
    pub exp: u64,
    /// Its own name.
    pub jti: String,
    /// The roles it carries, space-separated.
    pub scope: String,
}

impl Claims {
    /// The roles it carries.
    #[must_use]
    pub fn roles(&self) -> Vec<Role> {
        self.scope.split(' ').filter_map(|scope| Role::ALL.into_iter().find(|role| role.as_str() == scope)).collect()
    }
}

/// The key that signs, derived from the signing seed.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    kid: String,
}

impl SigningKey {
    /// The key of a seed.
    pub fn of_seed(seed: &str) -> Result<Self, VaultError> {
        let malformed = |why| VaultError::Malformed { name: "signing seed".to_owned(), why };
        if seed.len() < 32 {
            return Err(malformed("it has fewer than 32 characters"));
        }
        let derived = derive(seed.as_bytes(), &[], b"mooring signing key")?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&derived).map_err(|_| malformed("no key can be made of it"))?;
        let kid = thumbprint(pair.public_key().as_ref());
        Ok(Self { pair, kid })
    }

    /// The public half as a JSON Web Key Set (RFC 7517 §5).
    #[must_use]
    pub fn jwks(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref());
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.kid, "x": x }] })
            .to_string()
    }

    /// The token that says this (RFC 7515 §3.1, compact).
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> String {
        let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": self.kid }).to_string();
        let claims = serde_json::to_vec(claims).unwrap_or_default(); // our own type: strings and numbers
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.pair.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// RFC 7638 §3, with RFC 8037's required members: the same key always has the same name.
fn thumbprint(public: &[u8]) -> String {
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, URL_SAFE_NO_PAD.encode(public));
    URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, canonical.as_bytes()))
}

/// Whether a text looks like one of our tokens rather than a secret key.
#[must_use]
pub fn is_jwt(text: &str) -> bool {
    text.len() <= LENGTH_LIMIT && text.starts_with("ey") && text.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// The app client that a token names. Not to be believed before [`verify`].
#[must_use]
pub fn named_client(token: &str) -> Option<ClientId> {
    let claims = token.split('.').nth(1)?;
    let claims: Claims = shape::read(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    Some(claims.client_id)
}

/// What a token says, if one of the published keys signed it for this deployment and it is in its time.
#[must_use]
pub fn verify(token: &str, jwks: &str, audience: &str, now: Timestamp) -> Option<Claims> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let header: Header = shape::read(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    if header.alg != "EdDSA" || header.typ != "at+jwt" {
        return None;
    }
    let keys: Jwks = shape::read(jwks.as_bytes()).ok()?;
    let key = keys.keys.iter().find(|key| key.kid == header.kid && key.kty == "OKP" && key.crv == "Ed25519")?;
    let public = URL_SAFE_NO_PAD.decode(&key.x).ok()?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    UnparsedPublicKey::new(&ED25519, public).verify(signed.as_bytes(), &signature).ok()?;
    let claims: Claims = shape::read(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    (claims.aud == audience && claims.sub == claims.client_id && now.secs() < claims.exp).then_some(claims)
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    kid: String,
    x: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        let client = ClientId::parse("p1-t1").unwrap();
        Claims {
            iss: "https://m.example".to_owned(),
            sub: client.clone(),
            client_id: client,
            aud: "d1".to_owned(),
            iat: 1000,
            exp: 2800,
            jti: "j".to_owned(),
            scope: "connect use".to_owned(),
        }
    }

    #[test]
    fn the_thumbprint_is_that_of_rfc_8037_appendix_a_3() {
        let public = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        assert_eq!(thumbprint(&public), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn the_signature_is_that_of_rfc_8037_appendix_a_4() {
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let signature = pair.sign(b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc");
        assert_eq!(
            URL_SAFE_NO_PAD.encode(signature),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }

    #[test]
    fn a_token_is_believed_only_whole_in_time_and_here() {
        let key = SigningKey::of_seed("a seed of thirty-two characters.").unwrap();
        let other = SigningKey::of_seed("b seed of thirty-two characters.").unwrap();
        let token = key.sign(&claims());
        let at = Timestamp::from_secs(2000);
        assert_eq!(verify(&token, &key.jwks(), "d1", at), Some(claims()));
        assert_eq!(verify(&token, &key.jwks(), "d2", at), None, "another deployment");
        assert_eq!(verify(&token, &key.jwks(), "d1", Timestamp::from_secs(2800)), None, "expired");
        assert_eq!(verify(&token, &other.jwks(), "d1", at), None, "another key");
        for at_byte in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at_byte] = if changed[at_byte] == b'A' { b'B' } else { b'A' };
            if let Ok(changed) = String::from_utf8(changed)
                && changed != token
            {
                assert_eq!(verify(&changed, &key.jwks(), "d1", at), None, "byte {at_byte}");
            }
        }
        let none = format!(
            "{}.{}.",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt","kid":"x"}"#),
            token.split('.').nth(1).unwrap()
        );
        assert_eq!(verify(&none, &key.jwks(), "d1", at), None, "no algorithm");
    }
}
