//! Where a connector's addresses have a value, and what it has to be to stand there. Its pattern says how the provider
//! writes it; a pattern like `[a-z0-9-]+` still lets through what no host name can hold.

use url::Url;

use super::{
    connector::Connector,
    origins::Origins,
    template::{Part, is_address, is_host, is_label, is_path, leading, parts, placeholders, split, urls},
};

/// What a value would have to be, as the end of a sentence, where it can't stand in one of the connector's addresses.
pub(super) fn misfit(connector: &Connector, name: &str, value: &str) -> Option<&'static str> {
    urls(connector).find_map(|template| {
        let (start, rest) = split(template).ok()?;
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        let stands_in = |part| placeholders(part).any(|placeholder| placeholder == name);
        if leading(template) == Some(name) {
            let within = Url::parse(value).is_ok_and(|url| Origins::within(&connector.api.base_url_patterns, &url));
            return (!is_address(value) || !within).then_some("has to be one of the provider's addresses, with https:// in front");
        }
        if start.ends_with(&format!("://{{{name}}}")) && !is_host(value) {
            return Some("has to be a host name like crm.example.com: lower-case letters, digits, hyphens and dots");
        }
        if stands_in(start) && !fits_host(start, name, value) {
            return Some(
                "has to be a part of a host name: lower-case letters, digits and hyphens, none of these at an end, of at most \
                 63 characters with what stands beside it",
            );
        }
        let as_segments = parts(path).is_ok_and(|parts| parts.contains(&Part::Segments(name)));
        if as_segments && !is_path(value) {
            return Some("has to be a path like tools/ci, without . or .. in it");
        }
        (stands_in(path) && !as_segments && matches!(value, "." | "..")).then_some("can't be . or ..")
    })
}

/// Whether the host is one with this value (RFC 1123 §2.1). What else is put into it is not known yet, and counts as a letter.
fn fits_host(start: &str, name: &str, value: &str) -> bool {
    let filled = parts(start).unwrap_or_default().into_iter().map(|part| match part {
        Part::Literal(literal) => literal,
        Part::Placeholder(placeholder) if placeholder == name => value,
        Part::Placeholder(_) | Part::Segments(_) => "a",
    });
    let host = Url::parse(&filled.collect::<String>()).ok().and_then(|url| url.host_str().map(str::to_owned));
    let whole = start.ends_with(&format!("://{{{name}}}"));
    (whole || is_label(value)) && host.is_some_and(|host| host.split('.').all(is_label))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_fits_where_it_stands() {
        let connector: Connector = serde_json::from_value(json!({
            "name": "Vendor",
            "oauth2": { "authorization_endpoint": "https://{login}/authorize?hint={hint}", "token_endpoint": "https://{login}/token" },
            "api": { "base_url": "https://eu-{shop}-{region}.vendor.com/{branch}/{+folder}/v1", "base_url_patterns": ["https://*.vendor.com"] },
            "profile": { "url": "{instance}/me" },
        }))
        .unwrap();
        let table = [
            ("shop", "acme".to_owned(), true),
            ("shop", "a".repeat(58), true),
            ("shop", "a".repeat(59), false),
            ("shop", "-acme".to_owned(), false),
            ("shop", "acme-".to_owned(), false),
            ("shop", "a.b".to_owned(), false),
            ("shop", "ACME".to_owned(), false),
            ("region", "a--b".to_owned(), true),
            ("login", "login.vendor.com".to_owned(), true),
            ("login", "-a.vendor.com".to_owned(), false),
            ("login", "acme".to_owned(), false),
            ("login", "169.254.169.254".to_owned(), false),
            ("branch", "a/b?c".to_owned(), true), // is encoded
            ("branch", "..".to_owned(), false),
            ("branch", ".".to_owned(), false),
            ("folder", "a/b".to_owned(), true),
            ("folder", "/a/".to_owned(), true),
            ("folder", "a/..".to_owned(), false),
            ("folder", "a//b".to_owned(), false),
            ("hint", "..".to_owned(), true),
            ("instance", "https://a.vendor.com".to_owned(), true),
            ("instance", "a.vendor.com".to_owned(), false),
            ("instance", "https://evil.example".to_owned(), false),
            ("instance", "https://A.vendor.com".to_owned(), false),
            ("instance", "https://a.vendor.com/{b".to_owned(), false),
            ("elsewhere", "-".to_owned(), true),
        ];
        for (name, value, fits) in table {
            assert_eq!(misfit(&connector, name, &value).is_none(), fits, "{name} {value}");
        }
    }
}
