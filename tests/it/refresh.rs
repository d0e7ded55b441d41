//! Renewing an access token, as a caller of passthrough meets it: a refresh token is redeemed once, whatever happens.

pub mod provider;

mod at_once;
mod provider_fails;
mod reconnected;
mod store_fails;
mod unauthorized;

use std::{future::Future, sync::Arc, time::Duration};

use futures_util::TryStreamExt;
use passthrough::Passthrough;
use serde_json::Value;
use shared::{
    app::App,
    clock::Timestamp,
    http::{Body, Request, Response, answer},
    id::ConnectionKey,
    store::connections::{Health, Stored},
};

use crate::{refresh::provider::Answer, store_world::World};

/// What a caller was answered.
#[derive(Debug)]
pub struct Told {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

impl Told {
    /// A response, read to its end.
    pub async fn of(response: Response) -> Self {
        let Response { status, headers, body } = response;
        let bytes = match body {
            Body::Full(bytes) => bytes.to_vec(),
            Body::Stream(stream) => stream.try_collect::<Vec<_>>().await.unwrap().concat(),
        };
        Self { status, headers, body: serde_json::from_slice(&bytes).unwrap_or_default() }
    }

    /// The error's code, which the header repeats.
    fn error(&self) -> &str {
        let header = self.header("x-mooring-error").unwrap_or_default();
        assert_eq!(self.body["error"].as_str().unwrap_or_default(), header);
        header
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The access token with which the API was called.
    fn token(&self) -> &str {
        self.body["token"].as_str().unwrap_or_default()
    }
}

impl World {
    /// A call of the provider's API.
    pub fn call(&self, app: &Arc<App>, key: &ConnectionKey) -> impl Future<Output = Told> + Send + use<> {
        self.call_until(app, key, None)
    }

    /// The same in an invocation that ends at this time.
    pub fn call_until(
        &self,
        app: &Arc<App>,
        key: &ConnectionKey,
        deadline: Option<Timestamp>,
    ) -> impl Future<Output = Told> + Send + use<> {
        let headers = [("authorization", format!("Bearer {}", self.key)), ("x-one-connection-key", key.to_string())];
        let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let path = "/v1/passthrough/things".to_owned();
        let mut request = Request::new("POST", path, String::new(), headers, "the body".into(), self.token());
        request.deadline = deadline;
        let app = Arc::clone(app);
        async move { Told::of(answer(&app, request, &Passthrough).await).await }
    }

    /// A connection whose access token has expired.
    pub async fn expired(&self) -> ConnectionKey {
        self.connection_with("vendor", &self.provider.consent(), Some(Duration::ZERO)).await.connection.key
    }

    /// A connection as it stands.
    pub async fn stored(&self, key: &ConnectionKey) -> Stored {
        self.app.connections.find(key).await.unwrap().unwrap()
    }

    /// The access token in a connection, and how often it was renewed.
    pub async fn stands(&self, key: &ConnectionKey) -> (String, u64) {
        let stored = self.stored(key).await;
        let generation = stored.generation;
        let open = self.app.open_stored(stored).await.unwrap();
        (open.credentials.access_token.unwrap().expose().to_owned(), generation)
    }

    /// Whether somebody has the connection's lease.
    pub async fn is_leased(&self, key: &ConnectionKey) -> bool {
        let pk = aws_sdk_dynamodb::types::AttributeValue::S(key.to_string());
        let get = self
            .client()
            .get_item()
            .table_name(&self.app.config.tables.connections)
            .key("pk", pk)
            .consistent_read(true);
        get.send().await.unwrap().item.unwrap().contains_key("lease_owner")
    }
}

/// Waits until something has happened in another task.
pub async fn until(mut happened: impl AsyncFnMut() -> bool) {
    let whole = async {
        while !happened().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), whole).await.unwrap();
}

#[tokio::test]
async fn an_expired_token_is_renewed_once_and_then_used() {
    let world = World::new().await;
    let key = world.expired().await;
    let first = world.call(&world.app, &key).await;
    assert_eq!((first.status, first.token(), &first.body["body"]), (200, "at-0-1", &Value::from("the body")));
    let second = world.call(&world.another_process(), &key).await;
    assert_eq!((second.status, second.token()), (200, "at-0-1"));
    assert_eq!((world.provider.redeemed(), world.provider.asked()), (1, 1));
    assert_eq!(world.stands(&key).await, ("at-0-1".to_owned(), 2));
    assert!(!world.is_leased(&key).await);
}

#[tokio::test]
async fn a_token_is_renewed_ten_seconds_before_its_end_and_not_earlier() {
    let world = World::new().await;
    for (left, renewed) in [(10_001, 0), (10_000, 1), (0, 1)] {
        let tokens = world.provider.consent();
        let stored = world.connection_with("vendor", &tokens, Some(Duration::from_millis(left))).await;
        let before = world.provider.redeemed();
        assert_eq!(world.call(&world.app, &stored.connection.key).await.status, 200);
        assert_eq!(world.provider.redeemed() - before, renewed, "{left} ms left");
    }
}

#[tokio::test]
async fn a_token_without_an_end_is_used_until_the_provider_says_no() {
    let world = World::new().await;
    let key = world.connection_with("vendor", &world.provider.consent(), None).await.connection.key;
    world.hands.turn(Duration::from_hours(10 * 365 * 24));
    assert_eq!(world.call(&world.app, &key).await.token(), "at-0-0");
    assert_eq!(world.provider.asked(), 0);
}

#[tokio::test]
async fn with_too_little_time_left_nothing_is_redeemed() {
    let world = World::new().await;
    let key = world.expired().await;
    for left in [0, 1, 10_000, 19_999] {
        let deadline = world.hands.now().after(Duration::from_millis(left));
        let told = world.call_until(&world.app, &key, Some(deadline)).await;
        assert_eq!((told.status, told.error()), (503, "retry_later"), "{left} ms left");
        assert_eq!(told.header("retry-after"), Some("2"));
    }
    assert_eq!((world.provider.asked(), world.provider.api_calls()), (0, 0));
    assert!(!world.is_leased(&key).await);

    let enough = world.hands.now().after(Duration::from_secs(29));
    assert_eq!(world.call_until(&world.app, &key, Some(enough)).await.status, 200);
    let soon = world.hands.now().after(Duration::from_millis(1));
    assert_eq!(world.call_until(&world.app, &key, Some(soon)).await.status, 200, "a good token needs no time");
    assert_eq!(world.provider.redeemed(), 1);
}

#[tokio::test]
async fn an_answer_without_a_refresh_token_keeps_the_old_one() {
    let world = World::new().await;
    let key = world.expired().await;
    for _ in 0..2 {
        world.provider.answer_next([Answer::KeepingTheRefreshToken]);
        assert_eq!(world.call(&world.app, &key).await.status, 200);
        world.hands.turn(Duration::from_hours(1));
    }
    assert_eq!(world.call(&world.app, &key).await.status, 200);
    assert_eq!((world.provider.redeemed(), world.stored(&key).await.generation), (3, 4));
}

#[tokio::test]
async fn a_grant_that_ended_is_told_once_and_the_provider_asked_no_more() {
    let world = World::new().await;
    let key = world.expired().await;
    world.provider.answer_next([Answer::Refuse("invalid_grant")]);
    for app in [&world.app, &world.app, &world.another_process()] {
        let told = world.call(app, &key).await;
        assert_eq!((told.status, told.error()), (409, "needs_reauth"));
    }
    assert_eq!((world.provider.asked(), world.provider.api_calls()), (1, 0));
    assert_eq!(world.stored(&key).await.health, Health::NeedsReauth);
    assert!(!world.is_leased(&key).await);

    world.hands.turn(Duration::from_secs(1));
    world.reconnect(&key).await;
    assert_eq!(world.call(&world.app, &key).await.token(), "at-1-0", "connected again, it works again");
    assert_eq!(world.stored(&key).await.health, Health::Connected);
}
