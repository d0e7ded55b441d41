//! A page with a connect session: who may start something with it, and where that page stands.
//!
//! A session comes from the app's back end, and is good for the connect routes alone. What is started with it completes without
//! another question only where the page that holds it was proven to be one of the project's: by `Origin`, or in the word of our
//! own start page and frame, which the browser told it by (`event.origin` of a message).

use url::Url;

use crate::{
    app::App,
    error::{Error, Refusal},
    http::{Request, bearer_token, form},
    secret::Bearer,
    store::{links::Session, settings::Project},
};

/// A session that something can be started with, and the bearer that names it.
pub struct PageSession {
    /// As it was sent.
    pub bearer: Bearer,
    /// What it is good for.
    pub session: Session,
}

impl App {
    /// The session that the request bears, sent by a page of our own.
    pub async fn session_of_our_page(&self, request: &Request) -> Result<PageSession, Error> {
        let bearer = request.single_header("authorization")?.and_then(bearer_token);
        let bearer =
            bearer.ok_or(Error::Unauthenticated { why: "send the session as a Bearer token", challenge: false })?;
        let (session, base_url) = tokio::join!(self.page_session(bearer), self.base_url(self.clock.now()));
        let session = session?;
        if !form::is_ours(request, &base_url?)? {
            return Err(Error::ForgedForm);
        }
        Ok(session)
    }

    /// The session of this bearer, if something can still be started with it.
    pub async fn page_session(&self, bearer: &str) -> Result<PageSession, Error> {
        let now = self.clock.now();
        let bearer = Bearer::from(bearer.to_owned());
        let session = self.links.session(&bearer, now).await?.filter(|session| session.expires_at() > now);
        let unknown = Error::Unauthenticated { why: "the session is unknown or has expired", challenge: false };
        session.map(|session| PageSession { bearer, session }).ok_or(unknown)
    }
}

/// The origin of the app's page, in the word of our start page and our frame.
///
/// The start page names its opener. Where that is our own frame, or where the frame asks by itself, the page is the frame's
/// parent: the frame has heard from it, and says so.
pub fn page_origin<'a>(base_url: &str, opener: Option<&'a str>, parent: Option<&'a str>) -> Result<&'a str, Error> {
    let own = Url::parse(base_url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    opener.filter(|opener| *opener != own).or(parent).ok_or_else(|| Error::invalid("opener or parent is missing"))
}

/// Fails unless the page is one of the project's.
pub fn must_be_allowed(project: &Project, origin: &str) -> Result<(), Error> {
    if project.allowed_origins.iter().any(|allowed| allowed == origin) {
        return Ok(());
    }
    Err(Error::refused(
        Refusal::OriginNotAllowed,
        "the page that asks is not of an allowed origin; add it with PATCH /v1/admin/projects/{project}",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_speaks_for_its_parent_alone() {
        let (base, own, app) = ("https://m.example/prod", Some("https://m.example"), Some("https://app.example"));
        assert_eq!(page_origin(base, app, None).unwrap(), "https://app.example");
        assert_eq!(page_origin(base, own, app).unwrap(), "https://app.example");
        assert_eq!(page_origin(base, None, app).unwrap(), "https://app.example");
        assert_eq!(page_origin(base, app, Some("https://other.example")).unwrap(), "https://app.example");
        assert!(page_origin(base, own, None).is_err());
        assert!(page_origin(base, None, None).is_err());
    }
}
