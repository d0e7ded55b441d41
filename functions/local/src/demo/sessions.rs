//! Who sits at the browser: a cookie session, and form tokens bound to it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::http::{HeaderMap, HeaderValue, header::COOKIE, header::SET_COOKIE};
use axum::response::{IntoResponse, Response};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;

use super::{
    Clock, Random,
    secret::{Hash, Secret},
};

/// How long a login lasts.
const LOGIN_SECONDS: u64 = 12 * 60 * 60;

/// The sessions of one service. Only logins take memory; a mere visitor is a random cookie.
pub struct Sessions {
    cookie: &'static str,
    attributes: &'static str,
    forms: hmac::Key,
    logins: Mutex<BTreeMap<Hash, Login>>,
    clock: Clock,
    random: Random,
}

struct Login {
    user: String,
    until: u64,
}

/// A browser, and who is logged in there.
pub struct Visitor {
    id: Secret,
    is_new: bool,
    /// The token that this browser's forms carry.
    pub csrf: String,
    /// Who is logged in.
    pub user: Option<String>,
}

/// A form that does not come from a page which this browser was shown.
#[derive(Debug)]
pub struct Forged;

impl Sessions {
    /// Sessions under a cookie name that no other service on the host uses: cookies know no ports.
    pub fn new(cookie: &'static str, secure: bool, clock: Clock, random: Random) -> Self {
        let mut key = [0; 32];
        random(&mut key);
        let forms = hmac::Key::new(hmac::HMAC_SHA256, &key);
        // On a laptop the services speak plain HTTP, where a browser would not store a Secure cookie.
        let attributes =
            if secure { "Path=/; HttpOnly; SameSite=Lax; Secure" } else { "Path=/; HttpOnly; SameSite=Lax" };
        Self { cookie, attributes, forms, logins: Mutex::default(), clock, random }
    }

    /// The browser that sent these headers; one without a session gets one.
    pub fn visitor(&self, headers: &HeaderMap) -> Visitor {
        match self.presented(headers) {
            Some(id) => self.known(id, false),
            None => self.known(Secret::random(&self.random), true),
        }
    }

    /// The browser that submitted a form, if the form's token is the one bound to its session.
    pub fn submitted(&self, headers: &HeaderMap, csrf: Option<&str>) -> Result<Visitor, Forged> {
        let id = self.presented(headers).ok_or(Forged)?;
        let tag = csrf.and_then(|csrf| URL_SAFE_NO_PAD.decode(csrf).ok()).ok_or(Forged)?;
        hmac::verify(&self.forms, id.expose().as_bytes(), &tag).map_err(|_| Forged)?;
        Ok(self.known(id, false))
    }

    /// Logs a user in, under a new session: one that was planted before the login stays worthless.
    pub fn log_in(&self, visitor: &Visitor, user: &str) -> Visitor {
        self.log_out(visitor);
        let id = Secret::random(&self.random);
        let now = (self.clock)();
        let mut logins = self.logins();
        logins.retain(|_, login| now < login.until);
        logins.insert(id.hash(), Login { user: user.to_owned(), until: now + LOGIN_SECONDS });
        drop(logins);
        self.known(id, true)
    }

    /// Ends the login; the browser is a mere visitor again.
    pub fn log_out(&self, visitor: &Visitor) {
        self.logins().remove(&visitor.id.hash());
    }

    /// Adds the cookie to an answer, where the browser does not have it yet.
    pub fn remember(&self, visitor: &Visitor, answer: impl IntoResponse) -> Response {
        let mut answer = answer.into_response();
        let cookie = format!("{}={}; {}", self.cookie, visitor.id.expose(), self.attributes);
        if visitor.is_new
            && let Ok(cookie) = HeaderValue::from_str(&cookie)
        {
            answer.headers_mut().append(SET_COOKIE, cookie);
        }
        answer
    }

    fn known(&self, id: Secret, is_new: bool) -> Visitor {
        let now = (self.clock)();
        let user = self.logins().get(&id.hash()).filter(|login| now < login.until).map(|login| login.user.clone());
        let csrf = URL_SAFE_NO_PAD.encode(hmac::sign(&self.forms, id.expose().as_bytes()));
        Visitor { id, is_new, csrf, user }
    }

    fn presented(&self, headers: &HeaderMap) -> Option<Secret> {
        headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, value)| *name == self.cookie && value.len() == 43)
            .map(|(_, value)| Secret::new(value))
    }

    /// No step leaves the map half changed, so that a panic elsewhere need not take the sessions along.
    fn logins(&self) -> MutexGuard<'_, BTreeMap<Hash, Login>> {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Visitor {
    /// What ties a server-side record to this browser.
    pub fn binding(&self) -> Hash {
        self.id.hash()
    }
}
