//! Proofs of possession (RFC 9449): the check of a proof, and the nonces that have to stand in it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest;
use serde_json::{Value, json};

use crate::{data::Dpop, engine::Exchange, jwt, random, refusal::Refused, state::State};

/// Seconds that a proof's `iat` may be from the provider's time (§11.1).
const TOLERANCE: i64 = 60;

/// The key (its thumbprint, RFC 7638) of which the request proves possession, about this token if there is one. Nothing where the
/// provider knows no proofs.
pub fn proven(exchange: &Exchange<'_>, state: &mut State, token: Option<&str>) -> Result<Option<String>, Refused> {
    let Some(data) = &exchange.provider.dpop else { return Ok(None) };
    proof(exchange, state, data, token).map(Some)
}

fn proof(exchange: &Exchange<'_>, state: &mut State, data: &Dpop, token: Option<&str>) -> Result<String, Refused> {
    let wrong = |words: &str| Refused::new("invalid_dpop_proof", format!("the proof {words}"));
    let mut all = exchange.request.headers.get_all("dpop").iter();
    let (Some(proof), None) = (all.next().and_then(|proof| proof.to_str().ok()), all.next()) else {
        return Err(Refused::new("invalid_dpop_proof", "header DPoP has to stand once"));
    };
    let (header, claims) =
        (jwt::header(proof).ok_or_else(|| wrong("is no JWT"))?, jwt::claims(proof).ok_or_else(|| wrong("is no JWT"))?);
    if header["typ"] != "dpop+jwt" {
        return Err(wrong("has to have typ dpop+jwt"));
    }
    if !data.algorithms.iter().any(|known| header["alg"] == known.as_str()) {
        return Err(wrong(&format!("has to be signed by {}", data.algorithms.join(" or "))));
    }
    let jwk = &header["jwk"];
    if !jwk["d"].is_null() || !jwt::verify(proof, jwk) {
        return Err(wrong("is not signed by the public key in it"));
    }
    if claims["htm"] != exchange.request.method.as_str() {
        return Err(wrong(&format!("has to have htm {}", exchange.request.method)));
    }
    if claims["htu"] != exchange.request.url().as_str() {
        return Err(wrong(&format!("has to have htu {}", exchange.request.url())));
    }
    let issued = claims["iat"].as_i64().ok_or_else(|| wrong("has no iat that is a number"))?;
    if (issued - exchange.now).abs() > TOLERANCE {
        return Err(wrong("is too far from the provider's time"));
    }
    if claims["ath"].as_str() != token.map(hash).as_deref() {
        return Err(wrong("has to have the hash of the token that comes with it, and no other, as ath"));
    }
    let jti = claims["jti"].as_str().filter(|jti| !jti.is_empty()).ok_or_else(|| wrong("has no jti"))?;
    if let Some(ttl) = data.nonce_ttl {
        // §8: told apart from a wrong proof, since the client has to try once more
        let made = claims["nonce"].as_str().and_then(|nonce| state.dpop_nonces.get(nonce).copied());
        if made.is_none_or(|since| exchange.now - since >= ttl) {
            return Err(Refused::new("use_dpop_nonce", "the proof has to have the nonce of this server"));
        }
    }
    let jti = format!("dpop {jti}");
    if state.nonces.get(&jti).is_some() {
        return Err(wrong("was used before"));
    }
    state.nonces.put(jti, ());
    thumbprint(jwk).ok_or_else(|| wrong("has a key without a thumbprint"))
}

/// The nonce that goes with an answer (§8.2): the last one for half its life, then another.
pub fn nonce(data: &Dpop, state: &mut State, now: i64) -> Option<String> {
    let ttl = data.nonce_ttl?;
    if let Some((nonce, since)) = &state.dpop_nonce
        && now - since < ttl / 2
    {
        return Some(nonce.clone());
    }
    let nonce = random::text();
    state.dpop_nonces.put(nonce.clone(), now);
    state.dpop_nonce = Some((nonce.clone(), now));
    Some(nonce)
}

/// Whether a proven key is the one that something was bound to.
pub fn same_key(bound: Option<&String>, proven: Option<&String>, what: &str) -> Result<(), Refused> {
    match bound {
        Some(bound) if Some(bound) != proven => {
            Err(Refused::new("invalid_dpop_proof", format!("the proof is by another key than {what} is bound to")))
        }
        _ => Ok(()),
    }
}

fn hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, token.as_bytes()))
}

/// RFC 7638 §3.2, for the keys of elliptic curves: the required members, in the order of the alphabet.
fn thumbprint(jwk: &Value) -> Option<String> {
    let member = |name: &str| jwk[name].as_str();
    let key = json!({ "crv": member("crv")?, "kty": member("kty")?, "x": member("x")?, "y": member("y")? });
    Some(hash(&key.to_string())) // serde_json's map is in that order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbprint_is_that_of_the_rfc() {
        // RFC 9449 §6.1
        let jwk = json!({
            "kty": "EC", "crv": "P-256",
            "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        });
        assert_eq!(thumbprint(&jwk).as_deref(), Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"));
    }
}
