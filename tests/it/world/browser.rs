//! A browser: it keeps cookies as a real one does, and follows no redirect by itself.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use super::{Answer, Call, Form};

/// A browser with its cookies. Cookies know no ports, and nearly everything here is one host, so there is one jar.
#[derive(Clone)]
pub struct Browser {
    http: reqwest::Client,
    jar: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Browser {
    pub fn new(http: reqwest::Client) -> Self {
        Self { http, jar: Arc::default() }
    }

    /// What an address answers when a person goes there. No redirect is followed.
    pub async fn open(&self, url: &str) -> Answer {
        let call = Call::new(&self.http, "GET", url).header("sec-fetch-site", "cross-site");
        self.send(call.header("sec-fetch-mode", "navigate").header("sec-fetch-dest", "document")).await
    }

    /// The page that a link with a token leads to: the token is taken out of the address first.
    pub async fn enter(&self, link: &str) -> Answer {
        let claimed = self.open(link).await;
        if claimed.status == 303 { self.open(&claimed.location()).await } else { claimed }
    }

    /// The last page of ours to which an address leads, by a redirect or by a page that goes on by itself.
    pub async fn end_at(&self, url: &str) -> Answer {
        let answer = self.open(url).await;
        let page = answer.text();
        let refreshed = page.split_once("content=\"0; url=").and_then(|(_, rest)| rest.split_once('"'));
        match (answer.header("location"), refreshed) {
            (Some(_), _) => self.open(&answer.location()).await,
            (None, Some((onward, _))) => self.open(onward).await,
            (None, None) => answer,
        }
    }

    /// What it answers to a program that says nothing of what it does: a preview, or a browser of long ago.
    pub async fn open_unsaid(&self, url: &str, said: &[(&str, &str)]) -> Answer {
        let call = Call::new(&self.http, "GET", url);
        self.send(said.iter().fold(call, |call, (name, value)| call.header(name, value))).await
    }

    /// What it answers inside a frame of another site's page, where no cookie of ours is sent.
    pub async fn open_framed(&self, url: &str) -> Answer {
        let call = Call::new(&self.http, "GET", url).header("sec-fetch-site", "cross-site");
        call.header("accept", "text/html").header("sec-fetch-dest", "iframe").send().await
    }

    /// Sends a form of a page that it shows. Our pages send no referrer, so their forms name no origin.
    pub async fn submit(&self, form: Form) -> Answer {
        self.submit_from(form, &[("sec-fetch-site", "same-origin"), ("origin", "null")]).await
    }

    /// Sends a form with what the browser says of where it stood.
    pub async fn submit_from(&self, form: Form, said: &[(&str, &str)]) -> Answer {
        let fields: Vec<_> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut call = Call::new(&self.http, "POST", form.action.as_str()).form(&fields);
        for (name, value) in said {
            call = call.header(name, value);
        }
        self.send(call).await
    }

    /// Lands on an address by a form of a foreign page: a POST across sites, which no `SameSite=Lax` cookie goes with.
    pub async fn post(&self, url: &str, form: &str) -> Answer {
        let call = Call::new(&self.http, "POST", url).body("application/x-www-form-urlencoded", form.to_owned());
        call.header("accept", "text/html").header("sec-fetch-site", "cross-site").header("origin", "null").send().await
    }

    /// Sends a request as a script of our own page would: with the cookies.
    pub async fn fetch(&self, url: &str) -> Answer {
        self.send(Call::new(&self.http, "GET", url)).await
    }

    /// Sends any request with the cookies, and keeps those that come.
    pub async fn send(&self, call: Call) -> Answer {
        let line: Vec<_> = self.cookies().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut call = call.header("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        if !line.is_empty() {
            call = call.header("cookie", &line.join("; "));
        }
        let answer = call.send().await;
        for (_, line) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            self.keep(line);
        }
        answer
    }

    fn keep(&self, line: &str) {
        let mut parts = line.split(';').map(str::trim);
        let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).unwrap();
        let attributes: Vec<String> = parts.map(str::to_ascii_lowercase).collect();
        let has = |wanted: &str| attributes.iter().any(|attribute| attribute == wanted);
        let host_only = has("secure") && has("path=/") && !attributes.iter().any(|a| a.starts_with("domain"));
        if name.starts_with("__Host-") && !host_only {
            return; // RFC 6265bis §5.7: such a cookie is ignored
        }
        let mut jar = self.jar.lock().unwrap();
        if has("max-age=0") {
            jar.remove(name);
        } else {
            jar.insert(name.to_owned(), value.to_owned());
        }
    }

    /// Every cookie.
    pub fn cookies(&self) -> Vec<(String, String)> {
        self.jar.lock().unwrap().iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Puts a cookie there, whoever sent it.
    pub fn plant(&self, name: &str, value: &str) {
        self.jar.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }
}
