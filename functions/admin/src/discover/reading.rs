//! What servers say of themselves, fetched: each document from the one address that was given or learnt, and from nowhere else.
//!
//! The addresses are an operator's and then a stranger's word, so each call may go to its own origin alone, to public addresses
//! only, without credentials and without following a redirect. How many there are is bounded, and what they answer too.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, header};
use shared::{
    app::App,
    error::{Error, ProviderError, Refusal},
    flow::registration::at,
    protocol::{
        metadata::{self, AddressError, Challenge, MetadataError, ResourceMetadata, ServerMetadata},
        origins::Origins,
        request::USER_AGENT,
    },
};
use url::Url;

/// How many calls a discovery makes at most: the MCP server, two places of its metadata, three of each of three servers.
const MOST_CALLS: usize = 12;

/// What one of them may take.
const CALL_LIMIT: Duration = Duration::from_secs(5);

/// The protocol version that is spoken to find out who may be asked for a token.
const MCP_VERSION: &str = "2025-06-18";

/// What was found.
pub struct Found {
    /// The authorization server.
    pub server: ServerMetadata,
    /// The MCP server, where one was given.
    pub mcp: Option<Mcp>,
    /// The documents that were believed.
    pub documents: Vec<String>,
}

/// An MCP server.
pub struct Mcp {
    /// Where it is called.
    pub address: Url,
    /// What tokens are asked for.
    pub resource: String,
    /// What its document says.
    pub metadata: ResourceMetadata,
    /// The scopes that its challenge names.
    pub scopes: Option<String>,
}

/// Fetches documents.
pub struct Reader<'a> {
    app: &'a App,
    local: bool,
    calls: usize,
    documents: Vec<String>,
}

impl<'a> Reader<'a> {
    /// A reader that has read nothing yet.
    #[must_use]
    pub fn new(app: &'a App) -> Self {
        Self { app, local: app.config.loopback_egress, calls: 0, documents: Vec::new() }
    }

    /// What an authorization server says of itself.
    pub async fn of_issuer(&mut self, issuer: &str) -> Result<Found, Error> {
        let server = self.server(issuer, true).await?;
        Ok(Found { server, mcp: None, documents: std::mem::take(&mut self.documents) })
    }

    /// What an MCP server says of itself, and the authorization server that it names.
    pub async fn of_mcp(&mut self, address: &Url) -> Result<Found, Error> {
        let challenge = self.challenge(address).await?;
        let (metadata, issuers) = match self.resource(address, &challenge).await? {
            Some(metadata) => {
                let issuers = metadata.issuers(self.local).map_err(|error| refused(&self.last(), &error))?;
                // as the document writes them: an issuer is compared to the letter
                let named = metadata.authorization_servers.clone().unwrap_or_default();
                (metadata, named.into_iter().take(issuers.len()).collect())
            }
            // a server of before that document was asked for is its own authorization server
            None => (ResourceMetadata::default(), vec![address.origin().ascii_serialization()]),
        };
        let server = self.one_of(&issuers).await?;
        let resource = if metadata.resource.is_empty() { address.to_string() } else { metadata.resource.clone() };
        let mcp = Mcp { address: address.clone(), resource, metadata, scopes: challenge.scope };
        Ok(Found { server, mcp: Some(mcp), documents: std::mem::take(&mut self.documents) })
    }

    /// The first authorization server of those that are named whose metadata is there; else why the first is not.
    async fn one_of(&mut self, issuers: &[String]) -> Result<ServerMetadata, Error> {
        let mut first = None;
        for issuer in issuers {
            match self.server(issuer, false).await {
                Ok(server) => return Ok(server),
                Err(error) => drop(first.get_or_insert(error)),
            }
        }
        Err(first.unwrap_or_else(|| not_found(&[])))
    }

    async fn server(&mut self, issuer: &str, oidc_first: bool) -> Result<ServerMetadata, Error> {
        let url = metadata::issuer(issuer, self.local).map_err(|why| not_called(issuer, why))?;
        let places = metadata::server_places(&url, oidc_first);
        for place in &places {
            if let Some(document) = self.document(place).await? {
                let read = ServerMetadata::read(&document, issuer, self.local);
                return read.map_err(|error| refused(place, &error));
            }
        }
        Err(not_found(&places))
    }

    /// The resource's own metadata: where its challenge says, else at its well-known places.
    async fn resource(&mut self, address: &Url, challenge: &Challenge) -> Result<Option<ResourceMetadata>, Error> {
        let told = challenge.resource_metadata.as_deref().map(|place| {
            metadata::address(place, self.local)
                .map_err(|why| not_called(&format!("the resource_metadata of {address}"), why))
        });
        let places = match told.transpose()? {
            Some(told) => vec![told],
            None => metadata::resource_places(address),
        };
        for place in &places {
            if let Some(document) = self.document(place).await? {
                let read = ResourceMetadata::read(&document, address, self.local);
                return read.map(Some).map_err(|error| refused(place, &error));
            }
        }
        if challenge.resource_metadata.is_some() { Err(not_found(&places)) } else { Ok(None) }
    }

    /// What the MCP server answers to who has no token. Only the head is read: an answer may be a stream that does not end.
    async fn challenge(&mut self, address: &Url) -> Result<Challenge, Error> {
        self.count(address)?;
        let body = serde_json::json!({
            "jsonrpc": "2.0", "id": 1, "method": "initialize",
            "params": {
                "protocolVersion": MCP_VERSION, "capabilities": {},
                "clientInfo": { "name": "mooring", "version": env!("CARGO_PKG_VERSION") },
            },
        });
        let mut request = http::Request::new(Bytes::from(body.to_string()));
        *request.method_mut() = http::Method::POST;
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert("mcp-protocol-version", HeaderValue::from_static(MCP_VERSION));
        let request = prepared(request, address)?;
        let response = self.app.egress.head(request, &Origins::at(address), CALL_LIMIT).await.map_err(at(address))?;
        let status = response.status().as_u16();
        let challenged = response.headers().get_all(header::WWW_AUTHENTICATE);
        let challenge = Challenge::read(challenged.iter().filter_map(|value| value.to_str().ok()));
        match status {
            401 => Ok(challenge.unwrap_or_default()),
            300..=399 => Err(redirected(address, response.headers(), "give the address that it leads to")),
            200..=299 => Err(unusable(address, "answers without a token: it needs no connection")),
            500..=599 => Err(at(address)(ProviderError::Failed(status))),
            _ => Err(unusable(
                address,
                &format!(
                    "answers {status} to a call without a token, where an MCP server that can be connected answers 401"
                ),
            )),
        }
    }

    /// A document; none where there is nothing.
    async fn document(&mut self, place: &Url) -> Result<Option<Bytes>, Error> {
        self.count(place)?;
        let mut request = http::Request::new(Bytes::new());
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let request = prepared(request, place)?;
        let answer = self.app.egress.fetch(request, &Origins::at(place), (metadata::LIMIT, CALL_LIMIT)).await;
        let answer = answer.map_err(at(place))?;
        let document = match answer.status().as_u16() {
            200 => Some(answer.into_body()),
            300..=399 => {
                return Err(redirected(
                    place,
                    answer.headers(),
                    "the document has to be there itself (RFC 8414 §3, RFC 9728 §3)",
                ));
            }
            status @ 500..=599 => return Err(at(place)(ProviderError::Failed(status))),
            _ => None,
        };
        if document.is_some() {
            self.documents.push(place.to_string());
        }
        Ok(document)
    }

    fn count(&mut self, place: &Url) -> Result<(), Error> {
        self.calls += 1;
        if self.calls > MOST_CALLS {
            return Err(unusable(place, "comes after so many others that the search ends here"));
        }
        Ok(())
    }

    fn last(&self) -> String {
        self.documents.last().cloned().unwrap_or_default()
    }
}

/// A request to this address, which says who asks.
fn prepared(mut request: http::Request<Bytes>, to: &Url) -> Result<http::Request<Bytes>, Error> {
    *request.uri_mut() = to.as_str().parse().map_err(|_| at(to)(ProviderError::AddressRefused))?;
    request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    Ok(request)
}

fn refused(place: &impl ToString, error: &MetadataError) -> Error {
    Error::refused(Refusal::InvalidMetadata, format!("{} {error}", place.to_string()))
}

fn not_called(what: &str, why: AddressError) -> Error {
    Error::refused(Refusal::InvalidMetadata, format!("{what} is not called: {why}"))
}

fn unusable(place: &Url, why: &str) -> Error {
    Error::refused(Refusal::InvalidMetadata, format!("{place} {why}"))
}

fn not_found(places: &[Url]) -> Error {
    let places: Vec<&str> = places.iter().map(Url::as_str).collect();
    Error::refused(Refusal::MetadataNotFound, format!("there is no metadata at {}", places.join(", at ")))
}

/// No redirect is followed: the document would be another server's word on this one. Where it leads is told without what a query
/// could hold.
fn redirected(place: &Url, headers: &http::HeaderMap, remedy: &str) -> Error {
    let target = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    let target = target.and_then(|target| place.join(target).ok()).filter(|url| url.origin().is_tuple());
    let target =
        target.map(|url| format!(" to {}{}", url.origin().ascii_serialization(), url.path())).unwrap_or_default();
    unusable(place, &format!("answers with a redirect{target}, and none is followed: {remedy}"))
}
