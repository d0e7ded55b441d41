//! No secret leaves by accident: every credential, code, state, token and cookie of a whole flow is searched for in all that
//! is logged, stored and answered (except where an answer is there to carry it).

mod provider;

use serde_json::json;
use shared::id::{Environment, Role};

use self::provider::{definition, provider};
use crate::world::{Answer, Attempt, Browser, Log, USER, World, query};

/// What was heard, and what must not be heard.
struct Watch {
    world: World,
    secrets: Vec<(&'static str, String)>,
    answers: Vec<(&'static str, Answer, &'static [&'static str])>,
}

impl Watch {
    fn secret(&mut self, name: &'static str, value: impl Into<String>) {
        let value = value.into();
        assert!(value.len() >= 12, "{name} is too short to be searched for: {value}");
        self.secrets.push((name, value));
    }

    /// An answer that may carry the secrets of these names.
    fn heard(&mut self, what: &'static str, answer: Answer, may: &'static [&'static str]) -> Answer {
        self.answers.push((what, answer.clone(), may));
        answer
    }

    fn search(&self, place: &str, text: &str, may: &[&str]) {
        for (name, secret) in self.secrets.iter().filter(|(name, _)| !may.contains(name)) {
            assert!(!text.contains(secret.as_str()), "a {name} stands in {place}: {text}");
        }
    }

    /// Every item; a state that was spent may be remembered.
    async fn search_store(&self, when: &str) {
        for ((table, key), item) in self.world.dump().await {
            self.search(&format!("{table} {key}, {when}"), &item, &["spent state"]);
        }
    }

    /// Begins an attempt by a session link, in a browser, up to the provider.
    async fn begin(&mut self, browser: &Browser) -> Attempt {
        let body = json!({ "identity": USER, "connectors": ["canary"] });
        let made = self.world.post("/v1/connect/sessions", &body).await;
        let made = self.heard("session", made, &["session", "one-time token"]);
        self.secret("session", made.member("session"));
        self.secret("one-time token", query(&made.member("url"), "token").unwrap());
        let page = self.heard("page", browser.enter(&made.member("url")).await, &["cookie", "form token"]);
        self.secret("form token", page.form("/connect/canary").value("form_token"));
        let begun = self.heard("begun", browser.submit(page.form("/connect/canary")).await, &["spent state"]);
        let attempt = Attempt::of(&begun.location());
        self.start(browser, &attempt).await;
        attempt
    }

    async fn start(&mut self, browser: &Browser, attempt: &Attempt) {
        let proof = attempt.state.rsplit('.').next().unwrap();
        self.secret("state", proof);
        self.search_store("before the start").await;
        // from the callback on it is worth nothing, and is remembered to be compared
        self.secrets.pop();
        self.secret("spent state", proof);
        self.heard("started", browser.open(&attempt.start_url).await, &["cookie", "spent state"]);
        for (_, value) in browser.cookies() {
            if !self.secrets.iter().any(|(_, known)| *known == value) {
                self.secret("cookie", value);
            }
        }
    }

    fn callback(&self, attempt: &Attempt, code: &str) -> String {
        let (base, project) = (self.world.base(), self.world.project());
        format!("{base}/connectors/canary-{project}/oauth/callback?code={code}&state={}", attempt.state)
    }
}

#[tokio::test]
async fn no_secret_leaves() {
    let (log, _logging) = Log::start();
    let provider = provider().await;
    let mut watch = Watch { world: World::new().await, secrets: Vec::new(), answers: Vec::new() };
    for name in ["canary-access-", "canary-refresh-", "canary-code-", "canary-client-secret", "canary-typed-key"] {
        watch.secret("provider's secret", name);
    }
    watch.secret("root key", watch.world.server.root_key.clone());
    watch.secret("app secret", watch.world.server.demo.client_secret().to_owned());
    watch.secret("app secret", watch.world.server.demo.acme_client_secret().to_owned());
    watch.world.custom("canary", &definition(&provider.url), false).await;
    let path = format!("/v1/admin/projects/{}/environments/test/connectors/canary", watch.world.project());
    let put = watch
        .world
        .root("PUT", &path, Some(&json!({ "client_id": "id", "client_secret": "canary-client-secret" })))
        .await;
    watch.heard("provider client", put, &[]);
    apps(&mut watch).await;

    // a whole flow
    let browser = watch.world.browser();
    let attempt = watch.begin(&browser).await;
    let held = browser.open(&watch.callback(&attempt, "canary-code-good")).await;
    watch.heard("callback", held, &[]);
    for seen in provider.seen().iter().filter(|seen| seen.target == "/token") {
        let form = format!("http://x.example/?{}", String::from_utf8_lossy(&seen.body));
        watch.secret("code verifier", query(&form, "code_verifier").unwrap());
    }
    watch.search_store("held").await;
    let page = watch.heard("confirmation", browser.open(&attempt.path("confirm")).await, &["form token"]);
    watch.secret("form token", page.form("/connect/confirm/").value("form_token"));
    let confirmed = browser.submit(page.form("/connect/confirm/").with("decision", "confirm")).await;
    watch.heard("confirmed", confirmed, &[]);
    let status = browser.fetch(&format!("{}/v1/connect/attempts/{}", watch.world.base(), attempt.id)).await;
    let key = watch.heard("status", status, &[]).json()["connection"]["key"].as_str().unwrap().to_owned();
    watch.search_store("connected").await;

    reads_and_calls(&mut watch, &key).await;
    failures(&mut watch).await;
    credentials(&mut watch).await;
    let deleted = watch.world.api("DELETE", &format!("/v1/vault/connections/{key}")).send().await;
    assert_eq!(watch.heard("deleted", deleted, &[]).json()["revocation"], "queued");
    watch.search_store("in the queue").await;
    watch.world.turn(std::time::Duration::from_hours(1));
    watch.world.keep().await;

    for (what, answer, may) in &watch.answers {
        watch.search(what, &format!("{:?}\n{}", answer.headers, answer.text()), may);
    }
    let lines = log.lines();
    assert!(lines.len() > 50, "something was logged");
    for line in &lines {
        watch.search("the log", line, &[]);
    }
}

/// Keys and tokens of apps, good and bad.
async fn apps(watch: &mut Watch) {
    let client = watch.world.client(Environment::Test, &Role::ALL).await;
    watch.secret("app secret", client.secret.clone());
    let form = [("grant_type", "client_credentials"), ("client_id", &client.id), ("client_secret", &client.secret)];
    let token = watch.world.call("POST", "/oauth2/token").form(&form).send().await;
    let jwt = watch.heard("token", token, &["jwt"]).member("access_token");
    watch.secret("jwt", jwt.clone());
    let list = watch.world.root("GET", &format!("/v1/admin/projects/{}/clients", watch.world.project()), None).await;
    watch.heard("clients", list, &[]);

    let wrong = format!("sk_test_{}_{}", client.id, "canary-wrong-secret");
    watch.secret("wrong secret", "canary-wrong-secret");
    let ask = |watch: &Watch| watch.world.call("GET", "/v1/vault/connections");
    let answers = [
        ask(watch).bearer(&wrong).send().await,
        ask(watch).bearer(&format!("{jwt}x")).send().await,
        ask(watch).header("x-one-secret", &wrong).header("x-pica-secret", &client.key).send().await,
        watch.world.call("POST", "/oauth2/token").json(&json!({ "client_secret": [client.secret] })).send().await,
        watch.world.call("POST", "/oauth2/token").body("text/plain", client.secret.clone()).send().await,
        watch.world.call("POST", "/oauth2/token").form(&[("grant_type", &client.secret)]).send().await,
    ];
    for answer in answers {
        assert!(matches!(answer.status, 400 | 401 | 415), "{}", answer.status);
        watch.heard("refused", answer, &[]);
    }
    let path = format!("/v1/admin/projects/{}/environments/test/connectors/canary", watch.world.project());
    for body in [
        json!({ "client_id": "id", "client_secret": ["canary-client-secret"] }),
        json!({ "client_secret": "canary-client-secret" }),
        json!({ "client_id": "id", "client_secret": "canary-client-secret " }),
        json!({ "clientSecret": "canary-client-secret" }),
    ] {
        let call = watch.world.call("PUT", &path).bearer(&watch.world.server.root_key);
        let answer = call.json(&body).send().await;
        assert_eq!(answer.status, 400);
        watch.heard("refused settings", answer, &[]);
    }
}

/// Lists, records, and calls through passthrough, one of which renews the token.
async fn reads_and_calls(watch: &mut Watch, key: &str) {
    for path in [
        "/v1/vault/connections".to_owned(),
        format!("/v1/vault/connections/{key}"),
        format!("/users/{USER}/credentials"),
        format!("/credentials/{}", key.replace("conn_", "cred_")),
    ] {
        let answer = watch.world.get(&path).await;
        assert_eq!(answer.status, 200);
        watch.heard("read", answer, &[]);
    }
    for path in ["things", "more", "../x"] {
        let call = watch.world.api("GET", &format!("/v1/passthrough/canary/{}", path.replace("..", "%252e%252e")));
        let answer = call.header("x-one-connection-key", key).send().await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "fine"), "renewed once");
        watch.heard("call", answer, &[]);
    }
    watch.search_store("renewed").await;
}

/// Codes that the provider does not take, in each way in which it can say so.
async fn failures(watch: &mut Watch) {
    for code in ["canary-code-refused", "canary-code-broken", "canary-code-garbled"] {
        let browser = watch.world.browser();
        let attempt = watch.begin(&browser).await;
        let callback = watch.callback(&attempt, code);
        let stranger = watch.world.browser().open(&callback).await;
        watch.heard("stranger", stranger, &[]);
        for what in ["failed", "failed, again"] {
            let failed = browser.end_at(&callback).await;
            assert!(
                failed.text().contains("<h1>That did not work")
                    || failed.text().contains("<h1>The provider does not answer"),
                "{}",
                failed.text()
            );
            watch.heard(what, failed, &[]);
        }
        let again = browser.open(&attempt.start_url).await;
        watch.heard("started again", again, &[]);
    }
    let typed = json!({ "credentialType": "apiKey", "credentials": { "api_key": ["canary-typed-key"] } });
    let answer = watch.world.post("/connectors/openai/credentials", &typed).await;
    watch.heard("typed", answer, &[]);
    let typed = json!({ "credentialType": "apiKey", "credentials": { "unknown": "canary-typed-key" } });
    let answer = watch.world.post("/connectors/canary/credentials", &typed).await;
    watch.heard("typed", answer, &[]);
    watch.search_store("after failures").await;
}

/// A completion code, redeemed by the app that vouches.
async fn credentials(watch: &mut Watch) {
    watch.world.vouch().await;
    let body = json!({ "credentialType": "oauth2", "redirectUri": watch.world.redirect_uri(), "userId": USER });
    let made = watch.world.post("/connectors/canary/credentials", &body).await;
    let attempt = Attempt::of(&watch.heard("credential", made, &["spent state"]).member("oauthUrl"));
    let browser = watch.world.browser();
    watch.start(&browser, &attempt).await;
    let landed = browser.open(&watch.callback(&attempt, "canary-code-good")).await;
    let landed = watch.heard("landed", landed, &["completion code", "spent state"]);
    let code = query(&landed.location(), "code").unwrap();
    watch.secret("completion code", code.clone());
    watch.search_store("with a completion code").await;
    let path = "/connectors/canary/credentials/callback";
    let redeem = json!({ "code": code, "state": attempt.state, "userId": USER });
    for (user, status) in [("mallory", 403), (USER, 200), (USER, 400)] {
        let answer =
            watch.world.post(path, &json!({ "code": redeem["code"], "state": redeem["state"], "userId": user })).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        watch.heard("redeemed", answer, &[]);
    }
    let again = browser.open(&watch.callback(&attempt, "canary-code-good")).await;
    watch.heard("landed again", again, &["completion code", "spent state"]);
}
