//! What plays AWS: DynamoDB and Secrets Manager in this process, over the folder, behind the guard.

use std::sync::Arc;

use axum::Router;
use dynoxide::Database;
use shared::{clock::Random, config::Aws, secret::Bearer};
use tokio::net::TcpListener;

use crate::{
    StartError, dynamodb,
    folder::Folder,
    guard::{self, Guard},
    options::loopback,
    other,
    secrets::{self, Secrets},
    tables,
    tasks::Tasks,
};

/// A running one.
pub struct Cloud {
    /// How it is called.
    pub aws: Aws,
    /// Where DynamoDB listens.
    pub dynamodb_url: String,
    /// Who has it may administer everything.
    pub root_key: String,
}

/// Opens what the folder holds, with the secrets that a deployment is given by its template, and serves it.
pub async fn play(folder: &Folder, tasks: &mut Tasks) -> Result<Cloud, StartError> {
    let random = Random::system();
    let secrets = open_secrets(folder)?;
    let root_key = plant(&secrets, &random).map_err(other)?;
    // kept with what it guards
    let access_key_id = secrets.text_or("access-key-id", || guard::access_key_id(&random)).map_err(other)?;
    let database = open_dynamodb(folder)?;
    sweep(&database, tasks);

    let dynamodb_url = serve(dynamodb::router(database), &access_key_id, tasks).await?;
    let secrets_url = serve(secrets::router(secrets), &access_key_id, tasks).await?;
    let aws = Aws {
        region: "local".to_owned(),
        access_key_id,
        secret_access_key: "local".to_owned(),
        session_token: None,
        dynamodb_endpoint: Some(dynamodb_url.clone()),
        secrets_manager_endpoint: Some(secrets_url),
    };
    Ok(Cloud { aws, dynamodb_url, root_key })
}

fn open_secrets(folder: &Folder) -> Result<Arc<Secrets>, StartError> {
    Secrets::open(folder.file("secrets.json")).map_err(|error| folder.unreadable("secrets.json", &error))
}

/// The secrets that have to be there before the first request. The root key is answered.
fn plant(secrets: &Secrets, random: &Random) -> std::io::Result<String> {
    let long = || Bearer::random(random).expose().to_owned();
    for name in ["ring-seed", "signing-seed"] {
        secrets.text_or(name, long)?;
    }
    secrets.text_or("ring-versions", || "{}".to_owned())?;
    secrets.text_or("root-key", long)
}

fn open_dynamodb(folder: &Folder) -> Result<Database, StartError> {
    let unreadable = |error: &dyn std::fmt::Display| folder.unreadable("dynamodb.sqlite", error);
    let database = match folder.private_file("dynamodb.sqlite")? {
        Some(file) => Database::new(&file.to_string_lossy()),
        None => Database::memory(),
    };
    let database = database.map_err(|error| unreadable(&error))?;
    tables::create(&database).map_err(|error| unreadable(&error))?;
    Ok(database)
}

fn sweep(database: &Database, tasks: &mut Tasks) {
    let database = database.clone();
    tasks.every_minute(move || {
        let database = database.clone();
        async move {
            if let Err(error) = database.sweep_ttl() {
                tracing::warn!(%error, "expired items could not be removed");
            }
        }
    });
}

/// Serves an endpoint behind the guard; where it is.
async fn serve(endpoint: Router, access_key_id: &str, tasks: &mut Tasks) -> Result<String, StartError> {
    let listener = TcpListener::bind(loopback(0)).await.map_err(other)?;
    let address = listener.local_addr().map_err(other)?;
    tasks.serve(listener, Guard::new(address, access_key_id).before(endpoint));
    Ok(format!("http://{address}"))
}
