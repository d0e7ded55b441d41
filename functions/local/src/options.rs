//! What the person who types `cargo run` can choose.

use std::{net::SocketAddr, path::PathBuf};

use shared::clock::Clock;
use tracing_subscriber::filter::LevelFilter;

use crate::StartError;

/// How the local server runs.
pub struct Options {
    /// Where Mooring listens, on 127.0.0.1; 0 takes any free port.
    pub port: u16,
    /// Where the demo app listens.
    pub app_port: u16,
    /// Where the demo provider listens.
    pub provider_port: u16,
    /// Whether each of the three is printed under a name of its own, so that a browser takes them for three sites, as customer,
    /// Mooring and provider are: `mooring.localhost`, `app.localhost`, `provider.localhost`.
    pub names: bool,
    /// What stands before every path, like a stage: `/prod`, or nothing.
    pub base_path: String,
    /// Where the state lives.
    pub data: Data,
    /// The time.
    pub clock: Clock,
    /// Whether the keeper runs by itself, every minute.
    pub keeper: bool,
    /// The server that plays all providers, and what its certificates are trusted by.
    #[cfg(feature = "zoo")]
    pub zoo: Option<(SocketAddr, rustls::ClientConfig)>,
}

/// Where the state lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// In this folder.
    Folder(PathBuf),
    /// Nowhere: it ends with the process.
    Memory,
}

impl Options {
    /// For a test: any free ports, nothing kept.
    #[must_use]
    pub fn for_test(clock: Clock) -> Self {
        Self {
            port: 0,
            app_port: 0,
            provider_port: 0,
            names: false,
            base_path: String::new(),
            data: Data::Memory,
            clock,
            keeper: false,
            #[cfg(feature = "zoo")]
            zoo: None,
        }
    }

    /// From `PORT`, `APP_PORT`, `PROVIDER_PORT`, `LOOPBACK_NAMES`, `BASE_PATH` and `MOORING_DATA`.
    pub fn from_env() -> Result<Self, StartError> {
        let port = port("PORT")?.unwrap_or(4400);
        let beside = |offset: u16| if port == 0 { 0 } else { port.saturating_add(offset) };
        let base_path = variable("BASE_PATH").unwrap_or_default().trim_end_matches('/').to_owned();
        if !base_path.is_empty() && !is_path(&base_path) {
            return Err(StartError::Option("BASE_PATH", "a path like /prod"));
        }
        let data = match variable("MOORING_DATA").as_deref() {
            Some(":memory:") => Data::Memory,
            Some(folder) => Data::Folder(folder.into()),
            None => Data::Folder(".mooring".into()),
        };
        Ok(Self {
            port,
            app_port: self::port("APP_PORT")?.unwrap_or(beside(1)),
            provider_port: self::port("PROVIDER_PORT")?.unwrap_or(beside(2)),
            names: switch("LOOPBACK_NAMES")?,
            base_path,
            data,
            clock: Clock::system(),
            keeper: true,
            #[cfg(feature = "zoo")]
            zoo: None,
        })
    }
}

/// What is logged: warnings, or with `LOG=info` a line for each request too.
pub fn log_level() -> Result<LevelFilter, StartError> {
    match variable("LOG") {
        Some(level) => level.parse().map_err(|_| StartError::Option("LOG", "a level like warn or info")),
        None => Ok(LevelFilter::WARN),
    }
}

/// An address on this machine alone.
#[must_use]
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn port(name: &'static str) -> Result<Option<u16>, StartError> {
    variable(name)
        .map(|text| text.parse().map_err(|_| StartError::Option(name, "a port number from 0 to 65535")))
        .transpose()
}

fn switch(name: &'static str) -> Result<bool, StartError> {
    match variable(name).as_deref() {
        None | Some("0") => Ok(false),
        Some("1") => Ok(true),
        Some(_) => Err(StartError::Option(name, "1 or 0")),
    }
}

fn is_path(text: &str) -> bool {
    let plain = |segment: &str| {
        !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(plain))
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the local server's own settings are read here, once")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
