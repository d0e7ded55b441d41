//! Mooring on a laptop: every function's handler behind one address, with DynamoDB and Secrets Manager in the process, a
//! demo provider and a demo app. Never deployed.
//!
//! The handlers and the AWS SDK are the deployed ones: only the endpoints differ. Everything listens on 127.0.0.1.

pub mod demo;
pub mod deployed;
pub mod dynamodb;
pub mod folder;
pub mod gateway;
pub mod guard;
pub mod options;
pub mod secrets;
pub mod seed;
pub mod spelling;
pub mod tables;

use std::{io, path::Path, sync::Arc, time::Duration};

use dynoxide::Database;
use shared::{
    app::App,
    aws,
    catalog::Catalog,
    config::{Aws, Config, SecretNames, Tables, public_url},
    flow::begin::redirect_uri,
    id::ConnectorId,
    protocol::connector::Connector,
    secret::Bearer,
    store::attempts::Callback,
};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use url::Url;

use crate::{
    demo::{Secret, app as demo_app, provider::Provider},
    folder::Folder,
    guard::Guard,
    options::{Options, loopback},
    seed::Demo,
    spelling::on_loopback,
};

/// Why the local server can't start: one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is not what it should be.
    #[error("{0} has to be {1}")]
    Option(&'static str, &'static str),
    /// A port is taken.
    #[error("port {0} on 127.0.0.1 can't be used ({1}); set {2} to another one")]
    Port(u16, io::Error, &'static str),
    /// The folder can't be made or written.
    #[error("the folder {folder} can't be used ({error}); set MOORING_DATA to another one, or to :memory:")]
    Folder {
        /// Which.
        folder: String,
        /// Why.
        error: io::Error,
    },
    /// Another server runs on the folder.
    #[error("another local server is using the folder {0}; stop that one, or set MOORING_DATA to another folder")]
    InUse(String),
    /// What a file holds is not what was written into it.
    #[error(
        "{file} can't be read ({why}); put back a copy of it, or remove what Mooring keeps in {folder} to start afresh"
    )]
    Unreadable {
        /// Which.
        file: String,
        /// Why.
        why: String,
        /// Where it is: alone it can't be replaced, since each file there refers to the others.
        folder: String,
    },
    /// Something in the start itself failed.
    #[error("{0}")]
    Other(String),
}

impl StartError {
    fn folder(folder: &Path, error: io::Error) -> Self {
        Self::Folder { folder: folder.display().to_string(), error }
    }
}

/// A running local server.
pub struct Server {
    /// Mooring's address.
    pub base_url: Url,
    /// The demo app's address.
    pub app_url: Url,
    /// The demo provider's address.
    pub provider_url: Url,
    /// What the handlers have at hand.
    pub app: Arc<App>,
    /// The demo provider, to look into.
    pub provider: Arc<Provider>,
    /// What the demo is called with.
    pub demo: Demo,
    /// Who has it may administer everything.
    pub root_key: String,
    /// Where the embedded DynamoDB listens.
    pub dynamodb_url: String,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    /// Held until everything has stopped.
    _folder: Folder,
}

impl Server {
    /// Starts everything, and returns once all of it answers.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        // the ports first: a taken one should change nothing
        let gateway_listener = bind(options.port, "PORT").await?;
        let app_listener = bind(options.app_port, "APP_PORT").await?;
        let provider_listener = bind(options.provider_port, "PROVIDER_PORT").await?;
        let folder = Folder::open(&options.data)?;
        let base_url = address(&gateway_listener, &options.base_path)?;
        let (app_url, provider_url) = (address(&app_listener, "")?, address(&provider_listener, "")?);

        let secrets = secrets::Secrets::open(folder.file("secrets.json"))
            .map_err(|error| folder.unreadable("secrets.json", &error))?;
        let random = shared::clock::Random::system();
        let long = || Bearer::random(&random).expose().to_owned();
        // kept with what it guards
        let access_key_id = secrets.text_or("access-key-id", || guard::access_key_id(&random)).map_err(other)?;
        let database = open_dynamodb(&folder, &mut tasks, &stopped)?;
        let dynamodb_url = serve_aws(dynamodb::router(database), &access_key_id, &mut tasks, &stopped).await?;
        let secrets_router = secrets::router(Arc::clone(&secrets));
        let secrets_url = serve_aws(secrets_router, &access_key_id, &mut tasks, &stopped).await?;

        let root_key = secrets.text_or("root-key", long).map_err(other)?;
        for name in ["ring-seed", "signing-seed"] {
            secrets.text_or(name, long).map_err(other)?;
        }
        secrets.text_or("ring-versions", || "{}".to_owned()).map_err(other)?;

        let config = config(&base_url, access_key_id, dynamodb_url.clone(), secrets_url)?;
        let catalog = Catalog::builtin().with(acme(&provider_url)?);
        let app = Arc::new(App::new(config, catalog, options.clock.clone()).map_err(other)?);
        let demo = Demo::load(&app, folder.file("demo.json").as_deref())
            .map_err(|error| folder.unreadable("demo.json", &error))?;
        let base = base_url.as_str().trim_end_matches('/').to_owned();
        demo.plant(&app, &base, &app_url).await.map_err(|error| StartError::Other(shared::error::chain(&error)))?;

        let provider = provider(&folder, &options, &provider_url, &demo, &base)?;
        let acme = demo::provider::router(Arc::clone(&provider));
        serve(provider_listener, on_loopback(&provider_url, acme), &mut tasks, &stopped);
        let orbit = demo_app::router(demo_config(&options, &base_url, &app_url, &demo)?);
        serve(app_listener, on_loopback(&app_url, orbit), &mut tasks, &stopped);
        let gateway = gateway::Gateway { app: Arc::clone(&app), base_url: base_url.clone(), app_url: app_url.clone() };
        serve(gateway_listener, gateway::router(Arc::new(gateway)), &mut tasks, &stopped);
        if options.keeper {
            tasks.spawn(keep(Arc::clone(&app), stopped));
        }
        let env = demo.env(&base, &app_url, &provider_url, &root_key);
        folder.write("demo.env", &env)?;
        folder.write("lambda.env", &deployed::env(&app.config))?;
        Ok(Self {
            base_url,
            app_url,
            provider_url,
            app,
            provider,
            demo,
            root_key,
            dynamodb_url,
            stop,
            tasks,
            _folder: folder,
        })
    }

    /// Lets every request that is under way finish, for at most five seconds, and stops.
    pub async fn stop(mut self) {
        // a receiver that is gone is one that has stopped
        let _ = self.stop.send(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(Duration::from_secs(5), all).await.is_err() {
            tracing::warn!("some requests did not finish in time");
        }
    }
}

async fn bind(port: u16, variable: &'static str) -> Result<TcpListener, StartError> {
    TcpListener::bind(loopback(port)).await.map_err(|error| StartError::Port(port, error, variable))
}

fn address(listener: &TcpListener, base_path: &str) -> Result<Url, StartError> {
    let port = listener.local_addr().map_err(other)?.port();
    Url::parse(&format!("http://127.0.0.1:{port}{base_path}")).map_err(other)
}

fn open_dynamodb(
    folder: &Folder,
    tasks: &mut JoinSet<()>,
    stopped: &watch::Receiver<bool>,
) -> Result<Database, StartError> {
    let database = match folder.private_file("dynamodb.sqlite")? {
        Some(file) => Database::new(&file.to_string_lossy()),
        None => Database::memory(),
    };
    let unreadable = |error: &dyn std::fmt::Display| folder.unreadable("dynamodb.sqlite", error);
    let database = database.map_err(|error| unreadable(&error))?;
    tables::create(&database).map_err(|error| unreadable(&error))?;
    let sweeper = database.clone();
    tasks.spawn(every_minute(stopped.clone(), move || {
        let sweeper = sweeper.clone();
        async move {
            if let Err(error) = sweeper.sweep_ttl() {
                tracing::warn!(%error, "expired items could not be removed");
            }
        }
    }));
    Ok(database)
}

/// Serves what plays a service of AWS, behind the guard.
async fn serve_aws(
    endpoint: axum::Router,
    access_key_id: &str,
    tasks: &mut JoinSet<()>,
    stopped: &watch::Receiver<bool>,
) -> Result<String, StartError> {
    let listener = TcpListener::bind(loopback(0)).await.map_err(other)?;
    let address = listener.local_addr().map_err(other)?;
    serve(listener, Guard::new(address, access_key_id).before(endpoint), tasks, stopped);
    Ok(format!("http://{address}"))
}

fn serve(listener: TcpListener, router: axum::Router, tasks: &mut JoinSet<()>, stopped: &watch::Receiver<bool>) {
    let shutdown = until(stopped.clone());
    tasks.spawn(async move {
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(shutdown).await {
            tracing::error!(%error, "a listener stopped");
        }
    });
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // an error means that the server itself is gone, which is as good
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// What the schedule does in a deployment.
async fn keep(app: Arc<App>, stopped: watch::Receiver<bool>) {
    every_minute(stopped, move || {
        let app = Arc::clone(&app);
        async move {
            if let Err(error) = keeper::keep(&app, None).await {
                tracing::error!(cause = shared::error::chain(&error), "the keeper's round failed");
            }
        }
    })
    .await;
}

async fn every_minute<F: Future<Output = ()>>(stopped: watch::Receiver<bool>, work: impl Fn() -> F) {
    let mut minute = tokio::time::interval(Duration::from_mins(1));
    loop {
        tokio::select! {
            () = until(stopped.clone()) => return,
            _ = minute.tick() => work().await,
        }
    }
}

fn config(
    base_url: &Url,
    access_key_id: String,
    dynamodb_url: String,
    secrets_url: String,
) -> Result<Config, StartError> {
    let [settings, flows, connections, journal] = tables::NAMES.map(str::to_owned);
    Ok(Config {
        tables: Tables { settings, flows, connections, journal },
        secrets: SecretNames {
            ring_seed: "ring-seed".to_owned(),
            ring_versions: "ring-versions".to_owned(),
            signing_seed: "signing-seed".to_owned(),
            root_key: "root-key".to_owned(),
            clients_prefix: "clients/".to_owned(),
        },
        deployment_id: "local".to_owned(),
        public_url: Some(public_url(base_url.as_str()).map_err(other)?),
        loopback_egress: true,
        aws: Aws {
            region: "local".to_owned(),
            access_key_id,
            secret_access_key: "local".to_owned(),
            session_token: None,
            dynamodb_endpoint: Some(dynamodb_url),
            secrets_manager_endpoint: Some(secrets_url),
        },
    })
}

/// The demo provider as a connector: its data, with the address that it has here.
fn acme(provider_url: &Url) -> Result<Connector, StartError> {
    let address = provider_url.as_str().trim_end_matches('/');
    let text = include_str!("../acme.toml").replace("https://provider.example", address);
    let mut acme: Connector = toml::from_str(&text).map_err(other)?;
    acme.id = "acme".into();
    acme.check(true).map_err(other)?;
    Ok(acme)
}

fn provider(
    folder: &Folder,
    options: &Options,
    url: &Url,
    demo: &Demo,
    base_url: &str,
) -> Result<Arc<Provider>, StartError> {
    let provider = Provider::open(folder.file("provider.json"), url, demo_clock(options), demo_random())
        .map_err(|error| folder.unreadable("provider.json", &error))?;
    let secret = Secret::new(demo.acme_client_secret());
    let acme = ConnectorId::parse("acme").ok_or_else(|| other("acme is no connector's id"))?;
    let redirect_uris = [Callback::Own, Callback::Common].map(|callback| redirect_uri(base_url, &acme, callback));
    provider.register_client(&demo.acme_client_id, &secret, "Orbit CRM", &redirect_uris).map_err(other)?;
    Ok(provider)
}

fn demo_config(options: &Options, base_url: &Url, app_url: &Url, demo: &Demo) -> Result<demo_app::Config, StartError> {
    let http = aws::http_client(aws::tls()).map_err(other)?;
    Ok(demo_app::Config {
        base_url: base_url.clone(),
        app_url: app_url.clone(),
        project_id: demo.project.to_string(),
        secret_key: Secret::new(demo.secret_key()),
        http,
        clock: demo_clock(options),
        random: demo_random(),
    })
}

fn demo_clock(options: &Options) -> demo::Clock {
    let clock = options.clock.clone();
    Arc::new(move || clock.now().secs())
}

fn demo_random() -> demo::Random {
    let random = shared::clock::Random::system();
    Arc::new(move |buffer: &mut [u8]| {
        for chunk in buffer.chunks_mut(32) {
            chunk.copy_from_slice(&random.bytes::<32>()[..chunk.len()]);
        }
    })
}

fn other(error: impl std::fmt::Display) -> StartError {
    StartError::Other(error.to_string())
}
