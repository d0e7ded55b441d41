//! Requests with a proof of possession (RFC 9449), for connections whose tokens are bound to a key of their own.
//!
//! A server may want its own nonce in each proof and says so by a refusal (§8, §9): then the request is made anew with it, once.
//! The nonce is kept for as long as the process lives, since it is the server's and not the connection's.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use http::HeaderMap;
use url::Url;

use super::unusable;
use crate::{
    app::App,
    egress::PROVIDER_LIMIT,
    error::{Error, ProviderError},
    id::ConnectorId,
    protocol::{dpop, origins::Origins},
    secret::ProofKey,
};

/// The most servers whose nonces are kept.
const MOST: usize = 256;

/// The nonces that servers handed out last, by their origin.
#[derive(Debug, Default)]
pub struct Nonces(Mutex<HashMap<String, String>>);

impl Nonces {
    /// The one of the server at this address.
    #[must_use]
    pub fn of(&self, uri: &http::Uri) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&origin(uri)?).cloned()
    }

    /// Keeps what an answer hands out (§8.2).
    pub fn keep(&self, uri: &http::Uri, headers: &HeaderMap) {
        let (Some(origin), Some(nonce)) = (origin(uri), dpop::nonce(headers)) else { return };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(origin, nonce.to_owned());
    }
}

fn origin(uri: &http::Uri) -> Option<String> {
    Url::parse(&uri.to_string()).ok().map(|url| url.origin().ascii_serialization())
}

impl App {
    /// Sends a request to an authorization server, with a proof where there is a key, and once more with the nonce that it demands.
    /// Both together take no longer than one may. The second is built anew: a client's assertion is good for one request
    /// (RFC 7523 §3).
    pub(super) async fn send_proven(
        &self,
        id: &ConnectorId,
        origins: &Origins,
        key: Option<&ProofKey>,
        build: impl Fn() -> Result<http::Request<Bytes>, Error>,
    ) -> Result<http::Response<Bytes>, Error> {
        let Some(key) = key else {
            return self.egress.send(build()?, origins).await.map_err(|cause| cause.of(id));
        };
        let both = async {
            let response = self.try_proven(id, origins, key, build()?).await?;
            if dpop::nonce_demanded(&response).is_none() {
                return Ok(response);
            }
            self.try_proven(id, origins, key, build()?).await
        };
        tokio::time::timeout(PROVIDER_LIMIT, both).await.map_err(|_| ProviderError::Timeout.of(id))?
    }

    async fn try_proven(
        &self,
        id: &ConnectorId,
        origins: &Origins,
        key: &ProofKey,
        mut request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, Error> {
        let uri = request.uri().clone();
        let nonce = self.nonces.of(&uri);
        dpop::attach(&mut request, key, None, nonce.as_deref(), self.clock.now(), &self.random)
            .map_err(unusable(id))?;
        let response = self.egress.send(request, origins).await.map_err(|cause| cause.of(id))?;
        self.nonces.keep(&uri, response.headers());
        Ok(response)
    }
}
