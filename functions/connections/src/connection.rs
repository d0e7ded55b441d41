//! Connections: listed, read, changed, deleted. One of another project or environment is not there.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared::{
    app::App,
    caller::Caller,
    error::{Error, Missing},
    flow::revoke::Revocation,
    http::{Params, Request, Response},
    id::{ConnectionKey, IdentityType, Role},
    label::{LONGEST, must_be_label},
    protocol::connector::{Connector, RevokeEffect},
    record::{self, Record},
    store::connections::{Chosen, Connection, Health, Stored},
    subject::Subject,
};

use crate::paging::Paging;

/// The most labels of a connection, and the longest one.
const TAGS: (usize, usize) = (20, 64);

/// A page of the connections, oldest first: of one identity, of the project itself (`identityType=project` alone), or of
/// everybody. `connector` or `platform` leaves those of one connector.
pub async fn list(app: &App, request: &Request) -> Result<Response, Error> {
    let caller = app.caller(request, &[Role::Read, Role::Connect]).await?;
    let query = request.query()?;
    let paging = Paging::of(&query, 100)?;
    let wanted = query.one("connector")?.or(query.one("platform")?);
    let mut connections = of_subject(app, &caller, &query).await?;
    connections.retain(|(connection, _)| wanted.is_none_or(|wanted| connection.connector.as_str() == wanted));

    let known = Known::of(app, &caller, &connections).await?;
    let record = |(connection, health): &'_ (Connection, Health)| {
        json!(Record::for_app(connection, *health, known.connector(connection)))
    };
    let mut answer = paging.answer(&connections, record, request);
    answer["consistency"] = "eventual".into();
    Ok(Response::json(&answer))
}

/// The connectors of a list: a project's own are read once, and only if there are any.
struct Known<'a> {
    app: &'a App,
    customs: Vec<Connector>,
}

impl<'a> Known<'a> {
    async fn of(app: &'a App, caller: &Caller, listed: &[(Connection, Health)]) -> Result<Self, Error> {
        let built_in = |connection: &Connection| app.catalog.connector(connection.connector.as_str()).is_some();
        let customs = if listed.iter().all(|(connection, _)| built_in(connection)) {
            Vec::new()
        } else {
            app.settings.customs(&caller.project.id).await?
        };
        Ok(Self { app, customs })
    }

    fn connector(&self, connection: &Connection) -> Option<&Connector> {
        let id = connection.connector.as_str();
        self.app.catalog.connector(id).or_else(|| self.customs.iter().find(|custom| custom.id == id))
    }
}

async fn of_subject(app: &App, caller: &Caller, query: &Params) -> Result<Vec<(Connection, Health)>, Error> {
    let (project, environment) = (&caller.project.id, caller.environment);
    let subject = Subject::from_params(query)?;
    match query.one("identityType")?.and_then(IdentityType::parse) {
        None if subject.identity.is_none() => Ok(app.connections.of_project(project, environment).await?),
        // an app that lost its user's id must not be shown everybody's connections
        Some(kind) if subject.identity.is_none() && kind != IdentityType::Project => {
            Err(Error::invalid(format!("identityType={} needs an identity", kind.as_str())))
        }
        _ => Ok(app.connections.of_owner(project, environment, subject.identity.as_ref()).await?),
    }
}

/// One connection, as it stands now.
pub async fn read(app: &App, request: &Request) -> Result<Response, Error> {
    let stored = named(app, request, &[Role::Read, Role::Connect]).await?;
    told(app, &stored.connection, stored.health).await
}

/// A connection as its app's back end is told of it.
async fn told(app: &App, connection: &Connection, health: Health) -> Result<Response, Error> {
    let connector = match app.connector_of(connection).await {
        Ok(connector) => Some(connector),
        Err(Error::NotFound(_)) => None, // a connection can outlive its connector by a moment
        Err(error) => return Err(error),
    };
    Ok(Response::json(&Record::for_app(connection, health, connector.as_deref())))
}

/// The caller's connection that the path names. Caller and connection are read in one round; nothing is told of what is not
/// theirs.
pub async fn named(app: &App, request: &Request, roles: &'static [Role]) -> Result<Stored, Error> {
    let key = ConnectionKey::parse(request.param("id")?);
    let find = async {
        match &key {
            Some(key) => app.connections.find(key).await,
            None => Ok(None),
        }
    };
    let (caller, stored) = tokio::join!(app.caller(request, roles), find);
    let caller = caller?;
    stored?.filter(|stored| is_own(&caller, stored)).ok_or(Error::NotFound(Missing::Connection))
}

/// What an app may change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    name: Option<String>,
    tags: Option<Vec<String>>,
    active: Option<bool>,
    /// What is chosen of several that the account reaches, by placeholder.
    choose: Option<Chosen>,
}

/// Changes what the body names and leaves the rest. An inactive connection stays, and passthrough refuses it. What is chosen is
/// looked up at the provider first: of what that does not offer, nothing is changed.
pub async fn update(app: &Arc<App>, request: &Request) -> Result<Response, Error> {
    let stored = named(app, request, &[Role::Connect]).await?;
    let change: Change = request.json()?;
    change.must_fit()?;
    let key = stored.connection.key.clone();
    if let Some(chosen) = &change.choose {
        let switched = app.switch(stored, chosen, request.deadline).await?;
        if change.is_of_the_choice_alone() {
            return told(app, &switched, Health::Connected).await;
        }
    }
    let changed = app.connections.update(&key, app.clock.now(), |connection| change.apply(connection)).await?;
    let (connection, health) = changed.ok_or(Error::NotFound(Missing::Connection))?;
    told(app, &connection, health).await
}

/// What can be chosen for a connection, and what is: asked at the provider just now.
pub async fn choices(app: &Arc<App>, request: &Request) -> Result<Response, Error> {
    let stored = named(app, request, &[Role::Connect]).await?;
    let offers = app.offers(stored, request.deadline).await?;
    let chosen: Map<_, _> = offers.iter().map(|offer| (offer.choices.name.clone(), json!(offer.chosen))).collect();
    let titles: Map<_, _> =
        offers.iter().map(|offer| (offer.choices.name.clone(), json!(offer.choices.title))).collect();
    Ok(Response::json(&json!({
        "choices": record::choices(offers.iter().map(|offer| &offer.choices)),
        "chosen": chosen,
        "titles": titles,
        "requestId": request.request_id,
    })))
}

impl Change {
    fn is_of_the_choice_alone(&self) -> bool {
        self.name.is_none() && self.tags.is_none() && self.active.is_none()
    }

    fn must_fit(&self) -> Result<(), Error> {
        if let Some(name) = &self.name {
            must_be_label(name, LONGEST).map_err(|unfit| Error::invalid(format!("name {unfit}")))?;
        }
        let (most, longest) = TAGS;
        let tags = self.tags.as_deref().unwrap_or_default();
        if tags.len() > most {
            return Err(Error::invalid(format!("tags is a list of at most {most}")));
        }
        tags.iter()
            .try_for_each(|tag| must_be_label(tag, longest))
            .map_err(|unfit| Error::invalid(format!("one of tags {unfit}")))
    }

    fn apply(&self, connection: &mut Connection) {
        if let Some(name) = &self.name {
            connection.name = Some(name.clone());
        }
        if let Some(tags) = &self.tags {
            connection.tags.clone_from(tags);
        }
        if let Some(active) = self.active {
            connection.active = active;
        }
    }
}

/// Deletes a connection, revokes its grant at the provider where that is safe, and answers a receipt.
pub async fn delete(app: &App, request: &Request) -> Result<Response, Error> {
    let stored = named(app, request, &[Role::Connect]).await?;
    let connection = stored.connection.clone();
    let revocation =
        app.delete_connection(stored, request.deadline).await?.ok_or(Error::NotFound(Missing::Connection))?;
    Ok(Response::json(&receipt(app, &connection, revocation, request).await))
}

/// The caller's connection of this key, if there is one.
pub async fn own(app: &App, caller: &Caller, key: Option<ConnectionKey>) -> Result<Option<Stored>, Error> {
    let Some(key) = key else { return Ok(None) };
    Ok(app.connections.find(&key).await?.filter(|stored| is_own(caller, stored)))
}

fn is_own(caller: &Caller, Stored { connection, .. }: &Stored) -> bool {
    connection.project == caller.project.id && connection.environment == caller.environment
}

/// What became of a deleted connection and its grant. `ends` says how much a revocation ends at the provider: where that is this
/// token alone, the app stays in the list that the person sees there.
pub async fn receipt(app: &App, connection: &Connection, revocation: Revocation, request: &Request) -> Value {
    json!({
        "id": connection.key,
        "key": connection.key,
        "deleted": true,
        "revocation": revocation,
        "ends": ends(app, connection, revocation).await,
        "requestId": request.request_id,
    })
}

async fn ends(app: &App, connection: &Connection, revocation: Revocation) -> Option<RevokeEffect> {
    match revocation {
        Revocation::Revoked | Revocation::Queued => {
            // the connection is gone already: what is not known is not said
            let connector = app.connector_of(connection).await.ok()?;
            connector.revoke.as_ref().map(|revoke| revoke.effect)
        }
        Revocation::KeptSharedGrant | Revocation::NotSupported | Revocation::Forgotten | Revocation::Failed => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(body: &Value) -> bool {
        let body = body.to_string().into_bytes().into();
        let request = Request::new("PATCH", "/".to_owned(), String::new(), Vec::new(), body, "r".to_owned());
        request.json().and_then(|change: Change| change.must_fit()).is_ok()
    }

    #[test]
    fn an_app_changes_name_tags_and_activity_alone() {
        let table = [
            (json!({}), true),
            (json!({ "name": "Ada's mail", "tags": ["a", "b"], "active": false }), true),
            (json!({ "tags": [] }), true),
            (json!({ "name": "" }), false),
            (json!({ "name": "a\u{0}" }), false),
            (json!({ "name": "a\u{2060}b" }), false),
            (json!({ "name": "👩\u{200d}💻" }), true),
            (json!({ "tags": ["a\u{ad}b"] }), false),
            (json!({ "name": 7 }), false),
            (json!({ "tags": ["x".repeat(65)] }), false),
            (json!({ "tags": vec!["x"; 21] }), false),
            (json!({ "active": "yes" }), false),
            (json!({ "identity": "somebody-else" }), false),
            (json!({ "scopes": ["more"] }), false),
        ];
        for (body, accepted) in table {
            assert_eq!(fits(&body), accepted, "{body}");
        }
    }
}
