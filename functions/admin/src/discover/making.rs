//! A connector of what servers say of themselves: the best that both sides can do.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shared::{
    error::{Error, Refusal},
    json::shape,
    protocol::{
        connector::{ClientAuthentication, Connector},
        metadata::{MetadataError, ServerMetadata, shown},
        registration::name_of,
    },
};
use url::Url;

use super::reading::{Found, Mcp};

/// How the client comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registers {
    /// Its id is the address of a document about it, which is ours.
    Document,
    /// The server registers it when asked (RFC 7591).
    Dynamically,
    /// The operator registers it.
    Not,
}

/// A connector, and how it came to be.
pub struct Draft {
    /// The connector, but for its id.
    pub connector: Connector,
    /// How its client comes to be.
    pub registers: Registers,
    /// What was found, for people, but for what the server may still decide.
    words: Vec<String>,
}

/// How clients prove themselves, the best first.
const METHODS: [ClientAuthentication; 3] =
    [ClientAuthentication::ClientSecretBasic, ClientAuthentication::ClientSecretPost, ClientAuthentication::None];

/// With what an identity is asked for.
const IDENTITY: [&str; 3] = ["openid", "email", "profile"];

impl Draft {
    /// What the documents make. `described` says that the server could fetch a document about us.
    pub fn of(found: &Found, described: bool) -> Result<Self, Error> {
        let server = &found.server;
        let place = found.documents.last().map_or_else(|| server.issuer.clone(), Clone::clone);
        let refused = |error: MetadataError| Error::refused(Refusal::InvalidMetadata, format!("{place} {error}"));
        let mut words = Vec::new();

        let token_endpoint =
            server.token_endpoint.as_ref().ok_or_else(|| refused(MetadataError::Missing("token_endpoint")))?;
        let grant = grant(server).map_err(refused)?;
        pkce(server, found.mcp.is_some(), &mut words).map_err(refused)?;
        let registers = if server.client_id_metadata_document_supported && described {
            Registers::Document
        } else if server.registration_endpoint.is_some() {
            Registers::Dynamically
        } else {
            Registers::Not
        };
        let method = method(server, registers).map_err(refused)?;
        let scopes = scopes(found);
        let response_mode = response_mode(server).map_err(refused)?;

        let mut oauth2 = json!({
            "grant": grant,
            "token_endpoint": token_endpoint,
            "issuer": server.issuer,
            "authorization_response_iss_parameter_supported": server.authorization_response_iss_parameter_supported,
            "scopes": scopes,
            "token_endpoint_auth_method": name_of(method),
        });
        let further = [
            ("authorization_endpoint", server.authorization_endpoint.clone()),
            ("device_authorization_endpoint", server.device_authorization_endpoint.clone()),
            ("pushed_authorization_request_endpoint", server.pushed_authorization_request_endpoint.clone()),
            ("resource", found.mcp.as_ref().map(|mcp| mcp.resource.clone())),
            ("response_mode", response_mode.map(str::to_owned)),
        ];
        for (name, value) in further {
            if let Some(value) = value {
                oauth2[name] = value.into();
            }
        }
        if let Some(endpoint) = server.registration_endpoint.as_ref().filter(|_| registers == Registers::Dynamically) {
            oauth2["registration"] = json!({ "endpoint": endpoint });
        }
        if method == ClientAuthentication::PrivateKeyJwt {
            oauth2["client_assertion"] = client_assertion(server);
        }
        if !server.may_refresh() {
            oauth2["refresh"] = "none".into();
        }
        let connector = document(found, &oauth2, &scopes, method);
        say(found, registers, connector["profile"].is_object(), &mut words);
        let connector: Connector = shape::read(connector.to_string().as_bytes()).map_err(|error| {
            Error::refused(Refusal::InvalidMetadata, format!("{place} makes no connector: {error}"))
        })?;
        Ok(Self { connector, registers, words })
    }

    /// What was found, for people.
    #[must_use]
    pub fn found(&self) -> Vec<String> {
        let method = self.connector.oauth2.as_ref().map(|oauth2| name_of(oauth2.token_endpoint_auth_method));
        let method = method.map(|method| format!("the client proves itself by {method}"));
        method.into_iter().chain(self.words.iter().cloned()).collect()
    }

    /// Every host that is called, or that a browser is sent to.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        let Connector { oauth2, api, profile, revoke, .. } = &self.connector;
        let oauth2 = oauth2.iter().flat_map(|oauth2| {
            let further = [
                &oauth2.authorization_endpoint,
                &oauth2.device_authorization_endpoint,
                &oauth2.pushed_authorization_request_endpoint,
            ];
            let registration = oauth2.registration.as_ref().map(|registration| &registration.endpoint);
            further.into_iter().flatten().chain([&oauth2.token_endpoint]).chain(registration)
        });
        let calls = [
            profile.as_ref().and_then(|call| call.url.as_ref()),
            revoke.as_ref().map(|call| &call.url),
            Some(&api.base_url),
        ];
        let addresses = oauth2.chain(calls.into_iter().flatten());
        let hosts: BTreeSet<String> = addresses.filter_map(|address| origin(address)).collect();
        hosts.into_iter().collect()
    }
}

/// The connector as JSON, in the catalogue's schema.
fn document(found: &Found, oauth2: &Value, scopes: &[String], method: ClientAuthentication) -> Value {
    let Found { server, mcp, .. } = found;
    let base_url = mcp.as_ref().map_or(server.issuer.as_str(), |mcp| mcp.address.as_str());
    let named = mcp.as_ref().and_then(|mcp| mcp.metadata.resource_name.clone());
    let host = Url::parse(base_url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let docs = mcp.as_ref().and_then(|mcp| mcp.metadata.resource_documentation.clone());
    let docs = docs.or_else(|| server.service_documentation.clone());
    let docs = docs.filter(|docs| docs.starts_with("https://") && Url::parse(docs).is_ok());

    let mut connector = json!({
        "name": named.unwrap_or(host),
        "oauth2": oauth2,
        "api": { "base_url": base_url.trim_end_matches('/') },
    });
    if let Some(docs) = docs {
        connector["docs_url"] = docs.into();
    }
    let mut beside = BTreeSet::new();
    // a token for an MCP server is for nobody else (RFC 8707), so the authorization server would not take it
    let identified = mcp.is_none() && scopes.iter().any(|scope| scope == "openid");
    if let Some(userinfo) = server.userinfo_endpoint.as_ref().filter(|_| identified) {
        connector["profile"] = json!({ "url": userinfo, "account_id": "sub", "label": "name", "email": "email" });
        beside.extend(origin(userinfo));
    }
    if let Some(revocation) = &server.revocation_endpoint {
        connector["revoke"] = json!({ "url": revocation, "params": { "token": "{refresh_token}" } });
        beside.extend(origin(revocation));
    }
    for known in [Some(base_url), server.token_endpoint.as_deref()].into_iter().flatten().filter_map(origin) {
        beside.remove(&known);
    }
    if !beside.is_empty() {
        connector["api"]["origins"] = json!(beside);
    }
    if method == ClientAuthentication::PrivateKeyJwt {
        connector["settings"] = json!([{
            "name": "private_key", "label": "Private key", "secret": true, "multiline": true,
            "help": "The PKCS#8 key in PEM whose public half the server knows",
        }]);
    }
    connector
}

fn origin(address: &str) -> Option<String> {
    let origin = Url::parse(address).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

/// By a person in a browser; on another device where nothing else is offered.
fn grant(server: &ServerMetadata) -> Result<&'static str, MetadataError> {
    const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
    let code = server.response_types_supported.is_none()
        || ServerMetadata::offers(server.response_types_supported.as_ref(), "code");
    if server.grants("authorization_code") && code {
        return match &server.authorization_endpoint {
            Some(_) => Ok("authorization_code"),
            None => Err(MetadataError::Missing("authorization_endpoint")),
        };
    }
    if server.grants(DEVICE) && server.device_authorization_endpoint.is_some() {
        return Ok("device_code");
    }
    if server.grants("authorization_code") {
        return Err(MetadataError::Unusable {
            member: "response_types_supported",
            offered: shown(server.response_types_supported.as_deref()),
            wanted: "code",
        });
    }
    Err(MetadataError::Unusable {
        member: "grant_types_supported",
        offered: shown(server.grant_types_supported.as_deref()),
        wanted: "authorization_code, or the device grant",
    })
}

/// S256 or none of it: a server that checks nothing else would have us send the verifier itself.
fn pkce(server: &ServerMetadata, mcp: bool, words: &mut Vec<String>) -> Result<(), MetadataError> {
    match &server.code_challenge_methods_supported {
        Some(methods) if methods.iter().any(|method| method == "S256") => {
            words.push("codes are bound by PKCE with S256".to_owned());
        }
        _ if mcp => return Err(MetadataError::NoPkce),
        Some(methods) if !methods.is_empty() => {
            return Err(MetadataError::Unusable {
                member: "code_challenge_methods_supported",
                offered: shown(Some(methods)),
                wanted: "S256",
            });
        }
        _ => words.push("it does not say that it checks code challenges; S256 is sent all the same".to_owned()),
    }
    Ok(())
}

/// The best way to prove oneself that both sides have.
fn method(server: &ServerMetadata, registers: Registers) -> Result<ClientAuthentication, MetadataError> {
    let offered = server.token_endpoint_auth_methods_supported.as_ref();
    if registers == Registers::Document {
        return Ok(ClientAuthentication::None); // who is known by a public document has no password
    }
    let Some(offered) = offered else { return Ok(ClientAuthentication::ClientSecretBasic) }; // RFC 8414 §2
    if let Some(method) = METHODS.into_iter().find(|method| offered.iter().any(|name| name == name_of(*method))) {
        return Ok(method);
    }
    // with a key of the operator's, who registers its public half
    if registers == Registers::Not && offered.iter().any(|name| name == "private_key_jwt") {
        return Ok(ClientAuthentication::PrivateKeyJwt);
    }
    Err(MetadataError::Unusable {
        member: "token_endpoint_auth_methods_supported",
        offered: shown(Some(offered)),
        wanted: "client_secret_basic, client_secret_post or none",
    })
}

/// RFC 7523 §3. It is for the issuer: for a token endpoint it could be one that another server's document names, and that server
/// be given what this one takes (draft-ietf-oauth-rfc7523bis §4).
fn client_assertion(server: &ServerMetadata) -> Value {
    let algorithms = server.token_endpoint_auth_signing_alg_values_supported.as_ref();
    let es256 = ServerMetadata::offers(algorithms, "ES256") && !ServerMetadata::offers(algorithms, "RS256");
    json!({
        "algorithm": if es256 { "ES256" } else { "RS256" },
        "key": "{private_key}",
        "claims": { "iss": "{client_id}", "sub": "{client_id}", "aud": server.issuer },
    })
}

/// What is asked for: of an MCP server what it wants, of an identity provider who somebody is; and to be let in again later.
fn scopes(found: &Found) -> Vec<String> {
    let server = &found.server;
    let mut scopes: Vec<String> = match &found.mcp {
        Some(Mcp { scopes: Some(scopes), .. }) => {
            scopes.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
        }
        Some(Mcp { metadata, .. }) => metadata.scopes_supported.clone().unwrap_or_default(),
        None if server.scopes_supported.is_some() => server.scopes_of(&IDENTITY),
        None if server.userinfo_endpoint.is_some() => vec!["openid".to_owned()],
        None => Vec::new(),
    };
    // braces would be a placeholder of ours
    let is_scope = |scope: &str| scope.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'{' | b'}'));
    scopes.retain(|scope| !scope.is_empty() && scope.len() <= 512 && is_scope(scope));
    if ServerMetadata::offers(server.scopes_supported.as_ref(), "offline_access") {
        scopes.push("offline_access".to_owned());
    }
    let mut seen = BTreeSet::new();
    scopes.retain(|scope| seen.insert(scope.clone()));
    scopes.truncate(50);
    scopes
}

/// In the query, which is what every server does that says nothing.
fn response_mode(server: &ServerMetadata) -> Result<Option<&'static str>, MetadataError> {
    let Some(modes) = &server.response_modes_supported else { return Ok(None) };
    if modes.is_empty() || modes.iter().any(|mode| mode == "query") {
        return Ok(None);
    }
    if modes.iter().any(|mode| mode == "form_post") {
        return Ok(Some("form_post"));
    }
    Err(MetadataError::Unusable {
        member: "response_modes_supported",
        offered: shown(Some(modes)),
        wanted: "query or form_post",
    })
}

/// What was found, in words.
fn say(found: &Found, registers: Registers, identifies: bool, words: &mut Vec<String>) {
    let server = &found.server;
    words.push(match registers {
        Registers::Document => "the client's id is the address of a document about it".to_owned(),
        Registers::Dynamically => "the server registers clients by itself".to_owned(),
        Registers::Not => "the operator has to register a client".to_owned(),
    });
    let also = [
        (server.authorization_response_iss_parameter_supported, "answers name their issuer, which is checked"),
        (
            server.pushed_authorization_request_endpoint.is_some(),
            "authorization requests are pushed to the server first",
        ),
        (server.device_authorization_endpoint.is_some(), "a device without a browser can be connected"),
        (server.revocation_endpoint.is_some(), "consent can be withdrawn at the server"),
        (identifies, "the server tells whose account it is"),
        (!server.may_refresh(), "access tokens can't be renewed: people connect again when one ends"),
    ];
    words.extend(also.into_iter().filter(|(is, _)| *is).map(|(_, word)| word.to_owned()));
    if let Some(mcp) = &found.mcp {
        words.push(format!("tokens are asked for {}", mcp.resource));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(change: impl FnOnce(&mut Value)) -> ServerMetadata {
        let mut document = json!({
            "issuer": "https://as.example.com",
            "authorization_endpoint": "https://as.example.com/authorize",
            "token_endpoint": "https://tokens.example.net/token",
            "userinfo_endpoint": "https://id.example.org/me",
            "revocation_endpoint": "https://as.example.com/revoke",
            "registration_endpoint": "https://as.example.com/register",
            "response_types_supported": ["code"],
            "scopes_supported": ["openid", "email", "offline_access", "everything"],
            "code_challenge_methods_supported": ["plain", "S256"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_post"],
        });
        change(&mut document);
        ServerMetadata::read(document.to_string().as_bytes(), "https://as.example.com", false).unwrap()
    }

    fn found(change: impl FnOnce(&mut Value)) -> Found {
        Found { server: server(change), mcp: None, documents: vec!["https://as.example.com/.well-known/x".to_owned()] }
    }

    fn draft(change: impl FnOnce(&mut Value)) -> Result<Draft, Error> {
        Draft::of(&found(change), false)
    }

    #[test]
    fn what_the_server_says_is_used() {
        let mut draft = draft(|d| {
            d["pushed_authorization_request_endpoint"] = "https://as.example.com/par".into();
            d["device_authorization_endpoint"] = "https://as.example.com/device".into();
            d["authorization_response_iss_parameter_supported"] = true.into();
        })
        .unwrap();
        draft.connector.id = "x".into();
        draft.connector.check(false).unwrap();
        let said = serde_json::to_value(&draft.connector).unwrap();
        let oauth2 = &said["oauth2"];
        assert_eq!(oauth2["scopes"], json!(["openid", "email", "offline_access"]));
        assert_eq!(oauth2["token_endpoint_auth_method"], "client_secret_post");
        assert_eq!(oauth2["registration"]["endpoint"], "https://as.example.com/register");
        assert_eq!(oauth2["pushed_authorization_request_endpoint"], "https://as.example.com/par");
        assert_eq!(oauth2["device_authorization_endpoint"], "https://as.example.com/device");
        assert_eq!(oauth2["authorization_response_iss_parameter_supported"], true);
        assert_eq!(said["profile"]["url"], "https://id.example.org/me");
        assert_eq!(said["revoke"]["url"], "https://as.example.com/revoke");
        assert_eq!(said["api"]["origins"], json!(["https://id.example.org"]));
        assert_eq!(draft.hosts(), ["https://as.example.com", "https://id.example.org", "https://tokens.example.net"]);
    }

    #[test]
    fn a_client_proves_itself_in_the_best_way_that_both_sides_have() {
        let table = [
            (Value::Null, true, "client_secret_basic"),
            (json!(["none", "client_secret_post", "client_secret_basic"]), true, "client_secret_basic"),
            (json!(["none", "private_key_jwt"]), true, "none"),
            (json!(["private_key_jwt"]), false, "private_key_jwt"),
            (json!(["private_key_jwt"]), true, "refused"),
            (json!(["tls_client_auth"]), false, "refused"),
        ];
        for (offered, registers, expected) in table {
            let made = draft(|d| {
                d["token_endpoint_auth_methods_supported"] = offered.clone();
                if !registers {
                    drop(d.as_object_mut().unwrap().remove("registration_endpoint"));
                }
            });
            let said = made.map_or("refused", |mut made| {
                made.connector.id = "x".into();
                made.connector.check(false).unwrap();
                name_of(made.connector.oauth2.unwrap().token_endpoint_auth_method)
            });
            assert_eq!(said, expected, "{offered}");
        }
    }

    #[test]
    fn what_can_not_be_used_is_said() {
        type Spoil = fn(&mut Value);
        let table: [(Spoil, &str); 6] = [
            (
                |d| d["code_challenge_methods_supported"] = json!(["plain"]),
                "https://as.example.com/.well-known/x offers [\"plain\"] as code_challenge_methods_supported, of which none can be used here: S256",
            ),
            (
                |d| d["grant_types_supported"] = json!(["client_credentials"]),
                "https://as.example.com/.well-known/x offers [\"client_credentials\"] as grant_types_supported, of which none can be used here: authorization_code, or the device grant",
            ),
            (
                |d| d["response_types_supported"] = json!(["id_token"]),
                "https://as.example.com/.well-known/x offers [\"id_token\"] as response_types_supported, of which none can be used here: code",
            ),
            (
                |d| d["response_modes_supported"] = json!(["fragment"]),
                "https://as.example.com/.well-known/x offers [\"fragment\"] as response_modes_supported, of which none can be used here: query or form_post",
            ),
            (
                |d| drop(d.as_object_mut().unwrap().remove("token_endpoint")),
                "https://as.example.com/.well-known/x has no token_endpoint",
            ),
            (
                |d| drop(d.as_object_mut().unwrap().remove("authorization_endpoint")),
                "https://as.example.com/.well-known/x has no authorization_endpoint",
            ),
        ];
        for (change, expected) in table {
            assert_eq!(draft(change).err().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn an_mcp_server_gets_tokens_for_itself_alone() {
        let mut found = found(|_| {});
        let address = Url::parse("https://mcp.example.com/mcp").unwrap();
        let metadata = json!({
            "resource": "https://mcp.example.com/mcp", "resource_name": "Example tools",
            "authorization_servers": ["https://as.example.com"], "scopes_supported": ["tools:read"],
        });
        let metadata =
            shared::protocol::metadata::ResourceMetadata::read(metadata.to_string().as_bytes(), &address, false);
        let resource = "https://mcp.example.com/mcp".to_owned();
        found.mcp = Some(Mcp { address, resource, metadata: metadata.unwrap(), scopes: None });
        let mut draft = Draft::of(&found, false).unwrap();
        draft.connector.id = "tools".into();
        draft.connector.check(false).unwrap();
        let oauth2 = draft.connector.oauth2.as_ref().unwrap();
        assert_eq!(oauth2.resource.as_deref(), Some("https://mcp.example.com/mcp"));
        assert_eq!(json!(oauth2.scopes), json!(["tools:read", "offline_access"]));
        assert_eq!((draft.connector.name.as_ref(), draft.connector.profile.is_none()), ("Example tools", true));
        found.server.code_challenge_methods_supported = None;
        assert!(Draft::of(&found, false).err().unwrap().to_string().contains("S256"));
    }

    #[test]
    fn a_document_about_us_goes_before_a_registration() {
        let found = found(|d| d["client_id_metadata_document_supported"] = true.into());
        let described = Draft::of(&found, true).unwrap();
        assert_eq!(described.registers, Registers::Document);
        assert_eq!(described.connector.oauth2.unwrap().token_endpoint_auth_method, ClientAuthentication::None);
        assert_eq!(Draft::of(&found, false).unwrap().registers, Registers::Dynamically);
    }
}
