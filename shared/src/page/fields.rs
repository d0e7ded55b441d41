//! The fields of a connector's form: what each asks for, and what is wrong with what was typed.

use std::collections::BTreeMap;

use askama::Template;

use super::{Frame, Language, render};
use crate::{
    error::{Error, ProviderError},
    flow::connector_in_use::ConnectorInUse,
    protocol::{
        assertion::KeyError,
        connector::{Assertion, Connector, Grant, Input},
        template::{self, Fault},
    },
};

/// A field.
pub struct Field<'a> {
    /// What it asks for.
    pub input: &'a Input,
    /// What was typed before, or the default. Secrets are typed anew.
    pub value: String,
    /// Whether something has to be typed.
    pub required: bool,
    /// The pattern as a browser reads it, where it means the same there.
    pub pattern: Option<String>,
    /// What is wrong with it.
    pub fault: Option<String>,
    /// Whether the page opens at it: the first that is wrong.
    pub first_fault: bool,
}

/// What was typed, and what came of it.
#[derive(Default)]
pub struct Typed {
    /// By the inputs' names.
    pub values: BTreeMap<String, String>,
    /// Why it is asked for again.
    pub problem: Option<Problem>,
}

/// Why the form is shown again: a sentence, and what the provider answered.
pub struct Problem {
    /// The sentence.
    pub text: String,
    /// What the provider answered.
    pub said: Option<String>,
    /// The field that it is about, where it is about one, and what is said beside it.
    pub field: Option<(String, String)>,
}

impl Problem {
    /// Fields are marked.
    #[must_use]
    pub fn in_fields(t: Language) -> Self {
        Self { text: t.check_fields(), said: None, field: None }
    }

    /// What a provider's refusal or failure means to who typed the credentials; `None` for what is no provider's.
    #[must_use]
    pub fn of(t: Language, connector: &Connector, error: &Error) -> Option<Self> {
        let name = connector.name.as_ref();
        if let Error::NoKey { input, cause, .. } = error {
            let field = Some((input.clone(), no_key(t, cause)));
            return Some(Self { text: t.check_fields(), said: None, field });
        }
        let Error::Provider { cause, .. } = error else { return None };
        let (text, said) = match cause {
            ProviderError::Refused(code) => {
                (refusal(t, name, code), Some(code).filter(|code| !code.starts_with("status ")))
            }
            ProviderError::Ended(_) => (refusal(t, name, ""), None),
            ProviderError::NothingFound => (t.outcome_nothing_text(name), None),
            ProviderError::Failed(429) => (t.too_often(name), None),
            ProviderError::InvalidResponse(_) | ProviderError::CallbackSignature(_) | ProviderError::AddressRefused => {
                (t.provider_odd(name), None)
            }
            ProviderError::Timeout | ProviderError::Unreachable(_) | ProviderError::Failed(_) => {
                (t.provider_silent(name), None)
            }
        };
        let field = match cause {
            ProviderError::Refused(code) => blamed(connector, code).map(|name| (name.to_owned(), text.clone())),
            _ => None,
        };
        Some(Self { text, said: said.map(|code| t.provider_said(code)), field })
    }
}

/// What is wrong with a key, for who typed it.
fn no_key(t: Language, cause: &KeyError) -> String {
    match cause {
        KeyError::NotPem => t.key_is_no_key(),
        KeyError::Public => t.key_is_public(),
        KeyError::Encrypted => t.key_is_encrypted(),
        KeyError::WrongKind { algorithm, .. } => t.key_is_of_another_kind(algorithm.as_str()),
        KeyError::NoPublicHalf => t.key_is_half(),
        KeyError::Size => t.key_is_of_a_wrong_size(),
        KeyError::Damaged | KeyError::Secret => t.key_is_damaged(),
    }
}

/// The field that a refusal of the first token is about (RFC 6749 §5.2, RFC 7523 §3.1), where that is certain.
fn blamed<'a>(connector: &'a Connector, code: &str) -> Option<&'a str> {
    let oauth2 = connector.oauth2.as_ref()?;
    let key = |assertion: &'a Option<Assertion>| template::leading(&assertion.as_ref()?.key);
    let name = match (oauth2.grant, code) {
        (Grant::ClientCredentials, "invalid_client") => key(&oauth2.client_assertion).unwrap_or("client_secret"),
        (Grant::JwtBearer, "invalid_grant") => key(&oauth2.assertion)?,
        (Grant::ClientCredentials | Grant::JwtBearer | Grant::AuthorizationCode | Grant::DeviceCode, _) => return None,
    };
    connector.inputs.iter().map(|input| input.name.as_ref()).find(|input| *input == name)
}

/// Providers have a thousand codes for four things.
fn refusal(t: Language, name: &str, code: &str) -> String {
    match code.to_ascii_lowercase().as_str() {
        "status 403" | "access_denied" | "forbidden" | "insufficient_scope" | "permission_denied" => {
            t.not_allowed(name)
        }
        "status 404" | "not_found" => t.not_there(name),
        _ => t.not_accepted(name),
    }
}

/// The form of a connector as markup without its frame, for a page of ours whose script shows it. The form itself and its button
/// are that page's.
#[derive(Template)]
#[template(path = "fragment.html")]
struct Fragment<'a> {
    frame: &'a Frame,
    name: &'a str,
    docs_url: Option<&'a str>,
    by_authorization: bool,
    fields: &'a [Field<'a>],
    problem: Option<&'a Problem>,
}

/// A connector's fields as markup, as they stand after a person typed.
#[must_use]
pub fn markup(frame: &Frame, connector: &ConnectorInUse<'_>, typed: &Typed) -> String {
    render(&Fragment {
        frame,
        name: &connector.data.name,
        docs_url: connector.data.docs_url.as_deref(),
        by_authorization: connector.data.consent().is_some(),
        fields: &fields(frame.t, connector, typed),
        problem: typed.problem.as_ref(),
    })
}

/// The fields of a connector, as they stand after a person typed.
#[must_use]
pub fn fields<'a>(t: Language, connector: &'a ConnectorInUse<'_>, typed: &Typed) -> Vec<Field<'a>> {
    let mut first = true;
    let field = |input: &'a Input| {
        let told = |problem: &Problem| match &problem.field {
            Some((name, fault)) if *name == input.name => Some(fault.clone()),
            _ => fault(t, &connector.data, input, &typed.values),
        };
        let fault = typed.problem.as_ref().and_then(told);
        Field {
            input,
            value: before(input, &typed.values),
            required: input.default.is_none() && !input.optional,
            pattern: input.pattern.as_deref().and_then(html_pattern),
            first_fault: fault.is_some() && std::mem::take(&mut first),
            fault,
        }
    };
    connector.data.inputs.iter().map(field).collect()
}

fn before(input: &Input, values: &BTreeMap<String, String>) -> String {
    let typed = values.get(input.name.as_ref()).filter(|_| !input.secret).cloned();
    typed.or_else(|| input.default.as_ref().map(ToString::to_string)).unwrap_or_default()
}

/// Whether every field holds what its input asks for.
#[must_use]
pub fn are_whole(connector: &ConnectorInUse<'_>, values: &BTreeMap<String, String>) -> bool {
    connector.data.inputs.iter().all(|input| template::judge_in(&connector.data, input, values).is_ok())
}

/// What a person reads beside a field. A secret that was right has to be typed again all the same.
fn fault(t: Language, connector: &Connector, input: &Input, values: &BTreeMap<String, String>) -> Option<String> {
    match template::judge_in(connector, input, values) {
        Ok(_) if input.secret => Some(t.enter_again()),
        Ok(_) => None,
        Err(error) => Some(match error.fault {
            Fault::Missing => t.is_missing(),
            Fault::NotOffered => t.is_not_offered(),
            Fault::Length => t.is_too_long(),
            Fault::Form => t.is_of_another_form(&connector.name),
        }),
    }
}

/// A pattern for a browser (HTML, "the `pattern` attribute"), if it certainly means there what it means here: ASCII letters and
/// digits, classes of them, groups, alternatives and counts. What differs, like `\d` or `.`, is left to the server. Blanks around
/// a value are overlooked, as the server does.
fn html_pattern(pattern: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = pattern.chars().peekable();
    let mut class = false;
    while let Some(c) = chars.next() {
        match (class, c) {
            (_, 'a'..='z' | 'A'..='Z' | '0'..='9' | '_')
            | (false, '(' | ')' | '|' | '?' | '*' | '+' | '{' | '}' | ',' | '-') => {
                // a group with a flag or a name is another thing in each
                if c == '(' && chars.peek() == Some(&'?') {
                    return None;
                }
                out.push(c);
            }
            (false, '[') if chars.peek().is_some_and(char::is_ascii_alphanumeric) => {
                class = true;
                out.push(c);
            }
            (true, ']') => {
                class = false;
                out.push(c);
            }
            // between two letters it is a range; elsewhere the `v` flag wants it escaped
            (true, '-') if chars.peek().is_some_and(char::is_ascii_alphanumeric) && is_range(&out) => out.push('-'),
            (true, '-') => out.push_str("\\-"),
            (_, '.') if class => out.push('.'),
            (_, '\\') => match chars.next()? {
                '.' => out.push_str(if class { "." } else { "\\." }),
                '-' => out.push_str(if class { "\\-" } else { "-" }),
                _ => return None,
            },
            _ => return None,
        }
    }
    (!class).then(|| format!("\\s*(?:{out})\\s*"))
}

/// Whether what stands before a hyphen begins a range: a letter that ends none.
fn is_range(before: &str) -> bool {
    let mut back = before.chars().rev();
    let (last, one_before) = (back.next(), back.next());
    last.is_some_and(|c| c.is_ascii_alphanumeric()) && one_before != Some('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_given_to_the_browser_only_where_it_means_the_same() {
        let table = [
            ("AC[0-9a-fA-F]{32}", Some("AC[0-9a-fA-F]{32}")),
            ("[a-z-]{3,40}", Some("[a-z\\-]{3,40}")),
            ("[a-z0-9-]{1,63}(\\.[a-z0-9-]{1,63}){1,4}", Some("[a-z0-9\\-]{1,63}(\\.[a-z0-9\\-]{1,63}){1,4}")),
            ("common|consumers", Some("common|consumers")),
            ("[0-9a-f]{8}-[0-9a-f]{4}", Some("[0-9a-f]{8}-[0-9a-f]{4}")),
            ("[a-z_.]+", Some("[a-z_.]+")),
            ("[a-c-e]+", Some("[a-c\\-e]+")),
            ("\\d+", None),
            (".*", None),
            ("\\w+", None),
            ("[^a]+", None),
            ("(?i)abc", None),
            ("[[:alpha:]]", None),
            ("[a&&b]", None),
            ("é+", None),
            ("[a", None),
            ("a\\", None),
            ("^a$", None),
        ];
        for (pattern, expected) in table {
            let expected = expected.map(|inner| format!("\\s*(?:{inner})\\s*"));
            assert_eq!(html_pattern(pattern), expected, "{pattern}");
        }
    }
}
