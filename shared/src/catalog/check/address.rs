//! Where anything is sent: every host fixed up to a label, or one of a closed list.

use regex_lite::Regex;
use url::{Host, Url};

use super::{Check, Checked, GIVEN, Moment, filled_in_address, refuse, require};
use crate::protocol::{
    connector::{Connector, Text},
    origins::{Origin, Origins, Pattern, Scheme, is_own_suffix},
    template::{self, Part, is_host, is_label, leading, placeholders, split, whole},
};

/// What a pattern for a host's label must not let through.
const NOT_LABELS: [&str; 16] = [
    "",
    "a.b",
    "evil.example",
    "evil.example/",
    "evil.example/.vendor.com",
    "vendor.com@evil",
    "a/b",
    "a\\b",
    "a@b",
    "a:1",
    "a b",
    "a%2eb",
    "a?b",
    "a#b",
    "A",
    "é",
];

impl<'a> Check<'a> {
    pub(super) fn address(&self, field: &str, template: &'a str, moment: Moment) -> Checked {
        let Ok((start, rest)) = split(template) else {
            return refuse(field, "has to be an address like https://api.example.com/v1");
        };
        self.segments(field, template)?;
        filled_in_address(field, template, &self.known(moment))?;
        let secret = |text: &str| placeholders(text).any(|name| self.is_secret(name));
        let shown = rest.split_once(['?', '#']).is_some_and(|(_, query)| secret(query))
            || secret(start)
            || placeholders(rest).any(|name| name == "client_secret");
        require(!shown, field, "has a secret in it, where logs keep it: use `api.credential`, or send it in a body")?;
        let one = |part: &Part<'a>| matches!(part, Part::Placeholder(name) if self.may_lack(name));
        let may_lack = |text: &'a str| template::parts(text).unwrap_or_default().iter().any(one);
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        require(
            !may_lack(start) && !may_lack(path),
            field,
            "has an `optional` input in its host or path, which would be no address without it",
        )?;
        match leading(template) {
            Some(name) => {
                let listed = !self.connector.api.base_url_patterns.is_empty() && !GIVEN.contains(&name);
                require(
                    listed,
                    field,
                    "has to have `api.base_url_patterns`, which say where such an address may point",
                )?;
            }
            None if start.contains('{') => self.open_host(field, start)?,
            None => self.fixed_host(field, start)?,
        }
        let sample = template::parts(template).unwrap_or_default().into_iter().map(|part| match part {
            Part::Literal(literal) => literal,
            Part::Placeholder(name) if leading(template) == Some(name) => "https://example.com",
            Part::Placeholder(_) | Part::Segments(_) => "x",
        });
        require(Url::parse(&sample.collect::<String>()).is_ok(), field, "is not an address")
    }

    /// What may be several segments stands for whole ones, in a path, and for nothing secret.
    pub(super) fn segments(&self, field: &str, template: &str) -> Checked {
        let (start, rest) = split(template).unwrap_or((template, ""));
        let mut path = rest.split(['?', '#']).next().unwrap_or_default();
        let elsewhere = start.contains("{+") || rest[path.len()..].contains("{+");
        require(!elsewhere, field, "has a `{+…}` outside of its path")?;
        while let Some((before, after)) = path.split_once("{+") {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            require(
                before.ends_with('/') && (after.is_empty() || after.starts_with('/')),
                field,
                &format!("`{{+{name}}}` stands for whole segments: between slashes, or at the end"),
            )?;
            require(
                !self.is_secret(name),
                field,
                &format!("`{{+{name}}}` is a secret, which is one segment: {{{name}}}"),
            )?;
            let Connector { inputs, .. } = self.connector;
            let is_typed = inputs.iter().any(|input| super::filled_by(input).any(|filled| filled == name));
            require(
                !is_typed || !self.has_operator_secrets(),
                field,
                &format!(
                    "`{{+{name}}}` would lead the operator's secrets to a path that a person names: make it one of the settings"
                ),
            )?;
            path = after;
        }
        Ok(())
    }

    /// Whether requests carry what is the operator's: a client, or a secret setting.
    fn has_operator_secrets(&self) -> bool {
        self.connector.takes_client() || self.connector.secret_settings().next().is_some()
    }

    /// A host that is written out.
    pub(super) fn fixed_host(&self, field: &str, start: &str) -> Checked {
        match Origin::parse(start) {
            Ok(origin) if matches!(origin.host, Pattern::Under(_)) => {
                refuse(field, "names many hosts: a `*` belongs into `api.base_url_patterns` or `api.origins`")
            }
            Ok(origin) => self.public(field, &origin),
            Err(_) => {
                refuse(field, "has to begin with a scheme and a host in lower case, without user name or port 443")
            }
        }
    }

    pub(super) fn pattern(&self, field: &str, pattern: &str) -> Checked {
        match Origin::parse(pattern) {
            Ok(origin) => self.public(field, &origin),
            Err(error) => refuse(field, format!("{error}; a wildcard needs a domain of the provider's own after it")),
        }
    }

    /// https to a public name; locally also http, and only to this machine.
    pub(super) fn public(&self, field: &str, origin: &Origin) -> Checked {
        let (name, loopback) = match &origin.host {
            Pattern::Under(suffix) => (is_host(suffix), suffix.ends_with(".localhost")),
            Pattern::Exactly(Host::Domain(name)) => {
                (is_host(name), name == "localhost" || name.ends_with(".localhost"))
            }
            Pattern::Exactly(Host::Ipv4(address)) => (false, address.is_loopback()),
            Pattern::Exactly(Host::Ipv6(address)) => (false, address.is_loopback()),
        };
        match (origin.scheme, loopback) {
            (_, true) if self.local => Ok(()),
            (Scheme::Https, false) if name => Ok(()),
            (Scheme::Https, _) => refuse(field, "has to name a public host like api.example.com"),
            (Scheme::Http, _) => refuse(field, "has to begin with https://"),
        }
    }

    /// A host with placeholders: one of a closed list, or labels before a suffix of the provider's own.
    pub(super) fn open_host(&self, field: &str, start: &str) -> Checked {
        let here = |host: &&str| self.local && host.split(':').next().is_some_and(|name| name.ends_with(".localhost"));
        let Some(host) = start.strip_prefix("https://").or(start.strip_prefix("http://").filter(here)) else {
            return refuse(field, "has to begin with https://");
        };
        let sample = template::parts(start).unwrap_or_default().into_iter().map(|part| match part {
            Part::Literal(literal) => literal,
            Part::Placeholder(_) | Part::Segments(_) => "x",
        });
        require(
            Origin::parse(&sample.collect::<String>()).is_ok(),
            field,
            "has to have a host in lower case, without user name or port 443",
        )?;
        let name_of_all = leading(host).filter(|name| host.len() == name.len() + 2);
        if let Some(name) = name_of_all {
            return self.whole_host(field, name);
        }
        let name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
        let own = name
            .rsplit_once('}')
            .and_then(|(_, tail)| tail.split_once('.'))
            .is_some_and(|(_, suffix)| is_own_suffix(suffix));
        require(
            own,
            field,
            "a host's placeholders have to stand before a domain of the provider's own, like {shop}.example.com",
        )?;
        for name in placeholders(host) {
            let fits = match self.listed(name) {
                Some(list) => list.into_iter().all(is_label),
                None => self
                    .pattern_of(name)
                    .and_then(|pattern| whole(pattern).ok())
                    .is_some_and(|regex| admits_labels_only(&regex)),
            };
            require(
                fits,
                field,
                &format!("`{{{name}}}` stands in a host: give it `values`, or a `pattern` like [a-z0-9-]+"),
            )?;
        }
        Ok(())
    }

    /// A host that is all one placeholder: of a closed list, or free where no secret of the operator's can be led there.
    pub(super) fn whole_host(&self, field: &str, name: &str) -> Checked {
        let Connector { inputs, settings, oauth2, .. } = self.connector;
        if self.listed(name).is_some_and(|list| list.into_iter().all(is_host)) {
            return Ok(());
        }
        // the operator's choice, for the client that they registered there; or no client of the operator's at all
        let registration = oauth2.as_ref().and_then(|oauth2| oauth2.registration.as_ref());
        // the very host that registered it: with another, somebody else's client would be sent there
        let registered = registration.is_some_and(|registration| {
            split(&registration.endpoint).is_ok_and(|(start, _)| start == whole_host_of(name))
        });
        let shared = self.connector.takes_client() && !registered || self.connector.secret_settings().next().is_some();
        let free = settings.iter().any(|setting| setting.name == name)
            || !shared && inputs.iter().any(|input| input.name == name);
        require(
            free,
            field,
            &format!(
                "`{{{name}}}` would be a free host, to which the operator's secrets would be sent: list its `values`, make it \
                 one of the settings, or register a client for each host"
            ),
        )?;
        require(
            self.pattern_of(name).is_some(),
            field,
            &format!("`{{{name}}}` stands for a host: give it a `pattern` like [a-z0-9-]+(\\.[a-z0-9-]+)+"),
        )
    }

    /// An address that is called with the connection's credential belongs to the same provider.
    pub(super) fn inside(&self, field: &str, template: &str) -> Checked {
        let api = &self.connector.api;
        let start = |template: &'a str| split(template).ok().map(|(start, _)| start);
        let token_endpoints =
            template::endpoints(self.connector).filter(|(field, _)| !field.ends_with("authorization_endpoint"));
        let mut known = token_endpoints.map(|(_, endpoint)| endpoint).chain([api.base_url.as_ref()]).filter_map(start);
        let Ok((wanted, _)) = split(template) else {
            return refuse(field, "is not an address");
        };
        let listed = |patterns: &[Text]| Url::parse(wanted).is_ok_and(|url| Origins::within(patterns, &url));
        let learnt = leading(template).is_some(); // lies within the patterns, or is never believed
        let inside =
            learnt || known.any(|known| known == wanted) || listed(&api.origins) || listed(&api.base_url_patterns);
        require(inside, field, "its origin is neither the API's nor the token endpoint's: add it to `api.origins`")
    }
}

fn whole_host_of(name: &str) -> String {
    format!("https://{{{name}}}")
}

pub(super) fn admits_labels_only(regex: &Regex) -> bool {
    NOT_LABELS.iter().all(|text| !regex.is_match(text))
}
