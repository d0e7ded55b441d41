//! The command line.

use std::collections::BTreeMap;

use shared::store::attempts::Callback;
use url::Url;

pub const HELP: &str = "\
Shows what would be sent to a provider, the redirect URI to register there, and what usually goes wrong.

  cargo run -p doctor -- <connector> [options]
  cargo run -p doctor -- --file my-provider.toml [options]
  cargo run -p doctor -- --write-docs

  --base-url URL        the deployment's address, as in https://connect.example.com
  --client-id ID        the client that you registered; its secret is never asked for
  --scopes \"A B\"        in place of the connector's own, separated by spaces
  --param NAME=VALUE    a further authorization parameter (again for more)
  --set NAME=VALUE      a setting, or what the person would type (again for more)
  --callback common     the client was registered with the redirect URI that all connectors share
  --file FILE           a connector of your own, read and checked as the build does
  --live                ask the provider what can be asked without harm: its metadata by GET, its endpoints by HEAD
  --allow-loopback      the provider runs on this machine
  --json                for programs
  --write-docs          write docs/connectors.md anew

Exit codes: 0 nothing stands in the way, 1 there are warnings, 2 it can't work, or could not be looked at.
";

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    Help,
    Docs,
    Connector(String),
    File(String),
}

#[derive(Debug)]
pub struct Arguments {
    pub wanted: Wanted,
    pub base_url: Option<String>,
    pub client_id: Option<String>,
    pub scopes: Option<Vec<String>>,
    pub params: BTreeMap<String, String>,
    pub set: BTreeMap<String, String>,
    pub callback: Callback,
    pub live: bool,
    pub loopback: bool,
    pub json: bool,
}

impl Arguments {
    /// Reads them; the error is a sentence for whoever typed them.
    pub fn parse(given: &[String]) -> Result<Self, String> {
        let mut read = Self {
            wanted: Wanted::Help,
            base_url: None,
            client_id: None,
            scopes: None,
            params: BTreeMap::new(),
            set: BTreeMap::new(),
            callback: Callback::Own,
            live: false,
            loopback: false,
            json: false,
        };
        let mut words = given.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().cloned().ok_or_else(|| format!("{word} needs a value. --help shows how."));
            match word.as_str() {
                "--help" | "-h" => return Ok(Self { wanted: Wanted::Help, ..read }),
                "--write-docs" => read.wanted = Wanted::Docs,
                "--live" => read.live = true,
                "--allow-loopback" => read.loopback = true,
                "--json" => read.json = true,
                "--base-url" => read.base_url = Some(base_url(&value()?)?),
                "--client-id" => read.client_id = Some(value()?),
                "--scopes" => read.scopes = Some(value()?.split_whitespace().map(str::to_owned).collect()),
                "--file" => read.wanted = Wanted::File(value()?),
                "--param" => read.params.extend([pair(word, &value()?)?]),
                "--set" => read.set.extend([pair(word, &value()?)?]),
                "--callback" => read.callback = callback(&value()?)?,
                option if option.starts_with('-') => return Err(format!("{option} is no option. --help shows them.")),
                id if read.wanted == Wanted::Help => read.wanted = Wanted::Connector(id.to_owned()),
                more => return Err(format!("{more}: one connector at a time.")),
            }
        }
        Ok(read)
    }
}

fn pair(option: &str, text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("{option} takes NAME=VALUE."))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The deployment's address as it was typed: a slash at its end is for the report to speak of.
fn base_url(text: &str) -> Result<String, String> {
    let plain = |url: Url| {
        let alone =
            url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        alone && matches!(url.scheme(), "https" | "http")
    };
    if Url::parse(text).is_ok_and(plain) {
        return Ok(text.to_owned());
    }
    Err("--base-url takes an address like https://connect.example.com, without a user, a query or a fragment."
        .to_owned())
}

fn callback(text: &str) -> Result<Callback, String> {
    match text {
        "own" => Ok(Callback::Own),
        "common" => Ok(Callback::Common),
        other => Err(format!("--callback is own or common, not {other}.")),
    }
}
