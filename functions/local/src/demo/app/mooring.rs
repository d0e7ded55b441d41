//! The calls that a product's back end makes to Mooring, each with the project's secret key.

use std::{cmp::Reverse, time::Duration};

use axum::{
    body::Bytes,
    http::{HeaderValue, StatusCode, header::CACHE_CONTROL, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use reqwest::{Method, RequestBuilder};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use url::Url;

use super::people::Person;
use crate::demo::Secret;

/// Longer than a refresh at the provider may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest answer that is read.
const ANSWER_LIMIT: usize = 1024 * 1024;
/// The most pages of connections that are read.
const PAGES: u64 = 20;

/// Mooring, as one project sees it.
pub struct Mooring {
    pub base_url: Url,
    pub project_id: String,
    pub secret_key: Secret,
    pub http: reqwest::Client,
}

/// What came back, whatever it says.
pub struct Answer {
    pub status: StatusCode,
    pub content_type: Option<HeaderValue>,
    pub body: Bytes,
}

/// A connection, as far as the page shows it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    pub key: String,
    #[serde(default)]
    pub name: String,
    pub platform: String,
    #[serde(default)]
    pub state: String,
    /// In milliseconds since the epoch.
    #[serde(default)]
    pub created_at: u64,
}

#[derive(Deserialize)]
struct Page {
    rows: Vec<Connection>,
    #[serde(default)]
    pages: u64,
}

/// Why there is no answer to work with.
#[derive(Debug)]
pub enum Trouble {
    /// Nobody answered, or not in time.
    Unreachable,
    /// The form names a connection that is not the user's.
    NotYours,
    /// Mooring answered, but not with what was asked for; its own description if there was one.
    Refused(StatusCode, Option<String>),
}

impl Mooring {
    /// Asks for a token with which this user, and nobody else, can connect one account.
    pub async fn one_time_token(
        &self,
        person: &Person,
        connector: &str,
        redirect_uri: &str,
    ) -> Result<Answer, Trouble> {
        let url = self.url(&["org", &self.project_id, "generateOneTimeConnectorToken"]);
        let body = json!({
            "user_id": person.id,
            "connector_id": connector,
            "user_label": person.name,
            "redirect_uri": redirect_uri,
        });
        self.send(self.request(Method::POST, url, Some(&body))).await
    }

    /// Asks for a session with which a page can connect accounts for this user, and for nobody else.
    pub async fn session(&self, person: &Person) -> Result<Answer, Trouble> {
        let url = self.url(&["v1", "connect", "sessions"]);
        let body = json!({ "identity": person.id, "identityType": "user", "identityLabel": person.name });
        self.send(self.request(Method::POST, url, Some(&body))).await
    }

    /// Asks for one page of what the embedded widget shows this user.
    pub async fn widget_token(&self, person: &Person, page: u32, limit: u32) -> Result<Answer, Trouble> {
        let mut url = self.url(&["v1", "authkit", "token"]);
        url.query_pairs_mut().append_pair("page", &page.to_string()).append_pair("limit", &limit.to_string());
        let body = json!({ "identity": person.id, "identityType": "user" });
        self.send(self.request(Method::POST, url, Some(&body))).await
    }

    /// The user's connections, the newest first.
    pub async fn connections(&self, person: &Person) -> Result<Vec<Connection>, Trouble> {
        let mut connections = Vec::new();
        for page in 1..=PAGES {
            let mut url = self.url(&["v1", "vault", "connections"]);
            url.query_pairs_mut()
                .append_pair("identity", person.id)
                .append_pair("identityType", "user")
                .append_pair("page", &page.to_string())
                .append_pair("limit", "100");
            let Page { rows, pages } = self.send(self.request(Method::GET, url, None)).await?.read()?;
            connections.extend(rows);
            if page >= pages {
                break;
            }
        }
        connections.sort_by_key(|connection| Reverse(connection.created_at));
        Ok(connections)
    }

    /// Calls the connector's API with the user's credentials, which this app never sees.
    pub async fn call(&self, connection: &Connection, path: &[&str]) -> Result<Answer, Trouble> {
        let url = self.url(&[&["v1", "passthrough", connection.platform.as_str()], path].concat());
        let request = self.request(Method::GET, url, None).header("x-one-connection-key", &connection.key);
        self.send(request).await
    }

    /// Deletes the connection, which revokes it at the provider as well.
    pub async fn disconnect(&self, connection: &Connection) -> Result<Answer, Trouble> {
        let url = self.url(&["v1", "vault", "connections", &connection.key]);
        self.send(self.request(Method::DELETE, url, None)).await
    }

    /// The page on which the person connects: top-level, never in a frame.
    pub fn connect_page(&self, connector: &str, token: &Secret) -> Url {
        let mut url = self.url(&["connect", connector]);
        url.query_pairs_mut().append_pair("token", token.expose()).append_pair("organizationId", &self.project_id);
        url
    }

    /// A URL under the base, which may have a path prefix of its own. Each segment is encoded.
    fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    fn request(&self, method: Method, url: Url, body: Option<&Value>) -> RequestBuilder {
        let request = self.http.request(method, url).bearer_auth(self.secret_key.expose()).timeout(PATIENCE);
        match body {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(body.to_string()),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, Trouble> {
        let mut response = request.send().await?;
        let (status, content_type) = (response.status(), response.headers().get(CONTENT_TYPE).cloned());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_LIMIT {
                return Err(Trouble::Refused(status, None));
            }
        }
        Ok(Answer { status, content_type, body: body.into() })
    }
}

impl Answer {
    /// The value that a successful answer holds.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Trouble> {
        let value = self.status.is_success().then(|| serde_json::from_slice(&self.body).ok()).flatten();
        value.ok_or_else(|| Trouble::Refused(self.status, self.description()))
    }

    /// The body for a person to read: JSON with its members on lines of their own, anything else as it is.
    pub fn pretty(&self) -> String {
        let json = serde_json::from_slice::<Value>(&self.body).and_then(|value| serde_json::to_string_pretty(&value));
        json.unwrap_or_else(|_| String::from_utf8_lossy(&self.body).into_owned())
    }

    fn description(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        Some(body.get("error_description")?.as_str()?.to_owned())
    }
}

/// Passes an answer on with status and body unchanged.
impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, [(CACHE_CONTROL, "no-store")], self.body).into_response();
        response.headers_mut().remove(CONTENT_TYPE);
        response.headers_mut().extend(self.content_type.map(|value| (CONTENT_TYPE, value)));
        response
    }
}

impl Trouble {
    /// What a person is told.
    pub fn sentence(&self) -> String {
        match self {
            Self::Unreachable => "Orbit can't reach Mooring right now. Nothing is lost; try again in a moment.".into(),
            Self::NotYours => "That connection is not one of yours.".into(),
            Self::Refused(_, Some(description)) => format!("Mooring says: {}.", description.trim_end_matches('.')),
            Self::Refused(status, None) => format!("Mooring answered with {status}, which was not expected."),
        }
    }
}

/// The cause holds a URL, and with it possibly a token: it goes no further.
impl From<reqwest::Error> for Trouble {
    fn from(_: reqwest::Error) -> Self {
        Self::Unreachable
    }
}
