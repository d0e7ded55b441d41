//! Every route, once: what answers where, for whom.
//!
//! `answer` finds a request's route here, the local server its function. `template.yaml`, the router table of
//! `cargo lambda watch` and `openapi.yaml` are compared with this list by a test.

use crate::{http::Method, id::Role};

/// A function: one Lambda binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Function {
    /// Issues tokens to apps.
    Token,
    /// Starts an authorization.
    Authorize,
    /// Receives its answer.
    Callback,
    /// Calls APIs.
    Passthrough,
    /// Lists and changes connections.
    Connections,
    /// Serves the pages.
    Connect,
    /// Keeps the settings.
    Admin,
}

impl Function {
    /// The binary's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Authorize => "authorize",
            Self::Callback => "callback",
            Self::Passthrough => "passthrough",
            Self::Connections => "connections",
            Self::Connect => "connect",
            Self::Admin => "admin",
        }
    }
}

/// What is asked for: one operation may be reached by several addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is described by its rows below and in openapi.yaml, under the same name")]
pub enum Operation {
    IssueToken,
    AuthorizationServerMetadata,
    PublicKeys,
    GenerateOneTimeToken,
    CreateSession,
    AuthorizeConnector,
    CreateCredential,
    Start,
    StartPage,
    StartFromPage,
    CreateAttempt,
    BeginDevice,
    Callback,
    ParkCallback,
    CompleteCredential,
    CollectDevice,
    Passthrough,
    ListAvailableConnectors,
    ConnectorImage,
    ListWidgetConnectors,
    ListConnections,
    ReadConnection,
    UpdateConnection,
    DeleteConnection,
    ListChoices,
    UpgradeConnection,
    ListUserCredentials,
    ReadCredential,
    DeleteUser,
    ChoosePage,
    ClaimLink,
    ConnectPage,
    EditPage,
    SubmitConnect,
    ConfirmPage,
    Confirm,
    OutcomePage,
    FrameShell,
    FrameShellAtRoot,
    OpenFrame,
    AttemptStatus,
    Stylesheet,
    StartScript,
    FrameScript,
    FormScript,
    ConnectScript,
    Script,
    OpenApi,
    ListProjects,
    CreateProject,
    ReadProject,
    UpdateProject,
    ListClients,
    CreateClient,
    RevokeClient,
    ListProjectConnectors,
    ReadProjectConnector,
    ExamineProjectConnector,
    PutProjectConnector,
    DeleteProjectConnector,
    ListDefaultClients,
    ReadDefaultClient,
    ExamineDefaultConnector,
    PutDefaultClient,
    DeleteDefaultClient,
    ListCustomConnectors,
    ReadCustomConnector,
    PutCustomConnector,
    DeleteCustomConnector,
    DiscoverConnector,
    ClientDocument,
}

impl Operation {
    /// Whether `client_id` and `client_secret` in the body are the caller's own. In passthrough the body is the provider's, and
    /// what an operator decides about a connector names the client that Mooring has at the provider: neither is ever read as
    /// a credential of ours.
    #[must_use]
    pub fn takes_credentials_in_the_body(self) -> bool {
        !matches!(self, Self::Passthrough | Self::PutProjectConnector | Self::PutDefaultClient)
    }
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody: the request carries its own proof, or there is nothing to protect.
    Public,
    /// An app client that has one of these roles.
    Roles(&'static [Role]),
    /// The root key alone.
    Root,
    /// The root key, or an app client of the project named in the path with the role `admin`.
    RootOr(&'static [Role]),
    /// A connect session, or the cookie of the attempt.
    Session,
}

/// How failures are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// As JSON, to a program.
    Api,
    /// As JSON with `message` and an upper-case `code`, to clients that read those.
    Credentials,
    /// As a page, to a person.
    Page,
    /// As JSON with `x-mooring-error`, so that it can't be taken for the provider's own answer.
    Passthrough,
}

/// A method at an address.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The address below the base URL; `{name}` is one segment, `{name+}` the rest.
    pub path: &'static str,
    /// Who answers.
    pub function: Function,
    /// What is asked for.
    pub operation: Operation,
    /// Who may ask.
    pub access: Access,
    /// How failures are told.
    pub voice: Voice,
}

use Access::{Public, Roles, Root, RootOr, Session};
use Function::{Admin, Authorize, Callback, Connect, Connections, Passthrough, Token};
use Method::{Delete, Get, Head, Patch, Post, Put};
use Role as R;
use Voice::{Api, Credentials, Page};

const STARTERS: Access = Roles(&[R::Connect]);
const READERS: Access = Roles(&[R::Read, R::Connect]);
const KEEPERS: Access = Roles(&[R::Connect]);
const CALLERS: Access = Roles(&[R::Use]);
const ADMINS: Access = RootOr(&[R::Admin]);

const fn route(
    method: Method,
    path: &'static str,
    function: Function,
    operation: Operation,
    access: Access,
    voice: Voice,
) -> Route {
    Route { method, path, function, operation, access, voice }
}

/// Every route, in the order of the flow.
pub const ROUTES: &[Route] = &[
    // token: RFC 6749 §4.4, RFC 8414, RFC 7517, and what lets a browser start.
    route(Post, "/oauth2/token", Token, Operation::IssueToken, Public, Api),
    route(Post, "/api/v1/oauth/token", Token, Operation::IssueToken, Public, Api),
    route(Post, "/api/v1/oauth2/token", Token, Operation::IssueToken, Public, Api),
    route(Get, "/.well-known/oauth-authorization-server", Token, Operation::AuthorizationServerMetadata, Public, Api),
    route(Get, "/.well-known/openid-configuration", Token, Operation::AuthorizationServerMetadata, Public, Api),
    route(Get, "/.well-known/jwks.json", Token, Operation::PublicKeys, Public, Api),
    route(Post, "/org/{org}/generateOneTimeConnectorToken", Token, Operation::GenerateOneTimeToken, STARTERS, Api),
    route(Post, "/v1/org/{org}/generateOneTimeConnectorToken", Token, Operation::GenerateOneTimeToken, STARTERS, Api),
    route(Post, "/v1/connect/sessions", Token, Operation::CreateSession, STARTERS, Api),
    // authorize: RFC 6749 §4.1.1.
    route(Get, "/connectors/{connector}/oauth/authorize", Authorize, Operation::AuthorizeConnector, STARTERS, Api),
    route(
        Get,
        "/api/v1/connectors/{connector}/oauth/authorize",
        Authorize,
        Operation::AuthorizeConnector,
        STARTERS,
        Api,
    ),
    route(Post, "/connectors/{connector}/credentials", Authorize, Operation::CreateCredential, STARTERS, Credentials),
    route(
        Post,
        "/api/v1/connectors/{connector}/credentials",
        Authorize,
        Operation::CreateCredential,
        STARTERS,
        Credentials,
    ),
    route(Get, "/connect/start/{handle}", Authorize, Operation::Start, Public, Page),
    route(Get, "/connect/start", Authorize, Operation::StartPage, Public, Page),
    route(Post, "/connect/start", Authorize, Operation::StartFromPage, Public, Page),
    route(Post, "/v1/connect/attempts", Authorize, Operation::CreateAttempt, Session, Api),
    route(Post, "/v1/connect/device", Authorize, Operation::BeginDevice, STARTERS, Api),
    // callback: RFC 6749 §4.1.2 to §4.1.4.
    route(Get, "/connectors/{connector}/oauth/callback", Callback, Operation::Callback, Public, Page),
    route(Post, "/connectors/{connector}/oauth/callback", Callback, Operation::ParkCallback, Public, Page),
    route(Get, "/connectors/oauth/callback", Callback, Operation::Callback, Public, Page),
    route(Post, "/connectors/oauth/callback", Callback, Operation::ParkCallback, Public, Page),
    route(Get, "/api/v1/connectors/oauth/callback", Callback, Operation::Callback, Public, Page),
    route(Post, "/api/v1/connectors/oauth/callback", Callback, Operation::ParkCallback, Public, Page),
    route(
        Post,
        "/connectors/{connector}/credentials/callback",
        Callback,
        Operation::CompleteCredential,
        STARTERS,
        Credentials,
    ),
    route(
        Post,
        "/api/v1/connectors/{connector}/credentials/callback",
        Callback,
        Operation::CompleteCredential,
        STARTERS,
        Credentials,
    ),
    route(Post, "/v1/connect/device/{attempt}", Callback, Operation::CollectDevice, STARTERS, Api),
    // passthrough.
    route(Get, "/v1/passthrough/{path+}", Passthrough, Operation::Passthrough, CALLERS, Voice::Passthrough),
    route(Post, "/v1/passthrough/{path+}", Passthrough, Operation::Passthrough, CALLERS, Voice::Passthrough),
    route(Put, "/v1/passthrough/{path+}", Passthrough, Operation::Passthrough, CALLERS, Voice::Passthrough),
    route(Patch, "/v1/passthrough/{path+}", Passthrough, Operation::Passthrough, CALLERS, Voice::Passthrough),
    route(Delete, "/v1/passthrough/{path+}", Passthrough, Operation::Passthrough, CALLERS, Voice::Passthrough),
    route(Head, "/v1/passthrough/{path+}", Passthrough, Operation::Passthrough, CALLERS, Voice::Passthrough),
    // connections: the catalogue and what is connected.
    route(Get, "/v1/available-connectors", Connections, Operation::ListAvailableConnectors, READERS, Api),
    route(Get, "/v1/connectors/{connector}/image", Connections, Operation::ConnectorImage, Public, Api),
    route(Post, "/v1/authkit/token", Connections, Operation::ListWidgetConnectors, STARTERS, Api),
    route(Post, "/v1/authkit", Connections, Operation::ListWidgetConnectors, STARTERS, Api),
    route(Get, "/v1/vault/connections", Connections, Operation::ListConnections, READERS, Api),
    route(Get, "/v1/vault/connections/{id}", Connections, Operation::ReadConnection, READERS, Api),
    route(Patch, "/v1/vault/connections/{id}", Connections, Operation::UpdateConnection, KEEPERS, Api),
    route(Get, "/v1/vault/connections/{id}/choices", Connections, Operation::ListChoices, KEEPERS, Api),
    route(Post, "/v1/vault/connections/{id}/upgrade", Connections, Operation::UpgradeConnection, KEEPERS, Api),
    route(Delete, "/v1/vault/connections/{id}", Connections, Operation::DeleteConnection, KEEPERS, Api),
    route(Get, "/users/{userId}/credentials", Connections, Operation::ListUserCredentials, READERS, Credentials),
    route(Delete, "/users/{userId}", Connections, Operation::DeleteUser, KEEPERS, Credentials),
    route(Get, "/credentials/{id}", Connections, Operation::ReadCredential, READERS, Credentials),
    // connect: the pages.
    route(Get, "/connect", Connect, Operation::ChoosePage, Public, Page),
    route(Post, "/connect", Connect, Operation::ClaimLink, Public, Page),
    route(Get, "/connect/{connector}", Connect, Operation::ConnectPage, Public, Page),
    route(Post, "/connect/{connector}", Connect, Operation::SubmitConnect, Public, Page),
    route(Get, "/connect/{connector}/edit", Connect, Operation::EditPage, Public, Page),
    route(Get, "/connect/confirm/{attempt}", Connect, Operation::ConfirmPage, Public, Page),
    route(Post, "/connect/confirm/{attempt}", Connect, Operation::Confirm, Public, Page),
    route(Get, "/connect/outcome/{attempt}", Connect, Operation::OutcomePage, Public, Page),
    route(Get, "/connect/frame", Connect, Operation::FrameShell, Public, Page),
    route(Get, "/", Connect, Operation::FrameShellAtRoot, Public, Page),
    route(Post, "/v1/connect/frame", Connect, Operation::OpenFrame, Session, Api),
    route(Get, "/v1/connect/attempts/{id}", Connect, Operation::AttemptStatus, Session, Api),
    route(Get, "/connect/style.css", Connect, Operation::Stylesheet, Public, Page),
    route(Get, "/connect/start.js", Connect, Operation::StartScript, Public, Page),
    route(Get, "/connect/frame.js", Connect, Operation::FrameScript, Public, Page),
    route(Get, "/connect/form.js", Connect, Operation::FormScript, Public, Page),
    route(Get, "/connect.js", Connect, Operation::ConnectScript, Public, Page),
    route(Get, "/connect/page.js", Connect, Operation::Script, Public, Page),
    route(Get, "/connectors/{connector}/client.json", Connect, Operation::ClientDocument, Public, Api),
    route(Get, "/openapi.yaml", Connect, Operation::OpenApi, Public, Api),
    // admin: the settings.
    route(Get, "/v1/admin/projects", Admin, Operation::ListProjects, Root, Api),
    route(Post, "/v1/admin/projects", Admin, Operation::CreateProject, Root, Api),
    route(Get, "/v1/admin/projects/{project}", Admin, Operation::ReadProject, ADMINS, Api),
    route(Patch, "/v1/admin/projects/{project}", Admin, Operation::UpdateProject, ADMINS, Api),
    route(Get, "/v1/admin/projects/{project}/clients", Admin, Operation::ListClients, ADMINS, Api),
    route(Post, "/v1/admin/projects/{project}/clients", Admin, Operation::CreateClient, ADMINS, Api),
    route(Delete, "/v1/admin/projects/{project}/clients/{client}", Admin, Operation::RevokeClient, ADMINS, Api),
    route(
        Get,
        "/v1/admin/projects/{project}/environments/{environment}/connectors",
        Admin,
        Operation::ListProjectConnectors,
        ADMINS,
        Api,
    ),
    route(
        Get,
        "/v1/admin/projects/{project}/environments/{environment}/connectors/{connector}",
        Admin,
        Operation::ReadProjectConnector,
        ADMINS,
        Api,
    ),
    route(
        Put,
        "/v1/admin/projects/{project}/environments/{environment}/connectors/{connector}",
        Admin,
        Operation::PutProjectConnector,
        ADMINS,
        Api,
    ),
    route(
        Delete,
        "/v1/admin/projects/{project}/environments/{environment}/connectors/{connector}",
        Admin,
        Operation::DeleteProjectConnector,
        ADMINS,
        Api,
    ),
    route(
        Get,
        "/v1/admin/projects/{project}/environments/{environment}/connectors/{connector}/doctor",
        Admin,
        Operation::ExamineProjectConnector,
        ADMINS,
        Api,
    ),
    route(Get, "/v1/admin/connectors", Admin, Operation::ListDefaultClients, Root, Api),
    route(Get, "/v1/admin/connectors/{connector}", Admin, Operation::ReadDefaultClient, Root, Api),
    route(Put, "/v1/admin/connectors/{connector}", Admin, Operation::PutDefaultClient, Root, Api),
    route(Delete, "/v1/admin/connectors/{connector}", Admin, Operation::DeleteDefaultClient, Root, Api),
    route(Get, "/v1/admin/connectors/{connector}/doctor", Admin, Operation::ExamineDefaultConnector, Root, Api),
    route(Get, "/v1/admin/projects/{project}/connectors", Admin, Operation::ListCustomConnectors, ADMINS, Api),
    route(
        Get,
        "/v1/admin/projects/{project}/connectors/{connector}",
        Admin,
        Operation::ReadCustomConnector,
        ADMINS,
        Api,
    ),
    route(
        Put,
        "/v1/admin/projects/{project}/connectors/{connector}",
        Admin,
        Operation::PutCustomConnector,
        ADMINS,
        Api,
    ),
    route(
        Delete,
        "/v1/admin/projects/{project}/connectors/{connector}",
        Admin,
        Operation::DeleteCustomConnector,
        ADMINS,
        Api,
    ),
    route(Post, "/v1/connectors/discover", Admin, Operation::DiscoverConnector, ADMINS, Api),
];

/// What an address leads to.
#[derive(Debug)]
pub struct Matched {
    /// The rows of this address, one a method.
    pub routes: Vec<&'static Route>,
    /// The variable segments, still percent-encoded, in the order of the path.
    pub params: Vec<(&'static str, String)>,
}

/// What this raw path leads to: a literal segment goes before a variable one, as in API Gateway. One trailing slash is
/// overlooked, except below passthrough, where it belongs to the provider's path.
#[must_use]
pub fn find(path: &str) -> Option<Matched> {
    let matching = ROUTES.iter().filter_map(|route| Some((params(route.path, path)?, route)));
    let (params, found) = matching.min_by_key(|(_, route)| variable_segments(route.path))?;
    let routes = ROUTES.iter().filter(|route| route.path == found.path).collect();
    Some(Matched { routes, params })
}

/// For each segment whether it is variable: in this order, the first pattern is the most literal one.
fn variable_segments(pattern: &str) -> Vec<bool> {
    pattern.split('/').map(|segment| segment.starts_with('{')).collect()
}

/// Whether `/connect/{name}` is an address of its own, so that no connector of this id could have its page there.
#[must_use]
pub fn is_a_page_of_ours(name: &str) -> bool {
    let below =
        |route: &&Route| route.path.strip_prefix("/connect/").and_then(|rest| rest.split('/').next()) == Some(name);
    ROUTES.iter().any(|route| below(&route))
}

fn params(pattern: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let mut params = Vec::new();
    let mut path = path.strip_prefix('/')?;
    let mut pattern = pattern.strip_prefix('/')?;
    loop {
        let (wanted, further) = pattern.split_once('/').unwrap_or((pattern, ""));
        if let Some(name) = wanted.strip_prefix('{').and_then(|rest| rest.strip_suffix("+}")) {
            params.push((name, path.to_owned()));
            return (!path.is_empty()).then_some(params);
        }
        let (segment, rest) = path.split_once('/').unwrap_or((path, ""));
        match wanted.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) if !segment.is_empty() => params.push((name, segment.to_owned())),
            None if segment == wanted => {}
            _ => return None,
        }
        match (further.is_empty(), rest.is_empty()) {
            (true, true) => return Some(params),
            (false, false) => (pattern, path) = (further, rest),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_leads_to_one_function() {
        let table = [
            ("/oauth2/token", Some((Operation::IssueToken, vec![]))),
            ("/oauth2/token/", Some((Operation::IssueToken, vec![]))),
            ("/connectors/oauth/callback", Some((Operation::Callback, vec![]))),
            ("/connectors/slack/oauth/callback", Some((Operation::Callback, vec![("connector", "slack")]))),
            ("/connectors/slack/oauth/authorize", Some((Operation::AuthorizeConnector, vec![("connector", "slack")]))),
            ("/connect/style.css", Some((Operation::Stylesheet, vec![]))),
            ("/connect/slack", Some((Operation::ConnectPage, vec![("connector", "slack")]))),
            ("/connect/start/att_1", Some((Operation::Start, vec![("handle", "att_1")]))),
            ("/connect/confirm/edit", Some((Operation::ConfirmPage, vec![("attempt", "edit")]))),
            (
                "/v1/passthrough/slack/a%2Fb/../c//",
                Some((Operation::Passthrough, vec![("path", "slack/a%2Fb/../c//")])),
            ),
            ("/v1/passthrough/", None),
            ("/connect/frame", Some((Operation::FrameShell, vec![]))),
            ("/", Some((Operation::FrameShellAtRoot, vec![]))),
            ("", None),
            ("//oauth2/token", None),
            ("/oauth2//token", None),
            ("/nothing", None),
        ];
        for (path, expected) in table {
            let found = find(path).map(|m| (m.routes[0].operation, m.params));
            let expected =
                expected.map(|(o, p)| (o, p.into_iter().map(|(n, v)| (n, v.to_owned())).collect::<Vec<_>>()));
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn an_id_that_is_a_page_of_ours_is_known() {
        for (name, expected) in
            [("frame", true), ("start", true), ("confirm", true), ("outcome", true), ("slack", false)]
        {
            assert_eq!(is_a_page_of_ours(name), expected, "{name}");
        }
    }

    #[test]
    fn an_address_belongs_to_one_function_and_has_each_method_once() {
        for route in ROUTES {
            let same = ROUTES.iter().filter(|other| other.path == route.path);
            assert!(same.clone().all(|other| other.function == route.function), "{}", route.path);
            assert_eq!(same.filter(|other| other.method == route.method).count(), 1, "{}", route.path);
        }
    }
}
