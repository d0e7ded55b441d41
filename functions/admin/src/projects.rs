//! Projects: a customer's product, with an environment for development and one for customers.

use serde::Deserialize;
use serde_json::{Value, json};
use shared::{
    app::App,
    brand::{Brand, Colour},
    error::{Error, Missing},
    http::{Request, Response},
    id::{Environment, ProjectId},
    label::{LONGEST, Unfit, must_be_label},
    store::settings::{OtherAccount, Project},
};

use crate::{
    addresses::{LogoUrl, Origins, RedirectUris},
    authority::{self, Authority},
};

/// A name for people: it stands on every page that asks for consent.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Name(String);

impl TryFrom<String> for Name {
    type Error = Unfit;

    fn try_from(text: String) -> Result<Self, Unfit> {
        must_be_label(&text, LONGEST).map(|()| Self(text))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    name: Name,
    #[serde(default)]
    allowed_origins: Origins,
    #[serde(default)]
    redirect_uris: RedirectUris,
    #[serde(default)]
    vouches_for_users: bool,
    #[serde(default)]
    reconnect_other_account: OtherAccount,
    #[serde(default)]
    brand: Dress,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    name: Option<Name>,
    allowed_origins: Option<Origins>,
    redirect_uris: Option<RedirectUris>,
    vouches_for_users: Option<bool>,
    reconnect_other_account: Option<OtherAccount>,
    brand: Option<Dress>,
}

/// How the project's pages look. It is replaced as a whole: an empty one takes all off.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Dress {
    colour: Option<Colour>,
    logo_url: Option<LogoUrl>,
}

impl Dress {
    fn brand(&self) -> Brand {
        Brand { colour: self.colour, logo_url: self.logo_url.as_ref().map(|LogoUrl(url)| url.clone()) }
    }
}

/// Makes a project. Both its environments are there from the start.
pub async fn create(app: &App, request: &Request) -> Result<Response, Error> {
    authority::root(app, request).await?;
    let new: New = request.json()?;
    let project = Project {
        id: ProjectId::random(&app.random),
        name: new.name.0,
        allowed_origins: new.allowed_origins.0,
        redirect_uris: new.redirect_uris.0,
        vouches_for_users: new.vouches_for_users,
        reconnect_other_account: new.reconnect_other_account,
        brand: new.brand.brand(),
        created_at: app.clock.now(),
    };
    app.settings.create_project(&project).await?;
    Ok(Response::created(&record(&project)))
}

/// Every project's id and name.
pub async fn list(app: &App, request: &Request) -> Result<Response, Error> {
    authority::root(app, request).await?;
    let projects = app.settings.projects().await?;
    let rows: Vec<Value> = projects.iter().map(|(id, name)| json!({ "id": id, "name": name })).collect();
    Ok(Response::json(&json!({ "rows": rows, "total": rows.len() })))
}

/// One project.
pub async fn read(app: &App, request: &Request) -> Result<Response, Error> {
    let id = Authority::over_project(app, request).await?.project.id;
    let project = authority::project(app, id.as_str()).await?;
    Ok(Response::json(&record(&project)))
}

/// Changes what the body names and leaves the rest. A list is replaced as a whole.
pub async fn update(app: &App, request: &Request) -> Result<Response, Error> {
    let authority = Authority::over_project(app, request).await?;
    authority.must_cover_live()?;
    let id = authority.project.id;
    let change: Change = request.json()?;
    let changed = app.settings.update_project(&id, |project| change.apply(project)).await?;
    let project = changed.ok_or(Error::NotFound(Missing::Project))?;
    Ok(Response::json(&record(&project)))
}

impl Change {
    fn apply(&self, project: &mut Project) {
        if let Some(Name(name)) = &self.name {
            project.name.clone_from(name);
        }
        if let Some(Origins(origins)) = &self.allowed_origins {
            project.allowed_origins.clone_from(origins);
        }
        if let Some(RedirectUris(uris)) = &self.redirect_uris {
            project.redirect_uris.clone_from(uris);
        }
        if let Some(vouches) = self.vouches_for_users {
            project.vouches_for_users = vouches;
        }
        if let Some(other) = self.reconnect_other_account {
            project.reconnect_other_account = other;
        }
        if let Some(dress) = &self.brand {
            project.brand = dress.brand();
        }
    }
}

fn record(project: &Project) -> Value {
    json!({
        "id": project.id,
        "name": project.name,
        "allowed_origins": project.allowed_origins,
        "redirect_uris": project.redirect_uris,
        "vouches_for_users": project.vouches_for_users,
        "reconnect_other_account": project.reconnect_other_account,
        "brand": project.brand,
        "environments": [Environment::Test, Environment::Live],
        "created_at": project.created_at.secs(),
    })
}
