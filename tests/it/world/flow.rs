//! The verbs of the flow: to begin, to consent, to confirm.

use serde_json::json;
use url::Url;

use super::{Answer, Browser, LABEL, USER, World};

/// How a connection is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A one-time token in a link.
    OneTimeLink,
    /// The link of a connect session.
    SessionLink,
    /// `GET /connectors/acme/oauth/authorize`, back to our own page.
    FrontEnd,
    /// `POST /connectors/acme/credentials`.
    Credentials,
}

/// An attempt, as its start URL tells it.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub start_url: String,
    pub id: String,
    pub state: String,
}

impl Attempt {
    pub fn of(start_url: &str) -> Self {
        let url = Url::parse(start_url).unwrap();
        let id = url.path_segments().unwrap().next_back().unwrap().to_owned();
        Self { id, state: query(start_url, "state").unwrap(), start_url: start_url.to_owned() }
    }

    /// Mooring's own part of the address: everything before `/connect`.
    pub fn path(&self, page: &str) -> String {
        format!("{}/connect/{page}/{}", self.start_url.split("/connect/").next().unwrap(), self.id)
    }
}

/// A parameter of an address.
pub fn query(url: &str, name: &str) -> Option<String> {
    Url::parse(url).unwrap().query_pairs().find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
}

impl World {
    /// A link with a one-time token for the user.
    pub async fn one_time_link(&self) -> String {
        let path = format!("/org/{}/generateOneTimeConnectorToken", self.project());
        let body = json!({ "user_id": USER, "connector_id": "acme", "userLabel": LABEL });
        let token = self.post(&path, &body).await.member("token");
        format!("{}/connect/acme?token={token}&organizationId={}", self.base(), self.project())
    }

    /// Begins an attempt in this shape; where a page of ours comes first, this browser opens it.
    pub async fn begin(&self, shape: Shape, browser: &Browser) -> Attempt {
        let start_url = match shape {
            Shape::OneTimeLink => {
                let page = browser.enter(&self.one_time_link().await).await;
                browser.submit(page.form("/connect/acme")).await.location()
            }
            Shape::SessionLink => {
                let body = json!({ "identity": USER, "identityLabel": LABEL, "connectors": ["acme"] });
                let link = self.post("/v1/connect/sessions", &body).await.member("url");
                let page = browser.enter(&link).await;
                browser.submit(page.form("/connect/acme")).await.location()
            }
            Shape::FrontEnd => {
                let path = format!("/connectors/acme/oauth/authorize?userId={USER}");
                self.get(&path).await.member("authorizationUrl")
            }
            Shape::Credentials => {
                let body = json!({ "connectorId": "acme", "credentialType": "oauth2", "redirectUri": self.redirect_uri(), "userId": USER, "userLabel": LABEL });
                self.post("/connectors/acme/credentials", &body).await.member("oauthUrl")
            }
        };
        Attempt::of(&start_url)
    }

    /// Starts an attempt and consents at Acme; returns the address that Acme sends the browser back to.
    pub async fn consent(&self, browser: &Browser, attempt: &Attempt, user: &str) -> String {
        let started = browser.open(&attempt.start_url).await;
        assert_eq!(started.status, 302, "{}", started.text());
        self.decide_at_acme(browser, &started.location(), user, "allow").await
    }

    /// Logs in at Acme, where nobody is yet, and decides.
    pub async fn decide_at_acme(&self, browser: &Browser, url: &str, user: &str, decision: &str) -> String {
        let mut page = browser.open(url).await;
        if page.text().contains("/oauth/login") {
            let form = page.form("/oauth/login").with("username", user).with("password", "demo");
            page = browser.open(&browser.submit(form).await.location()).await;
        }
        let answer = browser.submit(page.form("/oauth/consent").with("decision", decision)).await;
        answer.location()
    }

    /// An attempt whose grant is held, and what the callback answered.
    pub async fn hold(&self, shape: Shape, browser: &Browser) -> (Attempt, Answer) {
        let attempt = self.begin(shape, browser).await;
        let callback = self.consent(browser, &attempt, "alice").await;
        let landed = browser.open(&callback).await;
        assert_eq!(landed.status, 302, "{}", landed.text());
        (attempt, landed)
    }

    /// The person's own word, on our page.
    pub async fn confirm(&self, browser: &Browser, attempt: &Attempt) -> Answer {
        self.decide(browser, attempt, "confirm").await
    }

    /// The same, with either button.
    pub async fn decide(&self, browser: &Browser, attempt: &Attempt, decision: &str) -> Answer {
        let page = browser.open(&attempt.path("confirm")).await;
        browser.submit(page.form("/connect/confirm/").with("decision", decision)).await
    }

    /// A whole connection, confirmed by the person; its key.
    pub async fn connect_account(&self, shape: Shape) -> String {
        self.connect_in(shape, &self.browser()).await
    }

    /// The same in a browser that goes on to be used.
    pub async fn connect_in(&self, shape: Shape, browser: &Browser) -> String {
        let known: Vec<_> = self.connections().await.iter().map(|row| row["key"].clone()).collect();
        let (attempt, _) = self.hold(shape, browser).await;
        let confirmed = self.confirm(browser, &attempt).await;
        assert_eq!(confirmed.status, 303, "{}", confirmed.text());
        let rows = self.connections().await;
        let new: Vec<_> = rows.iter().map(|row| row["key"].clone()).filter(|key| !known.contains(key)).collect();
        assert_eq!(new.len(), 1, "{rows:?}");
        new[0].as_str().unwrap().to_owned()
    }

    /// Redeems a completion code.
    pub async fn redeem(&self, code: &str, state: &str, user: Option<&str>) -> Answer {
        let mut body = json!({ "code": code, "state": state });
        if let Some(user) = user {
            body["userId"] = user.into();
        }
        self.post("/connectors/acme/credentials/callback", &body).await
    }
}
