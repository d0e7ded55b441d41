//! A case: a connector, values for its placeholders, and a body.
//!
//! ```text
//! label 200 application/json            a skeleton of connectors/ or a connector of the catalogue, and further words
//! /api/base_url "https://{shop}.a.com"  a member of it, by its JSON pointer, set to another value
//! shop=acme                             what somebody says for a placeholder, as it is or as a JSON text
//!
//! {"access_token": "…"}                 what a provider answers
//! ```
//! Nothing is an error: a line that says nothing is left out, so that a case which was changed anywhere is still one.

use std::{borrow::Cow, collections::BTreeMap, sync::LazyLock};

use serde_json::Value;
use shared::{catalog::Catalog, protocol::connector::Connector};

/// Connectors that have what the catalogue has, in the smallest form: one for each way to a host or to a credential.
const SKELETONS: &str = include_str!("../connectors.json");

/// Skeletons and catalogue, by name.
static BASES: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let shipped = Catalog::builtin();
    let shipped =
        shipped.iter().filter_map(|connector| Some((connector.id.to_string(), serde_json::to_value(connector).ok()?)));
    let skeletons: BTreeMap<String, Value> = serde_json::from_str(SKELETONS).unwrap_or_default();
    shipped.chain(skeletons).collect()
});

/// The names that a case can begin with.
pub fn bases() -> impl Iterator<Item = &'static str> {
    BASES.keys().map(String::as_str)
}

/// A case, read.
#[derive(Debug)]
pub struct Case<'a> {
    /// The first line's words; the first of them names a connector.
    pub words: Vec<String>,
    /// Members that are set, by their pointers.
    pub edits: Vec<(String, Value)>,
    /// What somebody says for placeholders.
    pub given: BTreeMap<String, String>,
    /// What comes after the empty line.
    pub body: &'a [u8],
}

impl<'a> Case<'a> {
    /// Reads a case; everything is one.
    #[must_use]
    pub fn read(data: &'a [u8]) -> Self {
        let (head, body) = halves(data);
        let head = String::from_utf8_lossy(head);
        let mut lines = head.lines();
        let words = lines.next().unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        let mut case = Self { words, edits: Vec::new(), given: BTreeMap::new(), body };
        for line in lines {
            match (line.starts_with('/'), line.split_once(' '), line.split_once('=')) {
                (true, Some((pointer, value)), _) => case.edits.push((pointer.to_owned(), json(value))),
                (false, _, Some((name, value))) => {
                    case.given.insert(name.to_owned(), text(value).into_owned());
                }
                _ => {}
            }
        }
        case
    }

    /// A word of the first line.
    #[must_use]
    pub fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", String::as_str)
    }

    /// The connector that it is about, if there is one of that name and its members are such as the schema has.
    #[must_use]
    pub fn connector(&self) -> Option<(Value, Connector)> {
        let mut value = BASES.get(self.word(0))?.clone();
        for (pointer, member) in &self.edits {
            set(&mut value, pointer, member);
        }
        let connector = serde_json::from_value(value.clone()).ok()?;
        Some((value, connector))
    }
}

/// What stands before the first empty line, and what comes after it.
#[must_use]
pub fn halves(data: &[u8]) -> (&[u8], &[u8]) {
    match data.windows(2).position(|two| two == b"\n\n") {
        Some(at) => (&data[..=at], &data[at + 2..]),
        None => (data, &[]),
    }
}

/// Sets a member where its parent is there; behind the end of a list it is appended, and `null` takes it away.
fn set(value: &mut Value, pointer: &str, member: &Value) {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return };
    match value.pointer_mut(parent) {
        Some(Value::Object(members)) if member.is_null() => drop(members.remove(name)),
        Some(Value::Object(members)) => drop(members.insert(name.to_owned(), member.clone())),
        Some(Value::Array(items)) => match name.parse().ok().and_then(|at: usize| items.get_mut(at)) {
            Some(item) => *item = member.clone(),
            None => items.push(member.clone()),
        },
        _ => {}
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// A value as it is, or a JSON text for one with a line break in it.
fn text(value: &str) -> Cow<'_, str> {
    serde_json::from_str::<String>(value).map_or(Cow::Borrowed(value), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_reads_as_it_is_written() {
        let case = Case::read(
            b"label 200\n/api/base_url \"https://a.b\"\n/name X\nshop=a=b\nkey=\"1\\n2\"\nnonsense\n\nbody\n\nmore",
        );
        assert_eq!(case.words, ["label", "200"]);
        assert_eq!(case.edits, [("/api/base_url".to_owned(), "https://a.b".into()), ("/name".to_owned(), "X".into())]);
        let given = [("key", "1\n2"), ("shop", "a=b")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(case.given, given.into());
        assert_eq!(case.body, b"body\n\nmore");
    }

    #[test]
    fn every_skeleton_passes_the_check() {
        let skeletons: BTreeMap<String, Value> = serde_json::from_str(SKELETONS).unwrap();
        assert!(skeletons.len() > 5);
        for name in skeletons.keys() {
            let (_, connector) = Case::read(name.as_bytes()).connector().unwrap();
            assert_eq!(connector.check(false), Ok(()), "{name}");
        }
    }
}
