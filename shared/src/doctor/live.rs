//! What can be asked of a provider without harm, and what its answers tell.
//!
//! Harmless is a GET of the published metadata (RFC 8414 §3.1, OpenID Connect Discovery §4) and a HEAD of an endpoint, without a
//! query, a body, a cookie or a credential: by RFC 9110 §9.2.1 both are safe, and nothing that could be granted, redeemed or spent
//! goes along. A HEAD's status means little, since most endpoints know POST alone; that an answer came, and its `Date`, is what
//! counts. They go out through [`Egress`] like every call, so that no private address is reached.

use std::{collections::BTreeSet, time::Duration};

use aws_smithy_types::{DateTime, date_time::Format};
use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderValue, header};
use serde_json::Value;
use url::Url;

use super::{Asked, Case, Finding, Report, differences, findings::signs_with_time, stand_ins::StandIns};
use crate::{
    clock::{Clock, Timestamp},
    egress::Egress,
    error::{ProviderError, chain},
    json,
    protocol::{
        connector::{Connector, List, Text},
        origins::Origins,
        request::USER_AGENT,
        template,
    },
};

/// The most that is asked at once.
const MOST: usize = 8;

/// A `Date` has whole seconds and was written before it arrived.
const TOLERATED: Duration = Duration::from_secs(30);

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What for.
    pub what: &'static str,
    /// Where.
    pub url: Url,
    /// Whether the answer is read as metadata.
    pub is_metadata: bool,
}

/// What came back.
#[derive(Debug)]
pub struct Seen {
    /// The question.
    pub probe: Probe,
    /// The answer.
    pub answer: Result<http::Response<Bytes>, ProviderError>,
    /// When it was there.
    pub at: Timestamp,
}

/// Asks, and adds what was learnt to a report.
pub async fn ask(report: Report, case: &Case<'_>, egress: &Egress, clock: &Clock) -> Report {
    let connector = case.connector.data.as_ref();
    let stand_ins = StandIns::of(case);
    let probes = probes(connector, &stand_ins);
    let allowed = with_issuer(connector);
    let seen = match Origins::of(&allowed, &stand_ins.values) {
        Ok(origins) => {
            let asking = probes.into_iter().map(|probe| async {
                let answer = match request(&probe) {
                    Ok(request) => egress.send(request, &origins).await,
                    Err(error) => Err(error),
                };
                Seen { probe, answer, at: clock.now() }
            });
            join_all(asking).await
        }
        Err(_) => Vec::new(),
    };
    judge(report, case, &seen)
}

/// The questions: each once, none whose address has a stand-in for a value that is not known.
fn probes(connector: &Connector, stand_ins: &StandIns) -> Vec<Probe> {
    let filled = |address: &str| {
        let url = template::url(address, &stand_ins.values).ok()?;
        (stand_ins.shown(url.as_str()) == url.as_str()).then_some(url)
    };
    let issuer = connector.oauth2.as_ref().and_then(|oauth2| oauth2.issuer.as_deref()).and_then(filled);
    let metadata = issuer.iter().flat_map(metadata).map(|url| Probe { what: "metadata", url, is_metadata: true });
    let mut asked = BTreeSet::new();
    let ends = template::endpoints(connector).map(|(_, address)| ("endpoint", address));
    let api = std::iter::once(("API", connector.api.base_url.as_ref()));
    // the token endpoint first, whose clock counts most; then what lies at another origin
    let mut ends: Vec<_> = ends.chain(api).collect();
    let token = connector.oauth2.as_ref().map(|oauth2| oauth2.token_endpoint.as_ref());
    ends.sort_by_key(|(_, address)| Some(*address) != token);
    let ends = ends.into_iter().filter_map(|(what, address)| {
        let mut url = filled(address)?;
        url.set_query(None);
        let first = asked.insert(url.origin().ascii_serialization());
        let what = if Some(address) == token { "token endpoint" } else { what };
        first.then_some(Probe { what, url, is_metadata: false })
    });
    metadata.chain(ends).take(MOST).collect()
}

/// Where an issuer publishes its metadata: RFC 8414 §3.1 puts the well-known part before the issuer's path, OpenID Connect behind.
fn metadata(issuer: &Url) -> Vec<Url> {
    let path = issuer.path().trim_end_matches('/');
    [format!("/.well-known/oauth-authorization-server{path}"), format!("{path}/.well-known/openid-configuration")]
        .into_iter()
        .map(|path| {
            let mut url = issuer.clone();
            url.set_path(&path);
            url
        })
        .collect()
}

/// The connector, allowed to ask its issuer too.
fn with_issuer(connector: &Connector) -> Connector {
    let mut connector = connector.clone();
    let issuer = connector.oauth2.as_ref().and_then(|oauth2| Url::parse(oauth2.issuer.as_deref()?).ok());
    if let Some(issuer) = issuer {
        let mut origins = connector.api.origins.to_vec();
        origins.push(Text::Owned(issuer.origin().ascii_serialization()));
        connector.api.origins = List::Owned(origins);
    }
    connector
}

fn request(probe: &Probe) -> Result<http::Request<Bytes>, ProviderError> {
    let mut request = http::Request::new(Bytes::new());
    *request.method_mut() = if probe.is_metadata { http::Method::GET } else { http::Method::HEAD };
    *request.uri_mut() = probe.url.as_str().parse().map_err(|_| ProviderError::AddressRefused)?;
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    Ok(request)
}

/// What the answers tell.
#[must_use]
pub fn judge(mut report: Report, case: &Case<'_>, seen: &[Seen]) -> Report {
    let connector = case.connector.data.as_ref();
    report.asked = seen.iter().map(asked).collect();
    let mut found: Vec<Finding> = seen.iter().filter_map(unreachable).collect();
    found.extend(skew(connector, seen));
    let documents: Vec<&Seen> = seen.iter().filter(|seen| seen.probe.is_metadata).collect();
    match (documents.iter().find_map(|seen| metadata_of(seen)), documents.is_empty()) {
        (Some(metadata), _) => found.extend(differences::between(case, &metadata)),
        (None, false) => found.push(no_metadata(&documents)),
        (None, true) if connector.oauth2.is_some() => found.push(Finding::note(
            "no_issuer",
            "No issuer is known, so that there are no metadata to compare with.",
            "",
        )),
        (None, true) => {}
    }
    report.with(found)
}

/// A document that says everything once, as discovery wants it.
fn metadata_of(seen: &Seen) -> Option<Value> {
    let answer = seen.answer.as_ref().ok().filter(|answer| answer.status().is_success())?;
    json::object(answer.body()).ok()?;
    serde_json::from_slice(answer.body()).ok()
}

/// Why there is nothing to compare with: something that can't be read is not nothing.
fn no_metadata(documents: &[&Seen]) -> Finding {
    let odd = documents.iter().find_map(|seen| {
        let status = seen.answer.as_ref().ok()?.status().as_u16();
        let why = match status {
            200..=299 => "is no JSON object, or has a member twice".to_owned(),
            300..=399 => format!("answers with a redirect (status {status}), and none is followed"),
            500..=599 => format!("answers with status {status}"),
            _ => return None,
        };
        Some(format!("The metadata at {} can't be read: it {why}.", seen.probe.url))
    });
    match odd {
        Some(what) => Finding::warning(
            "metadata_unreadable",
            what,
            "Compare `issuer` in the connector's data with the provider's page; if it is right, try again: it is the provider's to mend.",
        ),
        None => Finding::warning(
            "no_metadata",
            "The issuer publishes no metadata at either of its usual addresses.",
            "Compare `issuer` in the connector's data with the provider's page.",
        ),
    }
}

fn asked(seen: &Seen) -> Asked {
    Asked {
        what: seen.probe.what,
        method: if seen.probe.is_metadata { "GET" } else { "HEAD" },
        url: seen.probe.url.to_string(),
        outcome: match &seen.answer {
            Ok(answer) => answer.status().as_u16().to_string(),
            Err(error) => why(error).0.to_owned(),
        },
    }
}

/// Why nothing came back, in words, and what to do.
fn why(error: &ProviderError) -> (&'static str, &'static str) {
    let chain = chain(error).to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| chain.contains(word));
    match error {
        ProviderError::Timeout => (
            "it did not answer in time",
            "Try again; if it stays so, look at the provider's status page and at our way out.",
        ),
        ProviderError::AddressRefused => (
            "its address is not a public one, and no such address is called",
            "Is the name spelt right? A provider inside a network can't be connected; on this machine only the local server may call it.",
        ),
        ProviderError::Unreachable(_) if says(&["dns", "lookup", "resolve"]) => {
            ("its name does not resolve", "Is the host spelt right, and what the person or operator gave for it?")
        }
        ProviderError::Unreachable(_) if says(&["certificate", "tls", "handshake", "unknownissuer"]) => (
            "its certificate is not believed, or TLS fails",
            "Only certificates of public authorities are believed. Is something between us and the provider?",
        ),
        ProviderError::Unreachable(_) => ("it can't be reached", "Is the address right, and may we call out?"),
        ProviderError::Refused(_)
        | ProviderError::Ended(_)
        | ProviderError::NothingFound
        | ProviderError::InvalidResponse(_)
        | ProviderError::CallbackSignature(_)
        | ProviderError::Failed(_) => {
            ("its answer could not be read", "Try again; look at the provider's status page.")
        }
    }
}

/// A metadata document that is not there is no fault of an address: there are two for it.
fn unreachable(seen: &Seen) -> Option<Finding> {
    match &seen.answer {
        Err(error) => {
            let (why, remedy) = why(error);
            let what = format!("The {} {} was asked: {why}.", seen.probe.what, seen.probe.url);
            Some(Finding::error("unreachable", what, remedy))
        }
        Ok(answer) if matches!(answer.status().as_u16(), 502..=504) && !seen.probe.is_metadata => {
            Some(Finding::warning(
                "provider_fails",
                format!("The {} {} answers with status {}.", seen.probe.what, seen.probe.url, answer.status().as_u16()),
                "Look at the provider's status page.",
            ))
        }
        Ok(_) => None,
    }
}

/// How far our clock is from theirs, by the answers' `Date` (RFC 9110 §6.6.1). A cache's date is old by its `Age`.
fn skew(connector: &Connector, seen: &[Seen]) -> Option<Finding> {
    let (seen, theirs) = seen.iter().filter(|seen| !seen.probe.is_metadata).find_map(|seen| {
        let headers = seen.answer.as_ref().ok()?.headers();
        if headers.contains_key(header::AGE) {
            return None;
        }
        let date = headers.get(header::DATE)?.to_str().ok()?;
        let at = DateTime::from_str(date, Format::HttpDate).ok()?;
        Some((seen, Timestamp::from_secs(u64::try_from(at.secs()).ok()?)))
    })?;
    let (ours, theirs) = (seen.at, theirs);
    let (apart, which) = if ours > theirs { (theirs.until(ours), "ahead of") } else { (ours.until(theirs), "behind") };
    if apart <= TOLERATED {
        return None;
    }
    let what = format!("Our clock is {} seconds {which} the provider's ({}).", apart.as_secs(), seen.probe.url);
    let remedy = "Let this machine's clock be set by the network (NTP).";
    Some(if signs_with_time(connector) {
        let what = format!("{what} What it is sent here is signed with the time, and refused when that is off.");
        Finding::error("clock_skew", what, remedy)
    } else {
        let what = format!("{what} Tokens are taken to end at another time than they do.");
        Finding::warning("clock_skew", what, remedy)
    })
}
