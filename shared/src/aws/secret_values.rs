//! `GetSecretValue`, the one call to Secrets Manager that starts and requests wait for.
//!
//! It is one POST of AWS JSON 1.1, signed by the crate that the SDK signs with. Through the SDK's own client it would be
//! the dearest part of a start: a second table of AWS' partitions parsed, and the SDK's whole machine run for a single
//! string (ARCHITECTURE.md, "Cold start"). What writes secrets uses the SDK.
//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>

use std::{
    error::Error as StdError,
    time::{Duration, UNIX_EPOCH},
};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::{CALL_LIMIT, MOST_ATTEMPTS, REQUEST_LIMIT};
use crate::{clock::Clock, config::Aws, json::shape};

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
const TARGET: &str = "secretsmanager.GetSecretValue";

/// How long to wait before the first repetition; twice as long before each further one.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// Secrets Manager, as far as it is read.
pub struct SecretValues {
    http: reqwest::Client,
    aws: Aws,
    credentials: Credentials,
    clock: Clock,
}

/// The current version of a secret.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SecretValue {
    /// Its text; absent where it holds bytes.
    pub secret_string: Option<String>,
    /// Which version this is.
    pub version_id: String,
}

/// Why a secret was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is none of this name.
    #[error("there is no such secret")]
    NotFound,
    /// Secrets Manager refuses; the same call may succeed later where it says so of itself.
    #[error("{kind} ({status})")]
    Refused {
        /// The error's type, as in AWS' documentation.
        kind: String,
        /// The HTTP status.
        status: u16,
    },
    /// It could not be asked.
    #[error("{0}")]
    Unreachable(String),
    /// It did not answer in time.
    #[error("no answer within {} s", CALL_LIMIT.as_secs())]
    TooSlow,
}

impl ReadError {
    /// Whether the same call may succeed a moment later: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>.
    fn is_passing(&self) -> bool {
        match self {
            Self::Refused { kind, status } => *status >= 500 || *status == 429 || kind.starts_with("Throttling"),
            Self::Unreachable(_) | Self::TooSlow => true,
            Self::NotFound => false,
        }
    }
}

/// What an error's body says (AWS JSON 1.1). Its message is left alone: it may quote the request.
#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "__type")]
    kind: String,
}

impl SecretValues {
    /// Secrets read with these credentials.
    #[must_use]
    pub fn new(aws: Aws, http: reqwest::Client, clock: Clock) -> Self {
        Self { credentials: super::credentials(&aws), http, aws, clock }
    }

    /// The current version of a secret.
    pub async fn get_secret_value(&self, name: &str) -> Result<SecretValue, ReadError> {
        let body = json!({ "SecretId": name }).to_string();
        let repeated = async {
            let mut wait = FIRST_WAIT;
            for _ in 1..MOST_ATTEMPTS {
                match self.attempt(&body).await {
                    Err(error) if error.is_passing() => sleep(wait).await,
                    done => return done,
                }
                wait *= 2;
            }
            self.attempt(&body).await
        };
        timeout(CALL_LIMIT, repeated).await.unwrap_or(Err(ReadError::TooSlow))
    }

    async fn attempt(&self, body: &str) -> Result<SecretValue, ReadError> {
        let unreachable = |error: &(dyn StdError + 'static)| ReadError::Unreachable(crate::error::chain(error));
        let request = self.signed(body).await.map_err(|error| unreachable(&*error))?;
        let answered = async {
            let response = self.http.execute(request).await?;
            Ok::<_, reqwest::Error>((response.status(), response.bytes().await?))
        };
        let (status, answer) = timeout(REQUEST_LIMIT, answered)
            .await
            .map_err(|_| ReadError::TooSlow)?
            .map_err(|error| unreachable(&error))?;
        if status.is_success() {
            return shape::read(&answer).map_err(|_| ReadError::Unreachable("its answer is no secret".to_owned()));
        }
        let kind = shape::read::<Refusal>(&answer).map(|refusal| refusal.kind).unwrap_or_default();
        // some services write `namespace#Type`
        match kind.rsplit('#').next() {
            Some("ResourceNotFoundException") => Err(ReadError::NotFound),
            kind => Err(ReadError::Refused { kind: kind.unwrap_or_default().to_owned(), status: status.as_u16() }),
        }
    }

    /// The call, signed by Signature Version 4.
    async fn signed(&self, body: &str) -> Result<reqwest::Request, Box<dyn StdError + Send + Sync>> {
        let url = self.url().await?;
        let identity = self.credentials.clone().into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.aws.region)
            .name("secretsmanager")
            .time(UNIX_EPOCH + Duration::from_millis(self.clock.now().millis()))
            .settings(SigningSettings::default())
            .build()?
            .into();
        let headers = [("content-type", CONTENT_TYPE), ("x-amz-target", TARGET)];
        let signable = SignableRequest::new("POST", &url, headers.into_iter(), SignableBody::Bytes(body.as_bytes()))?;
        let (signature, _) = sign(signable, &params)?.into_parts();
        let request = self.http.post(&url).body(body.to_owned());
        let request = headers
            .into_iter()
            .chain(signature.headers())
            .fold(request, |request, (name, value)| request.header(name, value));
        Ok(request.build()?)
    }

    /// Every partition names its hosts alike, `<service>.<region>.<suffix>`, and the SDK knows the suffix.
    async fn url(&self) -> Result<String, crate::error::StoreError> {
        match &self.aws.secrets_manager_endpoint {
            Some(url) => Ok(url.clone()),
            None => Ok(super::dynamodb_url(&self.aws).await?.replacen("//dynamodb.", "//secretsmanager.", 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn values() -> SecretValues {
        let aws = Aws {
            region: "eu-central-1".to_owned(),
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: Some("session".to_owned()),
            dynamodb_endpoint: None,
            secrets_manager_endpoint: None,
        };
        let http = crate::aws::http_client(crate::aws::tls()).unwrap();
        SecretValues::new(aws, http, Clock::new(|| Timestamp::from_secs(1_440_938_160)))
    }

    /// The signature is the one that botocore 1.x makes of the same request at the same moment.
    #[tokio::test]
    async fn a_call_is_signed_for_its_own_region_and_service() {
        let request = values().signed(r#"{"SecretId":"ring"}"#).await.unwrap();
        let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(request.url().as_str(), "https://secretsmanager.eu-central-1.amazonaws.com/");
        assert_eq!(header("x-amz-date"), "20150830T123600Z");
        assert_eq!(header("x-amz-security-token"), "session");
        assert_eq!(
            header("authorization"),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-central-1/secretsmanager/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, \
             Signature=5b76d596579a24a63d2139fa63d2a0f1a56b3f77ddb4bb2a7d4a627ee9caed38"
        );
    }

    #[tokio::test]
    async fn each_partition_has_its_own_host() {
        for (region, url) in [
            ("cn-north-1", "https://secretsmanager.cn-north-1.amazonaws.com.cn"),
            ("us-gov-west-1", "https://secretsmanager.us-gov-west-1.amazonaws.com"),
            ("eusc-de-east-1", "https://secretsmanager.eusc-de-east-1.amazonaws.eu"),
        ] {
            let mut values = values();
            region.clone_into(&mut values.aws.region);
            assert_eq!(values.url().await.unwrap(), url);
        }
    }

    #[test]
    fn only_what_may_pass_is_asked_again() {
        let refused = |kind: &str, status| ReadError::Refused { kind: kind.to_owned(), status };
        for (error, passing) in [
            (refused("InternalServiceError", 500), true),
            (refused("ThrottlingException", 400), true),
            (refused("", 429), true),
            (ReadError::TooSlow, true),
            (refused("AccessDeniedException", 400), false),
            (refused("DecryptionFailure", 400), false),
            (ReadError::NotFound, false),
        ] {
            assert_eq!(error.is_passing(), passing, "{error}");
        }
    }
}
