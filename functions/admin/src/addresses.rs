//! The addresses of a project: origins whose pages are trusted, and where a browser may be sent back to.
//!
//! Both are compared as text wherever they count, so only the one canonical spelling of each is accepted; and both stand in
//! policies that browsers read, so nothing that such a policy gives a meaning gets in. A refusal says what is wrong; the field is
//! named by whoever reads the body.

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// The most origins a project has.
const ORIGINS: usize = 50;

/// The most redirect URIs a project has.
const REDIRECT_URIS: usize = 100;

/// The longest address.
const LENGTH: usize = 2048;

/// Origins (RFC 6454 §6.2): scheme, host and, where it is not the scheme's own, port.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(try_from = "Vec<String>")]
pub struct Origins(pub Vec<String>);

/// Redirection endpoints (RFC 6749 §3.1.2): absolute, without fragment.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(try_from = "Vec<String>")]
pub struct RedirectUris(pub Vec<String>);

impl TryFrom<Vec<String>> for Origins {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        at_most(ORIGINS, &texts)?;
        texts.iter().try_for_each(|text| origin(text))?;
        Ok(Self(texts))
    }
}

impl TryFrom<Vec<String>> for RedirectUris {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        at_most(REDIRECT_URIS, &texts)?;
        texts.iter().try_for_each(|text| redirect_uri(text))?;
        Ok(Self(texts))
    }
}

/// The address of a project's logo, which the browsers of its users load.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct LogoUrl(pub String);

impl TryFrom<String> for LogoUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        logo_url(&text).map(|()| Self(text))
    }
}

fn logo_url(text: &str) -> Result<(), String> {
    let url = address(text)?;
    let plain =
        url.scheme() == "https" && url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if !plain {
        return Err("a logo's address is https, without user name, password or fragment".to_owned());
    }
    if url.as_str() == text { Ok(()) } else { Err(format!("write the address as {url}")) }
}

fn at_most(limit: usize, texts: &[String]) -> Result<(), String> {
    if texts.len() <= limit { Ok(()) } else { Err(format!("a list of at most {limit} is expected")) }
}

fn origin(text: &str) -> Result<(), String> {
    let url = address(text)?;
    let canonical = url.origin().ascii_serialization();
    if text == canonical { Ok(()) } else { Err(format!("an origin is scheme, host and port alone: {canonical}")) }
}

fn redirect_uri(text: &str) -> Result<(), String> {
    let url = address(text)?;
    if url.fragment().is_some() {
        return Err("a redirect URI has no fragment (RFC 6749 §3.1.2)".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a redirect URI has no user name or password".to_owned());
    }
    let canonical = url.as_str();
    // the parser adds the slash of an empty path, which the app's own registration may lack
    let same = canonical == text || canonical.strip_suffix('/') == Some(text);
    if same { Ok(()) } else { Err(format!("write the address as {canonical}")) }
}

/// An address that a browser may be sent to: https, or http on the developer's own machine.
fn address(text: &str) -> Result<Url, String> {
    if text.len() > LENGTH || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("an address is at most {LENGTH} characters of ASCII, without spaces"));
    }
    let url = Url::parse(text).map_err(|_| "an address is absolute, like https://app.example.com".to_owned())?;
    let host = url.host().filter(is_plain).ok_or("an address has a host of letters, digits, hyphens and dots")?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&host) => Ok(url),
        _ => Err("an address is https; http is for localhost, 127.0.0.1 and [::1] alone".to_owned()),
    }
}

/// The URL standard allows marks in a host, like `*` and `;`, that mean something in a content security policy.
fn is_plain(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        }
        Host::Ipv4(_) | Host::Ipv6(_) => true,
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.octets() == [127, 0, 0, 1],
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port_alone() {
        let table = [
            ("https://app.example.com", true),
            ("https://app.example.com:8443", true),
            ("https://xn--bcher-kva.example", true),
            ("http://localhost:3000", true),
            ("http://app.localhost:3000", true),
            ("http://127.0.0.1:3000", true),
            ("http://[::1]:3000", true),
            ("https://app.example.com/", false),
            ("https://app.example.com:443", false),
            ("https://App.example.com", false),
            ("https://bücher.example", false),
            ("https://app.example.com/path", false),
            ("https://user@app.example.com", false),
            ("http://app.example.com", false),
            ("http://127.0.0.2", false),
            ("http://localhost.example.com", false),
            ("https://*.example.com", false),
            ("https://a;script-src.example.com", false),
            ("https://a.example.com,b.example.com", false),
            ("app.example.com", false),
            ("null", false),
            ("*", false),
            ("file:///etc", false),
            ("javascript:alert(1)", false),
            ("", false),
        ];
        for (text, accepted) in table {
            assert_eq!(origin(text).is_ok(), accepted, "{text}: {:?}", origin(text));
        }
    }

    #[test]
    fn a_redirect_uri_is_absolute_and_canonical() {
        let table = [
            ("https://app.example.com", true),
            ("https://app.example.com/", true),
            ("https://app.example.com/done?a=%20b", true),
            ("http://localhost:3000/done", true),
            ("https://app.example.com/done#x", false),
            ("https://app.example.com/done#", false),
            ("https://user:secret@app.example.com/", false),
            ("https://app.example.com/a/../b", false),
            ("https://app.example.com\\@evil.example/", false),
            ("https://app.example.com/a b", false),
            ("https://app.example.com/\nx", false),
            ("http://app.example.com/", false),
            ("/done", false),
            ("com.example.app:/done", false),
            ("javascript:alert(1)", false),
        ];
        for (text, accepted) in table {
            assert_eq!(redirect_uri(text).is_ok(), accepted, "{text}: {:?}", redirect_uri(text));
        }
    }

    #[test]
    fn a_logo_is_at_an_https_address() {
        let table = [
            ("https://cdn.example.com/logo.svg", true),
            ("https://cdn.example.com:8443/logo.png?v=2", true),
            ("https://cdn.example.com", false),
            ("http://cdn.example.com/logo.svg", false),
            ("http://localhost:3000/logo.svg", false),
            ("https://user@cdn.example.com/logo.svg", false),
            ("https://cdn.example.com/logo.svg#x", false),
            ("https://*.example.com/logo.svg", false),
            ("https://a;script-src.example.com/logo.svg", false),
            ("https://cdn.example.com/lo go.svg", false),
            ("https://cdn.example.com/\"onerror=\"x", false),
            ("data:image/svg+xml,x", false),
            ("javascript:alert(1)", false),
            ("/logo.svg", false),
        ];
        for (text, accepted) in table {
            assert_eq!(logo_url(text).is_ok(), accepted, "{text}: {:?}", logo_url(text));
        }
    }

    #[test]
    fn a_list_that_is_too_long_is_refused() {
        let many = |count: usize| vec!["https://app.example.com".to_owned(); count];
        assert!(Origins::try_from(many(50)).is_ok() && RedirectUris::try_from(many(100)).is_ok());
        assert_eq!(Origins::try_from(many(51)).unwrap_err(), "a list of at most 50 is expected");
        assert_eq!(RedirectUris::try_from(many(101)).unwrap_err(), "a list of at most 100 is expected");
    }
}
