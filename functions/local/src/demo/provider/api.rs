//! What the tokens are for: a profile, notes, and an echo. Tokens come as Bearer headers (RFC 6750 §2.1).

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Path, Request, State},
    http::{
        HeaderMap, StatusCode,
        header::{AUTHORIZATION, CACHE_CONTROL, COOKIE, HeaderName, LOCATION, PROXY_AUTHORIZATION},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Provider, faults::Endpoint, grant::grant_of, people::person, scope::Scope};
use crate::demo::{parameters::body, refusal::Refusal};

/// How many notes a user may have; the file they are kept in is rewritten with every change.
const NOTES: usize = 200;

/// One user's notes.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Notebook {
    last: u64,
    notes: BTreeMap<u64, Note>,
}

/// A note as a client writes it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    title: String,
    #[serde(default)]
    text: String,
}

/// A change to a note; what is absent stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amendment {
    title: Option<String>,
    text: Option<String>,
}

/// `GET /api/me`: whose token it is.
pub async fn me(State(provider): State<Arc<Provider>>, bearer: Bearer) -> Result<Json<Value>, Refusal> {
    provider.faults.strike(Endpoint::Profile)?;
    bearer.require(Scope::Profile)?;
    let person = person(&bearer.user).ok_or(INVALID_TOKEN)?;
    Ok(Json(json!({ "id": person.id, "name": person.name, "email": person.email })))
}

/// `GET /api/notes`
pub async fn list_notes(State(provider): State<Arc<Provider>>, bearer: Bearer) -> Result<Json<Value>, Refusal> {
    bearer.require(Scope::NotesRead)?;
    let notes: Vec<Value> = provider.records.read(|kept| {
        let notebook = kept.notebooks.get(&bearer.user);
        notebook.into_iter().flat_map(|book| &book.notes).map(|(id, note)| shown(*id, note)).collect()
    });
    Ok(Json(json!({ "notes": notes })))
}

/// `POST /api/notes`
pub async fn add_note(
    State(provider): State<Arc<Provider>>,
    bearer: Bearer,
    Body(note): Body<Note>,
) -> Result<Response, Refusal> {
    bearer.require(Scope::NotesWrite)?;
    let (id, note) = provider.records.change(|kept| {
        let notebook = kept.notebooks.entry(bearer.user).or_default();
        if notebook.notes.len() >= NOTES {
            return Err(TOO_MANY_NOTES);
        }
        notebook.last += 1;
        notebook.notes.insert(notebook.last, note.clone());
        Ok((notebook.last, note))
    })??;
    let location = [(LOCATION, format!("/api/notes/{id}"))];
    Ok((StatusCode::CREATED, location, Json(shown(id, &note))).into_response())
}

/// `GET /api/notes/{id}`, and `HEAD`
pub async fn note(
    State(provider): State<Arc<Provider>>,
    bearer: Bearer,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    bearer.require(Scope::NotesRead)?;
    let id = note_id(&id)?;
    let note = provider.records.read(|kept| kept.notebooks.get(&bearer.user)?.notes.get(&id).cloned());
    Ok(Json(shown(id, &note.ok_or(NO_SUCH_NOTE)?)))
}

/// `PUT /api/notes/{id}`: replaces a note that exists.
pub async fn replace_note(
    State(provider): State<Arc<Provider>>,
    bearer: Bearer,
    Path(id): Path<String>,
    Body(new): Body<Note>,
) -> Result<Json<Value>, Refusal> {
    provider.edit(&bearer, &id, |note| *note = new)
}

/// `PATCH /api/notes/{id}`
pub async fn amend_note(
    State(provider): State<Arc<Provider>>,
    bearer: Bearer,
    Path(id): Path<String>,
    Body(amendment): Body<Amendment>,
) -> Result<Json<Value>, Refusal> {
    provider.edit(&bearer, &id, |note| {
        note.title = amendment.title.unwrap_or_else(|| std::mem::take(&mut note.title));
        note.text = amendment.text.unwrap_or_else(|| std::mem::take(&mut note.text));
    })
}

/// `DELETE /api/notes/{id}`
pub async fn delete_note(
    State(provider): State<Arc<Provider>>,
    bearer: Bearer,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    bearer.require(Scope::NotesWrite)?;
    let id = note_id(&id)?;
    let note = provider.records.change(|kept| kept.notebooks.get_mut(&bearer.user)?.notes.remove(&id))?;
    note.map(|_| StatusCode::NO_CONTENT).ok_or(NO_SUCH_NOTE)
}

/// `ANY /api/echo`: what arrived here, without what proves who sent it. Repeated headers are joined (RFC 9110 §5.3).
pub async fn echo(
    State(provider): State<Arc<Provider>>,
    _bearer: Bearer,
    request: Request,
) -> Result<Response, Refusal> {
    let (method, uri) = (request.method().to_string(), request.uri().clone());
    let headers = without_credentials(request.headers());
    let body = body(request, &provider).await?;
    let echo = Json(json!({
        "method": method,
        "path": uri.path(),
        "query": uri.query().unwrap_or_default(),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    }));
    Ok(([(CACHE_CONTROL, "no-store")], echo).into_response())
}

impl Provider {
    fn edit(&self, bearer: &Bearer, id: &str, edit: impl FnOnce(&mut Note)) -> Result<Json<Value>, Refusal> {
        bearer.require(Scope::NotesWrite)?;
        let id = note_id(id)?;
        let note = self.records.change(|kept| {
            let note = kept.notebooks.get_mut(&bearer.user)?.notes.get_mut(&id)?;
            edit(note);
            Some(note.clone())
        })?;
        Ok(Json(shown(id, &note.ok_or(NO_SUCH_NOTE)?)))
    }
}

fn shown(id: u64, note: &Note) -> Value {
    json!({ "id": id.to_string(), "title": note.title, "text": note.text })
}

fn note_id(segment: &str) -> Result<u64, Refusal> {
    segment.parse().map_err(|_| NO_SUCH_NOTE)
}

fn without_credentials(headers: &HeaderMap) -> BTreeMap<String, String> {
    let shown = |name: &&HeaderName| ![AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION].contains(name);
    let values = |name: &HeaderName| {
        let values: Vec<_> = headers.get_all(name).iter().map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
        values.join(", ")
    };
    headers.keys().filter(shown).map(|name| (name.to_string(), values(name))).collect()
}

/// The person on whose behalf the request comes, and what the token allows.
pub struct Bearer {
    user: String,
    scopes: Vec<Scope>,
}

impl Bearer {
    /// RFC 6750 §3.1: a token that is good but not for this.
    fn require(&self, scope: Scope) -> Result<(), Refusal> {
        if self.scopes.contains(&scope) { Ok(()) } else { Err(INSUFFICIENT_SCOPE) }
    }
}

impl FromRequestParts<Arc<Provider>> for Bearer {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, provider: &Arc<Provider>) -> Result<Self, Refusal> {
        let header = parts.headers.get(AUTHORIZATION).ok_or(NO_TOKEN)?;
        let (scheme, token) = header.to_str().ok().and_then(|header| header.split_once(' ')).ok_or(NO_TOKEN)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(NO_TOKEN);
        }
        let (token, now) = (token.trim(), provider.now());
        let allowed = provider.records.read(|kept| {
            let grant = kept.grants.get(grant_of(token)?)?;
            let scopes = grant.allowed(token, now)?.to_vec();
            Some(Self { user: grant.user.clone(), scopes })
        });
        allowed.ok_or(INVALID_TOKEN)
    }
}

/// A JSON body of one form.
pub struct Body<T>(T);

impl<T: DeserializeOwned> FromRequest<Arc<Provider>> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, provider: &Arc<Provider>) -> Result<Self, Refusal> {
        let body = body(request, provider).await?;
        serde_json::from_slice(&body).map(Self).map_err(|_| NOT_A_NOTE)
    }
}

const NOT_A_NOTE: Refusal = Refusal::invalid_request("the body must be a JSON object with title and text");
const NO_SUCH_NOTE: Refusal = Refusal::new(StatusCode::NOT_FOUND, "not_found", "there is no such note");
const TOO_MANY_NOTES: Refusal = Refusal::new(StatusCode::CONFLICT, "too_many_notes", "delete a note first");

/// Without any token the challenge carries no error (RFC 6750 §3.1).
const NO_TOKEN: Refusal =
    Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", "an access token is needed").challenge("Bearer");
const INVALID_TOKEN: Refusal =
    Refusal::new(StatusCode::UNAUTHORIZED, "invalid_token", "the access token is unknown, expired or revoked")
        .challenge("Bearer error=\"invalid_token\"");
const INSUFFICIENT_SCOPE: Refusal =
    Refusal::new(StatusCode::FORBIDDEN, "insufficient_scope", "the access token does not allow this")
        .challenge("Bearer error=\"insufficient_scope\"");
