//! `docs/connectors.md`: every connector in a table, and what is worth knowing of each below it.

use std::{collections::BTreeMap, fmt::Write};

use shared::{
    catalog::Catalog,
    protocol::connector::{Connector, EvidenceLevel, Input, Text},
};

/// The page of all connectors. GitHub shows a page of up to 512 KiB, so it says each thing once.
#[must_use]
pub fn of(catalog: &Catalog) -> String {
    let mut by_name: Vec<&Connector> = catalog.iter().collect();
    by_name.sort_by_key(|connector| (connector.name.to_lowercase(), connector.id.clone()));
    let mut page = head(&by_name);
    page += &table(&by_name);
    page += &categories(&by_name);
    page += "\n## Each of them\n";
    for connector in by_name {
        details(&mut page, connector, &catalog.notes(connector));
    }
    page
}

fn head(connectors: &[&Connector]) -> String {
    let count = |level| connectors.iter().filter(|connector| connector.evidence.level == level).count();
    format!(
        "<!-- Written by `cargo run -p doctor -- --write-docs` from shared/catalog; changes by hand are lost. -->\n\
         # Connectors\n\n\
         There are {}. `cargo run -p doctor -- <id>` shows what is sent to a provider and what to register there; a provider that is\n\
         missing is one file (CONTRIBUTING.md), or a project's own connector.\n\n\
         How well the facts are known: *verified* ({}), the documented exchange was exercised against a server that plays it; *agreed*\n\
         ({}), independent sources have the same addresses; *single* ({}), one source has them. What contradicts an entry, or was\n\
         not settled, is its *doubt*. No provider was connected with a real account while this was written.\n",
        connectors.len(),
        count(EvidenceLevel::Verified),
        count(EvidenceLevel::Agreed),
        count(EvidenceLevel::Single),
    )
}

fn table(connectors: &[&Connector]) -> String {
    let mut table =
        "\n## All\n\n| connector | id | connected by | the person is asked for | evidence |\n|---|---|---|---|---|\n"
            .to_owned();
    for connector in connectors {
        let doubt = if connector.evidence.doubt.is_some() { ", a doubt" } else { "" };
        let _ = writeln!(
            table,
            "| [{}](#{}) | `{}` | {} | {} | {}{doubt} |",
            cell(&connector.name),
            connector.id,
            connector.id,
            ways(connector),
            cell(&labels(&connector.inputs)),
            word(connector.evidence.level),
        );
    }
    table
}

fn categories(connectors: &[&Connector]) -> String {
    let mut by_category: BTreeMap<&str, Vec<&Connector>> = BTreeMap::new();
    for connector in connectors {
        for category in connector.categories.iter() {
            by_category.entry(category).or_default().push(connector);
        }
    }
    let mut text = "\n## By category\n".to_owned();
    for (category, connectors) in by_category {
        let links: Vec<_> =
            connectors.iter().map(|connector| format!("[{}](#{})", plain(&connector.name), connector.id)).collect();
        let _ = write!(text, "\n**{category}** ({}): {}\n", links.len(), links.join(", "));
    }
    text
}

/// A heading is the id: its anchor on GitHub is then the id too, and never changes.
fn details(page: &mut String, connector: &Connector, notes: &[Text]) {
    let Connector { id, name, docs_url, evidence, inputs, settings, .. } = connector;
    let _ = write!(page, "\n### {id}\n\n**{}**", plain(name));
    if let Some(docs) = docs_url {
        let _ = write!(page, " · [documentation]({docs})");
    }
    let _ = writeln!(page, " · {}", ways(connector));
    page.push('\n');
    if !inputs.is_empty() {
        let _ = writeln!(page, "- The person is asked for: {}.", plain(&labels(inputs)));
    }
    if !settings.is_empty() {
        let _ = writeln!(page, "- The operator chooses: {}.", plain(&labels(settings)));
    }
    let scopes = connector.oauth2.as_ref().map(|oauth2| oauth2.scopes.join("` `")).filter(|scopes| !scopes.is_empty());
    if let Some(scopes) = scopes {
        let _ = writeln!(page, "- Scopes unless the operator chooses: `{scopes}`");
    }
    for sentence in connector.quirks(notes) {
        let _ = writeln!(page, "- {}", plain(&sentence));
    }
    let _ = writeln!(page, "- Evidence: {}, {}.", word(evidence.level), plain(&evidence.sources.join(", ")));
    if let Some(doubt) = &evidence.doubt {
        let _ = writeln!(page, "- Doubt: {}", plain(doubt));
    }
}

fn labels(inputs: &[Input]) -> String {
    let label = |input: &Input| format!("{}{}", input.label, if input.optional { " (optional)" } else { "" });
    inputs.iter().map(label).collect::<Vec<_>>().join(", ")
}

fn ways(connector: &Connector) -> String {
    let words = connector.grants().into_iter().map(|grant| match grant {
        "authorization_code" => "consent",
        "client_credentials" => "client credentials",
        "jwt_bearer" => "private key",
        "device_code" => "device code",
        "oauth1" => "consent (OAuth 1.0a)",
        "api_key" => "key",
        "basic" => "key by Basic",
        "signature" => "key that signs",
        "login" => "login",
        other => other,
    });
    words.collect::<Vec<_>>().join(", ")
}

fn word(level: EvidenceLevel) -> &'static str {
    match level {
        EvidenceLevel::Verified => "verified",
        EvidenceLevel::Agreed => "agreed",
        EvidenceLevel::Single => "single",
        EvidenceLevel::Custom => "the operator's own",
    }
}

/// Text that Markdown leaves as it is, but for what stands in backticks.
fn plain(text: &str) -> String {
    let mut inside = false;
    let mut plain = String::new();
    for c in text.chars() {
        inside ^= c == '`';
        if !inside && matches!(c, '<' | '>' | '*' | '_' | '[' | ']' | '~' | '\\') {
            plain.push('\\');
        }
        plain.push(c);
    }
    plain
}

/// The same in a table, where a bar would end the cell.
fn cell(text: &str) -> String {
    plain(text).replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_in_a_name_stays_text() {
        for (text, expected) in [
            ("Acme", "Acme"),
            ("a*b_c", "a\\*b\\_c"),
            ("<b>", "\\<b\\>"),
            ("`a_b` c_d", "`a_b` c\\_d"),
            ("[x](y)", "\\[x\\](y)"),
        ] {
            assert_eq!(plain(text), expected);
        }
        assert_eq!(cell("a|b"), "a\\|b");
    }
}
