//! The clients of AWS, by the cheapest recipe that is still the official SDK.
//!
//! The SDK's own HTTP stack reads and parses the system's root certificates at each start (tens of millions of
//! instructions) and would stand beside the one that reqwest brings. Here the SDK speaks through a reqwest client:
//! one stack, one TLS configuration, roots compiled in. Region and credentials come from the variables that Lambda sets.

pub mod secret_values;

use std::{sync::Arc, time::Duration};

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    stalled_stream_protection::StalledStreamProtectionConfig,
};
use aws_smithy_types::{body::SdkBody, retry::RetryConfig, timeout::TimeoutConfig};

use crate::{config::Aws, error::StoreError};

/// A TLS configuration with the Web PKI's roots compiled in.
///
/// # Panics
/// Never: the provider that is compiled in speaks both versions.
#[must_use]
pub fn tls() -> rustls::ClientConfig {
    tls_under(rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
}

/// The same for certificates under these roots.
///
/// # Panics
/// If ring could not speak TLS 1.2 and 1.3, which would be a fault of the build.
#[must_use]
pub fn tls_under(roots: rustls::RootCertStore) -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    #[expect(clippy::expect_used, reason = "ring has the safe default versions; a failure would be one of the build")]
    let versions = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3");
    versions.with_root_certificates(roots).with_no_client_auth()
}

/// An HTTP client for AWS: no proxy, no redirects, connections kept.
pub fn http_client(tls: rustls::ClientConfig) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(2))
        .pool_idle_timeout(Duration::from_secs(50)) // DynamoDB closes idle connections after about a minute
        .build()
}

/// The SDK's transport over a reqwest client.
#[derive(Clone, Debug)]
struct Transport(reqwest::Client);

impl HttpConnector for Transport {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move { send(&client, request).await })
    }
}

async fn send(client: &reqwest::Client, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (parts, body) = request.into_parts();
    // DynamoDB's and Secrets Manager's requests are JSON in memory, never streams
    let bytes = body.bytes().map(bytes::Bytes::copy_from_slice).unwrap_or_default();
    let outgoing = client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(bytes);
    let response = outgoing.send().await.map_err(classify)?;
    let mut builder = http::Response::builder().status(response.status());
    if let Some(headers) = builder.headers_mut() {
        headers.clone_from(response.headers());
    }
    let body = response.bytes().await.map_err(classify)?;
    let response = builder.body(SdkBody::from(body)).map_err(|error| ConnectorError::other(error.into(), None))?;
    HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
}

/// So that the SDK retries what may be retried.
fn classify(error: reqwest::Error) -> ConnectorError {
    if error.is_timeout() { ConnectorError::timeout(error.into()) } else { ConnectorError::io(error.into()) }
}

fn transport(http: &reqwest::Client) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Transport(http.clone()));
    http_client_fn(move |_, _| connector.clone())
}

/// No call to AWS takes longer than this, its repetitions included.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(8);

/// Nor any of its repetitions than this.
const REQUEST_LIMIT: Duration = Duration::from_secs(3);

/// How often a call is sent at most.
const MOST_ATTEMPTS: u32 = 4;

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(REQUEST_LIMIT).operation_timeout(CALL_LIMIT).build()
}

fn credentials(aws: &Aws) -> Credentials {
    Credentials::new(&aws.access_key_id, &aws.secret_access_key, aws.session_token.clone(), None, "environment")
}

/// A DynamoDB client.
#[must_use]
pub fn dynamodb(aws: &Aws, http: &reqwest::Client) -> aws_sdk_dynamodb::Client {
    use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Region};
    let mut config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(aws.region.clone()))
        .credentials_provider(credentials(aws))
        .http_client(transport(http))
        .timeout_config(timeouts())
        .retry_config(RetryConfig::standard().with_max_attempts(MOST_ATTEMPTS))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    config.set_endpoint_url(aws.dynamodb_endpoint.clone());
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

/// Makes a connection to DynamoDB and leaves it to the pool. A plain GET needs no signature: the answer is a word on the
/// service's health, and not looked at.
pub async fn connect_to_dynamodb(aws: &Aws, http: &reqwest::Client) -> Result<(), StoreError> {
    let response = http.get(dynamodb_url(aws).await?).send().await.map_err(|error| unconnected(&error))?;
    // a connection goes back to the pool once its answer was read
    response.bytes().await.map(drop).map_err(|error| unconnected(&error))
}

/// Where DynamoDB is.
async fn dynamodb_url(aws: &Aws) -> Result<String, StoreError> {
    use aws_sdk_dynamodb::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
    if let Some(url) = &aws.dynamodb_endpoint {
        return Ok(url.clone());
    }
    let params = Params::builder().region(aws.region.clone()).build().map_err(|error| unconnected(&error))?;
    let endpoint = DefaultResolver::new().resolve_endpoint(&params).await.map_err(|error| unconnected(&*error))?;
    Ok(endpoint.url().to_owned())
}

fn unconnected(error: &(dyn std::error::Error + 'static)) -> StoreError {
    StoreError::Connect(crate::error::chain(error))
}

/// A Secrets Manager client, for what writes there: making it costs as much as a request.
#[must_use]
pub fn secrets_manager(aws: &Aws, http: &reqwest::Client) -> aws_sdk_secretsmanager::Client {
    use aws_sdk_secretsmanager::config::{BehaviorVersion, Builder, Region};
    let mut config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(aws.region.clone()))
        .credentials_provider(credentials(aws))
        .http_client(transport(http))
        .timeout_config(timeouts())
        .retry_config(RetryConfig::standard().with_max_attempts(MOST_ATTEMPTS))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    config.set_endpoint_url(aws.secrets_manager_endpoint.clone());
    aws_sdk_secretsmanager::Client::from_conf(config.build())
}
