//! Host names and paths with places that take anything.

use serde::Deserialize;
use serde_json::{Map, Value};

/// A host name or path with `{name}` in it. Its pieces are labels (`.`) or segments (`/`); a `{name}` takes one piece
/// or a part of one, a last `{name+}` all pieces that follow.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct Pattern(String);

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Pattern {
    /// The pattern as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What its places take of a host name.
    #[must_use]
    pub fn host(&self, host: &str) -> Option<Map<String, Value>> {
        matches(&self.0, &host.to_ascii_lowercase(), '.')
    }

    /// What its places take of a path.
    #[must_use]
    pub fn path(&self, path: &str) -> Option<Map<String, Value>> {
        matches(&self.0, path, '/')
    }

    /// How much of it is fixed, so that the most exact of several can be told.
    #[must_use]
    pub fn weight(&self) -> usize {
        let mut depth = 0_usize;
        self.0
            .chars()
            .filter(|c| {
                depth = match c {
                    '{' => depth + 1,
                    '}' => depth.saturating_sub(1),
                    _ => depth,
                };
                depth == 0 && *c != '}'
            })
            .count()
    }
}

fn matches(pattern: &str, text: &str, separator: char) -> Option<Map<String, Value>> {
    let mut taken = Map::new();
    let mut pieces = text.split(separator);
    let mut patterns = pattern.split(separator).peekable();
    while let Some(pattern) = patterns.next() {
        if let Some(name) = pattern.strip_prefix('{').and_then(|rest| rest.strip_suffix("+}")) {
            let rest: Vec<&str> = pieces.collect();
            if rest.is_empty() || patterns.peek().is_some() {
                return None;
            }
            taken.insert(name.to_owned(), rest.join(&separator.to_string()).into());
            return Some(taken);
        }
        let piece = pieces.next()?;
        match pattern.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?))) {
            None if pattern == piece => {}
            None => return None,
            Some((before, (name, after))) => {
                let value = piece.strip_prefix(before)?.strip_suffix(after)?;
                if value.is_empty() {
                    return None;
                }
                let value = percent_encoding::percent_decode_str(value).decode_utf8().ok()?;
                taken.insert(name.to_owned(), value.into());
            }
        }
    }
    pieces.next().is_none().then_some(taken)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_place_takes_one_piece_or_a_part_of_it() {
        let table = [
            ("/a/b", "/a/b", Some(json!({}))),
            ("/a/{id}", "/a/b", Some(json!({ "id": "b" }))),
            ("/a/{id}.json", "/a/b.json", Some(json!({ "id": "b" }))),
            ("/a/{id}.json", "/a/.json", None),
            ("/a/{id}", "/a/b/c", None),
            ("/a/{id}", "/a", None),
            ("/a/{rest+}", "/a/b/c", Some(json!({ "rest": "b/c" }))),
            ("/a/{rest+}", "/a", None),
        ];
        for (pattern, path, expected) in table {
            let taken = Pattern::from(pattern.to_owned()).path(path).map(Value::Object);
            assert_eq!(taken, expected, "{pattern} of {path}");
        }
    }

    #[test]
    fn a_host_name_has_no_case() {
        let pattern = Pattern::from("{shop}.myshopify.com".to_owned());
        assert_eq!(pattern.host("Acme.MyShopify.com").map(Value::Object), Some(json!({ "shop": "acme" })));
        assert_eq!(pattern.host("a.b.myshopify.com"), None);
    }
}
