//! What is asked for, and what of it was not granted (RFC 6749 §3.3: "the authorization server MAY fully or partially ignore the
//! scope requested").

use super::{
    connector::{Connector, OAuth2},
    template::{self, Part, TemplateError, Values, placeholders},
};

/// Scopes of OpenID Connect Core §3.1.2.1 and §11 that change the answer rather than grant access; many providers grant them
/// without naming them.
const OF_THE_PROTOCOL: [&str; 2] = ["openid", "offline_access"];

/// The scopes of a request: those that are templates are filled, and one that names an optional input which was not given is left
/// out.
pub fn filled(scopes: &[String], oauth2: &OAuth2, values: &Values) -> Result<Vec<String>, TemplateError> {
    let given = |scope: &&String| placeholders(scope).all(|name| values.get(name) != Some(""));
    scopes.iter().filter(given).map(|scope| fill(scope, oauth2, values)).collect()
}

/// One scope, filled. What a value would make more than one scope of is refused.
pub fn fill(scope: &str, oauth2: &OAuth2, values: &Values) -> Result<String, TemplateError> {
    let Some(name) = placeholders(scope).next() else { return Ok(scope.to_owned()) };
    match template::text(scope, values)? {
        filled if is_scope(&filled, oauth2) => Ok(filled),
        _ => Err(TemplateError::Unfit { name: name.to_owned(), expected: "a part of a scope" }),
    }
}

/// Whether what stands in braces in a scope, if anything does, can be filled when somebody is asked.
#[must_use]
pub fn is_template(connector: &Connector, scope: &str) -> bool {
    let known = |part: &Part<'_>| match part {
        Part::Literal(_) => true,
        Part::Placeholder(name) => template::given(connector).any(|given| given == *name),
        Part::Segments(_) => false,
    };
    template::parts(scope).is_ok_and(|parts| parts.iter().all(known))
}

/// Whether a text is one scope (RFC 6749 §3.3: printable ASCII without a space), whatever separates scopes here.
#[must_use]
pub fn is_scope(text: &str, oauth2: &OAuth2) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !text.contains(oauth2.scope_separator.as_ref())
}

/// The scopes that were asked for and are not among the granted ones, in the order they were asked for.
#[must_use]
pub fn missing<'a>(asked: &'a [String], granted: &[String]) -> Vec<&'a str> {
    let is_granted = |asked: &str| granted.iter().any(|granted| is_same(asked, granted));
    asked.iter().map(String::as_str).filter(|asked| !OF_THE_PROTOCOL.contains(asked) && !is_granted(asked)).collect()
}

/// Providers answer a short scope with its full address and the other way round, in letters of either case: `Mail.Read` and
/// `https://graph.example/Mail.Read`, `email` and `https://accounts.example/auth/userinfo.email`. To be told of a lack that is none
/// is worse than not to be told of one.
fn is_same(asked: &str, granted: &str) -> bool {
    let (asked, granted) = (name(asked), name(granted));
    asked == granted
        || granted.strip_suffix(asked.as_str()).is_some_and(|rest| rest.ends_with('.') && !asked.contains('.'))
}

fn name(scope: &str) -> String {
    let of_an_address = scope.contains("://").then(|| scope.trim_end_matches('/').rsplit('/').next().unwrap_or(scope));
    of_an_address.unwrap_or(scope).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_filled_and_stays_one() {
        let oauth2 = |separator: &str| {
            let oauth2 = serde_json::json!({ "token_endpoint": "https://login.acme.example/token", "scope_separator": separator });
            serde_json::from_value::<OAuth2>(oauth2).unwrap()
        };
        let values: Values = [("org", "acme"), ("two", "a b"), ("list", "a,b"), ("none", ""), ("umlaut", "ä")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .collect();
        let table = [
            ("read", " ", "[\"read\"]"),
            ("https://{org}.acme.example/user", " ", "[\"https://acme.acme.example/user\"]"),
            ("crm:{none}", " ", "[]"),
            ("crm:{two}", " ", "the value of `two` is not a part of a scope"),
            ("crm:{two}", ",", "the value of `two` is not a part of a scope"),
            ("crm:{list}", " ", "[\"crm:a,b\"]"),
            ("crm:{list}", ",", "the value of `list` is not a part of a scope"),
            ("crm:{umlaut}", " ", "the value of `umlaut` is not a part of a scope"),
            ("crm:{nobody}", " ", "`nobody` has no value"),
        ];
        for (scope, separator, expected) in table {
            let said = filled(&[scope.to_owned()], &oauth2(separator), &values);
            let said = said.map_or_else(|error| error.to_string(), |scopes| format!("{scopes:?}"));
            assert_eq!(said, expected, "{scope} {separator}");
        }
    }

    #[test]
    fn what_was_asked_for_and_not_granted_is_named() {
        let table = [
            ("a b", "a b", ""),
            ("a b", "b a c", ""),
            ("a b c", "b", "a c"),
            ("a", "", "a"),
            ("openid offline_access a", "a", ""),
            (
                "email profile",
                "https://accounts.example/auth/userinfo.email https://accounts.example/auth/userinfo.profile",
                "",
            ),
            ("email", "https://accounts.example/auth/gmail.readonly", "email"),
            ("Mail.Read", "https://graph.example/mail.read", ""),
            ("https://graph.example/Mail.Read", "Mail.Read", ""),
            ("Mail.Read Mail.Send", "Mail.Read", "Mail.Send"),
            ("read", "notes:read", "read"),
            ("notes:read notes:write", "notes:read", "notes:write"),
        ];
        for (asked, granted, expected) in table {
            let list = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(missing(&list(asked), &list(granted)).join(" "), expected, "{asked} / {granted}");
        }
    }
}
