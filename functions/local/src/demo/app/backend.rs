//! The routes that a customer of Mooring writes for its own front end: one hands out one-time tokens, one connect sessions, one
//! serves the embedded widget. Each acts for the user who is logged in here, whatever the browser claims.

use std::sync::Arc;

use axum::{
    Json,
    extract::{RawQuery, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
            ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ORIGIN, VARY,
        },
    },
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{
    App,
    mooring::Trouble,
    people::{Person, person},
};
use crate::demo::{parameters::Parameters, refusal::Refusal};

/// `GET /api/get-one-time-connector-token?userId=&connectorId=`: answers what Mooring answers.
pub async fn one_time_token(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Denial> {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes());
    let person = app.logged_in_as(&headers, parameters.get("userId"))?;
    let connector = parameters.require("connectorId", "connectorId is missing")?;
    let redirect_uri = app.url.as_str();
    Ok(app.mooring.one_time_token(person, connector, redirect_uri).await?.into_response())
}

/// `POST /api/connect-session`: the session that `connect.js` works with. A page of another origin can't ask for it: the login's
/// cookie does not go along (`SameSite=Lax`), and what it says of itself is looked at besides.
pub async fn connect_session(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Denial> {
    let own = app.url.origin().ascii_serialization();
    if text(&headers, ORIGIN.as_str()).is_some_and(|origin| origin != own) {
        return Err(Denial::SomebodyElse);
    }
    let user = app.sessions.visitor(&headers).user.as_deref().and_then(person).ok_or(Denial::NotLoggedIn)?;
    Ok(app.mooring.session(user).await?.into_response())
}

/// `POST /api/one-auth`: a page of the widget's list, with the session that the widget works with.
pub async fn widget_token(State(app): State<Arc<App>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let query = Parameters::parse(query.unwrap_or_default().as_bytes());
    let answer = app.widget_page(&query, &headers).await.into_response();
    app.readable_from_frame(&headers, answer)
}

/// `OPTIONS /api/one-auth`: whether the widget's frame may send its headers and the login cookie (Fetch §3.3).
pub async fn preflight(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let mut answer = StatusCode::NO_CONTENT.into_response();
    let answers = answer.headers_mut();
    answers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    answers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    let asked = headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    answers.extend(asked.map(|names| (ACCESS_CONTROL_ALLOW_HEADERS, names)));
    app.readable_from_frame(&headers, answer)
}

impl App {
    async fn widget_page(&self, query: &Parameters, headers: &HeaderMap) -> Result<Response, Denial> {
        let person = self.logged_in_as(headers, text(headers, "x-user-id"))?;
        let (page, limit) = (number(query, headers, "page", 1)?, number(query, headers, "limit", 100)?);
        Ok(self.mooring.widget_token(person, page, limit).await?.into_response())
    }

    /// The user who is logged in, provided that the request means that user.
    ///
    /// The id in the request proves nothing: anybody can write somebody else's there. Samples that are copied from
    /// page to page pass it on as it is, and so let every visitor connect accounts for, and list those of, every
    /// user: an open door. Here the session decides, and a different id is refused rather than quietly replaced,
    /// so that a front end with a mistake notices.
    ///
    /// In production the widget's frame is on another site, to which browsers send no Lax cookie. There, let the
    /// page put a short-lived token of the product's own into `linkHeaders`, and take the user from that token.
    fn logged_in_as(&self, headers: &HeaderMap, claimed: Option<&str>) -> Result<&'static Person, Denial> {
        let user = self.sessions.visitor(headers).user.ok_or(Denial::NotLoggedIn)?;
        let claimed = claimed.ok_or(Denial::NotLoggedIn)?;
        if claimed != user {
            return Err(Denial::SomebodyElse);
        }
        person(&user).ok_or(Denial::NotLoggedIn)
    }

    /// Lets Mooring's frame and the app's own pages read the answer; a page of any other origin learns nothing.
    fn readable_from_frame(&self, headers: &HeaderMap, mut answer: Response) -> Response {
        answer.headers_mut().append(VARY, HeaderValue::from_static("Origin"));
        let known = [&self.mooring.base_url, &self.url].map(|url| url.origin().ascii_serialization());
        let origin =
            headers.get(ORIGIN).filter(|origin| known.iter().any(|known| known.as_bytes() == origin.as_bytes()));
        if let Some(origin) = origin {
            answer.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            answer.headers_mut().insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        answer
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().filter(|text| !text.is_empty())
}

/// A number of the query; frames of long ago sent it as a header.
fn number(query: &Parameters, headers: &HeaderMap, name: &str, absent: u32) -> Result<u32, Refusal> {
    match query.get(name).or_else(|| text(headers, name)) {
        None => Ok(absent),
        Some(value) => {
            let number = value.parse().ok().filter(|number| *number > 0);
            number.ok_or(Refusal::invalid_request("page and limit must be positive numbers"))
        }
    }
}

/// Why a route of the back end has no answer of Mooring's to pass on.
pub enum Denial {
    /// Nobody is logged in, or the request names nobody.
    NotLoggedIn,
    /// The request names a user other than the one who is logged in.
    SomebodyElse,
    /// The request is wrong.
    Wrong(Refusal),
    /// Mooring did not answer.
    Mooring(Trouble),
}

impl IntoResponse for Denial {
    fn into_response(self) -> Response {
        let (status, error) = match self {
            Self::NotLoggedIn => (StatusCode::UNAUTHORIZED, json!({ "error": "Unauthorized" })),
            Self::SomebodyElse => (StatusCode::FORBIDDEN, json!({ "error": "Forbidden" })),
            Self::Wrong(refusal) => return refusal.into_response(),
            Self::Mooring(trouble) => {
                let description = trouble.sentence();
                (StatusCode::BAD_GATEWAY, json!({ "error": "mooring_unavailable", "error_description": description }))
            }
        };
        (status, Json(error)).into_response()
    }
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Self {
        Self::Wrong(refusal)
    }
}

impl From<Trouble> for Denial {
    fn from(trouble: Trouble) -> Self {
        Self::Mooring(trouble)
    }
}
