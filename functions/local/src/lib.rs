//! Mooring on a laptop: every function's handler behind one address, with DynamoDB and Secrets Manager in the process, a
//! demo provider and a demo app. Never deployed.
//!
//! The handlers and the AWS SDK are the deployed ones: only the endpoints differ. Everything listens on 127.0.0.1.

pub mod addresses;
pub mod cloud;
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
mod tasks;

use std::{io, path::Path, sync::Arc, time::Duration};

use axum::Router;
#[cfg(feature = "zoo")]
use shared::egress::Egress;
use shared::{
    app::App,
    aws,
    catalog::Catalog,
    config::{Aws, Config, SecretNames, Tables, public_url},
    flow::begin::redirect_uri,
    id::ConnectorId,
    protocol::connector::Connector,
    store::attempts::Callback,
};
use url::Url;

use crate::{
    addresses::{Addresses, Listeners},
    cloud::Cloud,
    demo::{Secret, app as demo_app, provider::Provider},
    folder::Folder,
    options::{Options, loopback},
    seed::Demo,
    spelling::as_printed,
    tasks::Tasks,
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
    tasks: Tasks,
    /// Held until everything has stopped.
    _folder: Folder,
}

impl Server {
    /// Starts everything, and returns once all of it answers.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        // the ports first: a taken one should change nothing
        let listeners = Listeners::bind(&options).await?;
        let addresses = listeners.addresses(&options)?;
        let folder = Folder::open(&options.data)?;
        let mut tasks = Tasks::default();

        let Cloud { aws, dynamodb_url, root_key } = cloud::play(&folder, &mut tasks).await?;
        let app = Arc::new(mooring(&options, &addresses, aws)?);
        let demo = planted(&folder, &app, &addresses).await?;
        let provider = provider(&folder, &options, &addresses, &demo)?;

        let gateway = gateway(&app, &addresses);
        let orbit = demo_app::router(orbit(&options, &addresses, &demo)?);
        let acme = demo::provider::router(Arc::clone(&provider));
        tasks.serve(listeners.gateway, gateway);
        tasks.serve(listeners.app, as_printed(&addresses.app_url, orbit));
        tasks.serve(listeners.provider, as_printed(&addresses.provider_url, acme));
        if options.keeper {
            keep(Arc::clone(&app), &mut tasks);
        }

        folder.write("demo.env", &demo.env(&addresses, &root_key))?;
        folder.write("lambda.env", &deployed::env(&app.config))?;
        let Addresses { base_url, app_url, provider_url } = addresses;
        Ok(Self {
            base_url,
            app_url,
            provider_url,
            app,
            provider,
            demo,
            root_key,
            dynamodb_url,
            tasks,
            _folder: folder,
        })
    }

    /// Lets every request that is under way finish, for at most five seconds, and stops.
    pub async fn stop(self) {
        self.tasks.stop().await;
    }
}

/// What the handlers have at hand: the deployed thing, but for its settings.
fn mooring(options: &Options, addresses: &Addresses, aws: Aws) -> Result<App, StartError> {
    let catalog = Catalog::builtin().with(acme(&addresses.provider_url)?);
    let app = App::new(config(&addresses.base_url, aws)?, catalog, options.clock.clone()).map_err(other)?;
    #[cfg(feature = "zoo")]
    if let Some((zoo, tls)) = &options.zoo {
        let egress = Egress::to_zoo(tls.clone(), *zoo).map_err(other)?;
        return Ok(app.with_egress(egress));
    }
    Ok(app)
}

fn config(base_url: &Url, aws: Aws) -> Result<Config, StartError> {
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
        aws,
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

/// The demo's project and keys, the same as at the last start, in the store.
async fn planted(folder: &Folder, app: &App, addresses: &Addresses) -> Result<Demo, StartError> {
    let demo =
        Demo::load(app, folder.file("demo.json").as_deref()).map_err(|error| folder.unreadable("demo.json", &error))?;
    let planted = demo.plant(app, addresses.base(), &addresses.app_url).await;
    planted.map_err(|error| StartError::Other(shared::error::chain(&error)))?;
    Ok(demo)
}

/// The demo provider, which knows Mooring as its client.
fn provider(
    folder: &Folder,
    options: &Options,
    addresses: &Addresses,
    demo: &Demo,
) -> Result<Arc<Provider>, StartError> {
    let (file, url) = (folder.file("provider.json"), &addresses.provider_url);
    let provider = Provider::open(file, url, demo_clock(options), demo_random())
        .map_err(|error| folder.unreadable("provider.json", &error))?;
    let secret = Secret::new(demo.acme_client_secret());
    let acme = ConnectorId::parse("acme").ok_or_else(|| other("acme is no connector's id"))?;
    let redirect_uris = [Callback::Own, Callback::Common].map(|path| redirect_uri(addresses.base(), &acme, path));
    provider.register_client(&demo.acme_client_id, &secret, "Orbit CRM", &redirect_uris).map_err(other)?;
    Ok(provider)
}

fn gateway(app: &Arc<App>, addresses: &Addresses) -> Router {
    let Addresses { base_url, app_url, .. } = addresses;
    let gateway = gateway::Gateway { app: Arc::clone(app), base_url: base_url.clone(), app_url: app_url.clone() };
    gateway::router(Arc::new(gateway))
}

/// What the demo app is configured with: Mooring's address and the project's key, as any product would be.
fn orbit(options: &Options, addresses: &Addresses, demo: &Demo) -> Result<demo_app::Config, StartError> {
    Ok(demo_app::Config {
        base_url: addresses.base_url.clone(),
        app_url: addresses.app_url.clone(),
        project_id: demo.project.to_string(),
        secret_key: Secret::new(demo.secret_key()),
        http: way_to(&addresses.base_url)?,
        clock: demo_clock(options),
        random: demo_random(),
    })
}

/// A client for this server, whose name no DNS has to know.
fn way_to(url: &Url) -> Result<reqwest::Client, StartError> {
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(aws::tls())
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(2));
    // port 0 leaves the port to each address
    client.resolve(url.host_str().unwrap_or_default(), loopback(0)).build().map_err(other)
}

/// What the schedule does in a deployment.
fn keep(app: Arc<App>, tasks: &mut Tasks) {
    tasks.every_minute(move || {
        let app = Arc::clone(&app);
        async move {
            if let Err(error) = keeper::keep(&app, None).await {
                tracing::error!(cause = shared::error::chain(&error), "the keeper's round failed");
            }
        }
    });
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
