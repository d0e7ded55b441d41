//! The connectors there are: `shared/catalog`, compiled into the program, and those added at construction.

mod check;
#[cfg(test)]
mod compile;

use std::borrow::Cow;

pub use check::CheckError;

#[cfg(test)]
use crate::protocol::connector;
use crate::protocol::connector::{
    Api, BodyFormat, Captures, ClientAuthentication, Connector, ErrorSignal, Evidence, EvidenceLevel, Input, Lookup,
    OAuth2, Pairs, Pkce, Placement, Profile, ProfileMethod, RefreshKind, Revoke, RevokeAuthentication, RevokeEffect,
    RevokeMethod, TokenResponsePaths,
};

include!(concat!(env!("OUT_DIR"), "/connectors.rs"));

/// The connectors that a deployment offers. Looking one up parses nothing and allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Sorted by id.
    added: Vec<Connector>,
}

impl Catalog {
    /// The connectors that ship.
    #[must_use]
    pub fn builtin() -> Self {
        Self::default()
    }

    /// Adds a connector, or puts it in the place of another with its id.
    #[must_use]
    pub fn with(mut self, connector: Connector) -> Self {
        match self.added.binary_search_by(|added| added.id.cmp(&connector.id)) {
            Ok(at) => self.added[at] = connector,
            Err(at) => self.added.insert(at, connector),
        }
        self
    }

    /// The connector under an id.
    #[must_use]
    pub fn connector(&self, id: &str) -> Option<&Connector> {
        find(&self.added, id).or_else(|| find(&CONNECTORS, id))
    }

    /// All connectors, sorted by id.
    pub fn iter(&self) -> impl Iterator<Item = &Connector> {
        let shipped = CONNECTORS.iter().filter(|connector| find(&self.added, &connector.id).is_none());
        let mut all: Vec<&Connector> = shipped.chain(&self.added).collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all.into_iter()
    }
}

fn find<'a>(sorted: &'a [Connector], id: &str) -> Option<&'a Connector> {
    sorted.binary_search_by(|connector| connector.id.as_ref().cmp(id)).ok().and_then(|at| sorted.get(at))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use super::*;
    use crate::protocol::{origins::Origins, template};

    fn ids(catalog: &Catalog) -> Vec<&str> {
        catalog.iter().map(|connector| connector.id.as_ref()).collect()
    }

    fn demo(id: &'static str) -> Connector {
        Connector { id: id.into(), name: "Demo".into(), ..Catalog::builtin().connector("github").unwrap().clone() }
    }

    #[test]
    fn the_table_is_sorted() {
        assert_eq!(
            ids(&Catalog::builtin()),
            [
                "dropbox",
                "github",
                "gmail",
                "google-drive",
                "hubspot",
                "jira",
                "notion",
                "openai",
                "outlook",
                "quickbooks",
                "salesforce",
                "sendgrid",
                "slack",
                "stripe-api-key",
                "twilio",
            ]
        );
        assert!(CONNECTORS.is_sorted_by(|a, b| a.id < b.id));
    }

    #[test]
    fn the_table_is_what_the_files_say() {
        let files = compile::folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("catalog")).unwrap();
        assert_eq!(files, CONNECTORS);
    }

    #[test]
    fn every_connector_can_be_acted_upon() {
        for connector in &CONNECTORS {
            assert_eq!(connector.check(false), Ok(()), "{}", connector.id);
        }
    }

    #[test]
    fn every_connector_has_its_evidence() {
        for Connector { id, evidence, docs_url, .. } in &CONNECTORS {
            let wanted = match evidence.level {
                EvidenceLevel::Verified | EvidenceLevel::Single => 1,
                EvidenceLevel::Agreed => 2,
                EvidenceLevel::Custom => panic!("{id}: the catalogue has evidence"),
            };
            assert!(evidence.sources.len() >= wanted, "{id}: {wanted} sources at least");
            assert!(evidence.sources.is_sorted() && docs_url.is_some(), "{id}: sorted sources and the provider's page");
            let digits =
                evidence.read.split('-').map(|part| part.parse::<u16>().map_or(0, |_| part.len())).collect::<Vec<_>>();
            assert_eq!(digits, [4, 2, 2], "{id}: the day of reading");
        }
    }

    #[test]
    fn defaults_and_examples_make_an_allow_list() {
        let learnt = [
            ("account_sid", "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
            ("api_key", "key"),
            ("auth_token", "token"),
            ("cloud_id", "1324a887-45db-1bf4-1e99-ef0ff456d421"),
            ("instance_url", "https://acme--dev.sandbox.my.salesforce.com"),
            ("realm_id", "1231434565226279"),
        ];
        for connector in &CONNECTORS {
            let asked = |name: &str| connector.inputs.iter().any(|input| input.name == name);
            let typed = learnt
                .iter()
                .filter(|(name, _)| asked(name))
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let mut values = template::inputs(connector, &connector.inputs, &typed.collect()).unwrap();
            values.extend(template::inputs(connector, &connector.settings, &BTreeMap::new()).unwrap());
            for (name, value) in learnt {
                values.insert(name, value);
            }
            let base_url = template::base_url(connector, &values).unwrap();
            assert!(Origins::of_api(connector, &values).unwrap().permits(&base_url), "{}: {base_url}", connector.id);
        }
    }

    #[test]
    fn a_connector_is_found_by_its_id_only() {
        let catalog = Catalog::builtin().with(demo("aaa")).with(demo("zzz")).with(demo("demo"));
        for id in ids(&catalog) {
            assert_eq!(catalog.connector(id).unwrap().id, id);
        }
        for id in ["", "git", "github ", "Github", "zzzz"] {
            assert_eq!(catalog.connector(id), None, "{id}");
        }
    }

    #[test]
    fn an_added_connector_takes_its_place() {
        let catalog = Catalog::builtin().with(demo("github")).with(demo("demo")).with(demo("demo"));
        assert_eq!(catalog.connector("github").unwrap().name, "Demo");
        assert_eq!(catalog.iter().count(), CONNECTORS.len() + 1);
        assert!(catalog.iter().is_sorted_by(|a, b| a.id < b.id));
    }

    #[test]
    fn a_misspelt_field_is_named_with_its_file_and_line() {
        let toml = "name = \"Acme\"\n\n[api]\nbase_url = \"https://api.acme.example\"\nbase_urls = []\n";
        let error = compile::connector(Path::new("catalog/acme.toml"), toml).unwrap_err().to_string();
        for part in ["catalog/acme.toml", "line 5", "base_urls"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_literal_escapes_what_it_quotes() {
        let connector = Connector { name: "\"quoted\" {\\} \n é".into(), ..demo("quoted") };
        assert!(compile::table(&[connector]).contains(r#"name: Cow::Borrowed("\"quoted\" {\\} \n é")"#));
    }
}
