//! An embedded DynamoDB on loopback, and a proxy before it that is as unkind as the real one.
//!
//! Emulators are consistent, prompt and always there. Behind the [`Proxy`] the indexes lag, calls are throttled or fail, and
//! answers are lost after the write was applied. It also counts what was asked.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, Response, StatusCode},
};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Semaphore};

/// Serves a router on a free loopback port for as long as the test runs.
pub async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// An empty DynamoDB in memory.
pub async fn embedded() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let database = dynoxide::Database::memory().unwrap();
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    url
}

/// What a call meets.
#[derive(Clone)]
pub enum Fault {
    /// `ProvisionedThroughputExceededException`, before anything is applied.
    Throttled,
    /// A 500, before anything is applied.
    Broken,
    /// A refusal that no SDK repeats, before anything is applied.
    Denied,
    /// A write that met a transaction, or a transaction that met another one, before anything is applied.
    Conflict,
    /// It is applied, and the connection is cut before the answer is there.
    LostAnswer,
    /// It waits before it is applied, until a permit is given.
    Held(Arc<Semaphore>),
    /// It is applied, and its answer waits until a permit is given.
    HeldAnswer(Arc<Semaphore>),
}

/// A fault for calls of an operation whose body holds a text.
struct Planned {
    operation: &'static str,
    needle: &'static str,
    times: usize,
    fault: Fault,
}

/// A call that was made.
#[derive(Clone, Debug)]
pub struct Call {
    /// What was asked of what: `GetItem connections`.
    pub name: String,
    /// When it arrived.
    pub from: Instant,
    /// When its answer left.
    pub until: Instant,
}

/// A proxy before an AWS JSON endpoint.
pub struct Proxy {
    /// Its address.
    pub url: String,
    inner: Arc<Inner>,
}

struct Inner {
    upstream: String,
    http: reqwest::Client,
    calls: Mutex<Vec<Call>>,
    /// How long an answer takes.
    pace: Mutex<Duration>,
    planned: Mutex<Vec<Planned>>,
    /// The writes that were refused once, while every one is.
    contended: Mutex<Option<BTreeSet<String>>>,
    /// Where indexes are asked while they lag.
    lagging: Mutex<Option<String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// A proxy before this endpoint.
    pub async fn before(upstream: &str) -> Self {
        let inner = Arc::new(Inner {
            upstream: upstream.to_owned(),
            http: shared::aws::http_client(shared::aws::tls()).unwrap(),
            calls: Mutex::default(),
            pace: Mutex::default(),
            planned: Mutex::default(),
            contended: Mutex::default(),
            lagging: Mutex::default(),
        });
        let url = serve(Router::new().fallback(pass).with_state(Arc::clone(&inner))).await;
        Self { url, inner }
    }

    /// The next so many calls of an operation whose body holds this text meet a fault.
    pub fn plan(&self, operation: &'static str, needle: &'static str, times: usize, fault: Fault) {
        lock(&self.inner.planned).push(Planned { operation, needle, times, fault });
    }

    /// From now on every write meets a transaction on the same item, once.
    pub fn contend(&self) {
        *lock(&self.inner.contended) = Some(BTreeSet::new());
    }

    /// The endpoint behind it.
    pub fn upstream(&self) -> &str {
        &self.inner.upstream
    }

    /// Whether all that was planned was met.
    pub fn has_met_all(&self) -> bool {
        lock(&self.inner.planned).iter().all(|planned| planned.times == 0)
    }

    /// No more faults.
    pub fn heal(&self) {
        lock(&self.inner.planned).clear();
    }

    /// The names of the calls since the last time, sorted. A retry counts as a call.
    pub fn take_calls(&self) -> Vec<String> {
        let mut names: Vec<_> = self.take_timed_calls().into_iter().map(|call| call.name).collect();
        names.sort();
        names
    }

    /// The calls since the last time.
    pub fn take_timed_calls(&self) -> Vec<Call> {
        std::mem::take(&mut *lock(&self.inner.calls))
    }

    /// From now on every answer takes so long.
    pub fn pace(&self, pace: Duration) {
        *lock(&self.inner.pace) = pace;
    }

    /// From now on the indexes of a table answer from its present state, whatever is written.
    pub async fn freeze_indexes(&self, table: &str) {
        let inner = &self.inner;
        let replica = embedded().await;
        let definition = inner.ask(&inner.upstream, "DescribeTable", &json!({ "TableName": table })).await;
        inner.ask(&replica, "CreateTable", &as_created(&definition["Table"])).await;
        let items = inner.ask(&inner.upstream, "Scan", &json!({ "TableName": table, "ConsistentRead": true })).await;
        for item in items["Items"].as_array().unwrap() {
            inner.ask(&replica, "PutItem", &json!({ "TableName": table, "Item": item })).await;
        }
        *lock(&inner.lagging) = Some(replica);
    }

    /// The indexes have caught up.
    pub fn thaw_indexes(&self) {
        *lock(&self.inner.lagging) = None;
    }
}

/// A description of a table as `CreateTable` takes it.
fn as_created(table: &Value) -> Value {
    let plain = |index: &Value| json!({ "IndexName": index["IndexName"], "KeySchema": index["KeySchema"], "Projection": index["Projection"] });
    let indexes: Vec<Value> = table["GlobalSecondaryIndexes"].as_array().into_iter().flatten().map(plain).collect();
    json!({
        "TableName": table["TableName"], "BillingMode": "PAY_PER_REQUEST", "KeySchema": table["KeySchema"],
        "AttributeDefinitions": table["AttributeDefinitions"], "GlobalSecondaryIndexes": indexes,
    })
}

impl Inner {
    async fn ask(&self, endpoint: &str, operation: &str, body: &Value) -> Value {
        let request = self.http.post(endpoint).header("x-amz-target", format!("DynamoDB_20120810.{operation}"));
        let request = request
            .header("content-type", "application/x-amz-json-1.0")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
            .header("x-amz-date", "20260101T000000Z");
        let response = request.body(body.to_string()).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{operation}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// The fault that this call meets, which uses it up.
    fn fault(&self, operation: &str, body: &str) -> Option<Fault> {
        let mut planned = lock(&self.planned);
        let next = planned.iter_mut().find(|p| p.times > 0 && p.operation == operation && body.contains(p.needle))?;
        next.times -= 1;
        Some(next.fault.clone())
    }

    /// Whether this write meets a transaction: the first time, if all do. What tells one try from the next is not looked at.
    fn is_contended(&self, operation: &str, request: &Value) -> bool {
        if !["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"].contains(&operation) {
            return false;
        }
        let mut write = request.clone();
        write.as_object_mut().unwrap().remove("ClientRequestToken");
        lock(&self.contended).as_mut().is_some_and(|refused| refused.insert(format!("{operation} {write}")))
    }

    async fn forward(&self, endpoint: &str, headers: &HeaderMap, body: Bytes) -> Response<Body> {
        let mut request = self.http.post(endpoint).body(body);
        for (name, value) in headers.iter().filter(|(name, _)| !matches!(name.as_str(), "host" | "content-length")) {
            request = request.header(name, value);
        }
        let answer = request.send().await.unwrap();
        let mut response = Response::new(Body::empty());
        *response.status_mut() = answer.status();
        for (name, value) in answer.headers().iter().filter(|(name, _)| *name != "content-length") {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        *response.body_mut() = Body::from(answer.bytes().await.unwrap());
        response
    }
}

async fn pass(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let Some(target) = headers.get("x-amz-target").and_then(|value| value.to_str().ok()) else {
        return Response::new(Body::from("healthy")); // a connection that is made beforehand
    };
    let operation = target.rsplit('.').next().unwrap().to_owned();
    let text = String::from_utf8_lossy(&body).into_owned();
    let request: Value = serde_json::from_slice(&body).unwrap();
    let (from, pace) = (Instant::now(), *lock(&inner.pace));
    let until = from + pace;
    lock(&inner.calls).push(Call { name: format!("{operation} {}", subject(&request)), from, until });
    if !pace.is_zero() {
        tokio::time::sleep(pace).await;
    }

    let lagging = lock(&inner.lagging).clone().filter(|_| operation == "Query" && !request["IndexName"].is_null());
    let endpoint = lagging.unwrap_or_else(|| inner.upstream.clone());
    let fault =
        inner.is_contended(&operation, &request).then_some(Fault::Conflict).or_else(|| inner.fault(&operation, &text));
    match &fault {
        Some(Fault::Throttled) => {
            return refusal(400, "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException");
        }
        Some(Fault::Broken) => return refusal(500, "com.amazonaws.dynamodb.v20120810#InternalServerError"),
        Some(Fault::Denied) => return refusal(400, "com.amazon.coral.service#AccessDeniedException"),
        Some(Fault::Conflict) => return conflict(&request),
        Some(Fault::Held(gate)) => gate.acquire().await.unwrap().forget(),
        Some(Fault::LostAnswer | Fault::HeldAnswer(_)) | None => {}
    }
    let response = inner.forward(&endpoint, &headers, body).await;
    match fault {
        Some(Fault::LostAnswer) => cut(),
        Some(Fault::HeldAnswer(gate)) => {
            gate.acquire().await.unwrap().forget();
            response
        }
        _ => response,
    }
}

/// The tables or the secret that a call is about, without what makes their names unique.
fn subject(request: &Value) -> String {
    let mut names: Vec<&str> =
        request["RequestItems"].as_object().into_iter().flat_map(|items| items.keys()).map(String::as_str).collect();
    names.extend(request["TableName"].as_str().or(request["SecretId"].as_str()));
    let writes = request["TransactItems"].as_array().into_iter().flatten();
    names.extend(writes.filter_map(|write| write.as_object()?.values().next()?["TableName"].as_str()));
    let mut names: Vec<_> = names.into_iter().map(|name| name.rsplit('.').next().unwrap_or(name)).collect();
    names.sort_unstable();
    names.dedup();
    names.join("+")
}

fn refusal(status: u16, kind: &str) -> Response<Body> {
    let mut response =
        Response::new(Body::from(json!({ "__type": kind, "message": "asked for by a test" }).to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/x-amz-json-1.0"));
    response
}

fn conflict(request: &Value) -> Response<Body> {
    if request["TransactItems"].is_null() {
        return refusal(400, "com.amazonaws.dynamodb.v20120810#TransactionConflictException");
    }
    let reasons: Vec<Value> = (0..request["TransactItems"].as_array().map_or(0, Vec::len))
        .map(|at| json!({ "Code": if at == 0 { "TransactionConflict" } else { "None" } }))
        .collect();
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons [TransactionConflict, None]",
        "CancellationReasons": reasons,
    });
    let mut response = refusal(400, "");
    *response.body_mut() = Body::from(body.to_string());
    response
}

/// A head without its body: the connection breaks.
fn cut() -> Response<Body> {
    let broken = stream::iter([Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionReset))]);
    Response::new(Body::from_stream(broken))
}
