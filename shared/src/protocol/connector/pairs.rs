//! Names with values: a TOML table, a JSON object.

#[cfg(test)]
use std::borrow::Cow;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use super::{List, Text};

/// Placeholders that a choice fills, each with what it is for every value that may be chosen: a table of tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Derived(pub List<(Text, Pairs)>);

impl Derived {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The placeholders, each with its texts by the value chosen.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Pairs)> {
        self.0.iter().map(|(name, texts)| (name.as_ref(), texts))
    }

    /// The texts of a placeholder.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<&Pairs> {
        self.iter().find(|(n, _)| *n == name).map(|(_, texts)| texts)
    }
}

/// Names with values, written as a TOML table or JSON object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs(pub List<(Text, Text)>);

impl Pairs {
    /// The pairs, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// The value under a name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = in_order::<String, D>(deserializer, "names with text values")?;
        Ok(Self(pairs.into_iter().map(|(name, value)| (name, Text::Owned(value))).collect()))
    }
}

impl<'de> Deserialize<'de> for Derived {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        in_order(deserializer, "names with a table of texts each").map(|derived| Self(List::Owned(derived)))
    }
}

/// The members of a table, as they stand there.
fn in_order<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
    expected: &'static str,
) -> Result<Vec<(Text, T)>, D::Error> {
    struct Visitor<T>(&'static str, PhantomData<T>);
    impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
        type Value = Vec<(Text, T)>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some((name, value)) = map.next_entry::<String, T>()? {
                members.push((Text::Owned(name), value));
            }
            Ok(members)
        }
    }
    deserializer.deserialize_map(Visitor(expected, PhantomData))
}

impl Serialize for Pairs {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl Serialize for Derived {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Derived {
    fn schema_name() -> Cow<'static, str> {
        "Derived".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        std::collections::BTreeMap::<String, Pairs>::json_schema(generator)
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Pairs {
    fn schema_name() -> Cow<'static, str> {
        "Pairs".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        std::collections::BTreeMap::<String, String>::json_schema(generator)
    }
}
