//! Where the published widget's page wants to be come back to.
//!
//! That client leaves its page for the URL that the frame gave it, and puts the page's own address behind the `state` in it:
//! `{state}~{base64url(address)}`, newer ones with `~v3` appended. Nothing of it is signed, so anybody can have written it: it is
//! followed only to an origin that the project allows (RFC 9700 §4.11).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use url::Url;

/// The address of a page, and what it is told on the way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnAddress {
    /// The page.
    pub url: Url,
    /// Whether the page remembers by itself what it waits for, and wants its address back as it was.
    pub clean: bool,
}

impl ReturnAddress {
    /// From what stood behind the first `~`. What is no page's address is none.
    #[must_use]
    pub fn parse(behind: &str) -> Option<Self> {
        let (encoded, version) = behind.split_once('~').map_or((behind, None), |(encoded, rest)| (encoded, Some(rest)));
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()?;
        let url = Url::parse(&text).ok()?;
        let plain = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
        plain.then_some(Self { url, clean: version == Some("v3") })
    }

    /// Whether its origin is one of these.
    #[must_use]
    pub fn is_of(&self, origins: &[String]) -> bool {
        origins.contains(&self.url.origin().ascii_serialization())
    }

    /// The page's address with what names the attempt to the status route, and with the error where there was one. What an
    /// earlier way back left there is replaced.
    #[must_use]
    pub fn with(&self, attempt: &str, error: Option<&str>) -> String {
        const NAMES: [&str; 2] = ["one_auth_state", "one_auth_error"];
        let mut url = self.url.clone();
        if self.clean {
            return url.into();
        }
        if url.query_pairs().any(|(name, _)| NAMES.contains(&name.as_ref())) {
            let kept: Vec<_> = self.url.query_pairs().filter(|(name, _)| !NAMES.contains(&name.as_ref())).collect();
            url.query_pairs_mut().clear().extend_pairs(kept);
        }
        url.query_pairs_mut().append_pair(NAMES[0], attempt).extend_pairs(error.map(|error| (NAMES[1], error)));
        url.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(address: &str) -> String {
        URL_SAFE_NO_PAD.encode(address)
    }

    #[test]
    fn only_the_address_of_a_page_is_read() {
        let page = "https://app.example/settings?tab=apps#x";
        let read = |text: &str| ReturnAddress::parse(text).map(|read| (read.url.to_string(), read.clean));
        assert_eq!(read(&behind(page)), Some((page.to_owned(), false)));
        assert_eq!(read(&format!("{}~v3", behind(page))), Some((page.to_owned(), true)));
        assert_eq!(read(&format!("{}~v4", behind(page))), Some((page.to_owned(), false)));
        let none = ["javascript:alert(1)", "data:text/html,x", "https://ada@app.example/", "/settings", ""];
        for text in none.map(behind).iter().map(String::as_str).chain(["~", "%", "====", "_w"]) {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_page_is_come_back_to_with_what_names_the_attempt() {
        let address = |text: &str| ReturnAddress::parse(text).unwrap();
        let page = address(&behind("https://app.example/a?tab=apps&one_auth_state=old#x"));
        assert_eq!(page.with("att_1", None), "https://app.example/a?tab=apps&one_auth_state=att_1#x");
        assert_eq!(
            page.with("att_1", Some("access_denied")),
            "https://app.example/a?tab=apps&one_auth_state=att_1&one_auth_error=access_denied#x"
        );
        let clean = address(&format!("{}~v3", behind("https://app.example/a?b=%2f")));
        assert_eq!(clean.with("att_1", Some("access_denied")), "https://app.example/a?b=%2f");
        assert!(page.is_of(&["https://app.example".to_owned()]));
        assert!(!page.is_of(&["https://evil.example".to_owned()]));
    }
}
