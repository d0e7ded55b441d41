//! A client that knows nothing but HTTP: what is sent stands in the test.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{
    Client, Method,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider, pki_types::CertificateDer};
use serde_json::Value;
use url::{Url, form_urlencoded};
use zoo::Zoo;

/// Where the browser is sent back to.
pub const BACK: &str = "https://app.example/callback";

/// The zoo, and a client that reaches every host name there.
pub struct World {
    pub zoo: Zoo,
    http: Client,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    /// A member, as text.
    pub fn at(&self, pointer: &str) -> String {
        match self.json().pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }

    /// The parameters of the way back.
    pub fn back(&self) -> BTreeMap<String, String> {
        let location =
            self.headers.get("location").unwrap_or_else(|| panic!("no redirect: {} {}", self.status, self.text));
        Url::parse(location).unwrap().query_pairs().into_owned().collect()
    }
}

/// Every host name is at the zoo.
struct Everywhere(SocketAddr);

impl Resolve for Everywhere {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(std::iter::once(self.0));
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

impl World {
    pub async fn new() -> Self {
        let zoo = Zoo::start().await.unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(zoo.root_certificate_der())).unwrap();
        let tls = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(Arc::new(Everywhere(zoo.address())))
            .redirect(Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self { zoo, http }
    }

    /// A call with these headers and this body; the error, if the connection ended.
    pub async fn try_send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.http.request(method.parse::<Method>().unwrap(), url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let header = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
            (name.as_str().to_owned(), value.to_str().unwrap().to_owned())
        };
        let headers = response.headers().iter().map(header).collect();
        Ok(Answer { status, headers, text: response.text().await? })
    }

    pub async fn send(&self, method: &str, url: &str, headers: &[(&str, &str)], body: String) -> Answer {
        self.try_send(method, url, headers, body).await.unwrap()
    }

    pub async fn get(&self, url: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", url, headers, String::new()).await
    }

    /// A form by POST.
    pub async fn form(&self, url: &str, headers: &[(&str, &str)], pairs: &[(&str, &str)]) -> Answer {
        let mut headers = headers.to_vec();
        headers.push(("content-type", "application/x-www-form-urlencoded"));
        self.send("POST", url, &headers, encode(pairs)).await
    }

    /// JSON by POST.
    pub async fn post_json(&self, url: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut headers = headers.to_vec();
        headers.push(("content-type", "application/json"));
        self.send("POST", url, &headers, body.to_string()).await
    }

    /// Consents, and gives the parameters of the way back.
    pub async fn consent(&self, url: &str, more: &[(&str, &str)]) -> BTreeMap<String, String> {
        let mut pairs = vec![("client_id", "zoo-client"), ("redirect_uri", BACK), ("state", "s1")];
        pairs.extend(more);
        self.get(&format!("{url}?{}", encode(&pairs)), &[]).await.back()
    }

    /// What the log says, each line as `endpoint: words`.
    pub fn log(&self) -> Vec<String> {
        let lines = self.zoo.refusals();
        self.zoo.clear_refusals();
        lines.iter().map(|line| format!("{}: {}", line.endpoint, line.words)).collect()
    }
}

pub fn encode(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The Basic header of the client that is always known.
pub fn basic() -> String {
    format!("Basic {}", STANDARD.encode("zoo-client:zoo-secret"))
}
