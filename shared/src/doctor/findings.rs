//! What usually goes wrong, told from the data and the operator's decision alone.

use url::{Host, Url};

use super::{
    Case, Finding, Severity,
    requests::is_without_browser,
    stand_ins::{StandIns, Whose},
};
use crate::{
    flow::begin::redirect_uri,
    protocol::{
        authorization::RESERVED_PARAMS,
        connector::{Connector, Consent, EvidenceLevel, Grant, OAuth2, Pkce, RefreshKind, Text},
    },
    secrets::ClientSource,
    store::attempts::Callback,
};

/// Words in a scope by which a provider gives a refresh token.
const OFFLINE_SCOPES: [&str; 2] = ["offline", "refresh_token"];

/// Parameters by which one does, with the values that say so; `*` stands for any.
const OFFLINE_PARAMS: [(&str, &str); 5] = [
    ("access_type", "offline"),
    ("token_access_type", "offline"),
    ("duration", "permanent"),
    ("prompt", "consent"), // Google and others give the refresh token with a consent alone, not with a silent answer
    ("approval_prompt", "force"),
];

/// Everything that is wrong, doubtful or worth knowing.
pub fn all(case: &Case<'_>, stand_ins: &StandIns) -> Vec<Finding> {
    let connector = case.connector.data.as_ref();
    let mut found = Vec::new();
    found.extend(client(case, stand_ins));
    if connector.consent().is_some() && !is_without_browser(connector) {
        found.extend(redirect(case, stand_ins));
    }
    found.extend(values(stand_ins));
    if let Some(oauth2) = &connector.oauth2 {
        found.extend(scopes(case, oauth2));
        found.extend(parameters(case, oauth2));
        found.extend(offline(case, oauth2));
        found.extend(pkce(case.notes, oauth2));
    }
    found.extend(evidence(connector));
    found
}

fn client(case: &Case<'_>, stand_ins: &StandIns) -> Vec<Finding> {
    let connector = case.connector;
    let id = &connector.id;
    let mut found = Vec::new();
    if case.deployed && !connector.settings().enabled {
        found.push(Finding::error(
            "not_enabled",
            "It is switched off here, so nobody can connect it.",
            format!("PUT {} with \"enabled\": true.", place(case)),
        ));
    }
    let registers = connector.data.oauth2.as_ref().is_some_and(|oauth2| oauth2.registration.is_some());
    let missing = connector.missing_secrets();
    if !missing.is_empty() {
        let what = format!("Of the operator's secrets, {} is not set; a stand-in is shown.", missing.join(", "));
        let place = match connector.operator() {
            Some(ClientSource::Default) => format!("/v1/admin/connectors/{id}"), // whose client is used says the rest of it
            Some(ClientSource::Project | ClientSource::Server(_)) | None => place(case),
        };
        let remedy = format!("PUT {place} with it in \"settings\".");
        let severity = if case.deployed { Severity::Error } else { Severity::Note };
        found.push(Finding::new(severity, "secret_missing", what, remedy));
    }
    if !connector.data.takes_client() || connector.client.is_some() {
        return found;
    }
    let name = &connector.data.name;
    found.push(match (registers, case.deployed) {
        (true, _) => Finding::note(
            "client_is_registered",
            "No client is stored. Each server registers one for us when it is first needed (RFC 7591).",
            "",
        ),
        (false, true) => Finding::error(
            "no_client",
            format!("No client of {name} is stored here, so nobody can connect it."),
            format!(
                "Register one at the provider{} with the redirect URI {}, then PUT {} with \"client_id\" and \"client_secret\".",
                connector.data.docs_url.as_ref().map(|docs| format!(" ({docs})")).unwrap_or_default(),
                stand_ins.shown(&stand_ins.redirect_uri),
                place(case),
            ),
        ),
        (false, false) => Finding::note(
            "no_client",
            format!("No client id was given; ‹client id› stands for it. A deployment needs a client of {name}."),
            format!("Try --client-id. In a deployment it is stored by PUT /v1/admin/connectors/{id}."),
        ),
    });
    found
}

/// Where the operator decides.
fn place(case: &Case<'_>) -> String {
    let id = &case.connector.id;
    if case.connector.is_custom() || case.connector.own.is_some() {
        format!("/v1/admin/projects/{{project}}/environments/{{environment}}/connectors/{id}")
    } else {
        format!("/v1/admin/connectors/{id}")
    }
}

fn redirect(case: &Case<'_>, stand_ins: &StandIns) -> Vec<Finding> {
    let mut found = Vec::new();
    let connector = case.connector;
    if let Some(name) = connector.data.oauth2.as_ref().and_then(|oauth2| oauth2.redirect_uri.as_ref()) {
        found.push(Finding::note(
            "redirect_uri_has_a_name",
            format!("The provider keeps the redirect URI under a name and is sent that in its place: {name}."),
            "Register the address under that name; the address itself never stands in a request.",
        ));
    }
    let Some(base_url) = case.base_url else {
        found.push(Finding::note(
            "no_base_url",
            "No base URL was given; ‹base URL› stands for it.",
            "Try --base-url https://connect.example.com to see the redirect URI as it has to be registered.",
        ));
        return found;
    };
    let base = base_url.trim_end_matches('/');
    if connector.callback() == Callback::Common {
        let own = redirect_uri(base, &connector.id, Callback::Own);
        found.push(Finding::note(
            "redirect_uri_is_common",
            format!("The redirect URI is the one that all connectors share. A client that was registered with {own} is refused: providers compare every character."),
            "Register this very address, or set \"callback\": \"own\".",
        ));
    } else if !connector.is_custom() {
        let common = redirect_uri(base, &connector.id, Callback::Common);
        found.push(Finding::note(
            "redirect_uri_is_own",
            "The redirect URI is the connector's own. Providers compare every character: scheme, host, a trailing slash.",
            format!("A client that was registered with {common} needs \"callback\": \"common\" where it is stored."),
        ));
    }
    found.extend(address(base_url, stand_ins));
    found
}

/// What providers refuse in the address of a redirect URI, whatever stands behind it.
fn address(base_url: &str, stand_ins: &StandIns) -> Vec<Finding> {
    let mut found = Vec::new();
    let Ok(url) = Url::parse(base_url) else {
        return vec![Finding::error(
            "base_url_malformed",
            format!("The base URL {base_url} is none."),
            "It is like https://connect.example.com, without query and fragment.",
        )];
    };
    if base_url.ends_with('/') {
        found.push(Finding::note(
            "base_url_ends_in_a_slash",
            "The base URL ends in a slash, which is left out: the redirect URI has one slash before `connectors`.",
            format!("Register {}.", stand_ins.shown(&stand_ins.redirect_uri)),
        ));
    }
    let own_host =
        matches!(url.host(), Some(Host::Domain(name)) if name == "localhost" || name.ends_with(".localhost"));
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(_)) | None => own_host,
    };
    let in_numbers = matches!(url.host(), Some(Host::Ipv4(_) | Host::Ipv6(_)));
    match (url.scheme(), loopback) {
        ("https", _) => {}
        ("http", true) => found.push(Finding::warning(
            "redirect_uri_is_local",
            "The redirect URI is plain http on this machine. Many providers take that for development, some want https everywhere.",
            "If the provider refuses it, let a tunnel or a reverse proxy answer under an https address and give that as the base URL.",
        )),
        _ => found.push(Finding::error(
            "redirect_uri_is_not_https",
            format!("The redirect URI is {}, and providers want https outside of this machine.", url.scheme()),
            "Give an https address as the base URL.",
        )),
    }
    if in_numbers {
        found.push(Finding::warning(
            "redirect_uri_in_numbers",
            "The redirect URI's host is an address in numbers, which providers often refuse: 127.0.0.1 and localhost are two hosts to them.",
            "Use a name, such as localhost, and register exactly what is used.",
        ));
    }
    found
}

fn values(stand_ins: &StandIns) -> Vec<Finding> {
    let refused = stand_ins.refused.iter().map(|(whose, error)| match whose {
        _ if error.label.is_none() => Finding::error(
            "value_unknown",
            format!("{error}: it is neither a setting of this connector nor what a person types.").replace("is not asked for: it ", ""),
            "Is it spelt right? The connector's page in docs/connectors.md names what there is.",
        ),
        Whose::Operator => Finding::error(
            "setting_refused",
            format!("Setting: {error}."),
            "It is the operator's to choose: give it in \"settings\" where the connector is decided about (here: --set name=value).",
        ),
        Whose::Person => Finding::error(
            "input_refused",
            format!("Input: {error}."),
            "The person who connects would be asked again.",
        ),
    });
    let open = (!stand_ins.open.is_empty()).then(|| {
        let names: Vec<_> = stand_ins.open.iter().map(|name| format!("`{name}`")).collect();
        Finding::note(
            "inputs_open",
            format!("The person who connects is asked for {}; stand-ins are shown.", names.join(", ")),
            "",
        )
    });
    refused.chain(open).collect()
}

fn scopes(case: &Case<'_>, oauth2: &OAuth2) -> Vec<Finding> {
    let mut found = Vec::new();
    let settings = case.connector.settings();
    let (asked, second) = case.connector.scopes();
    let separator = oauth2.scope_separator.as_ref();
    for scope in asked.iter().chain(&second) {
        let apart: Vec<&str> = scope
            .split([' ', ',', ';'])
            .flat_map(|part| part.split(separator))
            .filter(|part| !part.is_empty())
            .collect();
        if apart.len() > 1 {
            found.push(Finding::error(
                "scope_separator",
                format!("`{scope}` is one scope to us, and looks like {}.", apart.len()),
                format!(
                    "Give each by itself: {}. They are joined by {} on the wire.",
                    serde_json::json!(apart),
                    if separator == " " { "a space".to_owned() } else { format!("`{separator}`") },
                ),
            ));
        }
    }
    if let Some(twice) = asked.iter().enumerate().find_map(|(at, scope)| asked[..at].contains(scope).then_some(scope)) {
        found.push(Finding::note("scope_twice", format!("The scope `{twice}` stands twice."), "Take one out."));
    }
    if oauth2.scope_parameter.is_empty() && settings.scopes.as_ref().is_some_and(|scopes| !scopes.is_empty()) {
        found.push(Finding::warning(
            "scopes_not_sent",
            "Scopes are set, and this provider takes none in the request: they are not sent.",
            "Choose them where the client is registered at the provider.",
        ));
    }
    if oauth2.second_scope_parameter.is_none() && !second.is_empty() {
        found.push(Finding::warning(
            "second_scopes_not_sent",
            "Second scopes are set, and this provider has no second scope parameter: they are not sent.",
            "Put them among the scopes.",
        ));
    }
    found
}

/// Whether a parameter is ours to send: the operator's is left out then.
fn is_ours(oauth2: &OAuth2, name: &str) -> bool {
    let renamed = |pairs: &crate::protocol::connector::Pairs| pairs.iter().any(|(_, own)| own == name);
    RESERVED_PARAMS.contains(&name)
        || (name == oauth2.scope_parameter.as_ref() && !name.is_empty())
        || Some(name) == oauth2.second_scope_parameter.as_deref()
        || renamed(&oauth2.parameter_names.authorization_request)
}

fn parameters(case: &Case<'_>, oauth2: &OAuth2) -> Vec<Finding> {
    let settings = case.connector.settings();
    let mut found = Vec::new();
    for (name, value) in &settings.authorization_params {
        if is_ours(oauth2, name) {
            found.push(Finding::warning(
                "parameter_reserved",
                format!("The parameter `{name}` carries the flow and is ours to set: what the operator set is refused or not sent."),
                match name.as_str() {
                    "scope" => "Give scopes in \"scopes\".".to_owned(),
                    "redirect_uri" => "Choose between the own and the common one by \"callback\".".to_owned(),
                    _ => "Take it out of \"authorization_params\".".to_owned(),
                },
            ));
        } else if let Some(usual) = oauth2.authorization_params.value(name).filter(|usual| usual != value) {
            found.push(Finding::note(
                "parameter_replaced",
                format!("The operator's `{name}={value}` is sent in place of the connector's `{name}={usual}`."),
                "",
            ));
        }
    }
    found
}

/// Whether what the operator set takes away what brings a refresh token here. What does is judged by the connector's own data.
fn offline(case: &Case<'_>, oauth2: &OAuth2) -> Vec<Finding> {
    if oauth2.refresh != RefreshKind::RefreshToken || oauth2.grant != Grant::AuthorizationCode {
        return Vec::new();
    }
    let settings = case.connector.settings();
    let (asked, _) = case.connector.scopes();
    let is_offline = |scope: &str| OFFLINE_SCOPES.iter().any(|word| scope.to_ascii_lowercase().contains(word));
    let lost_scope = oauth2.scopes.iter().find(|scope| is_offline(scope) && !asked.contains(&scope.to_string()));
    let lost_param = oauth2.authorization_params.iter().find(|(name, value)| {
        OFFLINE_PARAMS.contains(&(*name, *value))
            && settings.authorization_params.get(*name).is_some_and(|own| own != value)
    });
    let consequence = "Without it no refresh token comes, and every connection ends with its first access token.";
    let scope = lost_scope.map(|scope| {
        Finding::warning(
            "offline_scope_missing",
            format!("The operator's scopes leave out `{scope}`. {consequence}"),
            format!("Add `{scope}` to \"scopes\"."),
        )
    });
    let param = lost_param.map(|(name, value)| {
        let own = settings.authorization_params.get(name).map(String::as_str).unwrap_or_default();
        Finding::warning(
            "offline_parameter_replaced",
            format!("The operator's `{name}={own}` replaces `{name}={value}`. {consequence}"),
            format!("Take `{name}` out of \"authorization_params\"."),
        )
    });
    scope.into_iter().chain(param).collect()
}

fn pkce(notes: &[Text], oauth2: &OAuth2) -> Option<Finding> {
    if oauth2.grant != Grant::AuthorizationCode {
        return None;
    }
    let why = notes.iter().find(|note| note.to_ascii_lowercase().contains("pkce"));
    let why = why.map_or_else(
        || "The connector's data says that the provider refuses it, or takes it from public clients alone.".to_owned(),
        ToString::to_string,
    );
    match oauth2.pkce {
        Pkce::S256 => None,
        Pkce::Plain => {
            Some(Finding::note("pkce_plain", format!("PKCE sends the verifier itself (`plain`). {why}"), ""))
        }
        Pkce::None => Some(Finding::note(
            "pkce_off",
            format!("PKCE is off: the code is protected by the client's secret and the cookie of the attempt. {why}"),
            "",
        )),
    }
}

fn evidence(connector: &Connector) -> Vec<Finding> {
    let evidence = &connector.evidence;
    let doubt = evidence.doubt.as_ref().map(|doubt| {
        Finding::note(
            "doubt",
            format!("Not settled: {doubt}"),
            "Compare with the provider's page before you rely on it.",
        )
    });
    let single = (evidence.level == EvidenceLevel::Single).then(|| {
        Finding::note(
            "single_source",
            format!("The facts rest on one source: {}.", evidence.sources.join(", ")),
            "If something differs from the provider's page, the page is right: override it, or mend the connector's file.",
        )
    });
    doubt.into_iter().chain(single).collect()
}

/// Whether somebody compares our clock with theirs: what signs with a time is refused when it is off.
pub fn signs_with_time(connector: &Connector) -> bool {
    use crate::protocol::connector::Placement;
    let oauth2 = connector
        .oauth2
        .as_ref()
        .is_some_and(|oauth2| oauth2.assertion.is_some() || oauth2.client_assertion.is_some() || oauth2.dpop);
    let login = connector.login.as_ref().is_some_and(|login| login.assertion.is_some());
    let call = match &connector.api.credential {
        Placement::AwsSigv4 { .. } | Placement::Oauth1 {} => true,
        Placement::SignedParameters { timestamp_parameter, .. } => timestamp_parameter.is_some(),
        Placement::Header { .. } | Placement::Query { .. } | Placement::Basic { .. } | Placement::Path {} => false,
    };
    oauth2 || login || call || connector.consent() == Some(Consent::OAuth1)
}
