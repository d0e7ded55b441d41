//! A connector by an address alone: an authorization server's issuer, or an MCP server.
//!
//! What the servers say of themselves ([`reading`]) is made into a connector of the project's own ([`making`]), and a client for it
//! is registered, or is the address of a document about us, or is left to the operator. Again finds the same connector.

mod making;
mod reading;

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared::{
    app::App,
    error::{Error, Refusal},
    flow::begin::redirect_uri,
    http::{Request, Response},
    id::{ConnectorId, Environment},
    label::must_be_label,
    protocol::{
        connector::{Connector, List},
        metadata,
        registration::method_of,
    },
    secrets::{ClientsSecret, ProviderClient},
    store::{attempts::Callback, settings::Key},
};
use url::Url;

use self::{
    making::{Draft, Registers},
    reading::{Found, Reader},
};
use crate::{
    authority::Authority,
    customs::{ENVIRONMENTS, is_connected, must_be_free},
    registering,
};

/// What all documents together may take. The function ends after 29 seconds, and registering comes after this.
const LIMIT: Duration = Duration::from_secs(12);

/// The body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    issuer: Option<String>,
    mcp: Option<String>,
    id: Option<String>,
    name: Option<String>,
    scopes: Option<Vec<String>>,
    project: Option<String>,
}

/// What was given.
enum Given {
    Issuer(String),
    Mcp(Url),
}

/// Makes a connector, or brings the one with its id up to date.
pub async fn discover(app: &App, request: &Request) -> Result<Response, Error> {
    let wanted: Result<Wanted, Error> = request.json();
    // first: to who may not ask, nothing is said about the body
    let named = wanted.as_ref().ok().and_then(|wanted| wanted.project.as_deref());
    let authority = Authority::over(app, request, named).await;
    let (authority, wanted) = match (authority, wanted) {
        // whose project it is would stand in the body
        (Err(Error::InvalidRequest(_)), Err(unread)) => return Err(unread),
        (authority, wanted) => (authority?, wanted?),
    };
    authority.must_cover_live()?;
    let base_url = app.base_url(app.clock.now()).await?;
    let given = wanted.given(app.config.loopback_egress)?;
    let id = wanted.id(&given)?;
    must_be_free(app, &authority, &id)?;

    let mut reader = Reader::new(app);
    let reading = async {
        match &given {
            Given::Issuer(issuer) => reader.of_issuer(issuer).await,
            Given::Mcp(address) => reader.of_mcp(address).await,
        }
    };
    let found = tokio::time::timeout(LIMIT, reading).await.map_err(|_| too_slow(&given))??;
    let mut draft = Draft::of(&found, can_be_described(&base_url, &found))?;
    wanted.say(&mut draft.connector, &id);
    draft.connector.check(app.config.loopback_egress).map_err(|error| {
        Error::refused(Refusal::InvalidMetadata, format!("what was found makes no connector: {error}"))
    })?;

    let old = stored(app, &authority, &id).await?;
    must_not_differ(app, &authority, old.as_ref(), &draft.connector).await?;
    let clients = clients(app, &authority, &mut draft, &base_url).await?;
    app.settings.put_custom(&authority.project.id, &draft.connector).await?;
    let said = match &old {
        None => "made",
        Some(old) if *old == draft.connector => "unchanged",
        Some(_) => "updated",
    };
    let answer = answer(app, &authority, &draft, &found, &base_url).await?;
    let answer = answer.into_iter().chain([("outcome".to_owned(), said.into()), ("clients".to_owned(), clients)]);
    Ok(Response::json(&Value::Object(answer.collect())))
}

fn too_slow(given: &Given) -> Error {
    let address = match given {
        Given::Issuer(issuer) => issuer.clone(),
        Given::Mcp(address) => address.to_string(),
    };
    Error::Server { address, cause: shared::error::ProviderError::Timeout }
}

impl Wanted {
    /// One of the two addresses.
    fn given(&self, local: bool) -> Result<Given, Error> {
        match (&self.issuer, &self.mcp) {
            (Some(issuer), None) => {
                metadata::issuer(issuer, local).map_err(|why| Error::invalid(format!("issuer: {why}")))?;
                Ok(Given::Issuer(issuer.clone()))
            }
            (None, Some(mcp)) => {
                let address = metadata::address(mcp, local).map_err(|why| Error::invalid(format!("mcp: {why}")))?;
                Ok(Given::Mcp(address))
            }
            _ => Err(Error::invalid(
                "give one of issuer and mcp: the address of an authorization server, or of an MCP server",
            )),
        }
    }

    /// The id that was chosen, or the host's name with hyphens.
    fn id(&self, given: &Given) -> Result<ConnectorId, Error> {
        let host = match given {
            Given::Issuer(issuer) => Url::parse(issuer).ok(),
            Given::Mcp(address) => Some(address.clone()),
        };
        let host = host.as_ref().and_then(Url::host_str).unwrap_or_default().to_owned();
        let derived = || {
            let plain = host.replace(|c: char| !c.is_ascii_alphanumeric(), "-").to_ascii_lowercase();
            plain.chars().take(40).collect::<String>().trim_matches('-').to_owned()
        };
        let id = self.id.clone().unwrap_or_else(derived);
        ConnectorId::parse(&id)
            .ok_or_else(|| Error::invalid("id is 1 to 64 lower-case letters, digits and hyphens, the first no hyphen"))
    }

    /// What the operator says goes before what was found.
    fn say(&self, connector: &mut Connector, id: &ConnectorId) {
        connector.id = id.to_string().into();
        if let Some(name) = &self.name {
            connector.name = name.clone().into();
        }
        if must_be_label(&connector.name, 100).is_err() && self.name.is_none() {
            connector.name = id.to_string().into();
        }
        if let (Some(scopes), Some(oauth2)) = (&self.scopes, &mut connector.oauth2) {
            oauth2.scopes = List::Owned(scopes.iter().cloned().map(Into::into).collect());
        }
    }
}

/// Whether a server could fetch a document about us: a public one can't from this machine.
fn can_be_described(base_url: &str, found: &Found) -> bool {
    base_url.starts_with("https://") || found.server.issuer.starts_with("http://")
}

async fn stored(app: &App, authority: &Authority, id: &ConnectorId) -> Result<Option<Connector>, Error> {
    let project = &authority.project.id;
    Ok(app.settings.read_fresh(&[Key::Custom(project.clone(), id.clone())]).await?.custom(project, id)?)
}

/// With connections nothing may change under them: what differs is said, and that the operator decides.
async fn must_not_differ(
    app: &App,
    authority: &Authority,
    old: Option<&Connector>,
    new: &Connector,
) -> Result<(), Error> {
    let Some(old) = old.filter(|old| !is_same(old, new)) else { return Ok(()) };
    let id = ConnectorId::of(new);
    for environment in ENVIRONMENTS {
        if is_connected(app, authority, environment, &id).await? {
            let differs = differences(old, new).join(", ");
            return Err(Error::refused(
                Refusal::ConnectorInUse,
                format!(
                    "there are connections with {id} in {environment}, and what the server says by now differs in {differs}: delete them first, or make a connector with another id"
                ),
            ));
        }
    }
    Ok(())
}

/// Whether two definitions are the same but for how the client proves itself: that is as it was registered, which is settled
/// after this.
fn is_same(old: &Connector, new: &Connector) -> bool {
    differences(old, new).iter().all(|field| field == "oauth2.token_endpoint_auth_method")
}

/// The fields in which two definitions differ.
fn differences(old: &Connector, new: &Connector) -> Vec<String> {
    let json = |connector: &Connector| serde_json::to_value(connector).unwrap_or_default();
    let mut found = Vec::new();
    differ("", &json(old), &json(new), &mut found);
    found
}

fn differ(at: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let added = new.keys().filter(|name| !old.contains_key(*name));
            for name in old.keys().chain(added) {
                let (old, new) = (old.get(name).unwrap_or(&Value::Null), new.get(name).unwrap_or(&Value::Null));
                let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                differ(&at, old, new, found);
            }
        }
        _ if old != new => found.push(at.to_owned()),
        _ => {}
    }
}

/// Sees to a client in each environment that the caller may act in, and says what it is.
async fn clients(app: &App, authority: &Authority, draft: &mut Draft, base_url: &str) -> Result<Value, Error> {
    let mut said = Map::new();
    for environment in ENVIRONMENTS.into_iter().filter(|environment| authority.covers(*environment)) {
        let client = client(app, authority, environment, draft, base_url).await?;
        said.insert(environment.to_string(), client);
    }
    Ok(Value::Object(said))
}

async fn client(
    app: &App,
    authority: &Authority,
    environment: Environment,
    draft: &mut Draft,
    base_url: &str,
) -> Result<Value, Error> {
    let (project, id) = (&authority.project.id, ConnectorId::of(&draft.connector));
    let place = Key::Connector(project.clone(), environment, id.clone());
    let record = Key::Registration(project.clone(), environment, id.clone());
    let read = app.settings.read_fresh(&[place.clone(), record.clone()]).await?;
    let in_use = read.connector(&place)?.and_then(|settings| settings.client_id);
    let registered = read.registration(&record)?.map(|known| known.client_id);
    let address = document_address(base_url, &id.within(project));
    if let Some(own) = in_use.as_ref().filter(|in_use| Some(*in_use) != registered.as_ref() && **in_use != address) {
        return Ok(json!({ "is": "own", "client_id": own }));
    }
    match draft.registers {
        Registers::Document => {
            let client = ProviderClient { client_id: address.clone(), ..ProviderClient::default() };
            let secret = ClientsSecret::Project(project.clone(), environment);
            let version = || format!("{:032x}", u128::from_be_bytes(app.random.bytes()));
            app.secrets.put_provider_client(&secret, &id, Some(&client), version).await?;
            app.settings.use_client(&place, &address).await?;
            Ok(json!({ "is": "document", "client_id": address }))
        }
        Registers::Dynamically => {
            let registration = registering::client(app, &authority.project, environment, &draft.connector).await?;
            if let (Some(method), Some(oauth2)) =
                (method_of(&registration.token_endpoint_auth_method), &mut draft.connector.oauth2)
            {
                oauth2.token_endpoint_auth_method = method; // the server has the last word (RFC 7591 §3.2.1)
            }
            Ok(
                json!({ "is": "registered", "client_id": registration.client_id, "registered_at": registration.registered_at.secs() }),
            )
        }
        Registers::Not => Ok(json!({
            "is": "missing",
            "next": format!(
                "the server registers no clients by itself: register one there with the redirect URI below and store it with PUT /v1/admin/projects/{project}/environments/{environment}/connectors/{id}"
            ),
        })),
    }
}

/// Where the document about the client stands.
fn document_address(base_url: &str, name: &ConnectorId) -> String {
    format!("{base_url}/connectors/{name}/client.json")
}

async fn answer(
    app: &App,
    authority: &Authority,
    draft: &Draft,
    found: &Found,
    base_url: &str,
) -> Result<Map<String, Value>, Error> {
    let id = ConnectorId::of(&draft.connector);
    let redirect_uri = redirect_uri(base_url, &id.within(&authority.project.id), Callback::Own);
    let registrations = registering::records(app, authority, &id).await?;
    let answer = json!({
        "id": id,
        "name": draft.connector.name,
        "project": authority.project.id,
        "redirect_uri": redirect_uri,
        "documents": found.documents,
        "found": draft.found(),
        "hosts": draft.hosts(),
        "registrations": registrations,
        "definition": draft.connector,
    });
    Ok(match answer {
        Value::Object(members) => members,
        _ => Map::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(body: &Value) -> Result<ConnectorId, Error> {
        let body = body.to_string().into_bytes().into();
        let request = Request::new("POST", "/".to_owned(), String::new(), Vec::new(), body, "r".to_owned());
        let wanted: Wanted = request.json()?;
        wanted.id(&wanted.given(false)?)
    }

    #[test]
    fn an_address_names_its_connector() {
        let table = [
            (json!({"issuer": "https://accounts.example.com/tenant"}), "accounts-example-com"),
            (json!({"mcp": "https://mcp.linear.example/mcp"}), "mcp-linear-example"),
            (json!({"mcp": "https://mcp.linear.example/mcp", "id": "linear"}), "linear"),
            (json!({"issuer": "http://accounts.example.com"}), "issuer: it does not begin with https://"),
            (json!({"issuer": "https://10.0.0.1"}), "issuer: its host is not a public name"),
            (json!({"mcp": "https://localhost/mcp"}), "mcp: its host is not a public name"),
            (
                json!({"mcp": "https://a.example/mcp", "id": "A b"}),
                "id is 1 to 64 lower-case letters, digits and hyphens, the first no hyphen",
            ),
            (
                json!({"mcp": "https://a.example/mcp", "issuer": "https://a.example"}),
                "give one of issuer and mcp: the address of an authorization server, or of an MCP server",
            ),
            (json!({}), "give one of issuer and mcp: the address of an authorization server, or of an MCP server"),
        ];
        for (body, expected) in table {
            let said = wanted(&body).map_or_else(|error| error.to_string(), |id| id.to_string());
            assert_eq!(said, expected, "{body}");
        }
    }
}
