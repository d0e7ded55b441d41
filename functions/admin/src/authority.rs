//! Who administers what.
//!
//! The root key opens everything. An app client with the role `admin` opens its own project, and of what differs by
//! environment its own half alone: to it the other one is not there. What both environments share (the project itself, its
//! custom connectors) an app client changes only if it is one of the live environment: whoever holds a test key must not
//! decide where live users are sent.

use shared::{
    app::App,
    error::{Error, Missing},
    http::Request,
    id::{Environment, ProjectId, Role},
    store::settings::{Key, Project},
};

/// Somebody who may change the project that the path names.
pub struct Authority {
    /// The project, as it was when they were let in.
    pub project: Project,
    /// The one environment that they may act in; none means both.
    only: Option<Environment>,
}

/// Fails unless the request carries the root key.
pub async fn root(app: &App, request: &Request) -> Result<(), Error> {
    if !app.has_root_key(request).await? {
        // a credential that is good, but not for this, is told apart from one that is not
        app.caller(request, &Role::ALL).await?;
        return Err(Error::RootKeyMissing);
    }
    learn_base_url(app, request).await
}

impl Authority {
    /// Lets in who may administer the project in the path.
    pub async fn over_project(app: &App, request: &Request) -> Result<Self, Error> {
        Self::over(app, request, Some(request.param("project")?)).await
    }

    /// Lets in who may administer the project of this id. An app client need not name its own; the root key has none.
    pub async fn over(app: &App, request: &Request, named: Option<&str>) -> Result<Self, Error> {
        let authority = if app.has_root_key(request).await? {
            let named = named.ok_or_else(|| Error::invalid("project is missing: the root key has none of its own"))?;
            Self { project: project(app, named).await?, only: None }
        } else {
            let caller = app.caller(request, &[Role::Admin]).await?;
            named.map_or(Ok(()), |named| caller.must_be(named))?;
            Self { project: caller.project, only: Some(caller.environment) }
        };
        learn_base_url(app, request).await?;
        Ok(authority)
    }

    /// Whether they may act in this environment.
    #[must_use]
    pub fn covers(&self, environment: Environment) -> bool {
        self.only.is_none_or(|own| own == environment)
    }

    /// Fails unless they may change what both environments share.
    pub fn must_cover_live(&self) -> Result<(), Error> {
        if self.covers(Environment::Live) { Ok(()) } else { Err(Error::LiveKeyMissing) }
    }

    /// The environment that the path names, if they may act in it.
    pub fn environment(&self, request: &Request) -> Result<Environment, Error> {
        let named = Environment::parse(request.param("environment")?);
        named.filter(|environment| self.covers(*environment)).ok_or(Error::NotFound(Missing::Environment))
    }
}

/// A project as it stands now.
pub async fn project(app: &App, named: &str) -> Result<Project, Error> {
    let id = ProjectId::parse(named).ok_or(Error::NotFound(Missing::Project))?;
    let read = app.settings.read_fresh(&[Key::Project(id.clone())]).await?;
    read.project(&id)?.ok_or(Error::NotFound(Missing::Project))
}

/// Writes down the public address, where it is not known yet: the first admin call through the gateway tells it, in the
/// gateway's own words and never a header's.
async fn learn_base_url(app: &App, request: &Request) -> Result<(), Error> {
    let Some(gateway) = request.gateway.as_ref().filter(|_| app.config.public_url.is_none()) else { return Ok(()) };
    if app.settings.deployment(app.clock.now()).await?.base_url.is_none() {
        app.settings.set_base_url(gateway.as_str().trim_end_matches('/')).await?;
    }
    Ok(())
}
