//! Parameters of a query, a form or a flat JSON object.

use percent_encoding::percent_decode_str;

use crate::error::Error;
use crate::json::{self, Json};

/// The most parameters one request may have.
const COUNT_LIMIT: usize = 100;

/// Decoded parameters in the order they came. One without a value is no text: it may be there, and may not be asked for.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, Option<String>)>);

impl std::fmt::Debug for Params {
    /// Names only: a code or a token may stand in a value.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Params {
    /// From `application/x-www-form-urlencoded` bytes; a query has the same form.
    pub fn from_form(bytes: &[u8]) -> Result<Self, Error> {
        let text = std::str::from_utf8(bytes).map_err(|_| Error::invalid("the parameters are not UTF-8"))?;
        let mut params = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (decode_form(name), decode_form(value)) else {
                return Err(Error::invalid("a parameter is not valid percent-encoded UTF-8"));
            };
            params.push((name, Some(value)));
        }
        Self::limited(params)
    }

    /// From a JSON object. A number is read as text and null as empty; what is none of these is an error only where a text is
    /// asked for: an identity that is overlooked would be somebody else's.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        let text = |value| match value {
            Json::Text(text) => Some(text),
            Json::Number(number) => Some(number.to_string()),
            Json::Null => Some(String::new()),
            Json::Bool(_) | Json::List(_) | Json::Object(_) => None,
        };
        Self::limited(json::object(bytes)?.into_iter().map(|(name, value)| (name, text(value))).collect())
    }

    fn limited(params: Vec<(String, Option<String>)>) -> Result<Self, Error> {
        if params.len() > COUNT_LIMIT {
            return Err(Error::invalid(format!("more than {COUNT_LIMIT} parameters")));
        }
        Ok(Self(params))
    }

    /// A parameter, which must not be repeated (RFC 6749 §3.1); an empty one counts as absent.
    pub fn one(&self, name: &str) -> Result<Option<&str>, Error> {
        let mut values = self.0.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_deref());
        match (values.next(), values.next()) {
            (Some(None), None) => Err(Error::invalid(format!("the parameter {name} is not a text"))),
            (first, None) => Ok(first.flatten().filter(|value| !value.is_empty())),
            _ => Err(Error::invalid(format!("the parameter {name} was sent more than once"))),
        }
    }

    /// Whether a parameter was sent without a value: a mistake where absence would mean something else.
    #[must_use]
    pub fn is_blank(&self, name: &str) -> bool {
        self.0.iter().any(|(n, value)| n == name && value.as_deref().is_some_and(|value| value.trim().is_empty()))
    }

    /// A parameter that has to be there.
    pub fn required(&self, name: &str) -> Result<&str, Error> {
        self.one(name)?.ok_or_else(|| Error::invalid(format!("the parameter {name} is missing")))
    }

    /// Every parameter that is a text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?)))
    }
}

/// Percent-decodes a path segment; `None` for a malformed escape or what is not UTF-8.
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    let escapes_are_whole = text
        .split('%')
        .skip(1)
        .all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()));
    escapes_are_whole.then(|| percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)).flatten()
}

/// Decodes a name or value of a form, where `+` is a space.
#[must_use]
pub fn decode_form(text: &str) -> Option<String> {
    decode(&text.replace('+', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_exactly() {
        let table = [
            ("a=1&b=2", Some(vec![("a", "1"), ("b", "2")])),
            ("a=%2B+%26", Some(vec![("a", "+ &")])),
            ("a", Some(vec![("a", "")])),
            ("&&a=1&", Some(vec![("a", "1")])),
            ("a==", Some(vec![("a", "=")])),
            ("a=%", None),
            ("a=%zz", None),
            ("a=%e2%28", None),
        ];
        for (text, expected) in table {
            let params = Params::from_form(text.as_bytes()).ok();
            let found = params.as_ref().map(|params| params.iter().collect::<Vec<_>>());
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_repeated_parameter_is_refused() {
        let params = Params::from_form(b"a=1&a=2").unwrap();
        assert!(params.one("a").is_err());
        assert_eq!(params.one("b").unwrap(), None);
    }
    #[test]
    fn a_member_that_is_no_text_is_refused_where_a_text_is_asked_for() {
        let params =
            Params::from_json(br#"{"a": "1", "b": 2, "c": null, "d": ["x"], "e": {"f": "x"}, "g": true}"#).unwrap();
        let asked = |name| params.one(name).map_err(|error| error.to_string());
        assert_eq!(["a", "b", "c", "z"].map(asked), [Ok(Some("1")), Ok(Some("2")), Ok(None), Ok(None)]);
        for name in ["d", "e", "g"] {
            assert_eq!(asked(name), Err(format!("the parameter {name} is not a text")));
        }
        assert_eq!(params.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "2"), ("c", "")]);
    }
}
