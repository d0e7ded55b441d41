//! Fills the fake AWS endpoint with what the functions read, through the code that writes it in a deployment: the items are
//! right because nothing here knows what they look like. Prints what a request needs, as JSON.
//!
//! Reads the functions' environment; its one argument is the address of the fake provider.

use std::{collections::BTreeMap, error::Error};

use serde_json::json;
use shared::{
    app::App,
    caller::secret_key,
    id::{ClientId, ConnectionKey, ConnectorId, Environment, ProjectId, Role},
    protocol::{connector::Connector, credentials::Credentials},
    secret::{AppSecret, Bearer, digest},
    store::{
        connections::{Account, Connection, Times},
        settings::{AppClient, Project},
    },
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let provider = std::env::args().nth(1).ok_or("usage: bench-seed <the provider's address>")?;
    let app = App::from_env()?;
    let now = app.clock.now();
    app.settings.set_base_url("https://mooring.example").await?;
    app.signing_key().await?; // published when it is first needed

    let project = Project {
        id: ProjectId::random(&app.random),
        name: "Bench".to_owned(),
        allowed_origins: Vec::new(),
        redirect_uris: Vec::new(),
        vouches_for_users: false,
        reconnect_other_account: shared::store::settings::OtherAccount::default(),
        brand: shared::brand::Brand::default(),
        created_at: now,
    };
    app.settings.create_project(&project).await?;
    let client = AppClient {
        id: ClientId::random(&project.id, Environment::Test, &app.random),
        name: "Bench".to_owned(),
        description: String::new(),
        roles: Role::ALL.to_vec(),
        created_at: now,
        revoked_at: None,
    };
    let secret = Bearer::random(&app.random).expose().to_owned();
    app.settings.create_client(&client, &digest(&secret)).await?;

    let connector: Connector = serde_json::from_value(json!({
        "id": "bench",
        "name": "Bench",
        "inputs": [{ "name": "api_key", "label": "API key", "secret": true }],
        "api": { "base_url": provider, "credential": { "in": "header", "value": "Bearer {api_key}" } },
    }))?;
    app.settings.put_custom(&project.id, &connector).await?;
    let connection = Connection {
        key: ConnectionKey::random(&app.random),
        project: project.id.clone(),
        environment: Environment::Test,
        connector: ConnectorId::of(&connector),
        identity: None,
        identity_label: None,
        name: None,
        account: Account::default(),
        client: None,
        client_id: None,
        scopes: Vec::new(),
        slots: Vec::new(),
        requested: Vec::new(),
        values: BTreeMap::new(),
        tags: Vec::new(),
        active: true,
        created_at: now,
        updated_at: now,
        version: 1,
    };
    let credentials = Credentials::typed(BTreeMap::from([("api_key".to_owned(), "key".to_owned())]));
    let sealed = app.seal(&connection.belongs(), &credentials.plaintext()).await?; // the ring is claimed when first used
    app.connections.create(&app.settings, &connection, &sealed, Times::default()).await?;

    let key = secret_key(&client.id, &AppSecret::from(secret.clone()));
    let seeded =
        json!({ "client_id": client.id, "client_secret": secret, "secret_key": key, "connection": connection.key });
    println!("{seeded}");
    Ok(())
}
