//! The page about all connectors is what the catalogue says, and its links lead somewhere.

use std::collections::BTreeSet;

use shared::catalog::Catalog;

fn page() -> String {
    let catalog = Catalog::builtin();
    doctor::page::of(&catalog)
}

#[test]
fn the_page_in_the_tree_is_the_one_of_the_catalogue() {
    let kept = std::fs::read_to_string(doctor::docs()).unwrap_or_default();
    assert!(kept == page(), "it is stale; write it anew: cargo run -p doctor -- --write-docs");
}

#[test]
fn every_link_leads_to_one_heading() {
    let page = page();
    let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let unique: BTreeSet<&str> = headings.iter().copied().collect();
    assert_eq!(headings.len(), unique.len());
    let others: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|line| line.to_lowercase().replace(' ', "-"))
        .collect();
    for link in page.split("](#").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
        assert!(unique.contains(link) && !others.contains(link), "{link}");
    }
}

#[test]
fn github_shows_the_page_whole() {
    assert!(page().len() < 500 * 1024, "GitHub shows no page beyond 512 KiB, or little more");
}
