//! Attempts, held grants and connections, as the flow makes them.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use shared::{
    app::App,
    id::{AttemptId, ConnectionKey, ConnectorId, Environment, Identity, IdentityType},
    protocol::credentials::Credentials,
    secret::{AccessToken, Bearer, CodeVerifier, RefreshToken},
    secrets::ClientSource,
    store::{
        attempts::{Attempt, Callback, Completion, Departure, Kept, Shape, State, VERIFIER},
        connections::{Account, Completer, Connection, HELD_FOR, Held, Stored},
    },
};
use tokio::{
    sync::{Barrier, Semaphore},
    task::JoinSet,
};

use crate::{refresh::provider::Tokens, store_world::World};

/// Two crowds at once on a small machine would only try its patience: calls to AWS give up after three seconds.
static CROWD: Semaphore = Semaphore::const_new(1);

/// Lets so many callers loose at once, and returns what each got.
pub async fn race<T, F>(callers: usize, call: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let _alone = CROWD.acquire().await.unwrap();
    let barrier = Arc::new(Barrier::new(callers));
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let (barrier, call) = (Arc::clone(&barrier), call(caller));
        tasks.spawn(async move {
            barrier.wait().await;
            call.await
        });
    }
    tasks.join_all().await
}

impl World {
    /// An attempt to connect an account for Ada, not stored yet.
    pub fn attempt(&self, connector: &str) -> Attempt {
        Attempt {
            id: AttemptId::random(&self.app.random),
            project: self.project.clone(),
            environment: Environment::Test,
            connector: ConnectorId::parse(connector).unwrap(),
            connector_name: "Acme".to_owned(),
            identity: Identity::parse("ada", IdentityType::User).ok(),
            identity_label: None,
            app_name: "Orbit".to_owned(),
            shape: Shape::Credentials { redirect_uri: "https://orbit.example/connected".to_owned() },
            completion: Completion::AppVouches,
            connection: ConnectionKey::random(&self.app.random),
            name: None,
            reconnect: false,
            client: Some(ClientSource::Project),
            client_id: Some("mooring".to_owned()),
            authorization_url: format!("{}/authorize", self.provider.url),
            redirect_uri: "https://mooring.example/connectors/oauth/callback".to_owned(),
            callback: Callback::Common,
            issuer: None,
            code_parameter: None,
            departure: Departure::default(),
            lifetime: None,
            scopes: Vec::new(),
            session: None,
            values: BTreeMap::from([("client_id".to_owned(), "mooring".to_owned())]),
            created_at: self.hands.now(),
        }
    }

    /// Stores an attempt.
    pub async fn put(&self, attempt: &Attempt) -> State {
        let state = State::random(&attempt.connector, &attempt.id, &self.app.random);
        let verifier = CodeVerifier::random(&self.app.random);
        let sealed =
            self.app.seal(&attempt.belongs(VERIFIER), &Kept::verifier(verifier.clone()).plaintext()).await.unwrap();
        self.app.attempts.put(attempt, &state, &sealed).await.unwrap();
        state
    }

    /// What the callback would hold for an attempt.
    pub async fn grant(&self, attempt: &Attempt, tokens: &Tokens, expires_in: Option<Duration>) -> Held {
        let now = self.hands.now();
        let connection = Connection {
            key: attempt.connection.clone(),
            project: attempt.project.clone(),
            environment: attempt.environment,
            connector: attempt.connector.clone(),
            identity: attempt.identity.clone(),
            identity_label: None,
            name: None,
            account: Account { id: Some("account-1".to_owned()), tenant: None, label: None, email: None },
            client: attempt.client.clone(),
            client_id: attempt.client_id.clone(),
            scopes: Vec::new(),
            slots: Vec::new(),
            requested: Vec::new(),
            values: attempt.values.clone(),
            tags: Vec::new(),
            active: true,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        let refresh_token = Some(&tokens.refresh).filter(|token| !token.is_empty());
        let credentials = Credentials {
            access_token: Some(AccessToken::from(tokens.access.clone())),
            refresh_token: refresh_token.map(|token| RefreshToken::from(token.clone())),
            ..Credentials::default()
        };
        let sealed = self.app.seal(&connection.belongs(), &credentials.plaintext()).await.unwrap();
        let token_expires_at = expires_in.map(|expires_in| now.after(expires_in));
        Held {
            attempt: attempt.id.clone(),
            connection,
            sealed,
            token_expires_at,
            renew_at: None,
            held_until: now.after(HELD_FOR),
            choices: None,
        }
    }

    /// An attempt that holds a grant, and the cookie of its browser.
    pub async fn held(&self, attempt: &Attempt, code: Option<&Bearer>) -> (Held, Bearer) {
        let browser = Bearer::random(&self.app.random);
        let held = self.grant(attempt, &self.provider.consent(), Some(Duration::from_hours(1))).await;
        self.hold(attempt, &held, &browser, code).await;
        (held, browser)
    }

    async fn hold(&self, attempt: &Attempt, held: &Held, browser: &Bearer, code: Option<&Bearer>) {
        let App { attempts, codes, connections, .. } = &*self.app;
        attempts.put_claimed(attempt, &browser.digest()).await.unwrap();
        connections.hold(attempts, codes, held, code, self.hands.now()).await.unwrap();
    }

    /// A connection.
    pub async fn connection(&self, connector: &str) -> Stored {
        self.connection_with(connector, &self.provider.consent(), Some(Duration::from_hours(1))).await
    }

    /// A connection with these tokens.
    pub async fn connection_with(&self, connector: &str, tokens: &Tokens, expires_in: Option<Duration>) -> Stored {
        let attempt = self.attempt(connector);
        let held = self.grant(&attempt, tokens, expires_in).await;
        self.complete(&attempt, held).await
    }

    /// A connection to an account of its own.
    pub async fn connection_to(&self, account: &str) -> Stored {
        let attempt = self.attempt("vendor");
        let held = self.grant_of(&attempt, account).await;
        self.complete(&attempt, held).await
    }

    /// A held grant of an account of its own.
    pub async fn held_of(&self, account: &str) -> Held {
        let attempt = self.attempt("vendor");
        let held = self.grant_of(&attempt, account).await;
        self.hold(&attempt, &held, &Bearer::random(&self.app.random), None).await;
        held
    }

    async fn grant_of(&self, attempt: &Attempt, account: &str) -> Held {
        let mut held = self.grant(attempt, &self.provider.consent(), Some(Duration::from_hours(1))).await;
        held.connection.account.id = Some(account.to_owned());
        held
    }

    /// The same connection, consented to anew.
    pub async fn reconnect(&self, key: &ConnectionKey) -> Stored {
        self.reconnect_to(key, Some("account-1")).await
    }

    /// The same with this account, if the provider tells one.
    pub async fn reconnect_to(&self, key: &ConnectionKey, account: Option<&str>) -> Stored {
        let old = self.app.connections.find(key).await.unwrap().unwrap().connection;
        let attempt = Attempt { connection: old.key, reconnect: true, ..self.attempt(old.connector.as_str()) };
        let mut held = self.grant(&attempt, &self.provider.consent(), Some(Duration::from_hours(1))).await;
        held.connection.account.id = account.map(str::to_owned);
        self.complete(&attempt, held).await
    }

    async fn complete(&self, attempt: &Attempt, held: Held) -> Stored {
        let browser = Bearer::random(&self.app.random);
        self.hold(attempt, &held, &browser, None).await;
        let by = Completer::Person { browser: browser.digest(), code: None };
        self.app.complete(&held, attempt.reconnect, &by).await.unwrap();
        self.app.connections.find(&attempt.connection).await.unwrap().unwrap()
    }
}
