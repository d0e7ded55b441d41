//! Placeholders: what stands in braces in a connector's addresses, headers and parameters.
//!
//! A template comes from the catalogue or from an operator, a value from a person or a provider. A value can therefore
//! never say more than its place allows: in a host it is a label, or one of a closed list; in a path a segment; in a
//! query a value (RFC 3986 §2, §3.3, §3.4). Whether the origin that comes out may be spoken to is for [`super::origins`].

use std::{borrow::Cow, collections::BTreeMap, fmt};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use regex_lite::{Regex, RegexBuilder};
use serde_json::Value;
use url::Url;

use super::{
    assertion::{KeyError, SignatureError},
    connector::{Connector, Input, Pairs},
    origins::Origins,
    place::misfit,
};
use crate::clock::Random;

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The placeholder for what is new with each request.
pub(crate) const RANDOM: &str = "random";

/// The longest value that is not a credential, and the longest that is.
const LONGEST: (usize, usize) = (LONGEST_VALUE, 8192);

/// The longest value that is not a credential.
pub(super) const LONGEST_VALUE: usize = 2048;

/// What placeholders stand for. `Debug` shows names only, since a value may be a secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Values(BTreeMap<String, String>);

impl Values {
    /// Sets a value; an earlier one under the name is replaced.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// Forgets a value.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The value under a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Takes over all values of another set.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The same for one request, with a `{random}` of its own: a UUID, which is what those want who ask for one. One that stands
    /// there stays: it is a stand-in.
    #[must_use]
    pub fn with_random(&self, random: &Random) -> Self {
        let mut values = self.clone();
        values.0.entry(RANDOM.to_owned()).or_insert_with(|| random.uuid());
        values
    }

    /// Names and values, to be stored sealed.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl From<BTreeMap<String, String>> for Values {
    fn from(values: BTreeMap<String, String>) -> Self {
        Self(values)
    }
}

impl From<Values> for BTreeMap<String, String> {
    fn from(values: Values) -> Self {
        values.0
    }
}

impl FromIterator<(String, String)> for Values {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        let mut values = BTreeMap::new();
        values.extend(pairs); // the map's own `collect` brings a sort along, in each function
        Self(values)
    }
}

/// Why a template can't be filled. Names the placeholder, never its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The template itself is broken: a brace without its other half, an address without a scheme.
    #[error("`{0}` is not a template")]
    Broken(String),
    /// Nothing is known under the name.
    #[error("`{0}` has no value")]
    Missing(String),
    /// The value can't stand where its placeholder stands.
    #[error("the value of `{name}` is not {expected}")]
    Unfit {
        /// The placeholder.
        name: String,
        /// What it would have to be.
        expected: &'static str,
    },
    /// A key that signs nothing.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A signature that could not be made.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

impl TemplateError {
    fn unfit(name: &str, expected: &'static str) -> Self {
        Self::Unfit { name: name.to_owned(), expected }
    }
}

/// Fills an address. A template that begins with a placeholder takes a whole address for it; that such an address lies
/// where it may is settled when it is learnt ([`believe`]), and again by [`Origins`].
pub fn url(template: &str, values: &Values) -> Result<Url, TemplateError> {
    parts(template)?; // so that an error shows all of a broken template
    let (base, rest) = base(template, values)?;
    let broken = |_| TemplateError::Broken(template.to_owned());
    let expected = Url::parse(&base).map_err(broken)?;
    let url = Url::parse(&(base + &fill_rest(rest, values)?)).map_err(broken)?;
    // Holds by construction; checked because everything hangs on it.
    if url.origin() != expected.origin() || !url.username().is_empty() || url.password().is_some() {
        return Err(TemplateError::Broken(template.to_owned()));
    }
    Ok(url)
}

/// The same as it is written, for an address that is compared and not called: an issuer (RFC 8414 §2).
pub fn address(template: &str, values: &Values) -> Result<String, TemplateError> {
    parts(template)?;
    let (base, rest) = base(template, values)?;
    Ok(base + &fill_rest(rest, values)?)
}

/// What passthrough puts in front of a path, for one connection. An address that the provider named itself lies within
/// `api.base_url_patterns`.
pub fn base_url(connector: &Connector, values: &Values) -> Result<Url, TemplateError> {
    let api = &connector.api;
    let base_url = url(&api.base_url, values)?;
    match leading(&api.base_url) {
        Some(name) if !Origins::within(&api.base_url_patterns, &base_url) => {
            Err(TemplateError::unfit(name, "one of the provider's addresses"))
        }
        _ => Ok(base_url),
    }
}

/// Fills a header's or a parameter's value.
pub fn text(template: &str, values: &Values) -> Result<String, TemplateError> {
    parts(template)?.into_iter().try_fold(String::new(), |text, part| {
        Ok(text
            + match part {
                Part::Literal(literal) => literal,
                Part::Placeholder(name) => printable(name, values)?,
                Part::Segments(_) => return Err(TemplateError::Broken(template.to_owned())),
            })
    })
}

/// Fills names with values, as headers or parameters. What names an optional input that was not given is left out.
pub fn pairs<'a>(pairs: &'a Pairs, values: &Values) -> Result<Vec<(&'a str, String)>, TemplateError> {
    let given = |template: &str| placeholders(template).all(|name| values.get(name) != Some(""));
    let given = pairs.iter().filter(|(_, template)| given(template));
    given.map(|(name, template)| Ok((name, text(template, values)?))).collect()
}

/// A piece of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Literal(&'a str),
    Placeholder(&'a str),
    /// `{+name}`: several segments of a path, or none.
    Segments(&'a str),
}

/// The pieces of a template, in order.
pub(crate) fn parts(template: &str) -> Result<Vec<Part<'_>>, TemplateError> {
    let broken = || TemplateError::Broken(template.to_owned());
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or_else(broken)?;
        let placeholder = match name.strip_prefix('+') {
            Some(name) if is_name(name) => Part::Segments(name),
            None if is_name(name) => Part::Placeholder(name),
            _ => return Err(broken()),
        };
        parts.extend([Part::Literal(literal), placeholder]);
        rest = after;
    }
    parts.push(Part::Literal(rest));
    if parts.iter().any(|part| matches!(part, Part::Literal(literal) if literal.contains('}'))) {
        return Err(broken());
    }
    parts.retain(|part| *part != Part::Literal(""));
    Ok(parts)
}

/// The names of a template's placeholders; none if it is broken.
pub(crate) fn placeholders(template: &str) -> impl Iterator<Item = &str> {
    parts(template).unwrap_or_default().into_iter().filter_map(|part| match part {
        Part::Placeholder(name) | Part::Segments(name) => Some(name),
        Part::Literal(_) => None,
    })
}

/// Whether a placeholder may be called so: lower snake case.
pub(crate) fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// The placeholder that a template begins with, which stands for a whole address.
pub(crate) fn leading(template: &str) -> Option<&str> {
    let name = template.strip_prefix('{').and_then(|rest| rest.split_once('}')).map(|(name, _)| name);
    name.filter(|name| !name.starts_with('+'))
}

/// The part of an address template that decides whom is spoken to, and what follows it.
pub(crate) fn split(template: &str) -> Result<(&str, &str), TemplateError> {
    let broken = || TemplateError::Broken(template.to_owned());
    let start = match leading(template) {
        Some(name) => name.len() + 2,
        None => template.find("://").filter(|at| matches!(&template[..*at], "http" | "https")).ok_or_else(broken)? + 3,
    };
    let end = template[start..].find(['/', '?', '#', '\\']).map_or(template.len(), |at| start + at);
    match leading(template) {
        Some(_) if end != start => Err(broken()), // `{instance_url}.example.com` would end in somebody else's suffix
        _ => Ok(template.split_at(end)),
    }
}

/// Scheme and authority with their values, and the template of what follows.
pub(crate) fn base<'a>(template: &'a str, values: &Values) -> Result<(String, &'a str), TemplateError> {
    let (base, rest) = split(template)?;
    let base = match leading(template) {
        Some(name) => whole_address(name, values)?.to_owned(),
        None => authority(base, values)?,
    };
    Ok((base, rest))
}

/// An address that is a value, without the slash at its end.
fn whole_address<'a>(name: &str, values: &'a Values) -> Result<&'a str, TemplateError> {
    let value = printable(name, values)?;
    if is_address(value) {
        Ok(value.strip_suffix('/').unwrap_or(value))
    } else {
        Err(TemplateError::unfit(name, "a plain address"))
    }
}

/// An address that a value may be. It has to be written exactly as it is understood: what a parser would correct (upper
/// case, a backslash, a tab, an escape in the host) is refused instead.
pub(crate) fn is_address(value: &str) -> bool {
    let value = value.strip_suffix('/').unwrap_or(value);
    Url::parse(value).is_ok_and(|url| {
        matches!(url.scheme(), "https" | "http")
            && url.as_str().strip_suffix('/').unwrap_or(url.as_str()) == value
            && url.host_str().is_some_and(|host| host.split('.').all(is_label))
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    })
}

/// `https://` and a host whose placeholders are labels of it, or a placeholder that is all of it.
fn authority(template: &str, values: &Values) -> Result<String, TemplateError> {
    let whole = |name: &str| template.ends_with(&format!("://{{{name}}}"));
    parts(template)?.into_iter().try_fold(String::new(), |filled, part| match part {
        Part::Literal(literal) => Ok(filled + literal),
        Part::Placeholder(name) => match value(name, values)? {
            host if whole(name) && is_host(host) => Ok(filled + host),
            label if !whole(name) && is_label(label) => Ok(filled + label),
            _ => Err(TemplateError::unfit(name, "a host name's part in lower case")),
        },
        Part::Segments(_) => Err(TemplateError::Broken(template.to_owned())),
    })
}

/// A label of a host name (RFC 1123 §2.1), in lower case.
pub(crate) fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// A host name of two labels or more, in lower case, and not an address in numbers.
pub(crate) fn is_host(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').count() >= 2
        && text.split('.').all(is_label)
        && text.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_lowercase()))
}

/// Path and query, each value encoded so that it stays one segment or one query value.
fn fill_rest(template: &str, values: &Values) -> Result<String, TemplateError> {
    parts(template)?.into_iter().try_fold(String::new(), |filled, part| match part {
        Part::Literal(literal) => Ok(filled + literal),
        Part::Placeholder(name) => match printable(name, values)? {
            "" | "." | ".." if !filled.contains('?') => Err(TemplateError::unfit(name, "a path segment")),
            value => Ok(filled + &utf8_percent_encode(value, RESERVED).to_string()),
        },
        Part::Segments(_) if filled.contains(['?', '#']) => Err(TemplateError::Broken(template.to_owned())),
        Part::Segments(name) => match printable(name, values)? {
            value if !is_path(value) => Err(TemplateError::unfit(name, "a path like tools/ci")),
            // with no segment the slash in front goes too: one stands before what follows
            value if segments(value).is_empty() => Ok(filled.strip_suffix('/').unwrap_or(&filled).to_owned()),
            value => Ok(segments(value).split('/').fold(filled, |filled, segment| {
                let slash = if filled.ends_with('/') { "" } else { "/" };
                filled + slash + &utf8_percent_encode(segment, RESERVED).to_string()
            })),
        },
    })
}

/// The segments of a path as somebody writes it, with or without a slash at either end.
fn segments(value: &str) -> &str {
    let value = value.strip_prefix('/').unwrap_or(value);
    value.strip_suffix('/').unwrap_or(value)
}

/// Whether a value is a path below another one, and stays below it: no segment is empty, and none leads back.
pub(crate) fn is_path(value: &str) -> bool {
    let path = segments(value);
    path.is_empty() || path.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}

fn value<'a>(name: &str, values: &'a Values) -> Result<&'a str, TemplateError> {
    values.get(name).ok_or_else(|| TemplateError::Missing(name.to_owned()))
}

/// A value without control characters: no CR, LF or NUL can split a header (RFC 9110 §5.5).
fn printable<'a>(name: &str, values: &'a Values) -> Result<&'a str, TemplateError> {
    match value(name, values)? {
        value if value.contains(char::is_control) => Err(TemplateError::unfit(name, "printable text")),
        value => Ok(value),
    }
}

/// Why a value is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} {expected}", called(.name, .label.as_deref()))]
pub struct InputError {
    /// The input's name, which who calls the API has to send.
    pub name: String,
    /// What a person reads beside its field; none for what nobody types.
    pub label: Option<String>,
    /// What is expected, as the end of a sentence that begins with the name. Never the value: it may be a secret.
    pub expected: String,
    /// The same for a page, which says it in other words.
    pub fault: Fault,
}

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not there.
    Missing,
    /// It is not one of those that may be chosen.
    NotOffered,
    /// It is longer than any, or more than a line.
    Length,
    /// It does not look as it has to, or was not asked for.
    Form,
}

impl InputError {
    fn new(name: &str, fault: Fault, expected: impl Into<String>) -> Self {
        Self { name: name.to_owned(), label: None, expected: expected.into(), fault }
    }

    fn of(input: &Input, fault: Fault, expected: impl Into<String>) -> Self {
        Self { label: Some(input.label.to_string()), ..Self::new(&input.name, fault, expected) }
    }
}

/// As the person who typed it knows it, and as the program that sent it does.
fn called(name: &str, label: Option<&str>) -> String {
    match label {
        Some(label) if label != name => format!("{label} ({name})"),
        _ => format!("`{name}`"),
    }
}

/// Checks what a person or an operator gave for these inputs of a connector, and completes it: by the defaults, and by what a choice
/// fills besides. An empty text counts as not given, since that is what an untouched form field sends; it stands for an optional
/// input that was not given.
pub fn inputs(
    connector: &Connector,
    declared: &[Input],
    given: &BTreeMap<String, String>,
) -> Result<Values, InputError> {
    if let Some(unknown) = given.keys().find(|name| declared.iter().all(|input| input.name != name.as_str())) {
        return Err(InputError::new(unknown, Fault::Form, "is not asked for"));
    }
    let mut values = Values::default();
    for input in declared {
        let value = judge_in(connector, input, given)?;
        values.extend(derived(input, &value));
        values.insert(input.name.as_ref(), value);
    }
    Ok(values)
}

/// What a connection was made with, and what its connector asks for since: an input that came with a later version stands at its
/// default, so that nobody has to connect again for it. What is [`live`](Input::live) stands at its default wherever it has one: a
/// connector [for a connection](crate::app::App::connector_data) has what is chosen now in its place.
#[must_use]
pub fn values_of(connector: &Connector, stored: &BTreeMap<String, String>) -> Values {
    let mut values = Values::from(stored.clone());
    for input in connector.inputs.iter().chain(connector.settings.iter()).filter(|input| !input.secret) {
        let (kept, now) = (values.get(&input.name), input.default.as_deref());
        let value = if input.live { now.or(kept) } else { kept.or(now) }.unwrap_or_default().to_owned();
        if value.is_empty() && !input.optional {
            continue; // that it is missing is said where it is needed
        }
        let later = derived(input, &value);
        let later = later.iter().chain([(input.name.as_ref(), value.as_str())]);
        let new: Vec<_> = later.filter(|(name, _)| input.live || values.get(name).is_none()).collect();
        for (name, value) in new {
            values.insert(name, value);
        }
    }
    values
}

/// What an input's value fills besides its own placeholder. With nothing given that is nothing too, and what names it is left out.
#[must_use]
pub fn derived(input: &Input, value: &str) -> Values {
    let text = |texts: &Pairs| texts.value(value).unwrap_or_default().to_owned();
    input.also.iter().map(|(name, texts)| (name.to_owned(), text(texts))).collect()
}

/// The value that an input takes from what was given, or its default, if it can stand where the connector has it.
pub fn judge_in(connector: &Connector, input: &Input, given: &BTreeMap<String, String>) -> Result<String, InputError> {
    let value = judge(input, given)?;
    if value.is_empty() {
        return Ok(value);
    }
    match misfit(connector, &input.name, &value) {
        Some(expected) => Err(InputError::of(input, Fault::Form, expected)),
        None => Ok(value),
    }
}

/// The value that an input takes from what was given, or its default.
pub fn judge(input: &Input, given: &BTreeMap<String, String>) -> Result<String, InputError> {
    let given = given.get(input.name.as_ref()).map(String::as_str).filter(|value| !value.is_empty());
    match given.or(input.default.as_deref()) {
        Some(value) => accept(input, value).map(|()| value.to_owned()),
        None if input.optional => Ok(String::new()),
        None => Err(InputError::of(input, Fault::Missing, "is missing")),
    }
}

/// Whether a value is what an input asks for.
pub(crate) fn accept(input: &Input, value: &str) -> Result<(), InputError> {
    let longest = if input.secret { LONGEST.1 } else { LONGEST.0 };
    if !input.values.is_empty() && input.values.iter().all(|allowed| allowed != value) {
        return Err(InputError::of(input, Fault::NotOffered, format!("has to be one of: {}", input.values.join(", "))));
    }
    check(&input.name, value, longest, input.multiline, input.pattern.as_deref())
        .map_err(|error| InputError { label: Some(input.label.to_string()), ..error })
}

/// What is kept of a value that the connector declares under that name, if it may be taken for it and what is kept can stand where the
/// connector has it: all of it, or the part that its pattern names ([`Captures::patterns`](super::connector::Captures::patterns)).
pub fn believe(connector: &Connector, name: &str, value: &str) -> Result<String, InputError> {
    let kept = match pattern_of_learnt(connector, name).filter(|pattern| kept_part(pattern).is_some()) {
        Some(pattern) => {
            check(name, value, LONGEST.0, false, Some(pattern))?;
            let whole = whole(pattern).ok();
            let found = whole.as_ref().and_then(|regex| regex.captures(value)?.name(KEPT).map(|part| part.as_str()));
            found.ok_or_else(|| InputError::new(name, Fault::Form, format!("has to be of the form {pattern}")))?
        }
        None => value,
    };
    // from here on the whole value counts for nothing: what is kept is judged by itself, as wherever it is met later
    declared(connector, name, kept)?;
    match misfit(connector, name, kept) {
        Some(expected) => Err(InputError::new(name, Fault::Form, expected)),
        None => Ok(kept.to_owned()),
    }
}

/// The group of a pattern whose content is kept, in place of the whole value.
const KEPT: &str = "value";

/// What stands in a pattern's group `(?<value>…)`: the pattern of what is kept. None where the pattern has no such group.
pub(crate) fn kept_part(pattern: &str) -> Option<&str> {
    let (_, part) = pattern.split_once("(?<value>")?;
    let (mut depth, mut class, mut escaped) = (0_usize, false, false);
    for (at, c) in part.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class = true,
            ']' => class = false,
            _ if class => {}
            '(' => depth += 1,
            ')' if depth == 0 => return Some(&part[..at]),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// What a value that an answer brought has to match.
fn pattern_of_learnt<'a>(connector: &'a Connector, name: &str) -> Option<&'a str> {
    let looked_up = || connector.lookups.iter().find_map(|lookup| lookup.patterns.value(name));
    connector.captures.patterns.value(name).or_else(looked_up)
}

/// Whether a value that stands in a connector's templates is what the connector declares under that name: an input or a
/// setting as typed, a capture or a look-up's answer as the provider sent it, or what is kept of that. A whole address has to lie
/// within `api.base_url_patterns`. Filling a template sees to the rest.
pub(crate) fn declared(connector: &Connector, name: &str, value: &str) -> Result<(), InputError> {
    if let Some(input) = connector.inputs.iter().chain(connector.settings.iter()).find(|input| input.name == name) {
        accept(input, value)?;
    } else if let Some(texts) = texts(connector, name) {
        if texts.iter().all(|(_, text)| text != value) {
            return Err(InputError::new(name, Fault::NotOffered, "is none of the connector's own"));
        }
    } else if let Some(lookup) =
        connector.lookups.iter().find(|lookup| lookup.name == name || lookup.also.value(name).is_some())
    {
        check(name, value, LONGEST.0, false, lookup.patterns.value(name).map(pattern_of_kept))?;
    } else {
        let captures = &connector.captures;
        captures.source(name).ok_or_else(|| InputError::new(name, Fault::Form, "is not declared"))?;
        check(name, value, LONGEST.0, false, captures.patterns.value(name).map(pattern_of_kept))?;
    }
    let address = urls(connector).any(|template| leading(template) == Some(name));
    let within = || Url::parse(value).is_ok_and(|url| Origins::within(&connector.api.base_url_patterns, &url));
    if address && !within() {
        return Err(InputError::new(name, Fault::Form, "is not one of the provider's addresses"));
    }
    Ok(())
}

fn check(name: &str, value: &str, longest: usize, multiline: bool, pattern: Option<&str>) -> Result<(), InputError> {
    let unprintable = |c: char| c.is_control() && !(multiline && matches!(c, '\n' | '\r' | '\t'));
    if multiline && (value.is_empty() || value.len() > longest || value.contains(unprintable)) {
        return Err(InputError::new(name, Fault::Length, format!("has to be text of 1 to {longest} characters")));
    }
    if value.is_empty() || value.len() > longest || value.contains(unprintable) {
        return Err(InputError::new(name, Fault::Length, format!("has to be one line of 1 to {longest} characters")));
    }
    match pattern {
        Some(pattern) if !whole(pattern).is_ok_and(|regex| regex.is_match(value)) => {
            Err(InputError::new(name, Fault::Form, format!("has to be of the form {pattern}")))
        }
        _ => Ok(()),
    }
}

/// What a kept value matches all of: its own part of the pattern, or the pattern.
pub(crate) fn pattern_of_kept(pattern: &str) -> &str {
    kept_part(pattern).unwrap_or(pattern)
}

/// A pattern that has to match all of a value.
pub(crate) fn whole(pattern: &str) -> Result<Regex, regex_lite::Error> {
    // matching takes time in proportion to both sizes: this one keeps it within milliseconds
    RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(1 << 17).build()
}

/// The placeholders that are filled before anybody is asked, and are no secrets: what the person and the operator gave.
pub(crate) fn given(connector: &Connector) -> impl Iterator<Item = &str> {
    let all = connector.inputs.iter().chain(connector.settings.iter());
    let plain = all.filter(|input| !input.secret);
    plain.flat_map(|input| std::iter::once(input.name.as_ref()).chain(input.also.iter().map(|(name, _)| name)))
}

/// What a placeholder that a choice fills may be, by the value chosen: a closed list.
pub(crate) fn texts<'a>(connector: &'a Connector, name: &str) -> Option<&'a Pairs> {
    connector.inputs.iter().chain(connector.settings.iter()).find_map(|input| input.also.of(name))
}

/// Every address in a connector.
pub(crate) fn urls(connector: &Connector) -> impl Iterator<Item = &str> {
    let profile = connector.profile.as_ref().and_then(|call| call.url.as_ref());
    let calls = [profile, connector.revoke.as_ref().map(|call| &call.url)];
    let lookups = connector.lookups.iter().map(|lookup| Some(&lookup.url));
    let all = [Some(&connector.api.base_url)].into_iter().chain(lookups).chain(calls).flatten();
    endpoints(connector).map(|(_, endpoint)| endpoint).chain(all.map(AsRef::as_ref))
}

/// The settings that say to which server requests go, its host or the path that it is below, and are none of a closed list.
pub fn free_servers(connector: &Connector) -> impl Iterator<Item = &str> {
    let open = connector.settings.iter().filter(|setting| setting.values.is_empty());
    open.map(|setting| setting.name.as_ref()).filter(|name| says_which_server(connector, name))
}

/// Whether a placeholder says to which server requests go: it stands in a host, or for a path of several segments.
pub(crate) fn says_which_server(connector: &Connector, name: &str) -> bool {
    let in_host = |start: &str| placeholders(start).any(|placeholder| placeholder == name);
    let below = |rest: &str| parts(rest).is_ok_and(|parts| parts.contains(&Part::Segments(name)));
    urls(connector).any(|address| split(address).is_ok_and(|(start, rest)| in_host(start) || below(rest)))
}

/// The addresses by which a connection comes to be and lives on, each with its field: all but the API's.
pub(crate) fn endpoints(connector: &Connector) -> impl Iterator<Item = (&'static str, &str)> {
    let oauth2 = connector.oauth2.iter().flat_map(|oauth2| {
        [
            ("oauth2.authorization_endpoint", oauth2.authorization_endpoint.as_ref()),
            ("oauth2.token_endpoint", Some(&oauth2.token_endpoint)),
            ("oauth2.device_authorization_endpoint", oauth2.device_authorization_endpoint.as_ref()),
            ("oauth2.pushed_authorization_request_endpoint", oauth2.pushed_authorization_request_endpoint.as_ref()),
            ("oauth2.registration.endpoint", oauth2.registration.as_ref().map(|registration| &registration.endpoint)),
            ("oauth2.exchange.endpoint", oauth2.exchange.as_ref().map(|exchange| &exchange.endpoint)),
            ("oauth2.refresh_endpoint", oauth2.refresh_endpoint.as_ref()),
        ]
    });
    let oauth1 = connector.oauth1.iter().flat_map(|oauth1| {
        [
            ("oauth1.temporary_credential_endpoint", Some(&oauth1.temporary_credential_endpoint)),
            ("oauth1.authorization_endpoint", Some(&oauth1.authorization_endpoint)),
            ("oauth1.token_endpoint", Some(&oauth1.token_endpoint)),
        ]
    });
    let login = connector.login.iter().map(|login| ("login.url", Some(&login.url)));
    oauth2.chain(oauth1).chain(login).filter_map(|(field, endpoint)| Some((field, endpoint?.as_ref())))
}

/// The member at a dotted path; a number is an index, and `\.` a dot in a name.
#[must_use]
pub fn pluck<'a>(answer: &'a Value, path: &str) -> Option<&'a Value> {
    steps(path).try_fold(answer, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => value.get(step.as_ref()),
    })
}

/// The names that a dotted path goes through.
pub(crate) fn steps(path: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let mut rest = Some(path);
    std::iter::from_fn(move || {
        let path = rest.take()?;
        let end = path.match_indices('.').map(|(at, _)| at).find(|at| !path[..*at].ends_with('\\'));
        let step = end.map_or(path, |at| {
            rest = Some(&path[at + 1..]);
            &path[..at]
        });
        Some(if step.contains('\\') { Cow::Owned(step.replace("\\.", ".")) } else { Cow::Borrowed(step) })
    })
}

/// A number from here on may have been rounded to one that stands for others too.
const FIRST_ROUNDED: f64 = 9_007_199_254_740_992.0; // 2⁵³

/// The member at a dotted path as text, if it is a text, a number or a truth value. A number beyond 64 bits is none: as it was
/// read, it may be that of another account.
#[must_use]
pub fn pluck_text(answer: &Value, path: &str) -> Option<String> {
    match pluck(answer, path)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_f64() && number.as_f64().is_none_or(|n| n.abs() >= FIRST_ROUNDED) => None,
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// What a field of a profile says: a dotted path into the answer, or a placeholder in braces. An empty text is none.
#[must_use]
pub fn find(expression: &str, answer: &Value, values: &Values) -> Option<String> {
    let found = match leading(expression) {
        Some(name) => values.get(name).map(ToOwned::to_owned),
        None => pluck_text(answer, expression),
    };
    found.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
