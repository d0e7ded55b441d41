//! A request of each route, with all that has to be there before it.

use std::time::Duration;

use authorize::Authorize;
use serde_json::{Value, json};
use shared::{
    http::{Request, answer, form},
    id::Environment,
    secret::Bearer,
    store::{
        Claimer,
        attempts::{Attempt, Completion, Proof, State, cookie_name},
        links::{Link, Session},
    },
};

use url::Url;

use crate::{refresh::Told, store_world::World};

impl World {
    /// A request of this route that will be granted.
    pub async fn request(&self, route: &str) -> Request {
        match route {
            "token" => self.posting("/oauth2/token", "grant_type=client_credentials"),
            "one-time token" => {
                let path = format!("/org/{}/generateOneTimeConnectorToken", self.project);
                self.posting(&path, "user_id=ada&connector_id=vendor")
            }
            "session" => {
                self.posting_json("/v1/connect/sessions", &json!({ "identity": "ada", "connectors": ["vendor"] }))
            }
            "authorize" => self.getting("/connectors/vendor/oauth/authorize", "userId=ada", &[]),
            "authorize, the project's own connector" => {
                self.getting("/connectors/custom/oauth/authorize", "userId=ada", &[])
            }
            "credentials" => {
                let body = json!({ "credentialType": "oauth2", "userId": "ada", "redirectUri": "https://orbit.example/connected" });
                self.posting_json("/connectors/vendor/credentials", &body)
            }
            "the link's token" => {
                let (token, _) = self.link(false).await;
                let person = [("sec-fetch-dest", "document".to_owned())];
                self.getting("/connect/vendor", &format!("token={}", token.expose()), &person)
            }
            "the link's page" => {
                let (token, browser) = self.link(true).await;
                let name = token.digest();
                let cookie = format!("__Host-mooring_link_{}={}", name.as_str(), browser.expose());
                self.getting("/connect/vendor", &format!("link={}", name.as_str()), &[("cookie", cookie)])
            }
            "the link's form" => self.submission().await,
            "start" => {
                let attempt = self.attempt("vendor");
                let state = self.put(&attempt).await;
                self.getting(&format!("/connect/start/{}", attempt.id), &format!("state={}", state.expose()), &[])
            }
            "the start page" => self.getting("/connect/start", "", &[]),
            "our start page asks" => {
                let body = json!({ "connector": "vendor", "opener": "https://orbit.example" });
                let mut request = self.posting_json("/v1/connect/attempts", &body);
                request.headers.retain(|(name, _)| name != "authorization");
                let bearer = format!("Bearer {}", self.session().await.expose());
                request.headers.push(("authorization".to_owned(), bearer));
                request.headers.push(("sec-fetch-site".to_owned(), "same-origin".to_owned()));
                request
            }
            "the app's page leaves" => {
                let form = format!("session={}&connector=vendor", self.session().await.expose());
                let mut request = self.posting("/connect/start", &form);
                request.headers.push(("origin".to_owned(), "https://orbit.example".to_owned()));
                request
            }
            "callback, the app vouches" => self.answer_of_the_provider(self.attempt("vendor")).await,
            "callback, the person confirms" => {
                self.answer_of_the_provider(Attempt {
                    completion: Completion::PersonConfirms,
                    ..self.attempt("vendor")
                })
                .await
            }
            "callback, bound at the start" => {
                self.answer_of_the_provider(Attempt { completion: Completion::BoundAtStart, ..self.attempt("vendor") })
                    .await
            }
            "callback, the project's own connector" => self.answer_of_the_provider(self.attempt("custom")).await,
            "the app completes" => self.completion().await,
            "the person confirms" => self.confirmation().await,
            "status" => {
                let attempt = self.attempt("vendor");
                let (_, browser) = self.held(&attempt, None).await;
                let cookie = format!("{}={}", cookie_name(&attempt.id), browser.expose());
                let mut request =
                    self.getting(&format!("/v1/connect/attempts/{}", attempt.id), "", &[("cookie", cookie)]);
                request.headers.retain(|(name, _)| name != "authorization");
                request
            }
            "passthrough" => self.passing("vendor", Some(3600)).await,
            "passthrough, the project's own connector" => self.passing("custom", Some(3600)).await,
            "passthrough, another path each time" => {
                let mut request = self.passing("vendor", Some(3600)).await;
                request.path =
                    format!("/v1/passthrough/{}/things", self.token().replace(['-', '_'], "").to_lowercase());
                request
            }
            "passthrough with a renewal" => self.passing("vendor", Some(0)).await,
            "one connection" => {
                let key = self.connection("vendor").await.connection.key;
                self.getting(&format!("/v1/vault/connections/{key}"), "", &[])
            }
            "a connection's choices" => {
                let key = self.connection("vendor").await.connection.key;
                self.getting(&format!("/v1/vault/connections/{key}/choices"), "", &[])
            }
            "a connection's upgrade" => {
                let key = self.connection("vendor").await.connection.key;
                self.posting_json(&format!("/v1/vault/connections/{key}/upgrade"), &json!({}))
            }
            other => self.request_otherwise(other).await,
        }
    }

    /// The same where a consent is no redirect with a code alone.
    async fn request_otherwise(&self, route: &str) -> Request {
        match route {
            "start, the request is pushed" => self.departure("pushed").await,
            "start, OAuth 1.0a" => self.departure("signed").await,
            "callback, OAuth 1.0a" => self.return_with_a_verifier().await,
            "a code to type" => self.request_for_a_code(),
            "the code was typed" => {
                let begun = self.said(self.request_for_a_code()).await;
                let attempt = begun["attempt"].as_str().unwrap().to_owned();
                self.hands.turn(Duration::from_secs(5));
                self.posting_json(&format!("/v1/connect/device/{attempt}"), &json!({ "userId": "ada" }))
            }
            other => panic!("no request for {other}"),
        }
    }

    fn sending(&self, method: &str, path: &str, query: &str, headers: &[(&str, String)], body: String) -> Request {
        let mut lines: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        lines.push(("authorization".to_owned(), format!("Bearer {}", self.key)));
        Request::new(method, path.to_owned(), query.to_owned(), lines, body.into(), self.token())
    }

    fn getting(&self, path: &str, query: &str, headers: &[(&str, String)]) -> Request {
        self.sending("GET", path, query, headers, String::new())
    }

    fn posting(&self, path: &str, form: &str) -> Request {
        self.sending(
            "POST",
            path,
            "",
            &[("content-type", "application/x-www-form-urlencoded".to_owned())],
            form.to_owned(),
        )
    }

    pub fn posting_json(&self, path: &str, body: &serde_json::Value) -> Request {
        self.sending("POST", path, "", &[("content-type", "application/json".to_owned())], body.to_string())
    }

    /// A one-time token, and the cookie of the browser that opened it.
    async fn link(&self, opened: bool) -> (Bearer, Bearer) {
        let (token, browser) = (Bearer::random(&self.app.random), Bearer::random(&self.app.random));
        self.app.links.put(&token, &self.link_of(None)).await.unwrap();
        if opened {
            self.app.links.claim(&token.digest(), &browser.digest(), self.hands.now()).await.unwrap();
        }
        (token, browser)
    }

    /// A connect session of a page's.
    async fn session(&self) -> Bearer {
        let [session, token] = [(); 2].map(|()| Bearer::random(&self.app.random));
        let link = self.link_of(Some(session.digest().as_str().to_owned()));
        let content = Session {
            project: link.project.clone(),
            environment: link.environment,
            identity: link.identity.clone(),
            identity_label: None,
            connectors: Vec::new(),
            created_at: link.created_at,
        };
        self.app.links.put_both(&session, &content, &token, &link).await.unwrap();
        session
    }

    fn link_of(&self, session: Option<String>) -> Link {
        Link {
            project: self.project.clone(),
            environment: Environment::Test,
            identity: self.attempt("vendor").identity,
            identity_label: None,
            connectors: Vec::new(),
            return_to: None,
            session,
            led_by: shared::store::links::LedBy::Address,
            upgrade: None,
            created_at: self.hands.now(),
        }
    }

    async fn submission(&self) -> Request {
        let (token, browser) = self.link(true).await;
        let name = token.digest();
        let cookie = format!("__Host-mooring_link_{}={}", name.as_str(), browser.expose());
        let proof = form::token(browser.expose(), &format!("connect {}", name.as_str()));
        let body = format!("link={}&{}={proof}", name.as_str(), form::TOKEN_FIELD);
        let mut request = self.posting("/connect/vendor", &body);
        request.headers.push(("cookie".to_owned(), cookie));
        request
    }

    /// An attempt that its browser has started.
    async fn started(&self, attempt: &Attempt) -> (State, Bearer) {
        let (state, browser) = (self.put(attempt).await, Bearer::random(&self.app.random));
        self.app.attempts.start(&state, &browser.digest(), self.hands.now()).await.unwrap();
        (state, browser)
    }

    /// What a page of the app's is led to with this connector.
    async fn departure(&self, connector: &str) -> Request {
        let begun =
            self.said(self.getting(&format!("/connectors/{connector}/oauth/authorize"), "userId=ada", &[])).await;
        let url = Url::parse(begun["authorizationUrl"].as_str().unwrap()).unwrap();
        self.getting(url.path(), url.query().unwrap(), &[])
    }

    /// OAuth 1.0a's answer of the provider, in the browser that was sent there.
    async fn return_with_a_verifier(&self) -> Request {
        let departure = self.departure("signed").await;
        let attempt = departure.path.rsplit('/').next().unwrap().to_owned();
        let state = departure.query.clone();
        let left = answer(&self.app, departure, &Authorize).await;
        let cookie = left.headers.iter().find(|(name, _)| name == "set-cookie").unwrap();
        let cookie = cookie.1.split(';').next().unwrap().to_owned();
        assert!(cookie.contains(&attempt), "{cookie}");
        let query = format!("oauth_token=t&oauth_verifier=v&{state}");
        self.getting("/connectors/signed/oauth/callback", &query, &[("cookie", cookie)])
    }

    fn request_for_a_code(&self) -> Request {
        self.posting_json("/v1/connect/device", &json!({ "connector": "typed", "userId": "ada" }))
    }

    /// What another process answers to this.
    async fn said(&self, request: Request) -> Value {
        let told = Told::of(answer(&self.app, request, &Authorize).await).await;
        assert!(told.status < 400, "{told:?}");
        told.body
    }

    /// The provider's answer, in the browser that started this attempt.
    pub async fn answer_of_the_provider(&self, attempt: Attempt) -> Request {
        let (state, browser) = self.started(&attempt).await;
        let cookie = format!("{}={}", cookie_name(&attempt.id), browser.expose());
        let query = format!("code=c&state={}", state.expose());
        self.getting("/connectors/oauth/callback", &query, &[("cookie", cookie)])
    }

    pub async fn completion(&self) -> Request {
        let (attempt, code) = (self.attempt("vendor"), Bearer::random(&self.app.random));
        let (state, browser) = self.started(&attempt).await;
        let proof = Proof {
            browser: browser.digest(),
            connector: None,
            issuer: None,
            claimer: Claimer::random(&self.app.random),
        };
        self.app.attempts.claim(&state, &proof, self.hands.now()).await.unwrap();
        let held = self.grant(&attempt, &self.provider.consent(), Some(Duration::from_hours(1))).await;
        let (attempts, codes) = (&self.app.attempts, &self.app.codes);
        self.app.connections.hold(attempts, codes, &held, Some(&code), self.hands.now()).await.unwrap();
        let body = json!({ "code": code.expose(), "state": state.expose(), "userId": "ada" });
        self.posting_json("/connectors/vendor/credentials/callback", &body)
    }

    async fn confirmation(&self) -> Request {
        let attempt = Attempt { completion: Completion::PersonConfirms, ..self.attempt("vendor") };
        let (_, browser) = self.held(&attempt, None).await;
        let proof = form::token(browser.expose(), &format!("confirm {}", attempt.id));
        let mut request = self.posting(
            &format!("/connect/confirm/{}", attempt.id),
            &format!("decision=confirm&{}={proof}", form::TOKEN_FIELD),
        );
        request.headers.push(("cookie".to_owned(), format!("{}={}", cookie_name(&attempt.id), browser.expose())));
        request
    }

    async fn passing(&self, connector: &str, expires_in: Option<u64>) -> Request {
        let tokens = self.provider.consent();
        let stored = self.connection_with(connector, &tokens, expires_in.map(Duration::from_secs)).await;
        let path = format!("/v1/passthrough/{connector}/things");
        self.getting(&path, "", &[("x-one-connection-key", stored.connection.key.to_string())])
    }
}
