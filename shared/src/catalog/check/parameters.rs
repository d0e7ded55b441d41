//! Parameters and headers: none that the protocol or the transport sets itself.

use std::collections::BTreeSet;

use super::{Check, Checked, Moment, refuse, require};
use crate::protocol::{authorization::RESERVED_PARAMS, connector::Pairs, template::placeholders};

/// Whether a parameter is the protocol's own, and so ours to set.
fn is_of_the_protocol(name: &str) -> bool {
    name == "scope" || RESERVED_PARAMS.contains(&name)
}

/// Headers that frame the message, name the host, or carry a credential: ours to set (RFC 9110 §7.6.1).
const HEADERS: [&str; 16] = [
    "connection",
    "content-length",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

impl Check<'_> {
    /// Further parameters of a request of the protocol.
    pub(super) fn params(&self, field: &str, params: &Pairs, moment: Moment) -> Checked {
        let allowed = |name: &str, value: &str| match name {
            // a value of ours in the parameter that has its name, and what a provider calls its own refresh
            "scope" | "state" => moment != Moment::Authorization,
            "nonce" => value == "{random}",
            "grant_type" => field == "oauth2.refresh_params",
            "redirect_uri" => field == "oauth2.refresh_params" && value == "{redirect_uri}",
            "request" => !value.contains(['.', '{']), // a word of the provider's, and no request object (RFC 9101)
            _ => !is_of_the_protocol(name),
        };
        for (name, value) in params.iter() {
            require(allowed(name, value), field, &format!("`{name}` is set by the protocol: leave it out"))?;
        }
        self.values(field, params, moment)
    }

    /// Parameters of a call that is the provider's own.
    pub(super) fn values(&self, field: &str, params: &Pairs, moment: Moment) -> Checked {
        for (name, value) in params.iter() {
            require(!name.is_empty(), field, "a parameter has a name")?;
            self.filled_anew(field, value, moment)?;
        }
        unique(field, params)
    }

    /// Standard names and the provider's own.
    pub(super) fn renames(field: &str, names: &Pairs) -> Checked {
        for (standard, own) in names.iter() {
            require(
                is_of_the_protocol(standard) && !own.is_empty() && !own.contains(char::is_control),
                field,
                &format!("`{standard}` is no parameter of the protocol"),
            )?;
        }
        unique(field, names)
    }

    pub(super) fn headers(&self, field: &str, headers: &Pairs, moment: Moment) -> Checked {
        for (name, value) in headers.iter() {
            header_name(field, name)?;
            require(
                !name.eq_ignore_ascii_case("authorization"),
                field,
                "credentials go into `api.credential`, not into a header",
            )?;
            self.filled_anew(field, value, moment)?;
            self.one_line(field, value)?;
        }
        unique(field, headers)
    }

    /// A header holds no line break (RFC 9110 §5.5), and so nothing that may have one.
    pub(super) fn one_line(&self, field: &str, template: &str) -> Checked {
        let several = |name: &&str| self.input(name).is_some_and(|input| input.multiline);
        match placeholders(template).find(several) {
            Some(name) => refuse(field, format!("`{{{name}}}` may have several lines, and a header has one")),
            None => Ok(()),
        }
    }
}

/// RFC 9110 §5.6.2: a token.
pub(super) fn header_name(field: &str, name: &str) -> Checked {
    let token = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    require(token, field, &format!("`{name}` is not a header's name"))?;
    let ours = HEADERS.iter().any(|header| name.eq_ignore_ascii_case(header));
    require(!ours, field, &format!("`{name}` is set by the transport: leave it out"))
}

pub(super) fn unique(field: &str, pairs: &Pairs) -> Checked {
    let mut seen = BTreeSet::new();
    match pairs.iter().find(|(name, _)| !seen.insert(name.to_ascii_lowercase())) {
        Some((name, _)) => refuse(field, format!("`{name}` stands there twice")),
        None => Ok(()),
    }
}
