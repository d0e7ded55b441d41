//! Reads the files of providers, and refuses those that can't be meant.

use std::collections::BTreeSet;

use regex_lite::Regex;

use crate::{
    data::{Endpoint, Provider, Rule},
    engine::methods,
    refusal::is_standard,
};

/// The files that are compiled in: name and text.
pub const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/providers.rs"));

/// Why providers can't be played.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file is not what it should be.
    #[error("{file}.toml: {words}")]
    File {
        /// Its name.
        file: String,
        /// What is wrong.
        words: String,
    },
    /// The system gives no randomness for a key.
    #[error("no key could be made")]
    NoKey,
}

/// The providers of these files.
pub fn providers(files: &[(&str, &str)]) -> Result<Vec<Provider>, LoadError> {
    let mut taken = Taken::default();
    let mut providers = Vec::new();
    for (file, text) in files {
        let wrong = |words: String| LoadError::File { file: (*file).to_owned(), words };
        let provider: Provider = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        check(&provider).map_err(wrong)?;
        taken.take(&provider).map_err(wrong)?;
        providers.push(provider);
    }
    Ok(providers)
}

fn check(provider: &Provider) -> Result<(), String> {
    if provider.ids.is_empty() || provider.hosts.is_empty() || provider.endpoints.is_empty() {
        return Err("ids, hosts and endpoints need an entry each".to_owned());
    }
    let leads_people = provider.endpoints.iter().any(|e| e.authorize.is_some() || e.oauth1.is_some());
    if leads_people && !provider.accounts.contains_key("alice") {
        return Err("where people consent there has to be an account alice".to_owned());
    }
    for endpoint in &provider.endpoints {
        check_endpoint(provider, endpoint).map_err(|words| format!("endpoint {}: {words}", endpoint.name))?;
    }
    let named: BTreeSet<&str> = provider.endpoints.iter().flat_map(cases).collect();
    let named: BTreeSet<&str> = named.into_iter().chain(provider.api.headers.values().filter_map(case)).collect();
    let refusals = provider.refusals.keys().chain(provider.api.refusals.keys());
    let refusals = refusals.chain(provider.endpoints.iter().flat_map(|endpoint| endpoint.refusals.keys()));
    match refusals.into_iter().find(|known| !is_standard(known) && !named.contains(known.as_str())) {
        Some(odd) => Err(format!("refusals.{odd} is no case that ever comes up")),
        None => Ok(()),
    }
}

fn check_endpoint(provider: &Provider, endpoint: &Endpoint) -> Result<(), String> {
    let roles = [
        endpoint.authorize.is_some(),
        endpoint.push.is_some(),
        endpoint.device.is_some(),
        !endpoint.grants.is_empty(),
        endpoint.revoke.is_some(),
        endpoint.api.is_some(),
        endpoint.oauth1.is_some(),
        endpoint.jwks,
        endpoint.answer.is_some(),
    ];
    if roles.iter().filter(|role| **role).count() != 1 {
        return Err("it has to have exactly one role: authorize, push, device, grants, revoke, …".to_owned());
    }
    if provider.endpoints.iter().filter(|other| other.name == endpoint.name).count() > 1 {
        return Err("another one has the same name".to_owned());
    }
    if let Some(api) = &endpoint.api
        && api.credential.is_empty()
        && provider.api.credential.is_empty()
    {
        return Err("an API call needs a credential".to_owned());
    }
    for rule in rules(endpoint).chain(provider.api.headers.values()) {
        if let Rule::Table(table) = rule {
            if let Some(pattern) = &table.pattern {
                Regex::new(pattern).map_err(|error| format!("{pattern}: {error}"))?;
            }
            if table.forbidden && table.optional {
                return Err("what is forbidden is not optional".to_owned());
            }
        }
    }
    if let Some(pattern) = endpoint.authorize.as_ref().and_then(|authorize| authorize.scope_pattern.as_ref()) {
        Regex::new(pattern).map_err(|error| format!("{pattern}: {error}"))?;
    }
    if !endpoint.path.as_str().starts_with('/') {
        return Err("its path has to begin with a slash".to_owned());
    }
    Ok(())
}

fn rules(endpoint: &Endpoint) -> impl Iterator<Item = &Rule> {
    let own = endpoint.headers.values().chain(endpoint.parameters.values()).chain(endpoint.captures.values());
    own.chain(endpoint.grants.iter().flat_map(|grant| grant.headers.values().chain(grant.parameters.values())))
}

fn cases(endpoint: &Endpoint) -> impl Iterator<Item = &str> {
    rules(endpoint).filter_map(case)
}

fn case(rule: &Rule) -> Option<&str> {
    match rule {
        Rule::Table(table) => table.refusal.as_deref(),
        Rule::Exact(_) => None,
    }
}

/// What is taken already: an id stands for one provider, and an address is one endpoint's.
#[derive(Default)]
struct Taken {
    ids: BTreeSet<String>,
    addresses: BTreeSet<String>,
}

impl Taken {
    fn take(&mut self, provider: &Provider) -> Result<(), String> {
        for id in &provider.ids {
            if !self.ids.insert(id.clone()) {
                return Err(format!("{id} is another file's"));
            }
        }
        for endpoint in &provider.endpoints {
            let hosts = if endpoint.hosts.is_empty() { &provider.hosts } else { &endpoint.hosts };
            for host in hosts {
                for method in methods(endpoint) {
                    let address = format!("{method} {}{}", host.as_str(), endpoint.path.as_str());
                    if !self.addresses.insert(address.clone()) {
                        return Err(format!("{address} is another endpoint's"));
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_loads() {
        let loaded = providers(FILES).map(|providers| providers.len()).map_err(|error| error.to_string());
        assert_eq!(loaded, Ok(FILES.len()));
    }

    #[test]
    fn what_can_not_be_meant_is_refused() {
        let api = "[[endpoints]]\nname = 'me'\npath = '/me'\napi = { answer = {} }\n";
        let head = "ids = ['a']\nname = 'A'\nhosts = ['a.example']\n";
        let table = [
            (format!("{head}{api}"), "endpoint me: an API call needs a credential"),
            (format!("{head}[api]\ncredential = [{{ header = ['A', '${{access_token}}'] }}]\n{api}"), "fine"),
            (format!("{head}[[endpoints]]\nname = 'x'\npath = '/'\n"), "endpoint x: it has to have exactly one role"),
            (
                format!("{head}[refusals.oops]\n[[endpoints]]\nname = 'x'\npath = '/'\njwks = true\n"),
                "refusals.oops is no case",
            ),
            (format!("{head}surprise = 1\n"), "unknown field `surprise`"),
        ];
        for (text, expected) in table {
            let said = providers(&[("a", &text)]).map_or_else(|error| error.to_string(), |_| "fine".to_owned());
            assert!(said.contains(expected), "{said}");
        }
    }
}
