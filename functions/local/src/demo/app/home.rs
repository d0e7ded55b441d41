//! The page, and what its buttons do.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{
    App, CONNECTOR,
    mooring::{Answer, Connection, Trouble},
    people::{EVERYBODY, Person, person},
};
use crate::demo::{
    Secret,
    calendar::utc,
    page::{page, page_with_scripts, see_other},
    parameters::Parameters,
    sessions::{Forged, Visitor},
};

/// The most of an API's answer that fits on the page.
const SHOWN: usize = 16 * 1024;

/// `GET /`. Mooring brings the browser back here, with the outcome in the query.
pub async fn home(State(app): State<Arc<App>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes());
    let visitor = app.sessions.visitor(&headers);
    let answer = match logged_in(&visitor) {
        Some(person) => app.show(person, &visitor, Notice::of_return(&parameters), None).await,
        None => page(StatusCode::OK, &WelcomePage { csrf: &visitor.csrf, people: &EVERYBODY }),
    };
    app.sessions.remember(&visitor, answer)
}

/// `POST /login`: one click, as this is a demo.
pub async fn log_in(State(app): State<Arc<App>>, headers: HeaderMap, form: Parameters) -> Result<Response, Stop> {
    let visitor = app.sessions.submitted(&headers, form.get("csrf"))?;
    let person = form.get("user").and_then(person).ok_or(Stop::UnknownUser)?;
    let visitor = app.sessions.log_in(&visitor, person.id);
    Ok(app.sessions.remember(&visitor, see_other("/")))
}

/// `POST /logout`
pub async fn log_out(State(app): State<Arc<App>>, headers: HeaderMap, form: Parameters) -> Result<Response, Stop> {
    let visitor = app.sessions.submitted(&headers, form.get("csrf"))?;
    app.sessions.log_out(&visitor);
    Ok(see_other("/"))
}

/// `POST /connect`: leaves for Mooring's page with a token that works once.
pub async fn connect(State(app): State<Arc<App>>, headers: HeaderMap, form: Parameters) -> Result<Response, Stop> {
    let (visitor, person) = app.clicked(&headers, &form)?;
    match app.token(person).await {
        Ok(token) => Ok(see_other(app.mooring.connect_page(CONNECTOR, &token).as_str())),
        Err(trouble) => Ok(app.show(person, &visitor, Some(Notice::of(&trouble)), None).await),
    }
}

/// `POST /call`: asks Acme who the connected person is, through Mooring.
pub async fn call(State(app): State<Arc<App>>, headers: HeaderMap, form: Parameters) -> Result<Response, Stop> {
    let (visitor, person) = app.clicked(&headers, &form)?;
    let outcome = async { app.mooring.call(&app.own_connection(person, &form).await?, &["me"]).await }.await;
    Ok(app.show_outcome(person, &visitor, "GET /me", outcome).await)
}

/// `POST /disconnect`: deletes the connection and shows the receipt.
pub async fn disconnect(State(app): State<Arc<App>>, headers: HeaderMap, form: Parameters) -> Result<Response, Stop> {
    let (visitor, person) = app.clicked(&headers, &form)?;
    let outcome = async { app.mooring.disconnect(&app.own_connection(person, &form).await?).await }.await;
    Ok(app.show_outcome(person, &visitor, "Disconnect", outcome).await)
}

impl App {
    /// Who clicked, if the form is ours and somebody is logged in.
    fn clicked(&self, headers: &HeaderMap, form: &Parameters) -> Result<(Visitor, &'static Person), Stop> {
        let visitor = self.sessions.submitted(headers, form.get("csrf"))?;
        let person = logged_in(&visitor).ok_or(Stop::LoggedOut)?;
        Ok((visitor, person))
    }

    async fn token(&self, person: &Person) -> Result<Secret, Trouble> {
        let answer = self.mooring.one_time_token(person, CONNECTOR, self.url.as_str()).await?;
        answer.read::<OneTimeToken>().map(|answer| Secret::new(answer.token))
    }

    /// The connection that the form names, if it is the person's own. The secret key opens every connection of the
    /// project, so nobody but the app can tell whose a key is to use.
    async fn own_connection(&self, person: &Person, form: &Parameters) -> Result<Connection, Trouble> {
        let own = self.mooring.connections(person).await?;
        let named = own.into_iter().find(|connection| form.get("key") == Some(&connection.key));
        named.ok_or(Trouble::NotYours)
    }

    async fn show_outcome(
        &self,
        person: &Person,
        visitor: &Visitor,
        title: &'static str,
        outcome: Result<Answer, Trouble>,
    ) -> Response {
        match outcome {
            Ok(answer) => self.show(person, visitor, None, Some(Outcome::new(title, &answer))).await,
            Err(trouble) => self.show(person, visitor, Some(Notice::of(&trouble)), None).await,
        }
    }

    async fn show(
        &self,
        person: &Person,
        visitor: &Visitor,
        notice: Option<Notice>,
        outcome: Option<Outcome>,
    ) -> Response {
        let (connections, trouble) = match self.mooring.connections(person).await {
            Ok(connections) => (connections, None),
            Err(trouble) => (Vec::new(), Some(trouble.sentence())),
        };
        // The same sentence once is enough.
        let notice = notice.filter(|notice| trouble.as_ref() != Some(&notice.text));
        let csrf = visitor.csrf.as_str();
        let mooring = self.mooring.base_url.as_str().trim_end_matches('/');
        let home = HomePage { csrf, person, notice, outcome, connections, trouble, mooring, connector: CONNECTOR };
        page_with_scripts(&home, &self.mooring.base_url)
    }
}

fn logged_in(visitor: &Visitor) -> Option<&'static Person> {
    visitor.user.as_deref().and_then(person)
}

#[derive(Deserialize)]
struct OneTimeToken {
    token: String,
}

/// A sentence at the top of the page.
struct Notice {
    good: bool,
    text: String,
}

impl Notice {
    /// How connecting went, as the query of the way back says. Anybody can write such a link, so it is only shown;
    /// the list of connections is what counts.
    fn of_return(parameters: &Parameters) -> Option<Self> {
        if let Some(error) = parameters.get("error") {
            let text = match (error, parameters.get("error_description")) {
                ("access_denied", _) => "The account was not connected, because access was denied.".to_owned(),
                (_, Some(description)) => format!("The account was not connected: {description}"),
                (error, None) => format!("The account was not connected ({error})."),
            };
            return Some(Self { good: false, text });
        }
        let connected = parameters.get("status") == Some("connected");
        connected.then(|| Self { good: true, text: "The account is connected.".to_owned() })
    }

    fn of(trouble: &Trouble) -> Self {
        Self { good: false, text: trouble.sentence() }
    }
}

/// What a click has brought back.
struct Outcome {
    title: &'static str,
    status: String,
    good: bool,
    body: String,
}

impl Outcome {
    fn new(title: &'static str, answer: &Answer) -> Self {
        let body = answer.pretty().chars().take(SHOWN).collect();
        Self { title, status: answer.status.to_string(), good: answer.status.is_success(), body }
    }
}

impl Connection {
    fn label(&self) -> &str {
        if self.name.is_empty() { &self.platform } else { &self.name }
    }

    fn since(&self) -> String {
        if self.created_at == 0 { String::new() } else { utc(self.created_at / 1_000) }
    }

    fn works(&self) -> bool {
        ["", "active", "connected", "operational"].contains(&self.state.as_str())
    }
}

/// A click that led nowhere.
pub enum Stop {
    /// The form is not one that this browser was shown.
    Forged,
    /// The login is over.
    LoggedOut,
    /// There is no such user.
    UnknownUser,
}

impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        let (status, title) = match self {
            Self::Forged => (StatusCode::FORBIDDEN, "That page was out of date"),
            Self::LoggedOut => (StatusCode::UNAUTHORIZED, "You are logged out"),
            Self::UnknownUser => (StatusCode::BAD_REQUEST, "There is no such user"),
        };
        page(status, &StopPage { title })
    }
}

impl From<Forged> for Stop {
    fn from(_: Forged) -> Self {
        Self::Forged
    }
}

#[derive(Template)]
#[template(path = "orbit_welcome.html")]
struct WelcomePage<'a> {
    csrf: &'a str,
    people: &'a [Person],
}

#[derive(Template)]
#[template(path = "orbit_home.html")]
struct HomePage<'a> {
    csrf: &'a str,
    person: &'a Person,
    notice: Option<Notice>,
    outcome: Option<Outcome>,
    connections: Vec<Connection>,
    trouble: Option<String>,
    mooring: &'a str,
    connector: &'a str,
}

#[derive(Template)]
#[template(path = "orbit_stop.html")]
struct StopPage<'a> {
    title: &'a str,
}
