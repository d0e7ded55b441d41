//! What servers publish about themselves: an authorization server (RFC 8414, OpenID Connect Discovery 1.0) and a protected
//! resource (RFC 9728), as an MCP server is one.
//!
//! A document is a stranger's word. Of it only the members are read that are acted upon, each within bounds; an address
//! has to be one that may be called at all, and the document has to be about whom was asked (§3.3 of both RFCs). Where it was
//! fetched from, and that nobody was led astray on the way, is for whoever fetches it.

use serde::Deserialize;
use url::{Host, Url};

use super::template::is_host;
use crate::json::{self, shape};

/// The longest document that is read.
pub const LIMIT: usize = 128 * 1024;

/// The longest address.
const LONGEST: usize = 1024;

/// Why a document is not acted upon. The sentence is about the document, which whoever fetched it names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// Not JSON, too long, or a member of another type.
    #[error("is not readable: {0}")]
    Unreadable(String),
    /// About somebody else (RFC 8414 §3.3, RFC 9728 §3.3).
    #[error(
        "is about another: its {member} is {said:?}, where {asked:?} was asked for; they have to be the same to the letter"
    )]
    Another {
        /// The member that tells about whom it is.
        member: &'static str,
        /// What it says.
        said: String,
        /// Who was asked.
        asked: String,
    },
    /// A member that is needed is missing.
    #[error("has no {0}")]
    Missing(&'static str),
    /// An address that may not be called.
    #[error("names a {member} that can't be used: {why}")]
    Address {
        /// The member.
        member: &'static str,
        /// What is wrong with it.
        why: AddressError,
    },
    /// Nothing of what it offers can be used.
    #[error("offers {offered:?} as {member}, of which none can be used here: {wanted}")]
    Unusable {
        /// The member.
        member: &'static str,
        /// What it offers.
        offered: Vec<String>,
        /// What would do.
        wanted: &'static str,
    },
    /// What an MCP server's authorization server must have.
    #[error(
        "does not say that it checks S256 code challenges (code_challenge_methods_supported), without which an MCP client must not go on"
    )]
    NoPkce,
}

/// Why an address is not one that is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not an address at all, or not written as one is understood.
    #[error(
        "it is not a plain absolute URL of at most 1024 printable characters, without user name, fragment and braces"
    )]
    Form,
    /// Not https.
    #[error("it does not begin with https://")]
    Scheme,
    /// Not a public name.
    #[error("its host is not a public name")]
    Host,
}

/// An address from a document or an operator: https to a public name; locally also http, and only to this machine. Braces
/// would be placeholders where it is kept.
pub fn address(text: &str, local: bool) -> Result<Url, AddressError> {
    let printable = text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic());
    let url = Url::parse(text).ok().filter(|_| printable && !text.contains(['{', '}', '\\', '#']));
    let url = url.filter(|url| url.username().is_empty() && url.password().is_none()).ok_or(AddressError::Form)?;
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match (url.scheme(), url.host()) {
        ("https" | "http", _) if loopback && local => Ok(url),
        ("https", Some(Host::Domain(name))) if is_host(name) && !loopback => Ok(url),
        ("https", _) => Err(AddressError::Host),
        _ => Err(AddressError::Scheme),
    }
}

/// An issuer identifier (RFC 8414 §2): an address without a query.
pub fn issuer(text: &str, local: bool) -> Result<Url, AddressError> {
    address(text, local).and_then(|url| if url.query().is_some() { Err(AddressError::Form) } else { Ok(url) })
}

/// Where an authorization server's metadata may stand, by its issuer.
///
/// RFC 8414 §3.1 puts its well-known path between host and path, OpenID Connect Discovery §4 behind the path; RFC 8414 §5 has
/// the former for the latter's name too. With `oidc_first` the document that knows the userinfo endpoint is asked for
/// first; the MCP specification has the other order.
#[must_use]
pub fn server_places(issuer: &Url, oidc_first: bool) -> Vec<Url> {
    let path = issuer.path().trim_end_matches('/');
    let inserted = |name: &str| placed(issuer, &format!("/.well-known/{name}{path}"));
    let appended = placed(issuer, &format!("{path}/.well-known/openid-configuration"));
    let mut places = vec![inserted("oauth-authorization-server"), inserted("openid-configuration"), appended];
    if oidc_first {
        places.rotate_right(1);
    }
    let mut different: Vec<Url> = Vec::new();
    for place in places {
        if !different.contains(&place) {
            different.push(place);
        }
    }
    different
}

/// Where a protected resource's metadata may stand: for the path (RFC 9728 §3.1), then for the whole host, as the MCP
/// specification has it.
#[must_use]
pub fn resource_places(resource: &Url) -> Vec<Url> {
    const NAME: &str = "/.well-known/oauth-protected-resource";
    let root = placed(resource, NAME);
    match resource.path().trim_end_matches('/') {
        "" => vec![root],
        path => vec![placed(resource, &format!("{NAME}{path}")), root],
    }
}

fn placed(at: &Url, path: &str) -> Url {
    let mut url = at.clone();
    url.set_path(path);
    url.set_query(None);
    url
}

/// What an authorization server says of itself (RFC 8414 §2, with the members that later RFCs added).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ServerMetadata {
    /// Who it is.
    pub issuer: String,
    /// Where a browser is sent.
    pub authorization_endpoint: Option<String>,
    /// Where tokens come from.
    pub token_endpoint: Option<String>,
    /// Where authorization requests are pushed (RFC 9126 §5).
    pub pushed_authorization_request_endpoint: Option<String>,
    /// Where a device's authorization begins (RFC 8628 §4).
    pub device_authorization_endpoint: Option<String>,
    /// Where tokens are revoked.
    pub revocation_endpoint: Option<String>,
    /// Where clients register (RFC 7591).
    pub registration_endpoint: Option<String>,
    /// Whose account it is (OpenID Connect Core §5.3).
    pub userinfo_endpoint: Option<String>,
    /// What it says for people who write clients.
    pub service_documentation: Option<String>,
    /// Which scopes there are, as far as it says.
    pub scopes_supported: Option<Vec<String>>,
    /// Which response types.
    pub response_types_supported: Option<Vec<String>>,
    /// How answers come back.
    pub response_modes_supported: Option<Vec<String>>,
    /// Which grants.
    pub grant_types_supported: Option<Vec<String>>,
    /// How clients prove themselves.
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// What their JWTs may be signed with.
    pub token_endpoint_auth_signing_alg_values_supported: Option<Vec<String>>,
    /// Which code challenges are checked (RFC 7636).
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// Whether each authorization response names its issuer (RFC 9207 §3).
    pub authorization_response_iss_parameter_supported: bool,
    /// Whether a client's id may be the address of a document about it.
    pub client_id_metadata_document_supported: bool,
}

impl ServerMetadata {
    /// Reads a document about this issuer (RFC 8414 §3.2), and believes none about another (§3.3).
    pub fn read(document: &[u8], issuer: &str, local: bool) -> Result<Self, MetadataError> {
        let read: Self = members(document)?;
        if read.issuer.is_empty() {
            return Err(MetadataError::Missing("issuer"));
        }
        if read.issuer != issuer {
            return Err(another("issuer", &read.issuer, issuer));
        }
        let addresses = [
            ("authorization_endpoint", &read.authorization_endpoint),
            ("token_endpoint", &read.token_endpoint),
            ("pushed_authorization_request_endpoint", &read.pushed_authorization_request_endpoint),
            ("device_authorization_endpoint", &read.device_authorization_endpoint),
            ("revocation_endpoint", &read.revocation_endpoint),
            ("registration_endpoint", &read.registration_endpoint),
            ("userinfo_endpoint", &read.userinfo_endpoint),
        ];
        addresses.into_iter().try_for_each(|(member, text)| called(member, text.as_deref(), local).map(drop))?;
        Ok(read)
    }

    /// Whether a list that may be left out has this name.
    #[must_use]
    pub fn offers(list: Option<&Vec<String>>, name: &str) -> bool {
        list.is_some_and(|list| list.iter().any(|offered| offered == name))
    }

    /// Whether it grants this; where it does not say, RFC 8414 §2 says what is meant.
    #[must_use]
    pub fn grants(&self, grant_type: &str) -> bool {
        match &self.grant_types_supported {
            Some(list) => list.iter().any(|offered| offered == grant_type),
            None => matches!(grant_type, "authorization_code" | "implicit"),
        }
    }

    /// Whether a refresh token may be had: who names no grants names this one neither.
    #[must_use]
    pub fn may_refresh(&self) -> bool {
        self.grant_types_supported.is_none() || self.grants("refresh_token")
    }

    /// The scopes of these that it has; all of them where it does not say which there are.
    #[must_use]
    pub fn scopes_of(&self, wanted: &[&str]) -> Vec<String> {
        let has = |scope: &str| self.scopes_supported.as_ref().is_none_or(|list| list.iter().any(|own| own == scope));
        wanted.iter().filter(|scope| has(scope)).map(|scope| (*scope).to_owned()).collect()
    }
}

/// What a protected resource says of itself (RFC 9728 §2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ResourceMetadata {
    /// What tokens for it are asked for.
    pub resource: String,
    /// Who issues them.
    pub authorization_servers: Option<Vec<String>>,
    /// Which scopes there are.
    pub scopes_supported: Option<Vec<String>>,
    /// How a token may come.
    pub bearer_methods_supported: Option<Vec<String>>,
    /// Its name for people.
    pub resource_name: Option<String>,
    /// What it says for people who write clients.
    pub resource_documentation: Option<String>,
}

impl ResourceMetadata {
    /// Reads a document about the resource at this address (RFC 9728 §3.3).
    ///
    /// One deviation: a server may call a whole part of itself the resource, down from its origin, and so do many MCP servers
    /// that have one document for all their paths. It is still no other server's, so a token that is asked for it can't be
    /// one for somebody else.
    pub fn read(document: &[u8], asked: &Url, local: bool) -> Result<Self, MetadataError> {
        let read: Self = members(document)?;
        let resource = called("resource", Some(&read.resource), local)?.ok_or(MetadataError::Missing("resource"))?;
        if !covers(&resource, asked) {
            return Err(another("resource", &read.resource, asked.as_str()));
        }
        if read.bearer_methods_supported.as_ref().is_some_and(|list| !list.iter().any(|method| method == "header")) {
            let offered = shown(read.bearer_methods_supported.as_deref());
            return Err(MetadataError::Unusable {
                member: "bearer_methods_supported",
                offered,
                wanted: "a token travels in a header",
            });
        }
        Ok(read)
    }

    /// The authorization servers that may be asked, in their order.
    pub fn issuers(&self, local: bool) -> Result<Vec<Url>, MetadataError> {
        let named = self.authorization_servers.as_deref().unwrap_or_default();
        let read = |text: &String| {
            issuer(text, local).map_err(|why| MetadataError::Address { member: "authorization_servers", why })
        };
        let issuers: Vec<_> = named.iter().take(MOST_SERVERS).map(read).collect::<Result<_, _>>()?;
        if issuers.is_empty() { Err(MetadataError::Missing("authorization_servers")) } else { Ok(issuers) }
    }
}

/// How many authorization servers of a resource are tried.
const MOST_SERVERS: usize = 3;

/// Whether an address lies at or below another of the same origin, by whole segments.
fn covers(resource: &Url, address: &Url) -> bool {
    let below = address.path().strip_prefix(resource.path().trim_end_matches('/'));
    let same = resource.query().is_none() || resource.query() == address.query();
    resource.origin() == address.origin() && same && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// An address of a document that is there.
fn called(member: &'static str, text: Option<&str>, local: bool) -> Result<Option<Url>, MetadataError> {
    let read = |text: &str| address(text, local).map_err(|why| MetadataError::Address { member, why });
    text.filter(|text| !text.is_empty()).map(read).transpose()
}

fn another(member: &'static str, said: &str, asked: &str) -> MetadataError {
    MetadataError::Another { member, said: said.chars().take(200).collect(), asked: asked.to_owned() }
}

/// A list as it is told to a person.
#[must_use]
pub fn shown(list: Option<&[String]>) -> Vec<String> {
    list.unwrap_or_default().iter().take(20).map(|name| name.chars().take(60).collect()).collect()
}

/// The members of a document; those that are not known are nobody's business (RFC 8414 §3.2), and of one that stands twice
/// nobody could say which is meant.
fn members<T: serde::de::DeserializeOwned>(document: &[u8]) -> Result<T, MetadataError> {
    if document.len() > LIMIT {
        return Err(MetadataError::Unreadable(format!("it is longer than {} KiB", LIMIT / 1024)));
    }
    let unreadable = |why: String| MetadataError::Unreadable(why.replace("the body", "it"));
    let members = json::object(document).map_err(|error| unreadable(error.to_string()))?;
    // what says nothing is left out, as RFC 8414 §3.2 wants it written
    let said = members.into_iter().filter(|(_, value)| !matches!(value, json::Json::Null)).collect();
    shape::fit(said).map_err(|misfit| unreadable(misfit.to_string()))
}

/// What a resource answers to who has no token (RFC 6750 §3, RFC 9728 §5.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    /// Where its metadata stands.
    pub resource_metadata: Option<String>,
    /// Which scopes this call would take.
    pub scope: Option<String>,
}

impl Challenge {
    /// The `Bearer` challenge of a `WWW-Authenticate` header; there may be several headers, and several challenges in one
    /// (RFC 9110 §11.6.1).
    #[must_use]
    pub fn read<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Self> {
        headers.flat_map(challenges).find(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, params)| {
            let param = |name: &str| {
                let found = params.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.clone()).filter(|value| value.len() <= LONGEST)
            };
            Self { resource_metadata: param("resource_metadata"), scope: param("scope") }
        })
    }
}

/// The challenges of one header line: each a scheme and its parameters.
fn challenges(line: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for piece in pieces(line) {
        let (words, value) = piece.split_once('=').unwrap_or((&piece, ""));
        // a scheme stands before the first of its parameters, with a space between
        let name = match words.trim().split_once(char::is_whitespace) {
            Some((scheme, name)) => {
                found.push((scheme.to_owned(), Vec::new()));
                name.trim()
            }
            None if !piece.contains('=') => {
                found.push((words.trim().to_owned(), Vec::new()));
                continue;
            }
            None => words.trim(),
        };
        if let Some((_, params)) = found.last_mut() {
            params.push((name.to_owned(), unquoted(value.trim())));
        }
    }
    found
}

/// What stands between commas, of which those in quotes are none.
fn pieces(line: &str) -> Vec<String> {
    let (mut pieces, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for c in line.chars().take(8192) {
        if c == ',' && !quoted {
            pieces.push(String::new());
            continue;
        }
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
        if let Some(last) = pieces.last_mut() {
            last.push(c);
        }
    }
    pieces.retain(|piece| !piece.trim().is_empty());
    pieces
}

/// A token, or what a quoted string means (RFC 9110 §5.6.4).
fn unquoted(text: &str) -> String {
    let Some(inside) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else { return text.to_owned() };
    let mut escaped = false;
    let keep = |c: &char| {
        escaped = *c == '\\' && !escaped;
        !escaped
    };
    inside.chars().filter(keep).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn texts(places: &[Url]) -> Vec<&str> {
        places.iter().map(Url::as_str).collect()
    }

    #[test]
    fn metadata_stands_where_the_specifications_say() {
        let root = url("https://as.example.com");
        let tenant = url("https://as.example.com/tenant1/");
        assert_eq!(
            texts(&server_places(&root, false)),
            [
                "https://as.example.com/.well-known/oauth-authorization-server",
                "https://as.example.com/.well-known/openid-configuration"
            ]
        );
        // RFC 8414 §3.1 and §5, and the MCP specification's order
        assert_eq!(
            texts(&server_places(&tenant, false)),
            [
                "https://as.example.com/.well-known/oauth-authorization-server/tenant1",
                "https://as.example.com/.well-known/openid-configuration/tenant1",
                "https://as.example.com/tenant1/.well-known/openid-configuration"
            ]
        );
        assert_eq!(
            server_places(&tenant, true)[0].as_str(),
            "https://as.example.com/tenant1/.well-known/openid-configuration"
        );
        assert_eq!(
            texts(&resource_places(&url("https://mcp.example.com/public/mcp?x=1"))),
            [
                "https://mcp.example.com/.well-known/oauth-protected-resource/public/mcp",
                "https://mcp.example.com/.well-known/oauth-protected-resource"
            ]
        );
        assert_eq!(
            texts(&resource_places(&url("https://mcp.example.com/"))),
            ["https://mcp.example.com/.well-known/oauth-protected-resource"]
        );
    }

    #[test]
    fn only_a_public_address_is_called() {
        let table = [
            ("https://as.example.com/authorize?tenant=1", Ok(()), Ok(())),
            ("http://as.example.com/", Err(AddressError::Scheme), Err(AddressError::Scheme)),
            ("https://localhost/", Err(AddressError::Host), Ok(())),
            ("https://app.localhost/", Err(AddressError::Host), Ok(())),
            ("http://127.0.0.1:9000/", Err(AddressError::Scheme), Ok(())),
            ("https://10.0.0.1/", Err(AddressError::Host), Err(AddressError::Host)),
            ("http://169.254.169.254/", Err(AddressError::Scheme), Err(AddressError::Scheme)),
            ("https://169.254.169.254/", Err(AddressError::Host), Err(AddressError::Host)),
            ("https://0x7f000001/", Err(AddressError::Host), Ok(())),
            ("https://[::1]/", Err(AddressError::Host), Ok(())),
            ("https://[::ffff:10.0.0.1]/", Err(AddressError::Host), Err(AddressError::Host)),
            ("https://intranet/", Err(AddressError::Host), Err(AddressError::Host)),
            ("https://as.example.com./", Err(AddressError::Host), Err(AddressError::Host)),
            ("https://u:p@as.example.com/", Err(AddressError::Form), Err(AddressError::Form)),
            ("https://as.example.com/#f", Err(AddressError::Form), Err(AddressError::Form)),
            ("https://as.example.com/{client_secret}", Err(AddressError::Form), Err(AddressError::Form)),
            ("https://as.example.com\\@evil.example/", Err(AddressError::Form), Err(AddressError::Form)),
            ("https://as.example.com/ x", Err(AddressError::Form), Err(AddressError::Form)),
            ("ftp://as.example.com/", Err(AddressError::Scheme), Err(AddressError::Scheme)),
            ("javascript:alert(1)", Err(AddressError::Scheme), Err(AddressError::Scheme)),
            ("as.example.com", Err(AddressError::Form), Err(AddressError::Form)),
        ];
        for (text, deployed, local) in table {
            assert_eq!(address(text, false).map(drop), deployed, "{text}");
            assert_eq!(address(text, true).map(drop), local, "{text}, locally");
        }
        assert_eq!(issuer("https://as.example.com/?x=1", false), Err(AddressError::Form));
    }

    type Change = fn(&mut Value);

    fn read(change: impl FnOnce(&mut Value)) -> Result<ServerMetadata, MetadataError> {
        let mut document = json!({
            "issuer": "https://as.example.com",
            "authorization_endpoint": "https://as.example.com/authorize",
            "token_endpoint": "https://tokens.example.net/token",
            "response_types_supported": ["code"],
            "a_member_of_the_future": {"x": [1]},
        });
        change(&mut document);
        ServerMetadata::read(document.to_string().as_bytes(), "https://as.example.com", false)
    }

    #[test]
    fn a_document_is_about_whom_was_asked_and_names_addresses_that_may_be_called() {
        assert!(read(|_| {}).is_ok());
        assert!(read(|d| d["revocation_endpoint"] = Value::Null).is_ok(), "what says nothing is left out");
        let table: [(&str, Change, &str); 8] = [
            (
                "another issuer",
                |d| d["issuer"] = "https://evil.example".into(),
                "is about another: its issuer is \"https://evil.example\", where \"https://as.example.com\" was asked for; they have to be the same to the letter",
            ),
            (
                "a slash more",
                |d| d["issuer"] = "https://as.example.com/".into(),
                "is about another: its issuer is \"https://as.example.com/\", where \"https://as.example.com\" was asked for; they have to be the same to the letter",
            ),
            ("no issuer", |d| drop(d.as_object_mut().unwrap().remove("issuer")), "has no issuer"),
            (
                "plain http",
                |d| d["token_endpoint"] = "http://as.example.com/token".into(),
                "names a token_endpoint that can't be used: it does not begin with https://",
            ),
            (
                "the metadata host",
                |d| d["registration_endpoint"] = "https://169.254.169.254/latest".into(),
                "names a registration_endpoint that can't be used: its host is not a public name",
            ),
            (
                "a list for a text",
                |d| d["token_endpoint"] = json!(["https://as.example.com/token"]),
                "is not readable: token_endpoint: another type is expected: a text",
            ),
            (
                "a text for a list",
                |d| d["scopes_supported"] = "openid".into(),
                "is not readable: scopes_supported: another type is expected: a list",
            ),
            ("too long", |d| d["x"] = "x".repeat(LIMIT).into(), "is not readable: it is longer than 128 KiB"),
        ];
        for (case, change, expected) in table {
            assert_eq!(read(change).unwrap_err().to_string(), expected, "{case}");
        }
        let twice = br#"{"issuer":"https://as.example.com","issuer":"https://evil.example"}"#;
        assert!(ServerMetadata::read(twice, "https://as.example.com", false).is_err());
        let list = br#"["https://as.example.com"]"#;
        assert!(ServerMetadata::read(list, "https://as.example.com", false).is_err());
    }

    #[test]
    fn what_is_left_out_has_the_meaning_that_the_rfc_gives_it() {
        let silent = read(|_| {}).unwrap();
        assert!(silent.grants("authorization_code") && !silent.grants("refresh_token") && silent.may_refresh());
        assert_eq!(silent.scopes_of(&["openid", "email"]), ["openid", "email"]);
        let said = read(|d| {
            d["grant_types_supported"] = json!(["authorization_code"]);
            d["scopes_supported"] = json!(["openid"]);
        });
        let said = said.unwrap();
        assert!(!said.may_refresh());
        assert_eq!(said.scopes_of(&["openid", "email"]), ["openid"]);
    }

    #[test]
    fn a_resource_is_the_one_that_was_asked_or_what_it_is_a_part_of() {
        let table = [
            ("https://mcp.example.com/public/mcp", true),
            ("https://mcp.example.com/public/", true),
            ("https://mcp.example.com/public", true),
            ("https://mcp.example.com", true),
            ("https://mcp.example.com/pub", false),
            ("https://mcp.example.com/public/mcp/more", false),
            ("https://mcp.example.com/public/mcp?x=1", false),
            ("https://other.example.com/public/mcp", false),
            ("https://mcp.example.com:8443/public/mcp", false),
            ("http://mcp.example.com/public/mcp", false),
            ("", false),
        ];
        for (resource, expected) in table {
            let document = json!({ "resource": resource, "authorization_servers": ["https://as.example.com"] });
            let asked = url("https://mcp.example.com/public/mcp");
            let read = ResourceMetadata::read(document.to_string().as_bytes(), &asked, false);
            assert_eq!(read.is_ok(), expected, "{resource}: {read:?}");
        }
    }

    #[test]
    fn the_servers_of_a_resource_are_issuers() {
        let issuers = |servers: Value| {
            let document = json!({ "resource": "https://mcp.example.com", "authorization_servers": servers });
            let read = ResourceMetadata::read(document.to_string().as_bytes(), &url("https://mcp.example.com/"), false)
                .unwrap();
            read.issuers(false).map(|issuers| issuers.len()).map_err(|error| error.to_string())
        };
        let servers: Vec<String> = (0..9).map(|at| format!("https://as{at}.example.com")).collect();
        assert_eq!(issuers(json!(["https://as.example.com"])), Ok(1));
        assert_eq!(issuers(json!(servers)), Ok(3));
        assert_eq!(issuers(json!([])), Err("has no authorization_servers".to_owned()));
        assert_eq!(
            issuers(json!(["http://as.example.com"])),
            Err("names a authorization_servers that can't be used: it does not begin with https://".to_owned())
        );
    }

    #[test]
    fn a_challenge_is_found_among_others() {
        let place = Some("https://mcp.example.com/.well-known/oauth-protected-resource");
        let table = [
            (
                r#"Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource""#,
                Some((place, None)),
            ),
            (
                r#"Basic realm="a, \"b\" Bearer", bearer error="invalid_token", Resource_Metadata="https://mcp.example.com/.well-known/oauth-protected-resource",scope="files:read files:write", DPoP algs="ES256""#,
                Some((place, Some("files:read files:write"))),
            ),
            ("Bearer scope=files", Some((None, Some("files")))),
            ("Bearer", Some((None, None))),
            ("Negotiate, Bearer", Some((None, None))),
            ("Basic realm=\"x\"", None),
            ("", None),
            ("\"", None),
            ("=,=,\"", None),
        ];
        for (line, expected) in table {
            let found = Challenge::read(std::iter::once(line));
            let found = found.as_ref().map(|c| (c.resource_metadata.as_deref(), c.scope.as_deref()));
            assert_eq!(found, expected, "{line}");
        }
    }
}
