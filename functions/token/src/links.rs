//! One-time tokens and connect sessions: what lets a person's browser start, without the app's key in it.

use serde::Deserialize;
use serde_json::json;
use shared::{
    app::App,
    caller::{Caller, connector_keys},
    error::{Error, Missing, Refusal},
    http::{Params, Request, Response},
    id::{ConnectorId, Role},
    secret::Bearer,
    store::{
        links::{LIFETIME, LedBy, Link, Session},
        settings::Key,
    },
    subject::Subject,
};

/// Makes a one-time token for one user and connector: `{"user_id", "connector_id"}` in, `{"token", "expires_at", "ttl"}`
/// out, both times in seconds.
pub async fn one_time_token(app: &App, request: &Request) -> Result<Response, Error> {
    let form = request.form()?;
    let subject = Subject::from_params(&form)?;
    let connector = form.one("connector_id")?.map(str::to_owned);
    let connector_id = connector.as_deref().and_then(ConnectorId::parse);
    let caller = app
        .caller_reading(request, &[Role::Connect], |project, environment| {
            let user = subject.identity.iter().map(|user| Key::DeletedUser(project.clone(), environment, user.clone()));
            let connector = connector_id.iter().flat_map(|id| connector_keys(project, environment, id));
            user.chain(connector).collect()
        })
        .await?;

    caller.must_be(request.param("org")?)?;
    let user = subject.identity.as_ref().ok_or_else(|| Error::invalid("the parameter user_id is missing"))?;
    connector.ok_or_else(|| Error::invalid("the parameter connector_id is missing"))?;
    let connector_id = connector_id.ok_or(Error::NotFound(Missing::Connector))?;
    let (project, environment) = (&caller.project.id, caller.environment);
    if caller.read.is_deleted(&Key::DeletedUser(project.clone(), environment, user.clone())) {
        return Err(Error::NotFound(Missing::User));
    }
    app.connector_from(&caller.read, project, environment, &connector_id)?.must_be_ready()?;

    let link = Link {
        session: None,
        connectors: vec![connector_id],
        return_to: return_to(&caller, &form)?,
        ..link(app, &caller, &subject)
    };
    let token = Bearer::random(&app.random);
    app.links.put(&token, &link).await?;
    let expires_at = link.created_at.after(LIFETIME).secs();
    Ok(Response::json(&json!({ "token": token.expose(), "expires_at": expires_at, "ttl": LIFETIME.as_secs() })))
}

/// The part of a session's request that is not flat.
#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    connectors: Vec<String>,
}

/// Makes a connect session and a link to send: `{"identity", "identityType", "connectors"}` in, `{"session", "expires_at",
/// "url"}` out. Whoever opens the link confirms: it may be forwarded.
pub async fn session(app: &App, request: &Request) -> Result<Response, Error> {
    let wanted: Wanted = request.json()?;
    let form = Params::from_json(&request.body)?;
    let subject = Subject::from_params(&form)?;
    let connectors: Vec<ConnectorId> = wanted
        .connectors
        .iter()
        .map(|name| ConnectorId::parse(name).ok_or(Error::NotFound(Missing::Connector)))
        .collect::<Result<_, _>>()?;
    if connectors.len() > 20 {
        return Err(Error::invalid("connectors names at most 20; leave it out to offer all"));
    }
    let caller = app
        .caller_reading(request, &[Role::Connect], |project, environment| {
            let user = subject.identity.iter().map(|user| Key::DeletedUser(project.clone(), environment, user.clone()));
            user.chain(connectors.iter().flat_map(|id| connector_keys(project, environment, id))).collect()
        })
        .await?;
    let (project, environment) = (&caller.project.id, caller.environment);
    if subject
        .identity
        .iter()
        .any(|user| caller.read.is_deleted(&Key::DeletedUser(project.clone(), environment, user.clone())))
    {
        return Err(Error::NotFound(Missing::User));
    }
    for connector in &connectors {
        app.connector_from(&caller.read, project, environment, connector)?.must_be_ready()?;
    }

    let base_url = app.base_url(app.clock.now()).await?;
    let (session, token) = (Bearer::random(&app.random), Bearer::random(&app.random));
    let link = Link {
        session: Some(session.digest().as_str().to_owned()),
        connectors: connectors.clone(),
        return_to: return_to(&caller, &form)?,
        ..link(app, &caller, &subject)
    };
    let content = Session {
        project: link.project.clone(),
        environment: link.environment,
        identity: link.identity.clone(),
        identity_label: link.identity_label.clone(),
        connectors,
        created_at: link.created_at,
    };
    app.links.put_both(&session, &content, &token, &link).await?;

    let page = match link.connectors.as_slice() {
        [only] => format!("{base_url}/connect/{only}"),
        _ => format!("{base_url}/connect"),
    };
    let url = format!("{page}?token={}&organizationId={project}", token.expose());
    let expires_at = link.created_at.after(LIFETIME).secs();
    Ok(Response::json(&json!({ "session": session.expose(), "expires_at": expires_at, "url": url })))
}

fn link(app: &App, caller: &Caller, subject: &Subject) -> Link {
    Link {
        project: caller.project.id.clone(),
        environment: caller.environment,
        identity: subject.identity.clone(),
        identity_label: subject.label.clone(),
        connectors: Vec::new(),
        return_to: None,
        session: None,
        led_by: LedBy::Address,
        upgrade: None,
        created_at: app.clock.now(),
    }
}

/// Where the browser goes afterwards, if the project allows it: compared exactly (RFC 9700 §4.1.3).
fn return_to(caller: &Caller, form: &Params) -> Result<Option<String>, Error> {
    let Some(wanted) = form.one("redirect_uri")?.or(form.one("redirectUri")?) else { return Ok(None) };
    if caller.project.redirect_uris.iter().any(|allowed| allowed == wanted) {
        return Ok(Some(wanted.to_owned()));
    }
    Err(Error::refused(
        Refusal::InvalidRedirectUri,
        "redirect_uri is not one of the project's; add it with PATCH /v1/admin/projects/{project}",
    ))
}
