//! What would be sent to a provider, and what usually goes wrong there: told before anybody is sent anywhere.
//!
//! The requests are made by the code that makes them in the flow, out of stand-ins where a secret, a code or a value
//! that is not known yet would be. So a report can hold no secret: none is read to write it. Everything here is pure but for
//! [`live`], which asks the provider what can be asked without harm.

mod differences;
mod findings;
pub mod live;
mod requests;
mod stand_ins;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    clock::{Random, Timestamp},
    flow::connector_in_use::ConnectorInUse,
    protocol::connector::{EvidenceLevel, Text},
};

/// What is looked at.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// The connector, with what the operator decided.
    pub connector: &'a ConnectorInUse<'a>,
    /// Its [notes](crate::catalog::Catalog::notes).
    pub notes: &'a [Text],
    /// The deployment's address, where there is one.
    pub base_url: Option<&'a str>,
    /// How the app calls itself.
    pub app_name: &'a str,
    /// What the person would type; what is left out is a stand-in. A secret is never shown.
    pub given: &'a BTreeMap<String, String>,
    /// Whether there is a deployment, whose settings count. Otherwise the connector's data alone is looked at.
    pub deployed: bool,
    /// When.
    pub now: Timestamp,
    /// What a JWT takes its id from.
    pub random: &'a Random,
}

/// What was found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The connector's id.
    pub connector: String,
    /// The provider's name.
    pub name: String,
    /// How well its facts are known.
    pub evidence: EvidenceLevel,
    /// The provider's own page on authentication.
    pub docs_url: Option<String>,
    /// By which ways a connection comes to be.
    pub grants: Vec<&'static str>,
    /// The exact text to register at the provider; absent where nobody is sent there.
    pub redirect_uri: Option<String>,
    /// Every request, in the order of the flow.
    pub requests: Vec<Exchange>,
    /// What was asked of the provider just now; empty unless that was wanted.
    pub asked: Vec<Asked>,
    /// What is wrong, doubtful or worth knowing, the worst first.
    pub findings: Vec<Finding>,
    /// What comes of it.
    pub verdict: Verdict,
}

/// A request as it would go out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exchange {
    /// What it is, with the section that describes it.
    pub title: String,
    /// Who sends it.
    pub sender: Sender,
    /// The method.
    pub method: String,
    /// The address with its query, as on the wire.
    pub url: String,
    /// Names and values, in their order.
    pub headers: Vec<(String, String)>,
    /// The body, as on the wire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sender {
    /// The person's browser.
    Browser,
    /// Mooring.
    Mooring,
}

/// Something worth knowing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// A stable name.
    pub code: &'static str,
    /// What was found.
    pub what: String,
    /// What to do; empty where there is nothing to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remedy: String,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It can't work so.
    Error,
    /// It may not work, or not for long.
    Warning,
    /// It is as it is.
    Note,
}

/// What comes of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing stands in the way that could be seen from here.
    Ready,
    /// It may fail: there are warnings.
    Doubtful,
    /// It can't work: there are errors.
    Broken,
}

/// Something that was asked of the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// What for.
    pub what: &'static str,
    /// How.
    pub method: &'static str,
    /// Where.
    pub url: String,
    /// What came back: a status, or why nothing did.
    pub outcome: String,
}

impl Finding {
    fn new(severity: Severity, code: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity, code, what: what.into(), remedy: remedy.into() }
    }

    fn error(code: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, what, remedy)
    }

    fn warning(code: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, what, remedy)
    }

    fn note(code: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, what, remedy)
    }
}

impl Verdict {
    fn of(findings: &[Finding]) -> Self {
        match findings.iter().map(|finding| finding.severity).min() {
            Some(Severity::Error) => Self::Broken,
            Some(Severity::Warning) => Self::Doubtful,
            Some(Severity::Note) | None => Self::Ready,
        }
    }
}

/// Looks at a connector without asking anybody.
#[must_use]
pub fn examine(case: &Case<'_>) -> Report {
    let data = case.connector.data.as_ref();
    let stand_ins = stand_ins::StandIns::of(case);
    let (requests, broken) = requests::all(case, &stand_ins);
    let findings = findings::all(case, &stand_ins).into_iter().chain(broken).collect();
    let registered = data.consent().is_some() && !requests::is_without_browser(data);
    Report {
        connector: data.id.to_string(),
        name: data.name.to_string(),
        evidence: data.evidence.level,
        docs_url: data.docs_url.as_deref().map(str::to_owned),
        grants: data.grants(),
        redirect_uri: registered.then(|| stand_ins.shown(&stand_ins.redirect_uri)),
        requests,
        asked: Vec::new(),
        findings: Vec::new(),
        verdict: Verdict::Ready,
    }
    .with(findings)
}

impl Report {
    /// The same with further findings, which may change the verdict.
    #[must_use]
    fn with(mut self, findings: Vec<Finding>) -> Self {
        self.findings.extend(findings);
        self.findings.sort_by_key(|finding| finding.severity);
        self.verdict = Verdict::of(&self.findings);
        self
    }
}

#[cfg(test)]
mod tests;
