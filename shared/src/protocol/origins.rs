//! Whom a connector may speak to: its data compiled to an allow-list of scheme, host pattern and port.
//!
//! This decides by name only. That the name's addresses are public is checked where the connection is made.

use url::{Host, Url};

use super::{
    connector::{Connector, Text},
    template::{self, InputError, TemplateError, Values, declared, is_host, is_label},
};

/// Labels under which countries give out names: `*.co.uk` would be everybody's.
const SHARED_LABELS: [&str; 7] = ["ac", "co", "com", "edu", "gov", "net", "org"];

/// An allow-list of origins (RFC 6454), some of them with a wildcard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins(Vec<Origin>);

/// Why a connector with these values may speak to nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// A pattern in the connector's data is not one.
    #[error("`{0}` is not an origin like https://api.example.com or https://*.example.com")]
    Pattern(String),
    /// An address in the connector's data can't be filled.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A value that stands in a host is not what the connector declares.
    #[error(transparent)]
    Value(#[from] InputError),
}

impl Origins {
    /// Everything that may be called for a connection: the endpoints of its grant, the base URL, its patterns and
    /// `api.origins`. An address whose values are not known yet contributes nothing.
    pub fn of(connector: &Connector, values: &Values) -> Result<Self, OriginError> {
        let mut origins = Self::of_api(connector, values)?;
        for (_, endpoint) in template::endpoints(connector) {
            origins.0.extend(origin(connector, endpoint, values)?);
        }
        Ok(origins)
    }

    /// The one origin of an address that was checked; nothing where it has none.
    #[must_use]
    pub fn at(url: &Url) -> Self {
        Self(Origin::exact(url).into_iter().collect())
    }

    /// What a call may name in full: the API without the endpoints of the grant.
    pub fn of_api(connector: &Connector, values: &Values) -> Result<Self, OriginError> {
        let api = &connector.api;
        let mut origins = Self::patterns(&api.base_url_patterns)?;
        origins.0.extend(Self::patterns(&api.origins)?.0);
        origins.0.extend(origin(connector, &api.base_url, values)?);
        Ok(origins)
    }

    /// Whether an address lies within. One that names a user never does: the credential is ours to place.
    #[must_use]
    pub fn permits(&self, url: &Url) -> bool {
        url.username().is_empty() && url.password().is_none() && self.0.iter().any(|origin| origin.permits(url))
    }

    /// Whether an address lies within patterns; a pattern that is none matches nothing.
    pub(crate) fn within(patterns: &[Text], url: &Url) -> bool {
        Self::patterns(patterns).is_ok_and(|origins| origins.permits(url))
    }

    fn patterns(patterns: &[Text]) -> Result<Self, OriginError> {
        patterns.iter().map(|pattern| Origin::parse(pattern)).collect::<Result<_, _>>().map(Self)
    }
}

/// The origin of one address; none while a value is not known. Values that stand in it are checked once more here,
/// so that the list is right however they got there.
fn origin(connector: &Connector, address: &str, values: &Values) -> Result<Option<Origin>, OriginError> {
    let (start, _) = template::split(address)?;
    for name in template::placeholders(start) {
        match values.get(name) {
            Some(value) => declared(connector, name, value)?,
            None => return Ok(None),
        }
    }
    let (base, _) = template::base(address, values)?;
    let url = Url::parse(&base).map_err(|_| TemplateError::Broken(address.to_owned()))?;
    Ok(Origin::exact(&url))
}

/// One entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) scheme: Scheme,
    pub(crate) host: Pattern,
    port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// This host.
    Exactly(Host),
    /// One or more labels in front of this suffix, never the suffix itself.
    Under(String),
}

impl Origin {
    /// Reads `https://api.example.com`, `https://*.example.com` or `http://127.0.0.1:9000`, written exactly so.
    pub(crate) fn parse(pattern: &str) -> Result<Self, OriginError> {
        let refused = || OriginError::Pattern(pattern.to_owned());
        let (concrete, wild) = match pattern.split_once("://*.") {
            Some((scheme, suffix)) => (format!("{scheme}://{suffix}"), true),
            None => (pattern.to_owned(), false),
        };
        let url = Url::parse(&concrete).map_err(|_| refused())?;
        let mut origin = Self::exact(&url).filter(|_| url.as_str() == concrete.clone() + "/").ok_or_else(refused)?;
        if wild {
            let suffix = url.host_str().filter(|suffix| is_own_suffix(suffix)).ok_or_else(refused)?;
            origin.host = Pattern::Under(suffix.to_owned());
        }
        Ok(origin)
    }

    fn exact(url: &Url) -> Option<Self> {
        let host = url.host()?.to_owned();
        let anonymous = url.username().is_empty() && url.password().is_none();
        let plain = anonymous && !matches!(&host, Host::Domain(name) if !name.split('.').all(is_label)); // `*` would parse
        let origin =
            Self { scheme: Scheme::of(url)?, host: Pattern::Exactly(host), port: url.port_or_known_default()? };
        plain.then_some(origin)
    }

    fn permits(&self, url: &Url) -> bool {
        Scheme::of(url) == Some(self.scheme)
            && url.port_or_known_default() == Some(self.port)
            && match (&self.host, url.host()) {
                (Pattern::Exactly(host), Some(other)) => *host == other.to_owned(),
                (Pattern::Under(suffix), Some(Host::Domain(host))) => {
                    host.strip_suffix(suffix.as_str()).is_some_and(|labels| labels.len() > 1 && labels.ends_with('.'))
                }
                _ => false,
            }
    }
}

impl Scheme {
    fn of(url: &Url) -> Option<Self> {
        match url.scheme() {
            "https" => Some(Self::Https),
            "http" => Some(Self::Http),
            _ => None,
        }
    }
}

/// Whether all names under a suffix can belong to one owner: two labels or more, and not a country's shared one.
/// A hosting suffix that looks like any other (`github.io`) can't be told; the catalogue and the operator know theirs.
pub(crate) fn is_own_suffix(suffix: &str) -> bool {
    let labels: Vec<&str> = suffix.split('.').collect();
    let shared = matches!(labels[..], [label, country] if country.len() == 2 && SHARED_LABELS.contains(&label));
    is_host(suffix) && !shared
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn connector() -> Connector {
        serde_json::from_value(json!({
            "id": "vendor", "name": "Vendor",
            "inputs": [{"name": "login_host", "label": "Host", "values": ["login.vendor.com", "test.vendor.com"], "default": "login.vendor.com"}],
            "oauth2": {"authorization_endpoint": "https://{login_host}/authorize", "token_endpoint": "https://{login_host}/token"},
            "captures": {"token_response": {"instance_url": "instance_url"}},
            "api": {"base_url": "{instance_url}", "base_url_patterns": ["https://*.vendor.com"], "origins": ["https://files.vendor.net"]}
        }))
        .unwrap()
    }

    fn values(pairs: &[(&str, &str)]) -> Values {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn only_what_the_data_names_is_permitted() {
        let origins = Origins::of(
            &connector(),
            &values(&[("login_host", "login.vendor.com"), ("instance_url", "https://eu.my.vendor.com")]),
        )
        .unwrap();
        let table = [
            ("https://login.vendor.com/token", true),
            ("https://eu.my.vendor.com/api?x=y", true),
            ("https://files.vendor.net/", true),
            ("https://files.vendor.net:443/", true),
            ("https://vendor.com/", false),
            ("https://.vendor.com/", false),
            ("https://evilvendor.com/", false),
            ("https://vendor.com.evil.example/", false),
            ("https://a.vendor.com./", false),
            ("https://a.vendor.com:8443/", false),
            ("http://a.vendor.com/", false),
            ("https://user@a.vendor.com/", false),
            ("https://:pass@a.vendor.com/", false),
            ("https://a.vendor.com@evil.example/", false),
            ("https://a.files.vendor.net/", false),
            ("https://127.0.0.1/", false),
            ("ftp://a.vendor.com/", false),
        ];
        for (address, expected) in table {
            let permitted = Url::parse(address).is_ok_and(|url| origins.permits(&url));
            assert_eq!(permitted, expected, "{address}");
        }
    }

    #[test]
    fn the_oauth_endpoints_are_not_part_of_the_api() {
        let mut connector = connector();
        connector.api.base_url = "https://api.vendor.net".into();
        connector.api.base_url_patterns = Vec::new().into();
        let token = Url::parse("https://login.vendor.com/token").unwrap();
        let values = values(&[("login_host", "login.vendor.com")]);
        assert!(Origins::of(&connector, &values).unwrap().permits(&token));
        assert!(!Origins::of_api(&connector, &values).unwrap().permits(&token));
    }

    #[test]
    fn a_host_that_was_not_declared_gives_no_list() {
        for (name, value) in [
            ("login_host", "evil.example"),
            ("login_host", "login.vendor.com@evil.example"),
            ("instance_url", "https://evil.example"),
            ("instance_url", "https://vendor.com.evil.example"),
            ("instance_url", "https://vendor.com"),
            ("instance_url", "http://a.vendor.com"),
            ("instance_url", "https://a.vendor.com:8443"),
            ("instance_url", "https://a.vendor.com@evil.example"),
            ("instance_url", r"https://evil.example\.vendor.com"),
        ] {
            let mut values = values(&[("login_host", "login.vendor.com"), ("instance_url", "https://a.vendor.com")]);
            values.insert(name, value);
            assert!(Origins::of(&connector(), &values).is_err(), "{value}");
        }
    }

    #[test]
    fn what_is_not_known_yet_is_not_permitted() {
        let origins = Origins::of(&connector(), &Values::default()).unwrap();
        assert!(!origins.permits(&Url::parse("https://files.vendor.com.evil.example/").unwrap()));
        assert_eq!(origins.0.len(), 2, "the pattern and the further origin");
    }

    #[test]
    fn a_wildcard_needs_a_suffix_of_ones_own() {
        let table = [
            ("https://*.vendor.com", true),
            ("https://*.my.vendor.co.uk", true),
            ("https://api.vendor.com", true),
            ("http://127.0.0.1:9000", true),
            ("https://*.com", false),
            ("https://*.co.uk", false),
            ("https://*", false),
            ("https://*.", false),
            ("https://a.*.com", false),
            ("https://*a.vendor.com", false),
            ("https://*.*.vendor.com", false),
            ("https://*.127.0.0.1", false),
            ("https://api.vendor.com/", false),
            ("https://api.vendor.com/v1", false),
            ("https://user@api.vendor.com", false),
            ("https://API.vendor.com", false),
            ("ftp://api.vendor.com", false),
            ("api.vendor.com", false),
        ];
        for (pattern, expected) in table {
            assert_eq!(Origin::parse(pattern).is_ok(), expected, "{pattern}");
        }
    }
}
