//! Whose browser this is: a link is opened once, by a token in its address, and afterwards known by a cookie.

use std::collections::BTreeMap;

use shared::{
    app::App,
    error::Error,
    flow::begin::{Asked, Reconnect},
    http::{Request, Response, cookie, failure},
    routes::Voice,
    secret::{Bearer, Digest},
    store::{
        attempts::{Completion, Shape},
        connections::Connection,
        links::{LedBy, Link, PAGE_LIFETIME, cookie_name},
        settings::Project,
    },
};

/// A browser that opened a link.
pub struct Visit {
    /// What the link opens.
    pub link: Link,
    /// The link's name in addresses and forms of our pages: the digest of its token, worth nothing without the cookie.
    pub name: Digest,
    /// The value of the cookie.
    pub cookie: Bearer,
}

impl Visit {
    /// The visit of a browser that the address names by the link's name.
    pub async fn of(app: &App, request: &Request) -> Result<Self, Error> {
        let query = request.query()?;
        let visit = Self::again(app, request, query.one("link")?).await?;
        visit.must_fit(query.one("organizationId")?)?;
        Ok(visit)
    }

    /// Fails if another project than the link's was named.
    pub fn must_fit(&self, said: Option<&str>) -> Result<(), Error> {
        if said.is_some_and(|said| said != self.link.project.as_str()) { Err(Error::UnknownState) } else { Ok(()) }
    }

    /// The answer, a failure too, with the cookie that says so the next time: the link is this browser's from now on, and
    /// a mistake in the address must not lose it.
    pub fn answer(&self, app: &App, request: &Request, result: Result<Response, Error>) -> Response {
        let response = result.unwrap_or_else(|error| failure(app, request, Voice::Page, &error));
        response.with("set-cookie", &cookie(&cookie_name(&self.name), self.cookie.expose(), PAGE_LIFETIME.as_secs()))
    }

    /// The visit of the first browser that comes with the token, and of no other.
    pub async fn claim(app: &App, request: &Request, name: Digest) -> Result<Self, Error> {
        let cookie = match request.cookie(&cookie_name(&name)) {
            Some(value) if value.len() <= 64 => Bearer::from(value.to_owned()),
            _ => Bearer::random(&app.random),
        };
        let link = app.links.claim(&name, &cookie.digest(), app.clock.now()).await?;
        Ok(Self { link, name, cookie })
    }

    /// The visit of a browser that opened the link before.
    pub async fn again(app: &App, request: &Request, name: Option<&str>) -> Result<Self, Error> {
        let name = name.and_then(Digest::parse).ok_or(Error::UnknownState)?;
        let cookie = Bearer::from(request.cookie(&cookie_name(&name)).ok_or(Error::UnknownState)?.to_owned());
        let link = app.links.reopen(&name, &cookie.digest(), app.clock.now()).await?;
        Ok(Self { link, name, cookie })
    }

    /// What is begun here.
    #[must_use]
    pub fn asked<'a>(
        &self,
        project: &'a Project,
        renewed: Option<&Connection>,
        given: BTreeMap<String, String>,
    ) -> Asked<'a> {
        let link = &self.link;
        let return_to = link.return_to.clone();
        Asked {
            project,
            environment: link.environment,
            identity: link.identity.clone(),
            identity_label: link.identity_label.clone(),
            shape: match link.led_by {
                LedBy::Address => Shape::Link { return_to, link: Some(self.name.as_str().to_owned()) },
                LedBy::Page { .. } => Shape::Page { return_to },
            },
            reconnect: renewed.map(|renewed| self.reconnect(renewed)),
            session: link.session.clone(),
            name: None,
            given,
        }
    }

    fn reconnect(&self, renewed: &Connection) -> Reconnect {
        let further = self.link.upgrade.iter().flat_map(|upgrade| &upgrade.scopes);
        Reconnect { key: renewed.key.clone(), scopes: renewed.requested.iter().chain(further).cloned().collect() }
    }

    /// What completes it.
    #[must_use]
    pub fn completion(&self) -> Completion {
        match self.link.led_by {
            LedBy::Page { proven: true } => Completion::BoundAtStart,
            LedBy::Page { proven: false } | LedBy::Address => Completion::PersonConfirms,
        }
    }

    /// What a form of this visit is for.
    #[must_use]
    pub fn purpose(&self) -> String {
        format!("connect {}", self.name.as_str())
    }
}
