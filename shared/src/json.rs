//! JSON bodies: the one place where they are read; [`shape`] makes our types of them.
//!
//! RFC 8259 §4 leaves open what a name means that an object has twice, and readers differ: what one checks, another may not
//! use. So it is refused, at any depth. How deep a body may be is serde's limit, how long the route's.

pub mod shape;

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Number, error::Category};

use crate::error::Error;

/// The members of an object, in the order they came.
pub type Members = Vec<(String, Json)>;

/// So many names are compared one by one, which costs less than a set of them.
const FEW: usize = 32;

/// A value of which no object has a name twice.
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Self>),
    /// An object.
    Object(Members),
}

/// The members of a body that is an object.
pub fn object(bytes: &[u8]) -> Result<Members, Error> {
    match serde_json::from_slice(bytes) {
        Ok(Json::Object(members)) => Ok(members),
        Ok(_) => Err(Error::invalid("the body is not a JSON object")),
        // our own word on a name that stands twice; it says where, and quotes no value
        Err(error) if error.classify() == Category::Data => Err(Error::invalid(format!("the JSON body: {error}"))),
        Err(_) => Err(Error::invalid("the body is not valid JSON")),
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        Number::from_f64(value).map(Json::Number).ok_or_else(|| E::custom("a number is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let (mut members, mut names) = (Members::new(), HashSet::new());
        while let Some(name) = map.next_key::<String>()? {
            let stood = if members.len() < FEW {
                members.iter().any(|(other, _)| *other == name)
            } else {
                if names.is_empty() {
                    names.extend(members.iter().map(|(name, _)| name.clone()));
                }
                !names.insert(name.clone())
            };
            if stood {
                return Err(A::Error::custom(format_args!("the member `{name}` stands twice in an object")));
            }
            members.push((name, map.next_value()?));
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> String {
        match object(body.as_bytes()) {
            Ok(members) => members.into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_name_stands_once_in_an_object() {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(200), "}".repeat(200));
        let many = |again: Option<usize>| {
            let members: Vec<_> = (0..40).chain(again).map(|at| format!("\"n{at}\":1")).collect();
            format!("{{{}}}", members.join(","))
        };
        let (all, first, last) = (many(None), many(Some(0)), many(Some(39)));
        let twice = "the JSON body: the member `a` stands twice in an object at line 1 column";
        let table = [
            ("{}", String::new()),
            (r#" {"b": 1, "a": {"b": 1}, "A": [{"a": 1}, {"a": 1}]} "#, "b a A".to_owned()),
            (r#"{"a": 1, "b": 1, "a": 1}"#, format!("{twice} 20")),
            (r#"{"a": 1, "\u0061": 2}"#, format!("{twice} 17")),
            (r#"{"b": [[{"c": {"a": 1, "a": 2}}]]}"#, format!("{twice} 26")),
            (all.as_str(), (0..40).map(|at| format!("n{at}")).collect::<Vec<_>>().join(" ")),
            (
                first.as_str(),
                "the JSON body: the member `n0` stands twice in an object at line 1 column 315".to_owned(),
            ),
            (
                last.as_str(),
                "the JSON body: the member `n39` stands twice in an object at line 1 column 316".to_owned(),
            ),
            ("[]", "the body is not a JSON object".to_owned()),
            ("\"a\"", "the body is not a JSON object".to_owned()),
            ("{", "the body is not valid JSON".to_owned()),
            ("{}{}", "the body is not valid JSON".to_owned()),
            (deep.as_str(), "the body is not valid JSON".to_owned()),
        ];
        for (body, expected) in table {
            assert_eq!(said(body), expected, "{body}");
        }
    }
}
