//! What a provider's file may say. One file describes one documented exchange; see `README.md` beside it.
//!
//! Nothing here is shared with the connectors that are tried against it: two readings of one page can contradict each
//! other, one reading can't.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::pattern::Pattern;

/// One provider, or a family of products that share an authorization server.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// The connectors that it stands for. The first is the one it is called by in logs.
    pub ids: Vec<String>,
    /// What people call it.
    pub name: String,
    /// Its host names. `{shop}.myshopify.com` takes any one label and calls it `${host.shop}`.
    pub hosts: Vec<Pattern>,
    /// The issuer of its ID tokens, and `iss` of an authorization response where `authorize.iss` says so.
    pub issuer: Option<String>,
    /// What it calls a parameter of the standard: `{ client_id = "client_key" }`.
    #[serde(default)]
    pub names: BTreeMap<String, String>,
    /// The id of an application = that of its client, where consent is asked for by an id of its own.
    #[serde(default)]
    pub applications: BTreeMap<String, String>,
    /// How its tokens look and how long they last.
    #[serde(default)]
    pub tokens: Tokens,
    /// Who consents, by name. `alice` is the one who does unless told otherwise.
    #[serde(default)]
    pub accounts: BTreeMap<String, Value>,
    /// Keys (API keys, logins, account numbers) that are known from the start, as fields of any name.
    #[serde(default)]
    pub keys: Vec<BTreeMap<String, String>>,
    /// Who a client's assertion has to be for. Without it, the endpoint or the issuer.
    #[serde(default)]
    pub assertion_audience: Vec<String>,
    /// Whether its tokens are bound to a key, of which each request has to prove possession (RFC 9449).
    pub dpop: Option<Dpop>,
    /// What each of its API calls needs.
    #[serde(default)]
    pub api: ApiDefaults,
    /// How it refuses, by case; `default` is for all others.
    #[serde(default)]
    pub refusals: BTreeMap<String, Answer>,
    /// What it serves.
    pub endpoints: Vec<Endpoint>,
}

/// Proofs of possession: of pushed requests, at the token endpoint, and of API calls with a token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dpop {
    /// What a proof may be signed by.
    pub algorithms: Vec<String>,
    /// Seconds that a nonce of the server is taken. Without it, none has to be in a proof.
    pub nonce_ttl: Option<i64>,
}

/// How tokens look and how long they last. In the formats `${random}` is forty characters, and `${jwt}` a JWT that says
/// when it expires.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tokens {
    /// The format of an access token.
    pub access: String,
    /// Seconds that an access token works. Without it, it works until it is revoked.
    pub access_ttl: Option<i64>,
    /// The format of a refresh token. Without it, none is issued.
    pub refresh: Option<String>,
    /// Seconds that a refresh token works.
    pub refresh_ttl: Option<i64>,
    /// What a refresh token has to be asked for with; one of them is enough.
    pub refresh_if: Vec<Wish>,
    /// What it has to be asked for with where the account has consented to the client before.
    pub refresh_again_if: Vec<Wish>,
    /// Whether access tokens that come without a refresh token last for ever.
    pub lasts_without_refresh: bool,
    /// Whether a refresh brings another refresh token and spends the one that was used.
    pub rotates: bool,
    /// Seconds that a spent refresh token still works.
    pub grace: i64,
    /// Whether a spent refresh token that comes again ends the whole grant (RFC 9700 §4.14.2).
    pub reuse_ends_grant: bool,
    /// The format of a code.
    pub code: String,
    /// Seconds that a code works.
    pub code_ttl: i64,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            access: "${random}".to_owned(),
            access_ttl: None,
            refresh: None,
            refresh_ttl: None,
            refresh_if: Vec::new(),
            refresh_again_if: Vec::new(),
            lasts_without_refresh: false,
            rotates: false,
            grace: 0,
            reuse_ends_grant: false,
            code: "${random}".to_owned(),
            code_ttl: 600,
        }
    }
}

/// What is said by those who want a refresh token: in the authorization request, in that for tokens, or in the
/// client's settings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Wish {
    /// One of these scopes.
    Scope(Vec<String>),
    /// A parameter with a value: `{ parameter = ["access_type", "offline"] }`.
    Parameter(String, String),
    /// A setting that the client was registered with.
    Client(String),
}

/// What each API call needs, unless the endpoint says otherwise.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ApiDefaults {
    /// Headers of each call.
    pub headers: BTreeMap<String, Rule>,
    /// Parameters of each call.
    pub parameters: BTreeMap<String, Rule>,
    /// Where the credential stands; each of the places is needed.
    pub credential: Vec<Place>,
    /// Another way to bring one.
    pub or_credential: Vec<Place>,
    /// How API calls are refused, by case.
    pub refusals: BTreeMap<String, Answer>,
}

/// One address and what it does. Exactly one of the fields from `authorize` on is set.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// What faults and the log call it; unique in its file.
    pub name: String,
    /// The host names it is at. Without it, all of the provider's.
    #[serde(default)]
    pub hosts: Vec<Pattern>,
    /// Its path. `{id}` takes (a part of) one segment, a last `{path+}` all that follows; both are `${path.…}`.
    pub path: Pattern,
    /// The methods it takes. Without it: GET for `authorize`, `api`, `answer` and `jwks`, POST for others.
    #[serde(default)]
    pub methods: Vec<String>,
    /// How parameters may travel. Without it: a form where tokens are issued, anything elsewhere.
    #[serde(default)]
    pub bodies: Vec<Body>,
    /// What it calls a parameter of the standard, where it differs from the provider's other endpoints.
    #[serde(default)]
    pub names: BTreeMap<String, String>,
    /// Headers it needs or refuses.
    #[serde(default)]
    pub headers: BTreeMap<String, Rule>,
    /// Parameters that it needs or refuses in the query, wherever the others travel.
    #[serde(default)]
    pub query: BTreeMap<String, Rule>,
    /// Parameters it needs or refuses, by the names on the wire. A member of a nested JSON object is `outer.inner`.
    #[serde(default)]
    pub parameters: BTreeMap<String, Rule>,
    /// What the `{…}` of path and host have to be, by `path.id` and `host.shop`.
    #[serde(default)]
    pub captures: BTreeMap<String, Rule>,
    /// How a client may authenticate. Without it, it need not.
    #[serde(default)]
    pub client_auth: Vec<ClientAuth>,
    /// Whether JSON answers are written as a form unless `Accept` asks for JSON.
    #[serde(default)]
    pub form_unless_json_accepted: bool,
    /// How it refuses, by case.
    #[serde(default)]
    pub refusals: BTreeMap<String, Answer>,

    /// It asks the person for consent.
    pub authorize: Option<Authorize>,
    /// It takes an authorization request in advance (RFC 9126).
    pub push: Option<Push>,
    /// It starts a device's authorization (RFC 8628).
    pub device: Option<Device>,
    /// It issues tokens.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// It revokes.
    pub revoke: Option<Revoke>,
    /// It is an API call.
    pub api: Option<Api>,
    /// It is one of the three legs of OAuth 1.0a (RFC 5849).
    pub oauth1: Option<Oauth1>,
    /// It publishes the keys of ID tokens (RFC 7517).
    #[serde(default)]
    pub jwks: bool,
    /// It says the same to everybody.
    pub answer: Option<Answer>,
}

/// How parameters travel.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `application/json`.
    Json,
    /// The query string.
    Query,
}

/// How a client proves that it is one.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// RFC 6749 §2.3.1, the header.
    ClientSecretBasic,
    /// RFC 6749 §2.3.1, the body.
    ClientSecretPost,
    /// The same in the query string.
    ClientSecretQuery,
    /// The secret alone, without an id.
    SecretAlone,
    /// The client names itself and proves nothing.
    None,
    /// An assertion signed with its private key (RFC 7523 §2.2).
    PrivateKeyJwt,
    /// `client_secret` is a JWT signed with its private key.
    SignedSecret,
    /// `Authorization: Bearer` with a JWT signed with its private key.
    BearerJwt,
}

/// What a value has to be.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Rule {
    /// This and nothing else.
    Exact(String),
    /// `{}`: anything, but it has to be there.
    Table(RuleTable),
}

/// What a value has to be, told apart.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct RuleTable {
    /// It may be absent.
    pub optional: bool,
    /// It must be absent.
    pub forbidden: bool,
    /// One of these.
    pub one_of: Vec<String>,
    /// A regular expression that it matches.
    pub pattern: Option<String>,
    /// A text that stands in it.
    pub contains: Option<String>,
    /// This field of the registered key that the other rules and the credential name.
    pub key: Option<String>,
    /// This field of the account that the token belongs to (`team.id`).
    pub account: Option<String>,
    /// The case of the refusal, in place of the usual one.
    pub refusal: Option<String>,
}

/// Where a credential, or a part of it, stands. The text holds `${access_token}` or `${key.<field>}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Place {
    /// `["Authorization", "Bearer ${access_token}"]`.
    Header(String, String),
    /// `["api_key", "${key.api_key}"]`.
    Query(String, String),
    /// A parameter of the body.
    Parameter(String, String),
    /// A capture of path or host: `["path.token", "${key.token}"]`.
    Capture(String, String),
    /// The two halves of HTTP's Basic.
    Basic(String, String),
    /// A signature with one of these methods (RFC 5849 §3.4).
    Oauth1(Vec<String>),
    /// A signature by a registered key, as AWS has it (version 4).
    AwsSigv4(Sigv4),
}

/// What a signature of AWS is for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sigv4 {
    /// The service's name: `${host.service}`.
    pub service: String,
    /// The region: `${host.region}`.
    pub region: String,
}

/// The authorization endpoint.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact that a page states or does not")]
pub struct Authorize {
    /// Whether the provider wants, takes, ignores or refuses PKCE (RFC 7636).
    pub pkce: Pkce,
    /// The methods of PKCE.
    #[serde(default = "s256")]
    pub pkce_methods: Vec<String>,
    /// What stands between two scopes.
    #[serde(default = "space")]
    pub scope_separator: String,
    /// A regular expression that each scope matches.
    pub scope_pattern: Option<String>,
    /// Further scopes that are granted unasked.
    #[serde(default)]
    pub scope_granted_too: Vec<String>,
    /// Whether `redirect_uri` has to be in the request.
    #[serde(default)]
    pub redirect_uri: Need,
    /// What the code is called on the way back.
    #[serde(default = "code")]
    pub code_parameter: String,
    /// Further parameters of the way back.
    #[serde(default)]
    pub callback: BTreeMap<String, String>,
    /// The signature over the parameters of the way back.
    pub sign: Option<Sign>,
    /// The fragment after the way back.
    pub fragment: Option<String>,
    /// Whether `iss` comes back too (RFC 9207).
    #[serde(default)]
    pub iss: bool,
    /// Whether the answer may come by POST.
    #[serde(default)]
    pub form_post: bool,
    /// Whether a wrong request is shown on a page, in place of being sent back with `error`.
    #[serde(default)]
    pub refuses_on_page: bool,
    /// Whether the request has to be pushed in advance.
    #[serde(default)]
    pub pushed_only: bool,
    /// What comes back when the person refuses. Without it, `error=access_denied`.
    #[serde(default = "denied")]
    pub denied: BTreeMap<String, String>,
}

fn s256() -> Vec<String> {
    vec!["S256".to_owned()]
}

fn space() -> String {
    " ".to_owned()
}

fn code() -> String {
    "code".to_owned()
}

fn denied() -> BTreeMap<String, String> {
    BTreeMap::from([("error".to_owned(), "access_denied".to_owned())])
}

/// What a provider does with PKCE.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Pkce {
    /// A request without it is refused.
    Required,
    /// It is checked where it is used.
    Supported,
    /// Its parameters are not read.
    Ignored,
    /// A request with it is refused.
    Refused,
}

/// Whether a value has to be there. Where it is, it has to be right, except if it is ignored.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Default)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// It has to be.
    #[default]
    Required,
    /// It may be.
    Optional,
    /// Nobody looks.
    Ignored,
}

/// A signature over the callback's parameters with the client's secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Sign {
    /// HMAC-SHA256 in hexadecimal over the other parameters, sorted and joined by `&`, in this parameter.
    HmacSha256Hex(String),
}

/// The pushed authorization request endpoint.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Push {
    /// Seconds that a `request_uri` works.
    pub ttl: i64,
}

/// The device authorization endpoint.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// How often the device is told to wait before the person has consented.
    pub pending_polls: u32,
    /// Seconds between two polls.
    pub interval: i64,
    /// Seconds that the device code works.
    pub ttl: i64,
    /// What is answered: `${device_code}`, `${user_code}`, `${interval}`, `${expires_in}`.
    pub answer: Answer,
}

/// One way to get tokens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// What it is.
    pub kind: GrantKind,
    /// What `grant_type` has to be; an empty text is for its absence. Without it, the standard's name.
    pub grant_types: Option<Vec<String>>,
    /// How a client may authenticate, in place of the endpoint's ways.
    pub client_auth: Option<Vec<ClientAuth>>,
    /// Further headers.
    #[serde(default)]
    pub headers: BTreeMap<String, Rule>,
    /// Further parameters.
    #[serde(default)]
    pub parameters: BTreeMap<String, Rule>,
    /// Whether `redirect_uri` has to come again.
    #[serde(default)]
    pub redirect_uri: Need,
    /// The parameter that holds the token to be exchanged.
    #[serde(default = "access_token")]
    pub subject: String,
    /// The kinds of access tokens that can be exchanged.
    #[serde(default)]
    pub accepts: Vec<String>,
    /// Seconds of age that a token has to have before it can be exchanged.
    #[serde(default)]
    pub min_age: i64,
    /// The kind of access token that is issued, where a provider has several.
    #[serde(default = "access")]
    pub issues: String,
    /// Seconds that the access token works, in place of `tokens.access_ttl`.
    pub ttl: Option<i64>,
    /// The parameter by which the client asks for another lifetime.
    pub ttl_parameter: Option<String>,
    /// Whether a refresh token may be issued with it. Without it: for codes, device codes and refresh tokens.
    pub refresh: Option<bool>,
    /// Who an assertion has to be for.
    #[serde(default)]
    pub audience: Vec<String>,
    /// Seconds that an assertion may be valid.
    #[serde(default = "hour")]
    pub assertion_ttl: i64,
    /// What is answered.
    pub answer: Answer,
}

fn access() -> String {
    "access".to_owned()
}

fn access_token() -> String {
    "access_token".to_owned()
}

fn hour() -> i64 {
    3600
}

/// The ways to get tokens.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum GrantKind {
    /// RFC 6749 §4.1.
    AuthorizationCode,
    /// RFC 6749 §6.
    RefreshToken,
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// RFC 7523 §2.1.
    JwtBearer,
    /// RFC 8628 §3.4.
    DeviceCode,
    /// An access token becomes another.
    Exchange,
    /// What the rules call `key` is compared with a registered key.
    Login,
}

impl GrantKind {
    /// What `grant_type` is by the standard.
    #[must_use]
    pub const fn grant_type(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::Exchange | Self::Login => "",
        }
    }
}

/// The revocation endpoint.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// Where the token stands, as `${token}`.
    pub token: Place,
    /// Where else it may stand.
    #[serde(default)]
    pub or_token: Vec<Place>,
    /// What ends.
    pub ends: Ends,
    /// Whether a token that is not known is refused.
    #[serde(default)]
    pub refuses_unknown: bool,
    /// What is answered.
    pub answer: Answer,
}

/// What a revocation ends.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Ends {
    /// The token alone.
    Token,
    /// A refresh token and all that came of it; of an access token, itself.
    Family,
    /// All that the account has granted to the client.
    Grant,
}

/// An API call.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Where the credential stands, in place of `api.credential`.
    #[serde(default)]
    pub credential: Vec<Place>,
    /// Scopes of which the token needs one.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// What is answered.
    pub answer: Answer,
}

/// A leg of OAuth 1.0a.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oauth1 {
    /// Which.
    pub leg: Leg,
    /// The signature methods that it takes.
    #[serde(default)]
    pub methods: Vec<String>,
    /// What is answered by the first and the third: `${oauth_token}`, `${oauth_token_secret}`.
    pub answer: Option<Answer>,
}

/// The legs of OAuth 1.0a (RFC 5849 §2).
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Leg {
    /// §2.1.
    RequestToken,
    /// §2.2.
    Authorize,
    /// §2.3.
    AccessToken,
}

/// An answer. One of `json`, `form`, `text` and `html`, or none. `${name}` is filled in; a JSON member whose whole
/// value is a name that has none is left out.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The status.
    #[serde(default = "ok")]
    pub status: u16,
    /// Headers besides the content's type.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A JSON text.
    #[serde(default, deserialize_with = "json")]
    pub json: Option<Value>,
    /// A form, written as a table.
    pub form: Option<Map<String, Value>>,
    /// A text.
    pub text: Option<String>,
    /// A page.
    pub html: Option<String>,
}

fn ok() -> u16 {
    200
}

fn json<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    let text = String::deserialize(deserializer)?;
    serde_json::from_str(&text).map(Some).map_err(serde::de::Error::custom)
}
