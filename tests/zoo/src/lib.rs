//! The provider zoo: a server that plays real providers from data, each as its own documentation says.
//!
//! A connector that is tried here meets what the provider documents: parameters and headers that have to be there,
//! answers with the provider's own member names, and its refusals. Whatever was missing is told in words by
//! [`Zoo::refusals`]. Nothing is shared with the code under test. See `README.md` for how a provider is added.
//!
//! It leaves out everything about APIs beyond who may call them.

mod api;
mod authorize;
mod client_auth;
mod clock;
mod control;
pub mod data;
mod device;
mod digest;
mod dpop;
mod engine;
mod fault;
mod jwt;
mod load;
mod oauth1;
mod pattern;
mod random;
mod refusal;
mod request;
mod rule;
mod server;
mod sigv4;
mod state;
mod template;
mod tls;
mod token;

use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc};

use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use self::{
    engine::Engine,
    server::{Speech, listen, serve},
    tls::{Authority, TlsError},
};
pub use self::{
    fault::Fault,
    load::{FILES, LoadError},
    refusal::Refusal,
    state::Client,
};

/// Why the zoo does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file of a provider is wrong.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// No certificate authority.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No port.
    #[error("no port to listen on")]
    Listen(#[from] io::Error),
}

/// A control call that can't be done: the provider, the endpoint or the account is not known.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotKnown(String);

/// The running zoo. It ends when it is dropped.
pub struct Zoo {
    engine: Arc<Engine>,
    authority: Arc<Authority>,
    address: SocketAddr,
    plain_address: SocketAddr,
    listeners: [JoinHandle<()>; 2],
}

impl Zoo {
    /// Plays every provider that is compiled in.
    pub async fn start() -> Result<Self, StartError> {
        Self::of(FILES).await
    }

    /// Plays the providers of these files (name and TOML text).
    pub async fn of(files: &[(&str, &str)]) -> Result<Self, StartError> {
        let engine = Arc::new(Engine::new(load::providers(files)?)?);
        let authority = Arc::new(Authority::new()?);
        let acceptor = TlsAcceptor::from(Arc::new(authority.clone().config()?));
        let (listener, address) = listen().await?;
        let (plain, plain_address) = listen().await?;
        let listeners = [
            tokio::spawn(serve(listener, engine.clone(), Speech::Tls(acceptor))),
            tokio::spawn(serve(plain, engine.clone(), Speech::Plain)),
        ];
        Ok(Self { engine, authority, address, plain_address, listeners })
    }

    /// Where TLS is spoken, for every host name.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where plain HTTP is spoken: `/{host}/…`, or the `Host` header, chooses the provider; `/_zoo/…` is the control.
    #[must_use]
    pub fn plain_address(&self) -> SocketAddr {
        self.plain_address
    }

    /// The certificate that a client has to trust, in DER.
    #[must_use]
    pub fn root_certificate_der(&self) -> Vec<u8> {
        self.authority.root().to_vec()
    }

    /// The ids of the connectors that are played.
    #[must_use]
    pub fn providers(&self) -> Vec<&str> {
        self.engine.providers.iter().flat_map(|provider| provider.ids.iter().map(String::as_str)).collect()
    }

    /// The host names of a provider, with `{…}` where any label is taken.
    pub fn hosts(&self, id: &str) -> Result<Vec<String>, NotKnown> {
        let provider = self.engine.provider(id).ok_or_else(|| NotKnown(control::unknown(id)))?;
        Ok(provider.hosts.iter().map(|pattern| pattern.as_str().to_owned()).collect())
    }

    /// Registers a client, or replaces what was registered under its id.
    pub fn register_client(&self, id: &str, client: Client) -> Result<(), NotKnown> {
        told(control::register_client(&self.engine, id, client))
    }

    /// Registers an API key, a login or an account number, by the names that the provider's file uses.
    pub fn register_key(&self, id: &str, fields: &[(&str, &str)]) -> Result<(), NotKnown> {
        let key: BTreeMap<String, String> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        told(control::register_key(&self.engine, id, key))
    }

    /// Says who consents from now on, by a name in the provider's file.
    pub fn consent_as(&self, id: &str, account: &str) -> Result<(), NotKnown> {
        told(control::consent_as(&self.engine, id, account))
    }

    /// Makes the next calls of an endpoint go wrong. Faults at one endpoint add up.
    pub fn fault(&self, id: &str, endpoint: &str, calls: u32, fault: Fault) -> Result<(), NotKnown> {
        told(control::fault(&self.engine, id, endpoint, calls, fault))
    }

    /// Nothing goes wrong at a provider any more.
    pub fn clear_faults(&self, id: &str) -> Result<(), NotKnown> {
        let (_, mut state) = self.engine.state(id).ok_or_else(|| NotKnown(control::unknown(id)))?;
        state.planned.clear();
        Ok(())
    }

    /// The person takes back at the provider all that they ever granted.
    pub fn withdraw(&self, id: &str) -> Result<(), NotKnown> {
        told(control::withdraw(&self.engine, id))
    }

    /// Moves the time of all providers.
    pub fn advance(&self, seconds: i64) {
        self.engine.clock.advance(seconds);
    }

    /// Every call that was refused, the oldest first: what was missing, in words and without secrets.
    #[must_use]
    pub fn refusals(&self) -> Vec<Refusal> {
        self.engine.refusals()
    }

    /// Forgets the refusals so far.
    pub fn clear_refusals(&self) {
        self.engine.clear_refusals();
    }

    /// How often an endpoint was called.
    #[must_use]
    pub fn calls(&self, id: &str, endpoint: &str) -> u64 {
        self.engine.state(id).and_then(|(_, state)| state.calls.get(endpoint).copied()).unwrap_or(0)
    }

    /// Whether an access token or refresh token works.
    #[must_use]
    pub fn is_live(&self, id: &str, token: &str) -> bool {
        let now = self.engine.clock.now();
        self.engine.state(id).is_some_and(|(_, state)| state.is_live(token, now))
    }

    /// Ends both listeners and every connection, and waits until they have.
    pub async fn shutdown(mut self) {
        for listener in &mut self.listeners {
            listener.abort();
            let _ = listener.await; // it was told to end, so that is all there is to hear
        }
    }
}

fn told(done: Result<Value, String>) -> Result<(), NotKnown> {
    done.map(|_| ()).map_err(NotKnown)
}

impl Drop for Zoo {
    fn drop(&mut self) {
        self.listeners.iter().for_each(JoinHandle::abort);
    }
}
