//! The catalogue as bytes: how the build script writes it, and how the program reads one connector of it.
//!
//! A static table of structs would be a megabyte of pointers that the loader has to relocate at each start. These bytes hold
//! none: they are mapped, and touched where a connector is looked up. A row is read once, in about a microsecond, into a
//! [`Connector`] whose texts still stand in the bytes.
//!
//! ```text
//! count u32 │ length of the texts u32 │ index: count × (id u32, its length u32, row u32) │ texts │ rows
//! ```
//!
//! Numbers in rows are LEB128. A text is its length and, unless that is 0, its place among the texts, where equal ones stand
//! once; a list is its length and its items; what may be absent is 0, or 1 and itself; an enum is its variant's number and
//! fields. One build of one source writes and reads the bytes, so they carry no version.

use std::collections::HashMap;

use super::connector::{
    Api, Assertion, BodyFormat, CallbackSignature, CallbackSignatureAlgorithm, Captures, ClientAuthentication,
    Connector, Derived, ErrorSignal, Evidence, EvidenceLevel, Exchange, Expiry, Grant, Input, JwtAlgorithm, List,
    Login, Lookup, Method, OAuth1, OAuth2, Pairs, ParameterNames, ParameterSignature, Pkce, Placement, Profile,
    RefreshKind, Registration, ResponseFormat, ResponseMode, Revoke, RevokeAuthentication, RevokeEffect,
    SignatureMethod, Text, TokenResponsePaths, TokenSlot,
};

/// What can stand in the bytes.
pub trait Packed: Sized {
    /// Writes it.
    fn pack(&self, to: &mut Packer);
    /// Reads it; `None` where the bytes are not such ones.
    fn unpack(from: &mut Reader) -> Option<Self>;
}

/// Rows and texts in the making.
#[derive(Default)]
pub struct Packer {
    rows: Vec<u8>,
    texts: String,
    places: HashMap<String, usize>,
}

impl Packer {
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.rows.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.rows.push(number.to_le_bytes()[0]);
    }

    fn length(&mut self, length: usize) {
        self.number(length as u64);
    }

    fn place(&mut self, text: &str) -> usize {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = self.texts.len();
        self.texts.push_str(text);
        self.places.insert(text.to_owned(), place);
        place
    }
}

/// The bytes of connectors that are sorted by id, and those of their notes: a table of its own, since documentation alone reads
/// it, and what a program does not read is left out of it.
pub fn pack(connectors: &[Connector]) -> (Vec<u8>, Vec<u8>) {
    let silent = |connector: &Connector| Connector { notes: List::default(), ..connector.clone() };
    let rows = table(connectors.iter().map(|connector| (connector.id.as_ref(), silent(connector))));
    let noted = connectors.iter().filter(|connector| !connector.notes.is_empty());
    (rows, table(noted.map(|connector| (connector.id.as_ref(), connector.notes.clone()))))
}

/// The bytes of rows that are sorted by id.
fn table<'a, T: Packed>(rows: impl Iterator<Item = (&'a str, T)>) -> Vec<u8> {
    let mut packer = Packer::default();
    let index: Vec<[usize; 3]> = rows
        .map(|(id, row)| {
            let entry = [packer.place(id), id.len(), packer.rows.len()];
            row.pack(&mut packer);
            entry
        })
        .collect();
    let numbers = [index.len(), packer.texts.len()].into_iter().chain(index.into_iter().flatten());
    // a catalogue of four gigabytes fails the test that reads it back
    let mut bytes: Vec<u8> =
        numbers.flat_map(|number| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes()).collect();
    bytes.extend_from_slice(packer.texts.as_bytes());
    bytes.extend_from_slice(&packer.rows);
    bytes
}

/// A table's bytes, and where what stands in them.
#[derive(Clone, Copy, Default)]
pub struct Table {
    count: usize,
    index: &'static [u8],
    texts: &'static [u8],
    rows: &'static [u8],
}

impl Table {
    /// The table that these bytes are; `None` if they are none.
    pub fn of(bytes: &'static [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(8)?;
        let count = fixed(head, 0)?;
        let (index, rest) = rest.split_at_checked(count.checked_mul(12)?)?;
        let (texts, rows) = rest.split_at_checked(fixed(head, 1)?)?;
        Some(Self { count, index, texts, rows })
    }

    /// How many rows there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The place of the row under an id.
    pub fn place(&self, id: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low.midpoint(high);
            match self.id(middle)?.as_bytes().cmp(id.as_bytes()) {
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// The id of the row at a place.
    pub fn id(&self, place: usize) -> Option<&'static str> {
        let (at, length) = (fixed(self.index, place * 3)?, fixed(self.index, place * 3 + 1)?);
        std::str::from_utf8(self.texts.get(at..at.checked_add(length)?)?).ok()
    }

    /// What stands at a place, if the table is one of such rows.
    pub fn row<T: Packed>(&self, place: usize) -> Option<T> {
        let rest = self.rows.get(fixed(self.index, place * 3 + 2)?..)?;
        T::unpack(&mut Reader { texts: self.texts, rest })
    }
}

/// The nth number of four bytes.
fn fixed(bytes: &[u8], nth: usize) -> Option<usize> {
    let bytes = bytes.get(nth.checked_mul(4)?..)?.first_chunk::<4>()?;
    usize::try_from(u32::from_le_bytes(*bytes)).ok()
}

/// A row that is being read.
pub struct Reader {
    texts: &'static [u8],
    rest: &'static [u8],
}

impl Reader {
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }
}

impl Packed for Text {
    fn pack(&self, to: &mut Packer) {
        to.length(self.len());
        if !self.is_empty() {
            let place = to.place(self);
            to.length(place);
        }
    }

    fn unpack(from: &mut Reader) -> Option<Self> {
        let length = from.length()?;
        if length == 0 {
            return Some(Text::Borrowed(""));
        }
        let at = from.length()?;
        std::str::from_utf8(from.texts.get(at..at.checked_add(length)?)?).ok().map(Text::Borrowed)
    }
}

impl<T: Packed + Clone> Packed for List<T> {
    fn pack(&self, to: &mut Packer) {
        to.length(self.len());
        self.iter().for_each(|item| item.pack(to));
    }

    fn unpack(from: &mut Reader) -> Option<Self> {
        match from.length()? {
            0 => Some(List::Borrowed(&[])),
            length => (0..length).map(|_| T::unpack(from)).collect::<Option<Vec<T>>>().map(List::Owned),
        }
    }
}

impl<T: Packed> Packed for Option<T> {
    fn pack(&self, to: &mut Packer) {
        self.is_some().pack(to);
        if let Some(value) = self {
            value.pack(to);
        }
    }

    fn unpack(from: &mut Reader) -> Option<Self> {
        if bool::unpack(from)? { T::unpack(from).map(Some) } else { Some(None) }
    }
}

impl Packed for (Text, Text) {
    fn pack(&self, to: &mut Packer) {
        self.0.pack(to);
        self.1.pack(to);
    }

    fn unpack(from: &mut Reader) -> Option<Self> {
        Some((Text::unpack(from)?, Text::unpack(from)?))
    }
}

impl Packed for (Text, Pairs) {
    fn pack(&self, to: &mut Packer) {
        self.0.pack(to);
        self.1.pack(to);
    }

    fn unpack(from: &mut Reader) -> Option<Self> {
        Some((Text::unpack(from)?, Pairs::unpack(from)?))
    }
}

impl Packed for Derived {
    fn pack(&self, to: &mut Packer) {
        self.0.pack(to);
    }

    fn unpack(from: &mut Reader) -> Option<Self> {
        List::unpack(from).map(Self)
    }
}

impl Packed for Pairs {
    fn pack(&self, to: &mut Packer) {
        self.0.pack(to);
    }

    fn unpack(from: &mut Reader) -> Option<Self> {
        List::unpack(from).map(Self)
    }
}

impl Packed for bool {
    fn pack(&self, to: &mut Packer) {
        to.number(u64::from(*self));
    }

    fn unpack(from: &mut Reader) -> Option<Self> {
        from.number().map(|number| number != 0)
    }
}

impl Packed for u64 {
    fn pack(&self, to: &mut Packer) {
        to.number(*self);
    }

    fn unpack(from: &mut Reader) -> Option<Self> {
        from.number()
    }
}

impl Packed for u16 {
    fn pack(&self, to: &mut Packer) {
        to.number(u64::from(*self));
    }

    fn unpack(from: &mut Reader) -> Option<Self> {
        from.number()?.try_into().ok()
    }
}

/// Structs, field by field. The pattern names every field, so that a new one can't be forgotten here.
macro_rules! structs {
    ($($name:ident { $($field:ident),+ $(,)? })+) => {$(
        impl Packed for $name {
            fn pack(&self, to: &mut Packer) {
                let Self { $($field),+ } = self;
                $($field.pack(to);)+
            }

            fn unpack(from: &mut Reader) -> Option<Self> {
                Some(Self { $($field: Packed::unpack(from)?),+ })
            }
        }
    )+};
}

/// Enums, by the number of the variant in this list.
macro_rules! enums {
    ($($name:ident { $($variant:ident $({ $($field:ident),+ })?),+ $(,)? })+) => {$(
        impl Packed for $name {
            fn pack(&self, to: &mut Packer) {
                enum Number { $($variant),+ }
                match self {
                    $(Self::$variant { $($($field),+)? } => {
                        to.number(Number::$variant as u64);
                        $($($field.pack(to);)+)?
                    })+
                }
            }

            fn unpack(from: &mut Reader) -> Option<Self> {
                enum Number { $($variant),+ }
                let number = from.number()?;
                $(if number == Number::$variant as u64 {
                    return Some(Self::$variant { $($($field: Packed::unpack(from)?),+)? });
                })+
                None
            }
        }
    )+};
}

structs! {
    Connector { id, name, categories, docs_url, evidence, notes, inputs, settings, oauth2, oauth1, login, captures, lookups, api, profile, revoke }
    Evidence { level, sources, read, doubt }
    Input { name, label, help, secret, optional, multiline, live, pattern, values, default, also }
    OAuth2 { grant, authorization_endpoint, token_endpoint, device_authorization_endpoint, pushed_authorization_request_endpoint, registration, issuer, authorization_response_iss_parameter_supported, scopes, scope_separator, response_scope_separator, scope_parameter, second_scope_parameter, resource, response_type, response_mode, pkce, authorization_params, authorization_fragment, parameter_names, redirect_uri, code_suffix, callback_signature, token_endpoint_auth_method, client_assertion, assertion, token_request_method, token_request_body, grant_type, token_params, token_headers, dpop, exchange, refresh, refresh_token_rotates, refresh_endpoint, refresh_method, refresh_endpoint_auth_method, refresh_params, refresh_bears_access_token, grant_ended, refresh_token_expires_in, default_expires_in, token_response, token_slots, error_signal }
    ParameterNames { authorization_request, authorization_response, token_request }
    Registration { endpoint, body, parameter_names }
    CallbackSignature { parameter, algorithm }
    Assertion { algorithm, key, key_id, claims, expires_in }
    Exchange { endpoint, method, body, params, authentication }
    TokenResponsePaths { format, root, access_token, refresh_token, expires_in, expiry, scope }
    TokenSlot { name, access_token, refresh_token, expires_in, scope }
    ErrorSignal { path, equals, not_equals, code }
    OAuth1 { temporary_credential_endpoint, authorization_endpoint, token_endpoint, signature_method, authorization_params, expires_in }
    Login { url, method, body, params, headers, credential, assertion, token, expires_in, expiry, default_expires_in, error_signal, grant_ended_status }
    Captures { authorization_response, token_response, id_token, access_token, login_response, patterns, defaults }
    Lookup { name, title, url, method, headers, body, list, before_login, chosen_by, only, path, label, also, patterns }
    Api { base_url, base_url_patterns, origins, credential, headers, query }
    Profile { method, url, headers, body, account_id, tenant, label, email, error_signal }
    Revoke { url, method, body, params, authentication, credential, headers, error_signal, effect }
}

enums! {
    EvidenceLevel { Verified, Agreed, Single, Custom }
    Grant { AuthorizationCode, ClientCredentials, JwtBearer, DeviceCode }
    Method { Get, Post, Delete }
    ResponseMode { Query, FormPost }
    Pkce { S256, Plain, None }
    CallbackSignatureAlgorithm { HmacSha256SortedQuery }
    ClientAuthentication { ClientSecretBasic, ClientSecretPost, ClientSecretQuery, PrivateKeyJwt, SignedClientSecret, None }
    JwtAlgorithm { Rs256, Es256, Hs256 }
    BodyFormat { Form, Json, Query }
    RefreshKind { RefreshToken, AccessToken, Remint, None }
    ResponseFormat { Json, Form }
    Expiry { Seconds, Milliseconds, UnixSeconds, UnixMilliseconds, Rfc3339 }
    SignatureMethod { HmacSha1, HmacSha256, Plaintext }
    Placement { Header { name, value }, Query { name, value }, Basic { username, password }, Path, Oauth1, AwsSigv4 { service, region, access_key_id, secret_access_key, session_token }, SignedParameters { token_parameter, parameter, recipe, secret, timestamp_parameter } }
    ParameterSignature { Md5TokenSecret, HmacSha256PathBody }
    RevokeAuthentication { Client, ClientSecretBasic, ClientSecretPost, Token, Api, None }
    RevokeEffect { Grant, Token }
}
