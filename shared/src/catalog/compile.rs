//! From the catalogue's TOML to connectors: the build script's half of the catalogue, and of its tests.
//!
//! An entry whose first line is `extends = "google"` is laid over `families/google.toml`, which may itself extend another: tables
//! are merged, and of anything else the entry's own value wins. What is wrong is told with the file and line where it stands, be
//! that the entry's or its family's, and with the field as a dotted path:
//!
//! ```text
//! catalog/acme.toml:14: oauth2.tokn_endpoint: unknown field; did you mean `token_endpoint`?
//! ```

use std::{
    fmt::{self, Display},
    fs, io,
    path::{Path, PathBuf},
};

use serde::{
    Deserialize,
    de::{self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor},
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::connector::Connector;

/// More generations than that are a family that extends itself.
const MOST_GENERATIONS: usize = 8;

/// Every entry of a folder, sorted by id. An error names the file, and the line and field in it.
pub fn folder(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    let mut entries = files
        .iter()
        .map(|file| Entry::read(file, &fs::read_to_string(file)?, |family| fs::read_to_string(family)))
        .collect::<io::Result<Vec<_>>>()?;
    entries.sort_by(|a, b| a.connector.id.cmp(&b.connector.id));
    Ok(entries)
}

/// A connector, and where each of its fields was written.
pub struct Entry {
    pub connector: Connector,
    node: Node,
    /// The entry's own, its family's, and so on.
    files: Vec<PathBuf>,
}

impl Entry {
    /// One entry; its id is the file's name. Its families are read by `read`.
    pub fn read(file: &Path, toml: &str, read: impl Fn(&Path) -> io::Result<String>) -> io::Result<Self> {
        let mut files = vec![file.to_owned()];
        let read = merged(&mut files, toml, read).and_then(|node| {
            let connector = Connector::deserialize(Place { node: &node, path: Vec::new() })?;
            Ok((connector, node))
        });
        let (mut connector, node) = read.map_err(|fault| fault.told(&files))?;
        if !connector.id.is_empty() {
            return Err(invalid(format!("{}: leave `id` out: the file's name is the id", file.display())));
        }
        let id = file.file_stem().and_then(|stem| stem.to_str());
        connector.id =
            id.ok_or_else(|| invalid(format!("{}: the file's name is no id", file.display())))?.to_owned().into();
        Ok(Self { connector, node, files })
    }

    /// What is wrong with a field, told with the file and line where it stands; where it is left out, with those of the table
    /// that it is missing from.
    pub fn told(&self, field: &str, message: &str) -> io::Error {
        let steps = field.split('.').scan(&self.node, |node, step| {
            *node = node.member(step)?;
            Some(*node)
        });
        let node = steps.last().unwrap_or(&self.node);
        Fault { at: Some((node.file, node.line)), path: field.to_owned(), message: message.to_owned() }
            .told(&self.files)
    }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// The entry over its family over that one's; each file is added to `files` as it is read.
fn merged(files: &mut Vec<PathBuf>, toml: &str, read: impl Fn(&Path) -> io::Result<String>) -> Result<Node, Fault> {
    let mut own = Node::parse(toml, 0)?;
    let mut next = own.family()?;
    while let Some((family, line)) = next {
        let (number, youngest) = (files.len(), files.len() - 1);
        let fault = |message: String| Fault { at: Some((youngest, line)), path: "extends".to_owned(), message };
        let plain = !family.is_empty() && family.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        if !plain || number > MOST_GENERATIONS {
            return Err(fault(format!("`{family}` is no family, or one that extends itself")));
        }
        let file = files[0].with_file_name("families").join(format!("{family}.toml"));
        let toml = read(&file).map_err(|error| fault(format!("{}: {error}", file.display())))?;
        files.push(file);
        let mut parent = Node::parse(&toml, number)?;
        next = parent.family()?;
        own = own.over(parent);
    }
    Ok(own)
}

/// A value, and the file and line where it was written.
struct Node {
    file: usize,
    line: usize,
    value: Value,
}

enum Value {
    Text(String),
    Whole(i64),
    Truth(bool),
    List(Vec<Node>),
    Table(Vec<(String, Node)>),
    /// What no field is: a fraction or a date.
    Other(&'static str),
}

impl Node {
    /// The document in a file with this number.
    fn parse(toml: &str, file: usize) -> Result<Self, Fault> {
        let table = DeTable::parse(toml).map_err(|error| Fault {
            at: Some((file, line(toml, error.span().map_or(0, |span| span.start)))),
            path: String::new(),
            message: error.message().to_owned(),
        })?;
        Ok(Self { file, line: 1, value: Value::table(table.get_ref(), toml, file) })
    }

    fn of(value: &Spanned<DeValue<'_>>, toml: &str, file: usize, line: usize) -> Self {
        Self { file, line, value: Value::of(value.get_ref(), toml, file) }
    }

    /// What stands under a name in a table; of a list, the item with that place or that `name`.
    fn member(&self, step: &str) -> Option<&Self> {
        match &self.value {
            Value::Table(members) => members.iter().find(|(name, _)| name == step).map(|(_, node)| node),
            Value::List(items) => {
                let named = |item: &&Self| matches!(item.member("name"), Some(Self { value: Value::Text(name), .. }) if name == step);
                items.iter().find(named).or_else(|| items.get(step.parse::<usize>().ok()?))
            }
            Value::Text(_) | Value::Whole(_) | Value::Truth(_) | Value::Other(_) => None,
        }
    }

    /// Takes the name of its family out of a document, with the line.
    fn family(&mut self) -> Result<Option<(String, usize)>, Fault> {
        let Value::Table(members) = &mut self.value else { return Ok(None) };
        let Some(at) = members.iter().position(|(name, _)| name == "extends") else { return Ok(None) };
        match members.remove(at).1 {
            Node { value: Value::Text(family), line, .. } => Ok(Some((family, line))),
            Node { file, line, .. } => {
                let message = "has to be the name of a family".to_owned();
                Err(Fault { at: Some((file, line)), path: "extends".to_owned(), message })
            }
        }
    }

    /// This one where both say something; tables, member by member.
    fn over(mut self, parent: Self) -> Self {
        match (&mut self.value, parent.value) {
            (Value::Table(own), Value::Table(inherited)) => {
                for (name, node) in inherited {
                    match own.iter().position(|(own, _)| *own == name) {
                        Some(at) => {
                            let (name, mine) = own.swap_remove(at);
                            own.push((name, mine.over(node)));
                        }
                        None => own.push((name, node)),
                    }
                }
                own.sort_by(|(a, _), (b, _)| a.cmp(b)); // as in a file that says it all itself
                self
            }
            _ => self,
        }
    }
}

impl Value {
    fn of(value: &DeValue<'_>, toml: &str, file: usize) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.as_ref().to_owned()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Self::Other("a number that is too large"), Self::Whole),
            DeValue::Boolean(truth) => Self::Truth(*truth),
            DeValue::Float(_) => Self::Other("a fraction"),
            DeValue::Datetime(_) => Self::Other("a date without quotation marks"),
            DeValue::Array(items) => {
                Self::List(items.iter().map(|item| Node::of(item, toml, file, line(toml, item.span().start))).collect())
            }
            DeValue::Table(table) => Self::table(table, toml, file),
        }
    }

    fn table(table: &DeTable<'_>, toml: &str, file: usize) -> Self {
        let member = |(name, value): (&Spanned<_>, _)| {
            let name: &Spanned<std::borrow::Cow<'_, str>> = name;
            (name.get_ref().clone().into_owned(), Node::of(value, toml, file, line(toml, name.span().start)))
        };
        Self::Table(table.iter().map(member).collect())
    }
}

/// The line of a place in a text.
fn line(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// What is wrong, and where: the number of the file and the line, once they are known.
#[derive(Debug)]
struct Fault {
    at: Option<(usize, usize)>,
    /// The field as a dotted path; below the place that is still to be filled in, if that is not known.
    path: String,
    message: String,
}

impl Fault {
    /// The same, of this field; a fault that knows its place keeps it.
    fn within(self, place: &Place<'_>) -> Self {
        if self.at.is_some() {
            return self;
        }
        let path: Vec<&str> = place.path.iter().map(String::as_str).chain([self.path.as_str()]).collect();
        let path: Vec<&str> = path.into_iter().filter(|step| !step.is_empty()).collect();
        Self { at: Some((place.node.file, place.node.line)), path: path.join("."), message: self.message }
    }

    fn told(self, files: &[PathBuf]) -> io::Error {
        let (file, line) = self.at.unwrap_or((0, 1));
        let file = files.get(file).map_or_else(String::new, |file| file.display().to_string());
        let path = if self.path.is_empty() { String::new() } else { format!("{}: ", self.path) };
        invalid(format!("{file}:{line}: {path}{}", self.message.trim_end()))
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: Display>(message: T) -> Self {
        Self { at: None, path: String::new(), message: message.to_string() }
    }

    fn missing_field(field: &'static str) -> Self {
        Self { at: None, path: field.to_owned(), message: "is missing".to_owned() }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let alike = |name: &&str| strsim::normalized_damerau_levenshtein(name, field);
        let nearest = expected.iter().max_by(|a, b| alike(a).total_cmp(&alike(b)));
        Self::custom(match nearest.filter(|name| alike(name) >= MEANT) {
            Some(name) => format!("unknown field; did you mean `{name}`?"),
            None if expected.is_empty() => "unknown field; nothing else stands here".to_owned(),
            None => format!("unknown field, expected one of {}", listed(expected)),
        })
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format!("unknown value `{variant}`, expected one of {}", listed(expected)))
    }

    fn invalid_type(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format!("found {unexpected}, expected {expected}"))
    }
}

/// How much alike a name and a misspelt one are, of 1.
const MEANT: f64 = 0.7;

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A value, and the path that leads to it.
#[derive(Clone)]
struct Place<'a> {
    node: &'a Node,
    path: Vec<String>,
}

impl<'a> Place<'a> {
    fn member(&self, name: impl Display, node: &'a Node) -> Self {
        Self { node, path: self.path.iter().cloned().chain([name.to_string()]).collect() }
    }

    fn members(&self) -> Members<'a> {
        let members: Vec<(&'a str, Self)> = match &self.node.value {
            Value::Table(members) => {
                members.iter().map(|(name, node)| (name.as_str(), self.member(name, node))).collect()
            }
            Value::List(items) => items.iter().enumerate().map(|(at, node)| ("", self.member(at, node))).collect(),
            Value::Text(_) | Value::Whole(_) | Value::Truth(_) | Value::Other(_) => Vec::new(),
        };
        Members { rest: members.into_iter(), value: None }
    }
}

impl<'de> de::Deserializer<'de> for Place<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let read = match &self.node.value {
            Value::Text(text) => visitor.visit_str(text),
            Value::Whole(number) => visitor.visit_i64(*number),
            Value::Truth(truth) => visitor.visit_bool(*truth),
            Value::List(_) => visitor.visit_seq(self.members()),
            Value::Table(_) => visitor.visit_map(self.members()),
            Value::Other(what) => Err(de::Error::invalid_type(de::Unexpected::Other(what), &visitor)),
        };
        read.map_err(|fault: Fault| fault.within(&self))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(self.clone()).map_err(|fault: Fault| fault.within(&self))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// An enum is a text.
impl<'de> EnumAccess<'de> for Place<'_> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        Ok((seed.deserialize(self.clone())?, self))
    }
}

impl<'de> VariantAccess<'de> for Place<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        de::Deserializer::deserialize_any(self, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        de::Deserializer::deserialize_any(self, visitor)
    }
}

/// What a table or a list holds, one after the other.
struct Members<'a> {
    rest: std::vec::IntoIter<(&'a str, Place<'a>)>,
    value: Option<Place<'a>>,
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((name, place)) = self.rest.next() else { return Ok(None) };
        let key = seed.deserialize(name.into_deserializer()).map_err(|fault: Fault| fault.within(&place))?;
        self.value = Some(place);
        Ok(Some(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let place = self.value.take().ok_or_else(|| de::Error::custom("a value was asked for before its name"))?;
        seed.deserialize(place.clone()).map_err(|fault: Fault| fault.within(&place))
    }
}

impl<'de> SeqAccess<'de> for Members<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some((_, place)) = self.rest.next() else { return Ok(None) };
        seed.deserialize(place.clone()).map(Some).map_err(|fault: Fault| fault.within(&place))
    }
}
