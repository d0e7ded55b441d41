//! What ships is sound, whole and found.

use std::path::Path;

use super::*;
use crate::protocol::connector::EvidenceLevel;

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/catalog"))
}

fn ids(catalog: &Catalog) -> Vec<&str> {
    catalog.iter().map(|connector| connector.id.as_ref()).collect()
}

fn demo(id: &'static str) -> Connector {
    Connector { id: id.into(), name: "Demo".into(), ..Catalog::builtin().connector("github").unwrap().clone() }
}

#[test]
fn the_table_is_what_the_files_say() {
    let files = compile::folder(folder()).unwrap();
    let shipped: Vec<Connector> = Catalog::builtin().iter().cloned().collect();
    assert_eq!(files, shipped);
    assert!(shipped.is_sorted_by(|a, b| a.id < b.id));
}

#[test]
fn every_connector_can_be_acted_upon() {
    let refused: Vec<String> = (Catalog::builtin().iter())
        .filter_map(|connector| connector.check(false).err().map(|error| format!("{}: {error}", connector.id)))
        .collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn every_connector_has_its_evidence() {
    for Connector { id, evidence, .. } in Catalog::builtin().iter() {
        let wanted = match evidence.level {
            EvidenceLevel::Verified | EvidenceLevel::Single => 1,
            EvidenceLevel::Agreed => 2,
            EvidenceLevel::Custom => panic!("{id}: the catalogue has evidence"),
        };
        assert!(evidence.sources.len() >= wanted, "{id}: {wanted} sources at least");
        assert!(evidence.sources.is_sorted(), "{id}: sorted sources");
        let digits =
            evidence.read.split('-').map(|part| part.parse::<u16>().map_or(0, |_| part.len())).collect::<Vec<_>>();
        assert_eq!(digits, [4, 2, 2], "{id}: the day of reading");
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
    assert_eq!(catalog.iter().count(), Catalog::builtin().iter().count() + 1);
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
fn any_text_is_kept_as_it_is() {
    let odd = Connector { name: "\"quoted\" {\\} \n é".into(), ..demo("odd") };
    let bytes = Box::leak(packed::pack(std::slice::from_ref(&odd)).into_boxed_slice());
    assert_eq!(packed::Table::of(bytes).unwrap().connector(0), Some(odd));
}

#[test]
fn bytes_that_are_cut_are_no_table_or_no_connector() {
    let bytes: &'static [u8] = Box::leak(packed::pack(&[demo("demo")]).into_boxed_slice());
    for end in 0..bytes.len() {
        let read = packed::Table::of(&bytes[..end]).and_then(|table| table.connector(0));
        assert_eq!(read, None, "{end}");
    }
}

#[test]
fn the_schema_in_the_tree_is_the_one_of_the_type() {
    let schema = schemars::schema_for!(Connector);
    let expected = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    let kept = std::fs::read_to_string(folder().join("connector.schema.json")).unwrap_or_default();
    assert!(kept == expected, "it is stale; write it anew: cargo test -p shared --lib -- --ignored write_the_schema");
}

#[test]
#[ignore = "writes into the tree"]
fn write_the_schema() {
    let schema = serde_json::to_string_pretty(&schemars::schema_for!(Connector)).unwrap();
    std::fs::write(folder().join("connector.schema.json"), schema + "\n").unwrap();
}
