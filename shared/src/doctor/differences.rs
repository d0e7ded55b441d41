//! Where a provider's published metadata (RFC 8414 §2) say something else than the connector's data.

use serde_json::Value;

use super::{Case, Finding, stand_ins::StandIns};
use crate::protocol::{
    connector::{ClientAuthentication, OAuth2, Pkce},
    template,
};

/// Every difference.
pub fn between(case: &Case<'_>, metadata: &Value) -> Vec<Finding> {
    let Some(oauth2) = &case.connector.data.oauth2 else { return Vec::new() };
    let stand_ins = StandIns::of(case);
    let mut found = Vec::new();
    let revoke = case.connector.data.revoke.as_ref().map(|revoke| revoke.url.as_ref());
    for (name, ours) in [
        ("authorization_endpoint", oauth2.authorization_endpoint.as_deref()),
        ("token_endpoint", Some(oauth2.token_endpoint.as_ref())),
        ("pushed_authorization_request_endpoint", oauth2.pushed_authorization_request_endpoint.as_deref()),
        ("device_authorization_endpoint", oauth2.device_authorization_endpoint.as_deref()),
        ("revocation_endpoint", revoke),
    ] {
        let ours = ours.and_then(|address| template::url(address, &stand_ins.values).ok());
        let (Some(ours), Some(theirs)) = (ours, text(metadata, name)) else { continue };
        if ours.as_str().trim_end_matches('/') != theirs.trim_end_matches('/') {
            found.push(Finding::warning(
                "endpoint_differs",
                format!(
                    "{name} is {} here and {} in the provider's metadata.",
                    stand_ins.shown(ours.as_str()),
                    printable(theirs)
                ),
                "The provider may keep both; if ours fails, take theirs.",
            ));
        }
    }
    found.extend(issuer(oauth2, &stand_ins, metadata));
    found.extend(capabilities(oauth2, metadata));
    found.extend(scopes(case, metadata));
    found
}

/// RFC 8414 §3.3: it has to be the one that was asked, and an `iss` in an answer is compared with it.
fn issuer(oauth2: &OAuth2, stand_ins: &StandIns, metadata: &Value) -> Option<Finding> {
    let ours = template::address(oauth2.issuer.as_deref()?, &stand_ins.values).ok()?;
    let theirs = text(metadata, "issuer")?;
    (ours != theirs).then(|| {
        Finding::error(
            "issuer_differs",
            format!(
                "The issuer is {ours} here and {} in the metadata. An answer whose `iss` is theirs is refused.",
                printable(theirs)
            ),
            "If the provider's page says so too, write theirs into the connector's data.",
        )
    })
}

fn capabilities(oauth2: &OAuth2, metadata: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    let methods = list(metadata, "code_challenge_methods_supported");
    let takes = |method: &str| methods.as_ref().is_some_and(|methods| methods.contains(&method));
    match oauth2.pkce {
        Pkce::None | Pkce::Plain if takes("S256") => found.push(Finding::warning(
            "pkce_is_taken",
            "The provider's metadata offer PKCE with S256, and the connector's data has it off.",
            "Try it with `pkce` left out of the data; some offer it to public clients alone.",
        )),
        Pkce::S256 if methods.is_some() && !takes("S256") => found.push(Finding::warning(
            "pkce_is_not_taken",
            "The provider's metadata do not name S256 among the code challenge methods.",
            "If the authorization request is refused, set `pkce` in the data.",
        )),
        Pkce::S256 | Pkce::Plain | Pkce::None => {}
    }
    let ours = match oauth2.token_endpoint_auth_method {
        ClientAuthentication::ClientSecretBasic => Some("client_secret_basic"),
        ClientAuthentication::ClientSecretPost | ClientAuthentication::SignedClientSecret => Some("client_secret_post"),
        ClientAuthentication::PrivateKeyJwt => Some("private_key_jwt"),
        ClientAuthentication::None => Some("none"),
        ClientAuthentication::ClientSecretQuery => None,
    };
    let offered = list(metadata, "token_endpoint_auth_methods_supported");
    if let (Some(ours), Some(offered)) = (ours, offered)
        && !offered.contains(&ours)
    {
        found.push(Finding::warning(
            "authentication_is_not_offered",
            format!(
                "The client proves itself by {ours}, and the provider's metadata offer {}.",
                printable(&offered.join(", "))
            ),
            "If the token request is answered `invalid_client`, set `token_endpoint_auth_method` in the data.",
        ));
    }
    found
}

fn scopes(case: &Case<'_>, metadata: &Value) -> Option<Finding> {
    let known = list(metadata, "scopes_supported")?;
    let (asked, _) = case.connector.scopes();
    let unknown: Vec<&str> = asked.iter().map(String::as_str).filter(|scope| !known.contains(scope)).collect();
    (!unknown.is_empty()).then(|| {
        Finding::note(
            "scopes_not_published",
            format!("These scopes are not among those that the metadata name: {}.", unknown.join(", ")),
            "Many publish only some (RFC 8414 §2); if a consent is refused with `invalid_scope`, look there first.",
        )
    })
}

fn text<'a>(metadata: &'a Value, name: &str) -> Option<&'a str> {
    metadata.get(name).and_then(Value::as_str)
}

fn list<'a>(metadata: &'a Value, name: &str) -> Option<Vec<&'a str>> {
    Some(metadata.get(name)?.as_array()?.iter().filter_map(Value::as_str).collect())
}

/// What a provider wrote, as it can stand in a report: no control characters, and not a whole page of it.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
