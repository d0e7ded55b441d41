//! A server that answers what a test says, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    response::Response,
};
use bytes::Bytes;
use tokio::net::TcpListener;

/// What arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    /// Path and query, as they were sent.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

type Say = Arc<dyn Fn(&Seen) -> Response + Send + Sync>;

/// A server on loopback, for as long as the test runs.
pub struct Fake {
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

#[derive(Clone)]
struct Inner {
    say: Say,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Fake {
    pub async fn start(say: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let inner = Inner { say: Arc::new(say), seen: Arc::clone(&seen) };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer).with_state(inner)).await });
        Self { url, seen }
    }

    /// What it was asked, in order.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn answer(State(inner): State<Inner>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let lines = parts.headers.iter();
    let seen = Seen {
        method: parts.method.to_string(),
        target: parts.uri.path_and_query().unwrap().to_string(),
        headers: lines.map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect(),
        body: to_bytes(body, usize::MAX).await.unwrap(),
    };
    inner.seen.lock().unwrap().push(seen.clone());
    (inner.say)(&seen)
}
