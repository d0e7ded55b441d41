//! Secrets Manager's five calls that Mooring makes, over a file: AWS JSON 1.1 on loopback.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::HeaderMap,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::folder::write_private;

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";

/// Secrets by name, in a file or in memory.
pub struct Secrets {
    file: Option<PathBuf>,
    secrets: Mutex<BTreeMap<String, Secret>>,
}

#[derive(Clone, Default, Deserialize, Serialize)]
struct Secret {
    versions: BTreeMap<String, Version>,
}

#[derive(Clone, Deserialize, Serialize)]
struct Version {
    text: String,
    stages: Vec<String>,
}

/// An error as the SDK reads it.
struct Refused(&'static str, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, Json(json!({ "__type": self.0, "Message": self.1 }))).into_response()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Call {
    #[serde(alias = "Name")]
    secret_id: Option<String>,
    secret_string: Option<String>,
    client_request_token: Option<String>,
    #[serde(default)]
    version_stages: Option<Vec<String>>,
    version_stage: Option<String>,
    version_id: Option<String>,
    move_to_version_id: Option<String>,
    remove_from_version_id: Option<String>,
}

impl Secrets {
    /// The secrets of this file, which need not exist yet; `None` keeps them in memory.
    pub fn open(file: Option<PathBuf>) -> io::Result<Arc<Self>> {
        let secrets = match &file {
            Some(file) if file.exists() => serde_json::from_slice(&std::fs::read(file)?)?,
            _ => BTreeMap::new(),
        };
        Ok(Arc::new(Self { file, secrets: Mutex::new(secrets) }))
    }

    /// The current text of a secret, made by the function if it is not there.
    pub fn text_or(&self, name: &str, make: impl FnOnce() -> String) -> io::Result<String> {
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = secrets.get(name).and_then(Secret::current) {
            return Ok(text.1.text.clone());
        }
        let text = make();
        let version = Version { text: text.clone(), stages: vec![CURRENT.to_owned()] };
        secrets.entry(name.to_owned()).or_default().versions.insert("1".to_owned(), version);
        self.save(&secrets)?;
        Ok(text)
    }

    fn call(&self, operation: &str, call: &Call) -> Result<Value, Refused> {
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        let name = call.secret_id.clone().ok_or_else(|| invalid("SecretId is missing"))?;
        if operation == "CreateSecret" && secrets.contains_key(&name) {
            return Err(Refused("ResourceExistsException", "the secret exists already".to_owned()));
        }
        if operation == "CreateSecret" {
            secrets.insert(name.clone(), Secret::default());
        }
        let secret = secrets.get_mut(&name).ok_or_else(|| {
            Refused("ResourceNotFoundException", "Secrets Manager can't find the specified secret.".to_owned())
        })?;
        let answer = match operation {
            "GetSecretValue" => return secret.read(&name, call),
            "DescribeSecret" => return Ok(secret.describe(&name)),
            "CreateSecret" | "PutSecretValue" => secret.put(&name, call)?,
            "UpdateSecretVersionStage" => secret.stage(&name, call)?,
            _ => return Err(Refused("UnknownOperationException", format!("{operation} is not served here"))),
        };
        self.save(&secrets).map_err(|error| Refused("InternalServiceError", error.to_string()))?;
        Ok(answer)
    }

    fn save(&self, secrets: &BTreeMap<String, Secret>) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        write_private(file, &serde_json::to_vec_pretty(secrets)?)
    }
}

impl Secret {
    fn current(&self) -> Option<(&String, &Version)> {
        self.staged(CURRENT)
    }

    fn staged(&self, stage: &str) -> Option<(&String, &Version)> {
        self.versions.iter().find(|(_, version)| version.stages.iter().any(|s| s == stage))
    }

    fn read(&self, name: &str, call: &Call) -> Result<Value, Refused> {
        let found = match &call.version_id {
            Some(id) => self.versions.get_key_value(id),
            None => self.staged(call.version_stage.as_deref().unwrap_or(CURRENT)),
        };
        let (id, version) =
            found.ok_or_else(|| Refused("ResourceNotFoundException", "there is no such version".to_owned()))?;
        Ok(
            json!({ "ARN": arn(name), "Name": name, "VersionId": id, "SecretString": version.text, "VersionStages": version.stages }),
        )
    }

    fn describe(&self, name: &str) -> Value {
        let stages: BTreeMap<_, _> = self.versions.iter().map(|(id, version)| (id, &version.stages)).collect();
        json!({ "ARN": arn(name), "Name": name, "VersionIdsToStages": stages })
    }

    fn put(&mut self, name: &str, call: &Call) -> Result<Value, Refused> {
        let text = call.secret_string.clone().ok_or_else(|| invalid("SecretString is missing"))?;
        let id = call.client_request_token.clone().ok_or_else(|| invalid("ClientRequestToken is missing"))?;
        if let Some(existing) = self.versions.get(&id) {
            // the same request again, or a token used twice
            let same = existing.text == text;
            return if same {
                Ok(answer(name, &id, &existing.stages))
            } else {
                Err(Refused("ResourceExistsException", "the version exists with another value".to_owned()))
            };
        }
        let stages = call.version_stages.clone().unwrap_or_else(|| vec![CURRENT.to_owned()]);
        self.versions.insert(id.clone(), Version { text, stages: Vec::new() });
        for stage in &stages {
            self.move_stage(stage, Some(&id));
        }
        self.forget_unstaged();
        Ok(answer(name, &id, &stages))
    }

    fn stage(&mut self, name: &str, call: &Call) -> Result<Value, Refused> {
        let stage = call.version_stage.clone().ok_or_else(|| invalid("VersionStage is missing"))?;
        let holder = self.staged(&stage).map(|(id, _)| id.clone());
        if holder.is_some() && call.move_to_version_id.is_some() && holder != call.remove_from_version_id {
            return Err(invalid("RemoveFromVersionId is not the version that the stage is attached to"));
        }
        if let Some(id) = &call.move_to_version_id
            && !self.versions.contains_key(id)
        {
            return Err(Refused("ResourceNotFoundException", "there is no such version".to_owned()));
        }
        self.move_stage(&stage, call.move_to_version_id.as_deref());
        self.forget_unstaged();
        Ok(json!({ "ARN": arn(name), "Name": name }))
    }

    fn move_stage(&mut self, stage: &str, to: Option<&str>) {
        let from = self.staged(stage).map(|(id, _)| id.clone());
        for version in self.versions.values_mut() {
            version.stages.retain(|s| s != stage);
        }
        if let Some(version) = to.and_then(|to| self.versions.get_mut(to)) {
            version.stages.push(stage.to_owned());
        }
        if stage == CURRENT && from.as_deref() != to {
            self.move_stage(PREVIOUS, from.as_deref());
        }
    }

    /// Secrets Manager may remove a version without a stage at any time; here that is at once.
    fn forget_unstaged(&mut self) {
        self.versions.retain(|_, version| !version.stages.is_empty());
    }
}

fn invalid(why: &str) -> Refused {
    Refused("InvalidParameterException", why.to_owned())
}

fn arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:local:000000000000:secret:{name}")
}

fn answer(name: &str, version: &str, stages: &[String]) -> Value {
    json!({ "ARN": arn(name), "Name": name, "VersionId": version, "VersionStages": stages })
}

/// The endpoint that aws-sdk-secretsmanager speaks to.
pub fn router(secrets: Arc<Secrets>) -> Router {
    Router::new().route("/", post(serve)).with_state(secrets)
}

async fn serve(State(secrets): State<Arc<Secrets>>, headers: HeaderMap, body: Bytes) -> Result<Json<Value>, Refused> {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let operation = target.strip_prefix("secretsmanager.").ok_or_else(|| invalid("X-Amz-Target is missing"))?;
    let call: Call = serde_json::from_slice(&body).map_err(|error| invalid(&error.to_string()))?;
    secrets.call(operation, &call).map(Json)
}
