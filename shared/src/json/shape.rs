//! JSON as one of our shapes, read more narrowly than serde's own reader does: the bodies of requests, and what the tables keep.
//!
//! serde reads a list for the fields of a shape, in the order in which our code happens to declare them, and so does a shape
//! that is chosen by one of its members. Here a list is a list and nothing else. What does not fit is told by its field, and
//! never by its value: a secret could stand in the wrong place.
//!
//! Since no shape is read from a list, the code that would do so is not compiled, and since everything is read by the one reader,
//! no shape is compiled twice (ARCHITECTURE.md, "Cold start").

use std::{
    fmt::{self, Display},
    marker::PhantomData,
};

use serde::{
    Deserializer,
    de::{
        DeserializeOwned, DeserializeSeed, EnumAccess, Error as _, Expected, IntoDeserializer, MapAccess, SeqAccess,
        Unexpected, VariantAccess, Visitor, value::StringDeserializer,
    },
    forward_to_deserialize_any,
};
use serde_json::Number;

use super::{Json, Members};

/// The members as this shape.
pub fn fit<T: DeserializeOwned>(members: Members) -> Result<T, Misfit> {
    T::deserialize(Json::Object(members))
}

/// An object as this shape.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Misfit> {
    match serde_json::from_slice(bytes) {
        Ok(Json::Object(members)) => fit(members),
        Ok(_) => Err(Misfit::custom("it is no object")),
        Err(error) => Err(Misfit::custom(error)), // says what was expected and where, and quotes no value
    }
}

/// Where a body does not fit, and why.
#[derive(Debug)]
pub struct Misfit {
    /// The names that lead to it, and the indices of lists; the innermost first.
    at: Vec<String>,
    why: String,
}

impl Misfit {
    fn within(mut self, name: &str) -> Self {
        self.at.push(name.to_owned());
        self
    }
}

impl Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, name) in self.at.iter().rev().enumerate() {
            write!(f, "{}{name}", if place == 0 { "" } else { "." })?;
        }
        write!(f, "{}{}", if self.at.is_empty() { "" } else { ": " }, self.why)
    }
}

impl std::error::Error for Misfit {}

impl serde::de::Error for Misfit {
    fn custom<T: Display>(why: T) -> Self {
        Self { at: Vec::new(), why: why.to_string() }
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("another type is expected: {}", plainly(expected)))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("another value is expected: {}", plainly(expected)))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format_args!("another value is expected: one of {}", expected.join(", ")))
    }
}

/// What is expected, in the words of JSON: serde says it in those of our source.
fn plainly(expected: &dyn Expected) -> String {
    let said = expected.to_string();
    match said.as_str() {
        "a string" | "variant identifier" => "a text",
        "a sequence" => "a list",
        "a map" => "an object",
        "a boolean" => "true or false",
        "u32" | "u64" => "a whole number, zero or more",
        "any value" => "no list",
        _ if said.starts_with("struct ")
            || said.starts_with("struct variant ")
            || said.starts_with("internally tagged enum ") =>
        {
            "an object"
        }
        _ => return said,
    }
    .to_owned()
}

impl Json {
    fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Self::Null => Unexpected::Unit,
            Self::Bool(value) => Unexpected::Bool(*value),
            Self::Number(_) => Unexpected::Other("a number"),
            Self::Text(text) => Unexpected::Str(text),
            Self::List(_) => Unexpected::Seq,
            Self::Object(_) => Unexpected::Map,
        }
    }

    /// Neither a list nor an object.
    fn plain<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Number(number) => visit_number(&number, visitor),
            Self::Text(text) => visitor.visit_string(text),
            Self::List(_) | Self::Object(_) => Err(Misfit::invalid_type(self.unexpected(), &visitor)),
        }
    }
}

/// Methods that read what is neither a list nor an object. A visitor's code for those is not compiled then.
macro_rules! plain {
    ($($method:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            self.plain(visitor)
        }
    )+};
}

impl<'de> Deserializer<'de> for Json {
    type Error = Misfit;

    /// Anything but a list. Who asks for anything is a shape that is chosen by one of its members, and has to be an object.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Object(members) => visitor.visit_map(Entries::<Kept>::of(members)),
            other => other.plain(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Object(members) => visitor.visit_map(Entries::<Self>::of(members)),
            other => other.plain(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_map(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::List(items) => {
                let mut items = Items::<Self>::of(items);
                let read = visitor.visit_seq(&mut items)?;
                if items.items.next().is_some() { Err(Misfit::custom("the list is too long")) } else { Ok(read) }
            }
            other => other.plain(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Null => visitor.visit_none(),
            some => visitor.visit_some(some),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self {
            Self::Text(text) => visitor.visit_enum(StringDeserializer::new(text)),
            Self::Object(mut members) if members.len() == 1 => visitor.visit_enum(Variant(members.remove(0))),
            other => Err(Misfit::invalid_type(other.unexpected(), &"a text")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        self.plain(visitor)
    }

    /// A name: of a member, or of the one of several shapes that is meant. A number would be a shape's place in our source.
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Json::Text(text) => visitor.visit_string(text),
            other => Err(Misfit::invalid_type(other.unexpected(), &"a text")),
        }
    }

    plain! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char
        deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit
    }
}

/// One of several shapes, under its name.
struct Variant((String, Json));

impl<'de> EnumAccess<'de> for Variant {
    type Error = Misfit;
    type Variant = Json;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Json), Misfit> {
        let (name, value) = self.0;
        Ok((seed.deserialize(name.into_deserializer())?, value))
    }
}

impl<'de> VariantAccess<'de> for Json {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        Err(Misfit::invalid_type(Unexpected::Map, &"a text"))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Misfit> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_map(visitor)
    }
}

/// What serde keeps of a shape until it knows which one it is: whatever a member holds, lists too.
struct Kept(Json);

impl From<Json> for Kept {
    fn from(json: Json) -> Self {
        Self(json)
    }
}

impl<'de> Deserializer<'de> for Kept {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0 {
            Json::List(items) => visitor.visit_seq(Items::<Self>::of(items)),
            Json::Object(members) => visitor.visit_map(Entries::<Self>::of(members)),
            other => other.plain(visitor),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.0.deserialize_identifier(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum ignored_any
    }
}

/// The narrowest of the three that holds it.
fn visit_number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, Misfit> {
    match (number.as_u64(), number.as_i64(), number.as_f64()) {
        (Some(value), _, _) => visitor.visit_u64(value),
        (None, Some(value), _) => visitor.visit_i64(value),
        (None, None, Some(value)) => visitor.visit_f64(value),
        (None, None, None) => Err(Misfit::custom("a number is not finite")),
    }
}

/// An object's members, one after the other, each read as `T` says.
struct Entries<T> {
    members: std::vec::IntoIter<(String, Json)>,
    value: Option<(String, Json)>,
    read: PhantomData<T>,
}

impl<T> Entries<T> {
    fn of(members: Members) -> Self {
        Self { members: members.into_iter(), value: None, read: PhantomData }
    }
}

impl<'de, T: From<Json> + Deserializer<'de, Error = Misfit>> MapAccess<'de> for Entries<T> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        self.value = self.members.next();
        let name = self.value.as_ref().map(|(name, _)| name.as_str().into_deserializer());
        name.map(|name| seed.deserialize(name)).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let (name, value) = self.value.take().ok_or_else(|| Misfit::custom("a value without a name"))?;
        seed.deserialize(T::from(value)).map_err(|misfit| misfit.within(&name))
    }
}

/// A list's items, one after the other, each read as `T` says.
struct Items<T> {
    items: std::iter::Enumerate<std::vec::IntoIter<Json>>,
    read: PhantomData<T>,
}

impl<T> Items<T> {
    fn of(items: Vec<Json>) -> Self {
        Self { items: items.into_iter().enumerate(), read: PhantomData }
    }
}

impl<'de, T: From<Json> + Deserializer<'de, Error = Misfit>> SeqAccess<'de> for Items<T> {
    type Error = Misfit;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Misfit> {
        let Some((at, item)) = self.items.next() else { return Ok(None) };
        seed.deserialize(T::from(item)).map(Some).map_err(|misfit| misfit.within(&at.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::json;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Shape {
        text: Option<String>,
        count: u32,
        share: f64,
        kind: Kind,
        list: Vec<Shape>,
        names: BTreeMap<String, String>,
        chosen: Option<Chosen>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        #[default]
        One,
        Two,
        Named(String),
        Pair(String, String),
        Both {
            names: Vec<String>,
        },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "in", rename_all = "snake_case")]
    enum Chosen {
        Header { name: String, list: Vec<(String, u32)> },
    }

    fn read_body(body: &str) -> Result<Shape, String> {
        fit(json::object(body.as_bytes()).unwrap()).map_err(|misfit| misfit.to_string())
    }

    #[test]
    fn a_shape_is_read_by_its_names() {
        let whole = Shape {
            text: Some("a".to_owned()),
            count: 7,
            share: 1.0,
            kind: Kind::Two,
            list: vec![Shape::default()],
            names: [("b", "1"), ("a", "2")].map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            chosen: Some(Chosen::Header { name: "n".to_owned(), list: vec![("a".to_owned(), 1)] }),
        };
        let body = r#"{"text": "a", "count": 7, "share": 1, "kind": "two", "list": [{}], "names": {"b": "1", "a": "2"}, "chosen": {"name": "n", "list": [["a", 1]], "in": "header"}}"#;
        assert_eq!(read_body(body), Ok(whole));
        for usual in ["{}", r#"{"text": null}"#] {
            assert_eq!(read_body(usual), Ok(Shape::default()));
        }
        let kind = |body: &str| read_body(body).map(|shape| shape.kind);
        assert_eq!(kind(r#"{"kind": {"named": "a"}}"#), Ok(Kind::Named("a".to_owned())));
        assert_eq!(kind(r#"{"kind": {"both": {"names": []}}}"#), Ok(Kind::Both { names: Vec::new() }));
    }

    #[test]
    fn what_does_not_fit_is_told_by_its_field() {
        let table = [
            (r#"{"text": ["hunter2"]}"#, "text: another type is expected: a text"),
            (r#"{"text": 7}"#, "text: another type is expected: a text"),
            (r#"{"count": "hunter2"}"#, "count: another type is expected: a whole number, zero or more"),
            (r#"{"count": -1}"#, "count: another value is expected: a whole number, zero or more"),
            (r#"{"kind": "hunter2"}"#, "kind: another value is expected: one of one, two, named, pair, both"),
            (r#"{"kind": {"two": null}}"#, "kind: another type is expected: a text"),
            (r#"{"kind": {"named": "hunter2", "two": null}}"#, "kind: another type is expected: a text"),
            (r#"{"kind": {"named": 1}}"#, "kind: another type is expected: a text"),
            (r#"{"kind": {"both": [["hunter2"]]}}"#, "kind: another type is expected: an object"),
            (r#"{"list": {}}"#, "list: another type is expected: a list"),
            (r#"{"list": [{}, {"list": [["hunter2"]]}]}"#, "list.1.list.0: another type is expected: an object"),
            (r#"{"names": [["a", "b"]]}"#, "names: another type is expected: an object"),
            (r#"{"names": {"a": 1}}"#, "names.a: another type is expected: a text"),
            (r#"{"chosen": {"in": 0, "name": "n", "list": []}}"#, "chosen.in: another type is expected: a text"),
            (r#"{"list": [{}], "kind": {"pair": ["a", "b", "hunter2"]}}"#, "kind: the list is too long"),
            (r#"{"chosen": ["header", "n"]}"#, "chosen: another type is expected: an object"),
            (r#"{"chosen": {"in": "header", "name": {}}}"#, "chosen: another type is expected: a text"),
            (
                r#"{"list": [{"other": "hunter2"}]}"#,
                "list.0: unknown field `other`, expected one of `text`, `count`, `share`, `kind`, `list`, `names`, `chosen`",
            ),
        ];
        for (body, expected) in table {
            assert_eq!(read_body(body), Err(expected.to_owned()), "{body}");
        }
    }
}
