//! App clients: the programs that may ask, each of one project and environment, with roles and a secret of its own.

use serde::Deserialize;
use serde_json::{Value, json};
use shared::{
    app::App,
    caller::secret_key,
    clock::Timestamp,
    error::{Error, Missing},
    http::{Request, Response},
    id::{ClientId, Environment, Role},
    label::{LONGEST, must_be_label},
    secret::{AppSecret, Bearer},
    store::settings::{AppClient, Key},
};

use crate::authority::Authority;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    name: String,
    #[serde(default)]
    description: String,
    roles: Vec<Role>,
    environment: Environment,
}

/// Makes an app client. Its secret is in this answer and in no other: what is stored is a digest.
pub async fn create(app: &App, request: &Request) -> Result<Response, Error> {
    let authority = Authority::over_project(app, request).await?;
    let new: New = request.json()?;
    must_be_described(&new)?;
    if !authority.covers(new.environment) {
        return Err(Error::NotFound(Missing::Environment));
    }
    // before anything is written: a secret that is shown once must be shown
    let token_url = format!("{}/oauth2/token", app.base_url(app.clock.now()).await?);

    let client = AppClient {
        id: ClientId::random(&authority.project.id, new.environment, &app.random),
        name: new.name,
        description: new.description,
        roles: new.roles,
        created_at: app.clock.now(),
        revoked_at: None,
    };
    let bearer = Bearer::random(&app.random);
    app.settings.create_client(&client, &bearer.digest()).await?;

    let secret = AppSecret::from(bearer.expose().to_owned());
    let mut answer = record(&client);
    answer["client_secret"] = secret.expose().into();
    answer["secret_key"] = secret_key(&client.id, &secret).into();
    answer["token_url"] = token_url.into();
    Ok(Response::created(&answer))
}

fn must_be_described(new: &New) -> Result<(), Error> {
    must_be_label(&new.name, LONGEST).map_err(|unfit| Error::invalid(format!("name {unfit}")))?;
    if !new.description.is_empty() {
        must_be_label(&new.description, LONGEST).map_err(|unfit| Error::invalid(format!("description {unfit}")))?;
    }
    let twice = new.roles.iter().enumerate().any(|(at, role)| new.roles.iter().take(at).any(|before| before == role));
    if new.roles.is_empty() || twice {
        return Err(Error::invalid("roles names at least one of admin, connect, use, read, and none twice"));
    }
    Ok(())
}

/// The app clients, revoked ones included. An app client sees those of its own environment.
pub async fn list(app: &App, request: &Request) -> Result<Response, Error> {
    let authority = Authority::over_project(app, request).await?;
    let clients = app.settings.clients(&authority.project.id).await?;
    let seen = clients.iter().filter(|client| authority.covers(client.id.environment()));
    let rows: Vec<Value> = seen.map(record).collect();
    Ok(Response::json(&json!({ "rows": rows, "total": rows.len() })))
}

/// Revokes an app client and answers its record: within half a minute no key or token of it opens anything. Again changes
/// nothing.
pub async fn revoke(app: &App, request: &Request) -> Result<Response, Error> {
    let authority = Authority::over_project(app, request).await?;
    let id = ClientId::parse(request.param("client")?)
        .filter(|id| id.project() == authority.project.id && authority.covers(id.environment()))
        .ok_or(Error::NotFound(Missing::Client))?;
    if !app.settings.revoke_client(&id, app.clock.now()).await? {
        return Err(Error::NotFound(Missing::Client));
    }
    let read = app.settings.read_fresh(&[Key::Client(id.clone())]).await?;
    let (client, _) = read.client(&id)?.ok_or(Error::NotFound(Missing::Client))?;
    Ok(Response::json(&record(&client)))
}

fn record(client: &AppClient) -> Value {
    json!({
        "id": client.id,
        "client_id": client.id,
        "name": client.name,
        "description": client.description,
        "roles": client.roles,
        "environment": client.id.environment(),
        "created_at": client.created_at.secs(),
        "revoked_at": client.revoked_at.map(Timestamp::secs),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(name: &str, description: &str, roles: &[Role]) -> New {
        New {
            name: name.to_owned(),
            description: description.to_owned(),
            roles: roles.to_vec(),
            environment: Environment::Test,
        }
    }

    #[test]
    fn an_app_client_has_a_name_and_a_role() {
        let table = [
            (new("Back end", "", &[Role::Connect]), true),
            (new("Back end", "For the shop", &Role::ALL), true),
            (new("", "", &[Role::Connect]), false),
            (new("a\nb", "", &[Role::Connect]), false),
            (new("a\u{200b}b", "", &[Role::Connect]), false),
            (new("Back end", "a\u{feff}b", &[Role::Connect]), false),
            (new("Back end", "a\nb", &[Role::Connect]), false),
            (new("Back end", "", &[]), false),
            (new("Back end", "", &[Role::Use, Role::Use]), false),
        ];
        for (new, accepted) in table {
            assert_eq!(must_be_described(&new).is_ok(), accepted, "{:?} {:?}", new.name, new.roles);
        }
    }
}
