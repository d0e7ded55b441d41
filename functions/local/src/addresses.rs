//! Where the three servers listen, and the addresses that are printed: by those everybody calls them.

use tokio::net::TcpListener;
use url::Url;

use crate::{
    StartError,
    options::{Options, loopback},
    other,
};

/// The three ports of 127.0.0.1, taken.
pub struct Listeners {
    /// Mooring's.
    pub gateway: TcpListener,
    /// The demo app's.
    pub app: TcpListener,
    /// The demo provider's.
    pub provider: TcpListener,
}

/// What is printed, and what base URL, issuer, redirect URIs and allowed origins follow from.
pub struct Addresses {
    /// Mooring's, with its base path.
    pub base_url: Url,
    /// The demo app's.
    pub app_url: Url,
    /// The demo provider's.
    pub provider_url: Url,
}

impl Listeners {
    /// Takes the ports.
    pub async fn bind(options: &Options) -> Result<Self, StartError> {
        Ok(Self {
            gateway: bind(options.port, "PORT").await?,
            app: bind(options.app_port, "APP_PORT").await?,
            provider: bind(options.provider_port, "PROVIDER_PORT").await?,
        })
    }

    /// What they are called. A name ending in `.localhost` is this machine to every browser (RFC 6761 §6.3), and three names
    /// are three sites, where three ports of one host are one.
    pub fn addresses(&self, options: &Options) -> Result<Addresses, StartError> {
        let host = |name: &'static str| if options.names { name } else { "127.0.0.1" };
        Ok(Addresses {
            base_url: address(&self.gateway, host("mooring.localhost"), &options.base_path)?,
            app_url: address(&self.app, host("app.localhost"), "")?,
            provider_url: address(&self.provider, host("provider.localhost"), "")?,
        })
    }
}

impl Addresses {
    /// Mooring's, as it stands before a path.
    #[must_use]
    pub fn base(&self) -> &str {
        self.base_url.as_str().trim_end_matches('/')
    }
}

async fn bind(port: u16, variable: &'static str) -> Result<TcpListener, StartError> {
    TcpListener::bind(loopback(port)).await.map_err(|error| StartError::Port(port, error, variable))
}

fn address(listener: &TcpListener, host: &str, base_path: &str) -> Result<Url, StartError> {
    let port = listener.local_addr().map_err(other)?.port();
    Url::parse(&format!("http://{host}:{port}{base_path}")).map_err(other)
}
