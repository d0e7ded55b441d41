//! `openapi.yaml` says what the code does: the same routes for the same callers, an example for every success, every code.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use shared::{
    error::{Error, Missing, ProviderError, Refusal, StoreError},
    http::{Body, Method, Request, failure},
    id::{ConnectorId, Role},
    protocol::assertion::KeyError,
    routes::{Access, Operation, ROUTES, Voice},
    store::{attempts::State, connections::Choices},
};
use yaml_serde::Value;

use crate::world::World;

const TEXT: &str = include_str!("../../openapi.yaml");
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// The description, and what its references lead to.
struct Description(Value);

impl Description {
    fn read() -> Self {
        Self(yaml_serde::from_str(TEXT).unwrap())
    }

    /// Every operation by method and path.
    fn operations(&self) -> BTreeMap<(String, String), &Value> {
        let mut operations = BTreeMap::new();
        for (path, item) in entries(&self.0["paths"]) {
            for (method, operation) in entries(item).into_iter().filter(|(name, _)| METHODS.contains(name)) {
                operations.insert((method.to_uppercase(), path.to_owned()), operation);
            }
        }
        operations
    }

    /// What a reference leads to; anything else is itself.
    fn follow<'a>(&'a self, value: &'a Value) -> &'a Value {
        let Some(reference) = value["$ref"].as_str() else { return value };
        reference.strip_prefix("#/").unwrap().split('/').fold(&self.0, |at, name| {
            assert!(!at[name].is_null(), "{reference} leads nowhere");
            &at[name]
        })
    }

    /// The answers of an operation by status.
    fn responses<'a>(&'a self, operation: &'a Value) -> Vec<(&'a str, &'a Value)> {
        entries(&operation["responses"]).into_iter().map(|(status, response)| (status, self.follow(response))).collect()
    }
}

fn entries(mapping: &Value) -> Vec<(&str, &Value)> {
    mapping.as_mapping().unwrap().iter().map(|(name, value)| (name.as_str().unwrap(), value)).collect()
}

/// The same as the description writes it: the rest of a path has no mark of its own there.
fn described(method: Method, path: &str) -> (String, String) {
    (method.to_string(), path.replace("+}", "}"))
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let description = Description::read();
    let described: BTreeSet<_> = description.operations().into_keys().collect();
    let ours: BTreeSet<_> = ROUTES.iter().map(|route| self::described(route.method, route.path)).collect();
    assert_eq!(described, ours);
}

#[test]
fn an_operation_has_its_name_and_an_alias_a_longer_one() {
    let description = Description::read();
    let operations = description.operations();
    let mut ids = BTreeSet::new();
    let mut first: BTreeMap<String, Operation> = BTreeMap::new();
    for route in ROUTES {
        let id = operations[&described(route.method, route.path)]["operationId"].as_str().unwrap();
        let name = format!("{:?}", route.operation);
        let name = name[..1].to_lowercase() + &name[1..];
        assert!(ids.insert(id), "{id} stands twice");
        match first.insert(name.clone(), route.operation) {
            None => assert_eq!(id, name),
            Some(_) => assert!(id.starts_with(&name), "{id} is another address of {name}"),
        }
    }
}

#[test]
fn the_roles_are_those_of_the_table() {
    let description = Description::read();
    let operations = description.operations();
    for route in ROUTES {
        let operation = operations[&described(route.method, route.path)];
        let names = |roles: &[Role]| roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().into();
        let expected: Value = match route.access {
            Access::Public => "public".into(),
            Access::Root => "root".into(),
            Access::Session => "session".into(),
            Access::Roles(roles) => names(roles),
            Access::RootOr(roles) => {
                let Value::Sequence(roles) = names(roles) else { unreachable!() };
                std::iter::once("root".into()).chain(roles).collect::<Vec<Value>>().into()
            }
        };
        assert_eq!(operation["x-mooring-roles"], expected, "{} {}", route.method, route.path);

        // what may be presented follows from who may ask
        let security = operation.get("security").unwrap_or(&description.0["security"]);
        let schemes: BTreeSet<_> = security
            .as_sequence()
            .unwrap()
            .iter()
            .flat_map(|one| entries(one).into_iter().map(|(name, _)| name))
            .collect();
        let app = ["secretKey", "basic", "oneSecret", "picaSecret"];
        let expected: BTreeSet<_> = match route.access {
            Access::Public if route.operation == Operation::IssueToken => BTreeSet::from(["basic"]),
            Access::Public => BTreeSet::new(),
            Access::Root => BTreeSet::from(["rootKey"]),
            Access::RootOr(_) => app.into_iter().chain(["rootKey"]).collect(),
            // there is no attempt yet, and so no cookie of one
            Access::Session if matches!(route.operation, Operation::CreateAttempt | Operation::OpenFrame) => {
                BTreeSet::from(["session"])
            }
            Access::Session => BTreeSet::from(["session", "attemptCookie"]),
            Access::Roles(_) => app.into(),
        };
        assert_eq!(schemes, expected, "{} {}", route.method, route.path);
    }
}

#[test]
fn every_answer_with_a_body_has_an_example() {
    let description = Description::read();
    for ((method, path), operation) in description.operations() {
        let responses = description.responses(operation);
        assert!(responses.iter().any(|(status, _)| status.starts_with(['2', '3'])), "{method} {path} has no success");
        for (status, response) in responses {
            let Some(content) = response.get("content") else {
                assert!(["302", "303"].contains(&status), "{method} {path} {status} says nothing");
                continue;
            };
            for (kind, media) in entries(content) {
                let shown =
                    media.get("example").is_some() || media.get("examples").is_some_and(|all| !entries(all).is_empty());
                assert!(shown, "{method} {path} {status} {kind} has no example");
            }
        }
    }
}

#[test]
fn every_route_says_what_it_answers_to_another_method_and_to_too_much() {
    let description = Description::read();
    let operations = description.operations();
    for route in ROUTES {
        let responses = description.responses(operations[&described(route.method, route.path)]);
        for status in ["405", "413"] {
            assert!(responses.iter().any(|(s, _)| *s == status), "{} {} {status}", route.method, route.path);
        }
    }
}

/// One error of every kind. Each follows from the one before it by a match that the compiler wants whole, so that a new kind
/// can't be forgotten here.
fn every_error() -> Vec<Error> {
    std::iter::successors(Some(Error::invalid("")), after).collect()
}

fn after(error: &Error) -> Option<Error> {
    let acme = || ConnectorId::parse("acme").unwrap();
    Some(match error {
        Error::InvalidRequest(_) => Error::refused(Refusal::UnsupportedGrantType, ""),
        Error::Refused { code, .. } => match after_refusal(*code) {
            Some(code) => Error::refused(code, ""),
            None => Error::Unauthenticated { why: "", challenge: true },
        },
        Error::Unauthenticated { .. } => Error::RoleMissing(&[Role::Use]),
        Error::RoleMissing(_) => Error::RootKeyMissing,
        Error::RootKeyMissing => Error::LiveKeyMissing,
        Error::LiveKeyMissing => Error::NotFound(Missing::Route),
        Error::NotFound(missing) => match after_missing(*missing) {
            Some(missing) => Error::NotFound(missing),
            None => Error::MethodNotAllowed(vec![Method::Get]),
        },
        Error::MethodNotAllowed(_) => Error::TooLarge(1),
        Error::TooLarge(_) => Error::UnsupportedMediaType(""),
        Error::UnsupportedMediaType(_) => Error::AlreadyUsed,
        Error::AlreadyUsed => Error::Expired,
        Error::Expired => Error::UnknownState,
        Error::UnknownState => Error::AnswerNotBelieved(Box::new(State::parse("acme.att_1.proof").unwrap())),
        Error::AnswerNotBelieved(_) => Error::ForgedForm,
        Error::ForgedForm => Error::Conflict(""),
        Error::Conflict(_) => Error::BaseUrlUnknown,
        Error::BaseUrlUnknown => Error::ClientNotConfigured(acme()),
        Error::ClientNotConfigured(_) => {
            Error::NotConfigured { connector: acme(), missing: "client_secret".to_owned(), place: "" }
        }
        Error::NotConfigured { .. } => {
            let label = "Private key".to_owned();
            Error::NoKey { input: "private_key".to_owned(), label, cause: KeyError::NotPem }
        }
        Error::NoKey { .. } => {
            Error::ChoiceRequired(Box::new(Choices { name: "site".to_owned(), title: None, found: Vec::new() }))
        }
        Error::ChoiceRequired(_) => Error::NeedsReauth,
        Error::NeedsReauth => Error::RetryLater { why: "", after: std::time::Duration::from_secs(2) },
        Error::RetryLater { .. } => ProviderError::Timeout.of(&acme()),
        Error::Provider { cause, .. } => match after_provider(cause) {
            Some(cause) => cause.of(&acme()),
            None => Error::Server { address: String::new(), cause: ProviderError::Timeout },
        },
        Error::Server { cause, .. } => match after_provider(cause) {
            Some(cause) => Error::Server { address: String::new(), cause },
            None => Error::Storage(StoreError::Malformed { table: String::new(), what: String::new() }),
        },
        Error::Storage(_) => Error::Vault(shared::error::VaultError::DoesNotOpen),
        Error::Vault(_) => return None,
    })
}

fn after_refusal(refusal: Refusal) -> Option<Refusal> {
    Some(match refusal {
        Refusal::UnsupportedGrantType => Refusal::InvalidScope,
        Refusal::InvalidScope => Refusal::InvalidGrant,
        Refusal::InvalidGrant => Refusal::InvalidRedirectUri,
        Refusal::InvalidRedirectUri => Refusal::InvalidBaseUrl,
        Refusal::InvalidBaseUrl => Refusal::OriginNotAllowed,
        Refusal::OriginNotAllowed => Refusal::UserIdRequired,
        Refusal::UserIdRequired => Refusal::IdentityMismatch,
        Refusal::IdentityMismatch => Refusal::WrongAccount,
        Refusal::WrongAccount => Refusal::AccountNotConfirmed,
        Refusal::AccountNotConfirmed => Refusal::InvalidChoice,
        Refusal::InvalidChoice => Refusal::UnsupportedApiVersion,
        Refusal::UnsupportedApiVersion => Refusal::UnsupportedCredentialType,
        Refusal::UnsupportedCredentialType => Refusal::InputsRequired,
        Refusal::InputsRequired => Refusal::InvalidInputs,
        Refusal::InvalidInputs => Refusal::InvalidCredentials,
        Refusal::InvalidCredentials => Refusal::InvalidConnector,
        Refusal::InvalidConnector => Refusal::ConnectorInUse,
        Refusal::ConnectorInUse => Refusal::AddressNotAllowed,
        Refusal::AddressNotAllowed => Refusal::ConnectionInactive,
        Refusal::ConnectionInactive => Refusal::VouchingRequired,
        Refusal::VouchingRequired => Refusal::AuthorizationPending,
        Refusal::AuthorizationPending => Refusal::SlowDown,
        Refusal::SlowDown => Refusal::AccessDenied,
        Refusal::AccessDenied => Refusal::ExpiredToken,
        Refusal::ExpiredToken => Refusal::MetadataNotFound,
        Refusal::MetadataNotFound => Refusal::InvalidMetadata,
        Refusal::InvalidMetadata => return None,
    })
}

fn after_missing(missing: Missing) -> Option<Missing> {
    Some(match missing {
        Missing::Route => Missing::Connector,
        Missing::Connector => Missing::Connection,
        Missing::Connection => Missing::Credential,
        Missing::Credential => Missing::Project,
        Missing::Project => Missing::Environment,
        Missing::Environment => Missing::Client,
        Missing::Client => Missing::Attempt,
        Missing::Attempt => Missing::User,
        Missing::User => return None,
    })
}

fn after_provider(cause: &ProviderError) -> Option<ProviderError> {
    Some(match cause {
        ProviderError::Timeout => ProviderError::Unreachable("".into()),
        ProviderError::Unreachable(_) => ProviderError::AddressRefused,
        ProviderError::AddressRefused => ProviderError::Refused(String::new()),
        ProviderError::Refused(_) => ProviderError::Ended(404),
        ProviderError::Ended(_) => ProviderError::NothingFound,
        ProviderError::NothingFound => ProviderError::InvalidResponse(""),
        ProviderError::InvalidResponse(_) => {
            ProviderError::CallbackSignature(shared::protocol::callback_signature::Refusal::Missing)
        }
        ProviderError::CallbackSignature(_) => ProviderError::Failed(500),
        ProviderError::Failed(_) => return None,
    })
}

#[tokio::test]
async fn every_code_is_in_the_description() {
    let world = World::new().await;
    let description = Description::read();
    let known = description.0["components"]["schemas"]["ErrorCode"]["enum"].as_sequence().unwrap();
    let known: BTreeSet<_> = known.iter().map(|code| code.as_str().unwrap().to_owned()).collect();

    let request = Request::new("GET", "/".to_owned(), String::new(), Vec::new(), Bytes::new(), "r".to_owned());
    let mut told = BTreeSet::new();
    for error in every_error() {
        let response = failure(&world.server.app, &request, Voice::Api, &error);
        let Body::Full(body) = response.body else { panic!("a failure is not streamed") };
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let code = body["error"].as_str().unwrap().to_owned();
        let shown = is_shown(&description, response.status, &code);
        assert!(shown, "no answer with status {} in components/responses shows {code}", response.status);
        told.insert(code);
    }
    // these are the gateway's own: see GatewayResponses in template.yaml
    let gateway = ["rate_limited", "timeout", "refused_by_gateway"].map(str::to_owned);
    assert_eq!(known, told.into_iter().chain(gateway).collect());
}

/// Whether an operation's answer with this status shows the code: in an example, or in the words for pages.
fn is_shown(description: &Description, status: u16, code: &str) -> bool {
    let status = status.to_string();
    let operations = description.operations();
    let answers = operations.values().flat_map(|operation| description.responses(operation));
    answers.filter(|(s, _)| *s == status).any(|(_, response)| {
        let text = yaml_serde::to_string(response).unwrap();
        text.contains(&format!("error: {code}\n")) || text.contains(&format!("`{code}`"))
    }) || code == "not_found" // an address without a route is in no operation
}

#[tokio::test]
async fn the_description_is_served() {
    let world = World::new().await;
    let answer = world.call("GET", "/openapi.yaml").send().await;
    assert_eq!((answer.status, answer.text().as_str()), (200, TEXT));
    assert_eq!(answer.header("content-type"), Some("application/yaml"));
}
