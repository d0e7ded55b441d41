//! What would be sent to each provider of the catalogue, word for word: a file for each kind of grant, to be read when it changes.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write, path::PathBuf};

use shared::{
    catalog::Catalog,
    clock::{Random, Timestamp},
    doctor::{Case, Exchange, Report, Severity, examine},
    flow::connector_in_use::ConnectorInUse,
    id::ConnectorId,
    protocol::connector::Connector,
};

fn file(grant: &str) -> PathBuf {
    PathBuf::from(format!("{}/tests/requests/{grant}.txt", env!("CARGO_MANIFEST_DIR")))
}

fn report(connector: &Connector) -> Report {
    let in_use = ConnectorInUse::new(ConnectorId::of(connector), Cow::Borrowed(connector), None, None);
    examine(&Case {
        connector: &in_use,
        notes: &[],
        base_url: Some("https://connect.example.com"),
        app_name: "Orbit",
        given: &BTreeMap::new(),
        deployed: false,
        now: Timestamp::from_secs(1_795_263_900),
        random: &Random::system(),
    })
}

/// One request in a few lines.
fn written(request: &Exchange) -> String {
    let Exchange { title, method, url, headers, body, .. } = request;
    let mut text = format!("{title}\n  {method} {url}\n");
    for (name, value) in headers {
        let _ = writeln!(text, "  {name}: {value}");
    }
    for line in body.iter().flat_map(|body| body.lines()) {
        let _ = writeln!(text, "  {line}");
    }
    text
}

/// Everything that is sent, by the first way in which a connection comes to be.
fn by_grant() -> BTreeMap<&'static str, String> {
    let mut files = BTreeMap::<_, String>::new();
    for connector in Catalog::builtin().iter() {
        let report = report(connector);
        let text = files.entry(report.grants.first().copied().unwrap_or("none")).or_default();
        let requests: Vec<String> = report.requests.iter().map(written).collect();
        let _ = writeln!(text, "## {}\n\n{}", connector.id, requests.join("\n"));
    }
    files
}

#[test]
fn what_is_sent_is_what_was_read() {
    for (grant, expected) in by_grant() {
        let kept = std::fs::read_to_string(file(grant)).unwrap_or_default();
        let differs = kept.lines().zip(expected.lines()).find(|(kept, now)| kept != now);
        assert!(
            kept == expected,
            "{grant}: {differs:?}; read it, then: cargo test -p doctor -- --ignored write_the_requests"
        );
    }
}

#[test]
fn every_request_of_the_catalogue_can_be_made() {
    let broken: Vec<String> = (Catalog::builtin().iter())
        .flat_map(|connector| {
            report(connector).findings.into_iter().map(move |finding| (connector.id.clone(), finding))
        })
        // what the operator chooses is not chosen here; a stand-in takes its place
        .filter(|(_, finding)| finding.severity == Severity::Error && finding.code != "setting_refused")
        .map(|(id, finding)| format!("{id}: {} {}", finding.code, finding.what))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
#[ignore = "writes into the tree"]
fn write_the_requests() {
    for (grant, text) in by_grant() {
        std::fs::create_dir_all(file(grant).parent().unwrap()).unwrap();
        std::fs::write(file(grant), text).unwrap();
    }
}
