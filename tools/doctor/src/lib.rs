//! A look at a connector before anybody is sent to its provider: the requests that would go out, the redirect URI to register, and
//! what usually goes wrong, each with what to do.
//!
//! The thinking is [`shared::doctor`], which an admin route shows too; here are arguments and words. Exit codes: 0 nothing stands
//! in the way, 1 there are warnings, 2 it can't work, or could not be looked at.

mod arguments;
#[path = "../../../shared/src/catalog/compile.rs"]
#[expect(dead_code, reason = "of the build step's half one file is read here, as it reads it")]
mod compile;
pub mod page;
pub mod text;

use std::{borrow::Cow, collections::BTreeMap, path::Path};

use shared::{
    catalog::Catalog,
    clock::{Clock, Random},
    doctor::{Case, Report, Verdict, examine, live},
    egress::Egress,
    flow::connector_in_use::ConnectorInUse,
    id::ConnectorId,
    protocol::connector::{self, Connector},
    store::settings::ConnectorSettings,
};

use arguments::{Arguments, HELP, Wanted};

/// What is written, and what the process ends with.
pub struct Outcome {
    /// To standard output.
    pub text: String,
    /// 0, 1 or 2.
    pub code: u8,
}

/// Does what the arguments say.
pub async fn run(arguments: &[String], coloured: bool) -> Outcome {
    match attempt(arguments, coloured).await {
        Ok(outcome) => outcome,
        Err(why) => Outcome { text: format!("{why}\n"), code: 2 },
    }
}

async fn attempt(arguments: &[String], coloured: bool) -> Result<Outcome, String> {
    let arguments = Arguments::parse(arguments)?;
    match &arguments.wanted {
        Wanted::Help => Ok(Outcome { text: HELP.to_owned(), code: 0 }),
        Wanted::Docs => write_docs(),
        Wanted::Connector(id) => {
            let catalog = Catalog::builtin();
            let data = catalog.connector(id).ok_or_else(|| unknown(&catalog, id))?;
            let noted = Connector { notes: catalog.notes(data), ..data.clone() };
            report(&arguments, noted, coloured).await
        }
        Wanted::File(file) => {
            let file = Path::new(file);
            let toml = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
            let entry = compile::Entry::read(file, &toml, family).map_err(|error| error.to_string())?;
            let checked = entry.connector.check(arguments.loopback);
            checked.map_err(|error| entry.told(&error.field, &error.message).to_string())?;
            report(&arguments, entry.connector, coloured).await
        }
    }
}

/// A family beside the file, or else one of the catalogue's.
fn family(file: &Path) -> std::io::Result<String> {
    let shipped = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/catalog/families"));
    let name = file.file_name().unwrap_or_default();
    std::fs::read_to_string(file).or_else(|_| std::fs::read_to_string(shipped.join(name)))
}

fn unknown(catalog: &Catalog, id: &str) -> String {
    let near = catalog.nearest(id);
    if near.is_empty() {
        return format!(
            "There is no connector {id}. docs/connectors.md lists them all; --file looks at one of your own."
        );
    }
    format!("There is no connector {id}. Did you mean {}?", near.join(", "))
}

async fn report(arguments: &Arguments, data: Connector, coloured: bool) -> Result<Outcome, String> {
    let id = ConnectorId::parse(&data.id).ok_or("the connector's id is none")?;
    let is_setting = |name: &str| data.settings.iter().any(|setting| setting.name == name);
    let (settings, given): (BTreeMap<_, _>, BTreeMap<_, _>) =
        arguments.set.clone().into_iter().partition(|(name, _)| is_setting(name));
    let decided = ConnectorSettings {
        client_id: arguments.client_id.clone(),
        scopes: arguments.scopes.clone(),
        authorization_params: arguments.params.clone(),
        callback: arguments.callback,
        settings,
        ..ConnectorSettings::default()
    };
    let connector = ConnectorInUse::new(id, Cow::Owned(data), None, Some(decided));
    let (clock, random) = (Clock::system(), Random::system());
    let case = Case {
        connector: &connector,
        notes: &connector.data.notes,
        base_url: arguments.base_url.as_deref(),
        app_name: "Mooring",
        given: &given,
        deployed: false,
        now: clock.now(),
        random: &random,
    };
    let mut report = examine(&case);
    if arguments.live {
        let egress = Egress::new(shared::aws::tls(), arguments.loopback).map_err(|error| error.to_string())?;
        report = live::ask(report, &case, &egress, &clock).await;
    }
    let text = if arguments.json { json(&report)? } else { text::of(&report, coloured) };
    Ok(Outcome { text, code: code(report.verdict) })
}

fn json(report: &Report) -> Result<String, String> {
    serde_json::to_string_pretty(report).map(|text| text + "\n").map_err(|error| error.to_string())
}

fn code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Ready => 0,
        Verdict::Doubtful => 1,
        Verdict::Broken => 2,
    }
}

/// Where the page about all connectors stands.
#[must_use]
pub fn docs() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/connectors.md"))
}

fn write_docs() -> Result<Outcome, String> {
    let catalog = Catalog::builtin();
    std::fs::write(docs(), page::of(&catalog)).map_err(|error| format!("{}: {error}", docs().display()))?;
    Ok(Outcome { text: format!("docs/connectors.md: {} connectors\n", catalog.iter().count()), code: 0 })
}
