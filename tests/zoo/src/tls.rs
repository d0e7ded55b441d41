//! A certificate authority made at the start, and a certificate for any host name that is asked for.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::{
    ServerConfig,
    crypto::ring::{default_provider, sign::any_supported_type},
    pki_types::{CertificateDer, PrivateKeyDer},
    server::{ClientHello, ResolvesServerCert},
    sign::{CertifiedKey, SigningKey},
};

/// How many certificates are kept; then they are made anew.
const KEPT: usize = 1000;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No certificate.
    #[error("no certificate could be made")]
    Certificate(#[from] rcgen::Error),
    /// No configuration.
    #[error("TLS could not be set up")]
    Config(#[from] rustls::Error),
}

/// The authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    leaf: KeyPair,
    signing: Arc<dyn SigningKey>,
    root: CertificateDer<'static>,
    made: Mutex<BTreeMap<String, Arc<CertifiedKey>>>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority(…)")
    }
}

impl Authority {
    /// A new one.
    pub fn new() -> Result<Self, TlsError> {
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "provider zoo");
        let key = KeyPair::generate()?;
        let root = params.self_signed(&key)?.der().clone();
        let leaf = KeyPair::generate()?;
        let der = PrivateKeyDer::Pkcs8(leaf.serialize_der().into());
        let signing = any_supported_type(&der)?;
        Ok(Self { issuer: Issuer::new(params, key), leaf, signing, root, made: Mutex::default() })
    }

    /// Its certificate, which a client has to trust.
    #[must_use]
    pub fn root(&self) -> &[u8] {
        &self.root
    }

    /// What a listener serves with.
    pub fn config(self: Arc<Self>) -> Result<ServerConfig, TlsError> {
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let mut config = builder.with_safe_default_protocol_versions()?.with_no_client_auth().with_cert_resolver(self);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    fn certificate(&self, host: &str) -> Option<Arc<CertifiedKey>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = made.get(host) {
            return Some(key.clone());
        }
        let params = CertificateParams::new(vec![host.to_owned()]).ok()?;
        let certificate = params.signed_by(&self.leaf, &self.issuer).ok()?;
        let key = Arc::new(CertifiedKey::new(vec![certificate.der().clone()], self.signing.clone()));
        if made.len() >= KEPT {
            made.clear();
        }
        made.insert(host.to_owned(), key.clone());
        Some(key)
    }
}

impl ResolvesServerCert for Authority {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.certificate(hello.server_name().unwrap_or("localhost"))
    }
}
