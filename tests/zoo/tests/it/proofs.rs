//! Requests that have to prove something beyond a token: pushed ones (RFC 9126), proofs of possession (RFC 9449), signatures of AWS.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest, hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};
use zoo::Client;

use crate::{
    classes::now,
    client::{Answer, BACK, World, encode},
};

const PAR: &str = "https://bsky.social/oauth/par";
const TOKEN: &str = "https://bsky.social/oauth/token";
const SESSION: &str = "https://bsky.social/xrpc/com.atproto.server.getSession";

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

/// Who has a key.
struct Prover(EcdsaKeyPair);

impl Prover {
    #[expect(clippy::disallowed_methods, reason = "a key of a test")]
    fn new() -> Self {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap())
    }

    #[expect(clippy::disallowed_methods, reason = "a signature of a test")]
    fn sign(&self, header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn public(&self) -> Value {
        let (x, y) = self.0.public_key().as_ref()[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) })
    }

    fn header(&self) -> Value {
        json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.public() })
    }

    /// A proof as it should be.
    fn proof(&self, method: &str, url: &str, nonce: &str, token: Option<&str>) -> String {
        self.sign(&self.header(), &claims(method, url, nonce, token))
    }
}

fn claims(method: &str, url: &str, nonce: &str, token: Option<&str>) -> Value {
    #[expect(clippy::disallowed_methods, reason = "a random number of a test")]
    let random = ring::rand::generate::<[u8; 16]>(&SystemRandom::new()).unwrap().expose();
    let mut claims =
        json!({ "jti": URL_SAFE_NO_PAD.encode(random), "htm": method, "htu": url, "iat": now(), "nonce": nonce });
    if let Some(token) = token {
        claims["ath"] = hash(token).into();
    }
    claims
}

/// A request for authorization, as it is pushed.
fn asked(challenge: &str) -> Vec<(&str, &str)> {
    vec![
        ("client_id", "zoo-client"),
        ("response_type", "code"),
        ("redirect_uri", BACK),
        ("state", "s1"),
        ("scope", "atproto"),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
    ]
}

async fn push(world: &World, proof: &str, challenge: &str) -> Answer {
    world.form(PAR, &[("dpop", proof)], &asked(challenge)).await
}

/// The nonce that the server wants of a client without a secret.
async fn nonce(world: &World, prover: &Prover) -> String {
    let public = Client { id: "zoo-client".to_owned(), ..Client::default() };
    world.zoo.register_client("bluesky", public).unwrap();
    let refused = push(world, &prover.proof("POST", PAR, "unknown", None), &hash("v")).await;
    assert_eq!((refused.status, refused.at("/error").as_str()), (400, "use_dpop_nonce"));
    world.zoo.clear_refusals();
    refused.headers["dpop-nonce"].clone()
}

#[tokio::test]
async fn each_part_of_a_proof_is_looked_at() {
    let (world, prover, other) = (World::new().await, Prover::new(), Prover::new());
    let (nonce, challenge) = (nonce(&world, &prover).await, hash("v"));
    let with = |name: &str, value: Value| {
        let (mut header, mut claims) = (prover.header(), claims("POST", PAR, &nonce, None));
        let place = if ["typ", "alg", "jwk"].contains(&name) { &mut header } else { &mut claims };
        place[name] = value;
        prover.sign(&header, &claims)
    };
    let mut private = prover.public();
    private["d"] = "secret".into();
    let foreign = prover.sign(&other.header(), &claims("POST", PAR, &nonce, None));
    let table = [
        ("no JWT".to_owned(), "the proof is no JWT"),
        (with("typ", "JWT".into()), "the proof has to have typ dpop+jwt"),
        (with("alg", "none".into()), "the proof has to be signed by ES256"),
        (with("jwk", private), "the proof is not signed by the public key in it"),
        (foreign, "the proof is not signed by the public key in it"),
        (with("htm", "GET".into()), "the proof has to have htm POST"),
        (with("htu", TOKEN.into()), "the proof has to have htu https://bsky.social/oauth/par"),
        (with("iat", (now() - 100).into()), "the proof is too far from the provider's time"),
        (with("iat", "now".into()), "the proof has no iat that is a number"),
        (
            with("ath", "x".into()),
            "the proof has to have the hash of the token that comes with it, and no other, as ath",
        ),
        (with("jti", "".into()), "the proof has no jti"),
    ];
    for (proof, words) in table {
        let refused = push(&world, &proof, &challenge).await;
        assert_eq!((refused.status, refused.at("/error").as_str()), (400, "invalid_dpop_proof"), "{words}");
        assert_eq!(world.log(), [format!("push: {words}")]);
    }
    let without = world.form(PAR, &[], &asked(&challenge)).await;
    assert_eq!(without.at("/error"), "invalid_dpop_proof");
    let proof = prover.proof("POST", PAR, &nonce, None);
    let twice = world.form(PAR, &[("dpop", &proof), ("dpop", &proof)], &asked(&challenge)).await;
    assert_eq!(twice.at("/error"), "invalid_dpop_proof");
    assert_eq!(push(&world, &proof, &challenge).await.status, 201);
    assert_eq!(push(&world, &proof, &challenge).await.at("/error"), "invalid_dpop_proof");
    assert_eq!(
        world.log(),
        [
            "push: header DPoP has to stand once",
            "push: header DPoP has to stand once",
            "push: the proof was used before"
        ]
    );
}

#[tokio::test]
async fn code_and_tokens_are_bound_to_the_key_of_the_push() {
    let (world, prover, other) = (World::new().await, Prover::new(), Prover::new());
    let nonce = nonce(&world, &prover).await;
    let verifier = "v".repeat(43);
    let pushed = push(&world, &prover.proof("POST", PAR, &nonce, None), &hash(&verifier)).await.at("/request_uri");
    let go = encode(&[("client_id", "zoo-client"), ("request_uri", &pushed)]);
    let back = world.get(&format!("https://bsky.social/oauth/authorize?{go}"), &[]).await.back();
    assert_eq!((back["iss"].as_str(), back["state"].as_str()), ("https://bsky.social", "s1"));
    let redeem = [
        ("grant_type", "authorization_code"),
        ("client_id", "zoo-client"),
        ("code", &back["code"]),
        ("redirect_uri", BACK),
        ("code_verifier", &verifier),
    ];
    let stolen = world.form(TOKEN, &[("dpop", &other.proof("POST", TOKEN, &nonce, None))], &redeem).await;
    assert_eq!(stolen.at("/error"), "invalid_dpop_proof");
    let tokens = world.form(TOKEN, &[("dpop", &prover.proof("POST", TOKEN, &nonce, None))], &redeem).await;
    assert_eq!(
        (tokens.at("/token_type").as_str(), tokens.at("/sub").as_str()),
        ("DPoP", "did:plc:zooalice000000000000000")
    );

    let token = tokens.at("/access_token");
    let call = async |scheme: &str, proof: Option<String>| {
        let authorization = format!("{scheme} {token}");
        let mut headers = vec![("authorization", authorization.as_str())];
        headers.extend(proof.as_deref().map(|proof| ("dpop", proof)));
        world.get(SESSION, &headers).await.status
    };
    let proof = |prover: &Prover, token: Option<&str>| Some(prover.proof("GET", SESSION, &nonce, token));
    assert_eq!(call("DPoP", proof(&prover, Some(&token))).await, 200);
    assert_eq!(call("DPoP", proof(&prover, None)).await, 401);
    assert_eq!(call("DPoP", proof(&other, Some(&token))).await, 401);
    assert_eq!(call("DPoP", None).await, 401);
    assert_eq!(call("Bearer", None).await, 401);

    let refresh_token = tokens.at("/refresh_token");
    let refresh = [("grant_type", "refresh_token"), ("client_id", "zoo-client"), ("refresh_token", &refresh_token)];
    let stolen = world.form(TOKEN, &[("dpop", &other.proof("POST", TOKEN, &nonce, None))], &refresh).await;
    assert_eq!(stolen.at("/error"), "invalid_dpop_proof");
    let renewed = world.form(TOKEN, &[("dpop", &prover.proof("POST", TOKEN, &nonce, None))], &refresh).await;
    assert_eq!(renewed.status, 200, "{}", renewed.text);
    assert_eq!(
        world.log(),
        [
            "token: the proof is by another key than the code is bound to",
            "session: the proof has to have the hash of the token that comes with it, and no other, as ath",
            "session: the proof is by another key than the token is bound to",
            "session: header DPoP has to stand once",
            "session: header Authorization has to be DPoP ${access_token}",
            "token: the proof is by another key than the refresh token is bound to",
        ]
    );
}

#[tokio::test]
async fn a_pushed_request_is_the_client_s_own_and_works_once() {
    let (world, prover) = (World::new().await, Prover::new());
    for id in ["bank-client", "other-client"] {
        let client = Client { id: id.to_owned(), public_keys: vec![prover.public()], ..Client::default() };
        world.zoo.register_client("example-bank", client).unwrap();
    }
    let par = "https://bank.example/par";
    let assertion = |aud: &str, lifetime: i64| {
        let claims =
            json!({ "iss": "bank-client", "sub": "bank-client", "aud": aud, "iat": now(), "exp": now() + lifetime });
        prover.sign(&json!({ "alg": "ES256" }), &claims)
    };
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let (good, challenge) = (assertion(par, 300), hash("v"));
    let all = [
        ("client_id", "bank-client"),
        ("client_assertion_type", kind),
        ("client_assertion", &good),
        ("response_type", "code"),
        ("redirect_uri", BACK),
        ("state", "s1"),
        ("scope", "accounts"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let without = |name: &str| all.iter().copied().filter(|(known, _)| *known != name).collect::<Vec<_>>();
    let with = |name: &'static str, value: &'static str| [without(name), vec![(name, value)]].concat();
    let elsewhere = assertion("https://other.example", 300);
    let (late, long) = (assertion(par, -1), assertion(par, 4000));
    let table = [
        (without("response_type"), "parameter response_type has to be code, was absent"),
        (without("redirect_uri"), "parameter redirect_uri is missing"),
        (without("state"), "parameter state is missing"),
        (without("code_challenge"), "parameter code_challenge is missing"),
        (with("code_challenge_method", "plain"), "code_challenge_method has to be S256"),
        (with("request_uri", "urn:x"), "parameter request_uri is not taken here"),
        (with("scope", "everything"), "scope everything is none of those that are documented"),
        (without("client_assertion"), "the client has to authenticate by PrivateKeyJwt, was none of them"),
        (
            without("client_assertion_type"),
            "client_assertion_type has to be urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        (with("client_id", "other-client"), "client_id is another than the client that authenticated"),
        (
            [without("client_assertion"), vec![("client_assertion", elsewhere.as_str())]].concat(),
            "client_assertion has to have aud https://bank.example/par or https://bank.example",
        ),
        (
            [without("client_assertion"), vec![("client_assertion", late.as_str())]].concat(),
            "client_assertion has expired",
        ),
        (
            [without("client_assertion"), vec![("client_assertion", long.as_str())]].concat(),
            "client_assertion may be valid for 3600 seconds at most",
        ),
    ];
    for (pairs, words) in table {
        let refused = world.form(par, &[], &pairs).await;
        assert!((400..402).contains(&refused.status), "{words}");
        assert_eq!(world.log(), [format!("push: {words}")]);
    }
    let request_uri = world.form(par, &[], &all).await.at("/request_uri");
    let go = |client: &str| {
        format!("https://bank.example/authorize?{}", encode(&[("client_id", client), ("request_uri", &request_uri)]))
    };
    assert_eq!(world.get(&go("other-client"), &[]).await.status, 400);
    assert_eq!(world.get(&go("bank-client"), &[]).await.back()["iss"], "https://bank.example");
    assert_eq!(world.get(&go("bank-client"), &[]).await.status, 400);
    let bare = format!("https://bank.example/authorize?{}", encode(&all));
    assert_eq!(world.get(&bare, &[]).await.status, 400);
    assert_eq!(
        world.log(),
        [
            "authorize: client_id is another than that of the pushed request",
            "authorize: request_uri is unknown, has expired or was used",
            "authorize: the request has to be pushed in advance",
        ]
    );
}

/// The moment of the example in AWS' documentation.
const AT: (&str, i64) = ("20150830T123600Z", 1_440_938_160);

/// The headers of a GET of `/?Action=x` at STS in Ireland, signed; `change` sees them before they are.
fn signed(
    secret: &str,
    scope: &str,
    cover: &str,
    change: impl FnOnce(&mut BTreeMap<&str, &str>),
) -> Vec<(String, String)> {
    let mut headers = BTreeMap::from([("host", "sts.eu-west-1.amazonaws.com"), ("x-amz-date", AT.0)]);
    change(&mut headers);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let sha = |text: &str| hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    let covered = cover
        .split(';')
        .map(|name| format!("{name}:{}\n", headers.get(name).unwrap_or(&"")))
        .collect::<Vec<_>>()
        .concat();
    let canonical = format!("GET\n/\nAction=x\n{covered}\n{cover}\n{}", sha(""));
    let text = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{}", AT.0, sha(&canonical));
    let sign =
        |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec();
    let key = scope.split('/').fold(format!("AWS4{secret}").into_bytes(), |key, part| sign(&key, part));
    let signature = hex(&sign(&key, &text));
    let written = format!(
        "AWS4-HMAC-SHA256 Credential=AKIAZOOZOOZOOZOOZOO2/{scope}, SignedHeaders={cover}, Signature={signature}"
    );
    let mut all: Vec<(String, String)> =
        headers.into_iter().filter(|(name, _)| *name != "host").map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    all.push(("authorization".to_owned(), written));
    all
}

#[tokio::test]
async fn a_signature_of_aws_covers_what_it_has_to() {
    let world = World::new().await;
    world.zoo.advance(AT.1 - now());
    let (secret, scope, cover) = ("zoo/secret+access/key", "20150830/eu-west-1/sts/aws4_request", "host;x-amz-date");
    let fine = |_: &mut BTreeMap<&str, &str>| {};
    let replaced = |from: &str, to: &str| {
        let mut headers = signed(secret, scope, cover, fine);
        headers.last_mut().unwrap().1 = headers.last().unwrap().1.replace(from, to);
        headers
    };
    let table = [
        (signed(secret, scope, cover, fine), 200, ""),
        (Vec::new(), 403, "header Authorization has to begin with AWS4-HMAC-SHA256"),
        (signed("another", scope, cover, fine), 403, "the signature is not that of the request by this key"),
        (replaced("AKIAZOOZOOZOOZOOZOO2", "AKIAUNKNOWN"), 403, "no registered key has this access_key_id"),
        (signed(secret, scope, cover, fine).split_off(1), 403, "the signature needs the header X-Amz-Date"),
        (replaced("SignedHeaders=host;x-amz-date, ", ""), 403, "the signature lacks SignedHeaders"),
        (
            signed(secret, "20150830/us-east-1/sts/aws4_request", cover, fine),
            403,
            "the signature has to be for eu-west-1/sts on the day of X-Amz-Date",
        ),
        (
            signed(secret, "20150829/eu-west-1/sts/aws4_request", cover, fine),
            403,
            "the signature has to be for eu-west-1/sts on the day of X-Amz-Date",
        ),
        (signed(secret, scope, "x-amz-date", fine), 403, "the signature does not cover the header host"),
        (
            signed(secret, scope, cover, |headers| {
                headers.insert("x-amz-target", "x");
            }),
            403,
            "the signature does not cover the header x-amz-target",
        ),
        (
            signed(secret, scope, "host;x-amz-content-sha256;x-amz-date", |headers| {
                headers.insert("x-amz-content-sha256", "0");
            }),
            403,
            "the signature has another X-Amz-Content-Sha256 than the body",
        ),
        (
            signed(secret, scope, "host;x-amz-date;x-amz-security-token", |headers| {
                headers.insert("x-amz-security-token", "x");
            }),
            403,
            "X-Amz-Security-Token is not that of the key",
        ),
    ];
    let url = "https://sts.eu-west-1.amazonaws.com/?Action=x";
    for (headers, status, words) in table {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = world.get(url, &headers).await;
        assert_eq!(answer.status, status, "{words} {} {:?}", answer.text, world.zoo.refusals());
        let told = if words.is_empty() { Vec::new() } else { vec![format!("call: {words}")] };
        assert_eq!(world.log(), told);
    }
    world.zoo.advance(901);
    let late = signed(secret, scope, cover, fine);
    let late: Vec<(&str, &str)> = late.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(world.get(url, &late).await.status, 403);
    assert_eq!(world.log(), ["call: the signature is too far from the provider's time"]);
}
