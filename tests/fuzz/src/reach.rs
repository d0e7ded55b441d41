//! Where a connector may lead, by rules that share no code with the allow-list they judge.
//!
//! They are coarser than its own: a host is fixed, one of a closed list, labels before a fixed suffix, within a listed pattern,
//! or free where no client of the operator's is led astray. Whatever the values are, nothing else may come out.

use serde_json::Value;
use shared::protocol::template::Values;
use url::Url;

/// Whether an address is one that the connector's data allows for these values.
#[must_use]
pub fn admits(connector: &Value, values: &Values, url: &Url) -> bool {
    let anonymous = url.username().is_empty() && url.password().is_none();
    let Some(host) = url.host_str().filter(|_| url.scheme() == "https" && anonymous) else { return false };
    let at = At { host, port: url.port() };
    let listed = ["base_url_patterns", "origins"].iter().flat_map(|list| texts(&connector["api"][list]));
    listed.into_iter().any(|pattern| at.lies_in(pattern))
        || addresses(connector).into_iter().any(|address| at.is_of(address, connector, values))
}

/// Every address template of a connector: whatever is called one, wherever it stands but in a table whose names are free.
#[must_use]
pub fn addresses(connector: &Value) -> Vec<&str> {
    let Value::Object(members) = connector else {
        let items = connector.as_array().into_iter().flatten();
        return items.flat_map(addresses).collect();
    };
    let address = |name: &str| name != "docs_url" && (name.ends_with("url") || name.ends_with("endpoint"));
    let members = members.iter().filter(|(name, _)| !is_table(name));
    members
        .flat_map(|(name, member)| match member {
            Value::String(text) if address(name) => vec![text.as_str()],
            other => addresses(other),
        })
        .collect()
}

/// Whether a member's own members are called as the connector likes.
fn is_table(name: &str) -> bool {
    name.ends_with("params")
        || name.ends_with("headers")
        || ["also", "captures", "claims", "only", "parameter_names", "patterns", "query"].contains(&name)
}

/// All members whose name is such a one.
#[must_use]
pub fn named<'a>(value: &'a Value, wanted: &impl Fn(&str) -> bool) -> Vec<&'a Value> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, member)| {
                wanted(name).then_some(member).into_iter().chain(named(member, wanted)).collect::<Vec<_>>()
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(|item| named(item, wanted)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// Where an address leads.
struct At<'a> {
    host: &'a str,
    port: Option<u16>,
}

impl At<'_> {
    /// `https://api.example.com`, or `https://*.example.com` for one or more labels before it.
    fn lies_in(&self, pattern: &str) -> bool {
        let Some((host, port)) = pattern.strip_prefix("https://").and_then(authority) else { return false };
        let same = match host.strip_prefix("*.") {
            Some(suffix) => {
                is_suffix(suffix)
                    && self.host.strip_suffix(suffix).is_some_and(|labels| labels.len() > 1 && labels.ends_with('.'))
            }
            None => host == self.host,
        };
        same && port == self.port
    }

    fn is_of(&self, address: &str, connector: &Value, values: &Values) -> bool {
        let start =
            address.strip_prefix("https://").map(|rest| rest.split(['/', '?', '#', '\\']).next().unwrap_or_default());
        let Some((host, port)) = start.and_then(authority) else { return false };
        port == self.port && self.is_host(host, connector, values)
    }

    fn is_host(&self, template: &str, connector: &Value, values: &Values) -> bool {
        let Some((_, tail)) = template.rsplit_once('}') else { return template == self.host };
        if tail.is_empty() {
            let name = template.trim_start_matches('{').trim_end_matches('}');
            return format!("{{{name}}}") == template
                && values.get(name) == Some(self.host)
                && may_be_all(connector, name, self.host);
        }
        let Some((_, suffix)) = tail.split_once('.') else { return false };
        let begin = template.split('{').next().unwrap_or_default();
        is_suffix(suffix)
            && self.host.starts_with(begin)
            && self.host.ends_with(tail)
            && self.host.matches('.').count() == template.matches('.').count()
    }
}

/// Whether a host may be all one value: of a closed list, the operator's, or where there is no client of the operator's.
fn may_be_all(connector: &Value, name: &str, host: &str) -> bool {
    let called = |list: &str| connector[list].as_array().into_iter().flatten().find(|input| input["name"] == name);
    let (input, setting) = (called("inputs"), called("settings"));
    let values = input.or(setting).and_then(|input| input["values"].as_array()).filter(|values| !values.is_empty());
    if let Some(values) = values {
        return values.iter().any(|value| value == host);
    }
    // what another's choice fills, from a list as closed
    let mut all = ["inputs", "settings"].into_iter().flat_map(|list| connector[list].as_array().into_iter().flatten());
    if let Some(texts) = all.find_map(|input| input["also"][name].as_object()) {
        return texts.values().any(|text| text == host);
    }
    let oauth2 = &connector["oauth2"];
    let typed = matches!(oauth2["grant"].as_str(), Some("client_credentials" | "jwt_bearer"));
    let registered = !oauth2["registration"].is_null();
    let shared = !connector["oauth1"].is_null() || !oauth2.is_null() && !typed && !registered;
    setting.is_some() || input.is_some() && !shared
}

/// Two labels or more, the last of which begins with a letter: what somebody can own.
fn is_suffix(suffix: &str) -> bool {
    suffix.split('.').count() >= 2
        && suffix.split('.').all(|label| !label.is_empty())
        && suffix.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
        && suffix.rsplit('.').next().is_some_and(|last| last.starts_with(|first: char| first.is_ascii_lowercase()))
}

/// Host and port of an authority.
fn authority(authority: &str) -> Option<(&str, Option<u16>)> {
    match authority.rsplit_once(':') {
        Some((host, port)) => Some((host, Some(port.parse().ok()?))),
        None => Some((authority, None)),
    }
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_but_what_the_data_fixes_is_admitted() {
        let connector = json!({
            "inputs": [{"name": "shop"}, {"name": "region", "values": ["eu.vendor.com"]}], "oauth2": {"token_endpoint": "https://{shop}/t"},
            "api": {"base_url": "https://a-{shop}.vendor.com/v1", "origins": ["https://*.files.net", "https://one.example:8443"]},
            "profile": {"url": "https://{region}/me"},
        });
        let values: Values = [("shop", "evil.example"), ("region", "eu.vendor.com")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .collect();
        let table = [
            ("https://a-x.vendor.com/", true),
            ("https://b.files.net/", true),
            ("https://c.b.files.net/", true),
            ("https://one.example:8443/", true),
            ("https://eu.vendor.com/", true),
            ("https://evil.example/", false),
            ("https://one.example/", false),
            ("https://files.net/", false),
            ("https://xfiles.net/", false),
            ("http://b.files.net/", false),
            ("https://u@b.files.net/", false),
            ("https://a-x.y.vendor.com/", false),
            ("https://vendor.com/", false),
            ("https://a-x.vendor.com.evil.example/", false),
        ];
        for (url, expected) in table {
            assert_eq!(admits(&connector, &values, &Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
