//! From the catalogue's TOML to Rust: the build script's half of the catalogue, and of its tests.

use std::{fs, io, path::Path};

use super::connector::{
    Api, BodyFormat, Captures, ClientAuthentication, Connector, ErrorSignal, Evidence, EvidenceLevel, Input, List,
    Lookup, OAuth2, Pairs, Pkce, Placement, Profile, ProfileMethod, RefreshKind, ResponseMode, Revoke,
    RevokeAuthentication, RevokeEffect, RevokeMethod, Text, TokenResponsePaths,
};

/// Every connector in a folder, sorted by id. An error names the file, and the line and field in it.
pub fn folder(folder: &Path) -> io::Result<Vec<Connector>> {
    let mut files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    let mut connectors =
        files.iter().map(|file| connector(file, &fs::read_to_string(file)?)).collect::<io::Result<Vec<_>>>()?;
    connectors.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(connectors)
}

/// One connector; its id is the file's name.
pub fn connector(file: &Path, toml: &str) -> io::Result<Connector> {
    let invalid =
        |message: String| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {message}", file.display()));
    let mut connector: Connector = toml::from_str(toml).map_err(|error| invalid(error.to_string()))?;
    if !connector.id.is_empty() {
        return Err(invalid("leave `id` out: the file's name is the id".to_owned()));
    }
    let id = file
        .file_stem()
        .and_then(|stem| stem.to_str())
        .ok_or_else(|| invalid("the file's name is no id".to_owned()))?;
    connector.id = id.to_owned().into();
    Ok(connector)
}

/// The table as Rust source.
pub fn table(connectors: &[Connector]) -> String {
    let rows: Vec<String> = connectors.iter().map(Literal::literal).collect();
    format!("static CONNECTORS: [Connector; {}] = [\n    {},\n];\n", rows.len(), rows.join(",\n    "))
}

/// A value as the Rust expression that makes it, all of it borrowed.
trait Literal {
    fn literal(&self) -> String;
}

impl Literal for Text {
    fn literal(&self) -> String {
        format!("Cow::Borrowed({self:?})")
    }
}

impl<T: Literal + Clone> Literal for List<T> {
    fn literal(&self) -> String {
        format!("Cow::Borrowed(&[{}])", self.iter().map(Literal::literal).collect::<Vec<_>>().join(", "))
    }
}

impl<T: Literal> Literal for Option<T> {
    fn literal(&self) -> String {
        self.as_ref().map_or_else(|| "None".to_owned(), |value| format!("Some({})", value.literal()))
    }
}

impl Literal for (Text, Text) {
    fn literal(&self) -> String {
        format!("({}, {})", self.0.literal(), self.1.literal())
    }
}

impl Literal for Pairs {
    fn literal(&self) -> String {
        format!("Pairs({})", self.0.literal())
    }
}

impl Literal for bool {
    fn literal(&self) -> String {
        self.to_string()
    }
}

impl Literal for u64 {
    fn literal(&self) -> String {
        match self / 1000 {
            0 => self.to_string(),
            thousands => format!("{}_{:03}", thousands.literal(), self % 1000),
        }
    }
}

/// Writes structs field by field. The pattern names every field, so that a new one can't be forgotten here.
macro_rules! structs {
    ($($name:ident { $($field:ident),+ $(,)? })+) => {$(
        impl Literal for $name {
            fn literal(&self) -> String {
                let Self { $($field),+ } = self;
                let fields = [$(format!("{}: {}", stringify!($field), $field.literal())),+];
                format!("{} {{ {} }}", stringify!($name), fields.join(", "))
            }
        }
    )+};
}

/// Writes enums variant by variant.
macro_rules! enums {
    ($($name:ident { $($variant:ident $({ $($field:ident),+ })?),+ $(,)? })+) => {$(
        impl Literal for $name {
            fn literal(&self) -> String {
                match self {
                    $(Self::$variant $({ $($field),+ })? => {
                        let fields: &[String] = &[$($(format!("{}: {}", stringify!($field), $field.literal())),+)?];
                        let variant = concat!(stringify!($name), "::", stringify!($variant));
                        if fields.is_empty() { variant.to_owned() } else { format!("{variant} {{ {} }}", fields.join(", ")) }
                    })+
                }
            }
        }
    )+};
}

structs! {
    Connector {
        id, name, categories, docs_url, evidence, inputs, settings, oauth2, captures, lookups, api, profile, revoke,
    }
    Evidence { level, sources, read }
    Input { name, label, help, secret, pattern, values, default }
    OAuth2 {
        authorization_endpoint, token_endpoint, issuer, authorization_response_iss_parameter_supported, scopes, scope_separator,
        response_scope_separator, scope_parameter, second_scope_parameter, response_mode, pkce, authorization_params, token_endpoint_auth_method,
        token_request_body, token_params, token_headers, refresh_params, refresh_endpoint, refresh, refresh_token_expires_in,
        default_expires_in, token_response, error_signal,
    }
    TokenResponsePaths { access_token, refresh_token, expires_in, scope }
    ErrorSignal { path, equals, code }
    Captures { authorization_response, token_response, patterns }
    Lookup { name, url, path, label, pattern }
    Api { base_url, base_url_patterns, origins, credential, headers }
    Profile { method, url, account_id, tenant, label, email, error_signal }
    Revoke { url, method, body, params, authentication, headers, error_signal, effect }
}

enums! {
    EvidenceLevel { Verified, Agreed, Single, Custom }
    Pkce { S256, None }
    ResponseMode { Query, FormPost }
    ClientAuthentication { ClientSecretBasic, ClientSecretPost, None }
    BodyFormat { Form, Json }
    RefreshKind { RefreshToken, None }
    Placement { Header { name, prefix, value }, Query { name, value }, Basic { username, password } }
    ProfileMethod { Get, Post }
    RevokeMethod { Post, Delete, Get }
    RevokeAuthentication { Client, ClientSecretBasic, Token, None }
    RevokeEffect { Grant, Token }
}
