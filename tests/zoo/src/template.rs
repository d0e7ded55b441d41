//! Texts with `${name}` in them: answers that are filled in, and credentials that are read.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use crate::request::Pairs;

/// A JSON value with every `${name}` filled in. A text that is one name takes the value with its type, and is left out
/// where there is none; `:string`, `:number`, `:ms`, `:rfc3339`, `:comma`, `:space`, `:lower` and `:base64` behind it change it.
#[must_use]
pub fn fill(template: &Value, variables: &Value) -> Option<Value> {
    match template {
        Value::String(text) => match whole(text) {
            Some(name) => value(name, variables),
            None => Some(interpolate(text, variables).into()),
        },
        Value::Array(items) => Some(items.iter().filter_map(|item| fill(item, variables)).collect()),
        Value::Object(members) => Some(Value::Object(fill_members(members, variables))),
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(template.clone()),
    }
}

/// The same for the members of an object.
#[must_use]
pub fn fill_members(members: &Map<String, Value>, variables: &Value) -> Map<String, Value> {
    members.iter().filter_map(|(name, value)| Some((name.clone(), fill(value, variables)?))).collect()
}

/// A text with every `${name}` filled in; a name without a value is nothing.
#[must_use]
pub fn interpolate(text: &str, variables: &Value) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, (name, after))) = next(rest) {
        filled.push_str(before);
        filled.push_str(&value(name, variables).map(|value| plain(&value)).unwrap_or_default());
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// What the one name in a template takes of a text: `Bearer ${access_token}` of `Bearer abc` takes `abc`. A template
/// without a name has to be the text, and takes nothing.
#[must_use]
pub fn capture(template: &str, text: &str) -> Option<Pairs> {
    let Some((before, (name, after))) = next(template) else { return (template == text).then(Pairs::new) };
    let value = text.strip_prefix(before)?.strip_suffix(after)?;
    (!value.is_empty()).then(|| vec![(name.to_owned(), value.to_owned())])
}

/// A value as it stands in a form.
#[must_use]
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// The value at a dotted path.
#[must_use]
pub fn at<'v>(path: &str, variables: &'v Value) -> Option<&'v Value> {
    path.split('.').try_fold(variables, |value, name| value.get(name)).filter(|value| !value.is_null())
}

fn whole(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${")?.strip_suffix('}')?;
    (!name.contains('}')).then_some(name)
}

fn next(text: &str) -> Option<(&str, (&str, &str))> {
    let (before, rest) = text.split_once("${")?;
    Some((before, rest.split_once('}')?))
}

fn value(name: &str, variables: &Value) -> Option<Value> {
    let (path, form) = name.split_once(':').map_or((name, ""), |(path, form)| (path, form));
    let value = at(path, variables)?;
    Some(match form {
        "string" => plain(value).into(),
        "number" => plain(value).parse::<i64>().map_or(Value::Null, Value::from),
        "comma" => joined(value, ",").into(),
        "space" => joined(value, " ").into(),
        "lower" => plain(value).to_lowercase().into(),
        "base64" => STANDARD.encode(plain(value)).into(),
        "ms_text" => value.as_i64().map_or(Value::Null, |seconds| (seconds * 1000).to_string().into()),
        "ms" => value.as_i64().map_or(Value::Null, |seconds| (seconds * 1000).into()),
        "rfc3339" => value.as_i64().map_or(Value::Null, |seconds| crate::clock::rfc3339(seconds).into()),
        _ => value.clone(),
    })
}

/// A list as one text.
fn joined(list: &Value, separator: &str) -> Option<String> {
    list.as_array().map(|items| items.iter().map(plain).collect::<Vec<_>>().join(separator))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_whole_name_keeps_its_type_and_an_unknown_one_is_left_out() {
        let variables =
            json!({ "expires_in": 3600, "account": { "id": 7 }, "at": 1_000_000_000, "scopes": ["read", "write"] });
        let template = json!({
            "a": "${expires_in}", "b": "${expires_in:string}", "c": "no ${account.id}.", "d": "${refresh_token}",
            "e": ["${account.id}", "${nothing}"], "f": "${at:ms}", "g": "${at:rfc3339}", "h": null,
            "i": "${scopes:comma}", "j": "${scopes:space}"
        });
        let filled = json!({
            "a": 3600, "b": "3600", "c": "no 7.", "e": [7], "f": 1_000_000_000_000_i64,
            "g": "2001-09-09T01:46:40Z", "h": null, "i": "read,write", "j": "read write"
        });
        assert_eq!(fill(&template, &variables), Some(filled));
    }

    #[test]
    fn a_list_is_joined_as_its_provider_writes_it() {
        let variables = json!({ "scopes": ["a", "b"] });
        let table =
            [("${scopes}", json!(["a", "b"])), ("${scopes:comma}", json!("a,b")), ("${scopes:space}", json!("a b"))];
        for (template, expected) in table {
            assert_eq!(fill(&json!(template), &variables), Some(expected), "{template}");
        }
    }

    #[test]
    fn a_credential_is_read_by_its_template() {
        let access_token = |value: &str| Some(vec![("access_token".to_owned(), value.to_owned())]);
        let table = [
            ("Bearer ${access_token}", "Bearer abc", access_token("abc")),
            ("Bearer ${access_token}", "bearer abc", None),
            ("Bearer ${access_token}", "Bearer ", None),
            ("${access_token}/token", "a@b/token", access_token("a@b")),
            ("api", "api", Some(Vec::new())),
            ("api", "key", None),
        ];
        for (template, text, expected) in table {
            assert_eq!(capture(template, text), expected, "{template} of {text}");
        }
    }
}
