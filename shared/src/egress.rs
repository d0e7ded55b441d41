//! Calls to providers: denied unless a connector's data allows the address and the address is a public one.
//!
//! Two checks stand in the way of every request, and neither can be stepped around by a redirect or a name that
//! resolves twice: the URL has to lie within the connector's [`Origins`], and each address its name resolves to is
//! checked in the resolver, so the address that was checked is the address connected to. Redirects are never followed.
//! Only local mode (`MOORING_EGRESS=allow-loopback`) may call this machine, and then nothing private besides.

use std::{
    error::Error as StdError,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::{error::ProviderError, protocol::origins::Origins};

/// A provider has this long for a token, profile or revocation call, its body included.
pub const PROVIDER_LIMIT: Duration = Duration::from_secs(10);

/// How long a provider may say nothing while an answer is passed through; a language model can think for minutes.
const SILENCE_LIMIT: Duration = Duration::from_mins(5);

/// The largest answer of such a call that is read.
const ANSWER_LIMIT: usize = 1024 * 1024;

/// The way out.
#[derive(Clone, Debug)]
pub struct Egress {
    client: reqwest::Client,
    loopback: bool,
}

impl Egress {
    /// A way out over this TLS configuration. `loopback` opens it to this machine: local mode alone.
    pub fn new(tls: rustls::ClientConfig, loopback: bool) -> Result<Self, reqwest::Error> {
        Self::by(tls, PublicResolver { loopback }, loopback)
    }

    /// A way out on which every name leads to one server on this machine, which plays the providers. All else is as in a
    /// deployment: the allow-list, https, the names in the addresses and in the certificates.
    #[cfg(feature = "zoo")]
    pub fn to_zoo(tls: rustls::ClientConfig, zoo: SocketAddr) -> Result<Self, reqwest::Error> {
        Self::by(tls, ZooResolver(zoo), true)
    }

    fn by(tls: rustls::ClientConfig, resolver: impl Resolve + 'static, loopback: bool) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(std::sync::Arc::new(resolver))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(SILENCE_LIMIT)
            .pool_idle_timeout(Duration::from_secs(50))
            .build()?;
        Ok(Self { client, loopback })
    }

    /// Sends a request and reads the whole answer, within [`PROVIDER_LIMIT`].
    pub async fn send(
        &self,
        request: http::Request<Bytes>,
        origins: &Origins,
    ) -> Result<http::Response<Bytes>, ProviderError> {
        self.fetch(request, origins, (ANSWER_LIMIT, PROVIDER_LIMIT)).await
    }

    /// The same within a length and a time of the caller's.
    pub async fn fetch(
        &self,
        request: http::Request<Bytes>,
        origins: &Origins,
        (length, time): (usize, Duration),
    ) -> Result<http::Response<Bytes>, ProviderError> {
        let whole = async {
            let response = self.open(request, origins).await?;
            read(response, length).await
        };
        tokio::time::timeout(time, whole).await.map_err(|_| ProviderError::Timeout)?
    }

    /// Sends a request and reads no more than the head of the answer: the rest may be a stream that does not end.
    pub async fn head(
        &self,
        request: http::Request<Bytes>,
        origins: &Origins,
        time: Duration,
    ) -> Result<http::Response<()>, ProviderError> {
        let opened = tokio::time::timeout(time, self.open(request, origins)).await;
        let response = opened.map_err(|_| ProviderError::Timeout)??;
        let mut head = http::Response::new(());
        *head.status_mut() = response.status();
        head.headers_mut().clone_from(response.headers());
        Ok(head)
    }

    /// Sends a request and returns once the head of the answer is there.
    pub async fn open(
        &self,
        request: http::Request<Bytes>,
        origins: &Origins,
    ) -> Result<reqwest::Response, ProviderError> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(|_| ProviderError::AddressRefused)?;
        if !origins.permits(&url) || !self.literal_is_public(&url) {
            return Err(ProviderError::AddressRefused);
        }
        let request = self.client.request(parts.method, url).headers(parts.headers).body(body);
        let response = request.send().await.map_err(classify)?;
        // RFC 9110 §15.2: an answer is final or it is none, and 101 would hand over a connection that nobody here speaks on
        if response.status().is_informational() {
            return Err(ProviderError::InvalidResponse("it switches protocols, which is not offered here"));
        }
        Ok(response)
    }

    /// A host that is an address by itself never meets the resolver.
    fn literal_is_public(&self, url: &Url) -> bool {
        match url.host() {
            Some(Host::Ipv4(address)) => is_allowed(IpAddr::V4(address), self.loopback),
            Some(Host::Ipv6(address)) => is_allowed(IpAddr::V6(address), self.loopback),
            Some(Host::Domain(_)) => true,
            None => false,
        }
    }
}

async fn read(response: reqwest::Response, length: usize) -> Result<http::Response<Bytes>, ProviderError> {
    let mut answer = http::Response::builder().status(response.status());
    if let Some(headers) = answer.headers_mut() {
        headers.clone_from(response.headers());
    }
    let mut response = response;
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(classify)? {
        if body.len() + chunk.len() > length {
            return Err(ProviderError::InvalidResponse("the answer is longer than is read"));
        }
        body.extend_from_slice(&chunk);
    }
    answer.body(body.freeze()).map_err(|_| ProviderError::InvalidResponse("the head of the answer"))
}

/// What happened, told by the chain of causes. The URL is taken out of the error: a token may stand in it.
#[must_use]
pub fn classify(error: reqwest::Error) -> ProviderError {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(current) = cause {
        if current.is::<NoPublicAddress>() {
            return ProviderError::AddressRefused;
        }
        cause = current.source();
    }
    if error.is_timeout() { ProviderError::Timeout } else { ProviderError::Unreachable(Box::new(error.without_url())) }
}

/// Every address of a name is one that must not be called.
#[derive(Debug, thiserror::Error)]
#[error("the name has no public address")]
struct NoPublicAddress;

/// Resolves names to public addresses alone.
struct PublicResolver {
    loopback: bool,
}

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let loopback = self.loopback;
        Box::pin(async move {
            if loopback && is_this_machine(name.as_str()) {
                return Ok(Box::new(THIS_MACHINE.into_iter()) as Addrs);
            }
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| is_allowed(address.ip(), loopback)).collect();
            if allowed.is_empty() {
                return Err(Box::new(NoPublicAddress) as Box<dyn StdError + Send + Sync>);
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Resolves every name to the zoo, but those that are this machine's anyway.
#[cfg(feature = "zoo")]
struct ZooResolver(SocketAddr);

#[cfg(feature = "zoo")]
impl Resolve for ZooResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let addresses = if is_this_machine(name.as_str()) { THIS_MACHINE.to_vec() } else { vec![self.0] };
        Box::pin(async move { Ok(Box::new(addresses.into_iter()) as Addrs) })
    }
}

const THIS_MACHINE: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0), // the URL's port counts
    SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0),
];

/// RFC 6761 §6.3: such names are this machine's without anybody being asked, though not every resolver knows.
fn is_this_machine(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether this address may be called.
#[must_use]
fn is_allowed(address: IpAddr, loopback: bool) -> bool {
    let address = address.to_canonical(); // ::ffff:127.0.0.1 is 127.0.0.1
    if address.is_loopback() {
        return loopback;
    }
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Not in IANA's special-purpose registry (RFC 6890), not multicast, not reserved.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local() // 169.254.169.254 too: instance metadata
        || (a == 100 && (64..128).contains(&b)) // shared address space
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b)) // benchmarking
        || address.is_documentation()
        || a >= 224)
}

/// Global unicast (`2000::/3`) without the parts that lead back to an IPv4 address or are reserved.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let global = (a & 0xe000) == 0x2000;
    // Teredo, ORCHID and other protocol assignments; documentation; 6to4; documentation again
    let special = match a {
        0x2001 => b < 0x0200 || b == 0x0db8,
        0x2002 | 0x3fff => true,
        _ => false,
    };
    global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_may_be_called() {
        let table = [
            ("93.184.216.34", true),
            ("2606:2800:220:1::1", true),
            ("127.0.0.1", false),
            ("127.9.9.9", false),
            ("0.0.0.0", false),
            ("10.0.0.1", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("198.18.0.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("192.0.2.1", false),
            ("::1", false),
            ("::", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:10.0.0.1", false),
            ("64:ff9b::7f00:1", false),
            ("fe80::1", false),
            ("fc00::1", false),
            ("fd00:ec2::254", false),
            ("2002:7f00:1::", false),
            ("2001:0::1", false),
            ("ff02::1", false),
        ];
        for (address, expected) in table {
            assert_eq!(is_allowed(address.parse().unwrap(), false), expected, "{address}");
        }
    }

    #[tokio::test]
    async fn in_local_mode_a_name_ending_in_localhost_is_this_machine_whatever_dns_says() {
        let resolver = PublicResolver { loopback: true };
        for name in ["localhost", "provider.localhost", "a.b.localhost"] {
            let found: Vec<SocketAddr> = resolver.resolve(name.parse().unwrap()).await.unwrap().collect();
            assert_eq!(found, THIS_MACHINE, "{name}");
        }
        for name in ["localhost.example", "notlocalhost", "127.0.0.1"] {
            assert!(!is_this_machine(name), "{name}");
        }
    }

    #[tokio::test]
    async fn in_a_deployment_no_name_is_this_machine() {
        let resolver = PublicResolver { loopback: false };
        let error = resolver.resolve("localhost".parse().unwrap()).await.err().unwrap();
        assert!(error.is::<NoPublicAddress>(), "{error}");
    }

    #[test]
    fn local_mode_opens_loopback_and_nothing_else() {
        for (address, expected) in [("127.0.0.1", true), ("::1", true), ("10.0.0.1", false), ("169.254.169.254", false)]
        {
            assert_eq!(is_allowed(address.parse().unwrap(), true), expected, "{address}");
        }
    }
}
