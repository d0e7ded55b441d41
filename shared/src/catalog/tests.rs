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
    let files: Vec<Connector> = compile::folder(folder()).unwrap().into_iter().map(|entry| entry.connector).collect();
    let catalog = Catalog::builtin();
    let noted = |connector: &Connector| Connector { notes: catalog.notes(connector), ..connector.clone() };
    let shipped: Vec<Connector> = catalog.iter().map(noted).collect();
    assert_eq!(files, shipped);
    assert!(shipped.is_sorted_by(|a, b| a.id < b.id));
}

#[test]
fn every_connector_can_be_acted_upon() {
    let refused: Vec<String> = (compile::folder(folder()).unwrap().iter())
        .filter_map(|entry| Some((entry, entry.connector.check(false).err()?)))
        .map(|(entry, error)| entry.told(&error.field, &error.message).to_string())
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

/// What the compile step and the check say of an entry, `catalog/acme.toml`, whose families are these.
fn compiled(toml: &str, families: &[(&str, &str)]) -> Result<Connector, String> {
    let read = |path: &Path| {
        let name = path.strip_prefix("catalog/families").unwrap().with_extension("");
        let family = families.iter().find(|(family, _)| Path::new(family) == name);
        family.map(|(_, toml)| (*toml).to_owned()).ok_or_else(|| std::io::ErrorKind::NotFound.into())
    };
    let entry = compile::Entry::read(Path::new("catalog/acme.toml"), toml, read).map_err(|error| error.to_string())?;
    match entry.connector.check(false) {
        Ok(()) => Ok(entry.connector),
        Err(error) => Err(entry.told(&error.field, &error.message).to_string()),
    }
}

const ACME: &str = "\
name = \"Acme\"
[oauth2]
authorization_endpoint = \"https://acme.example/authorize\"
token_endpoint = \"https://acme.example/token\"
[api]
base_url = \"https://api.acme.example\"
";

#[test]
fn what_is_wrong_is_told_with_its_file_its_line_and_its_field() {
    for (old, new, told) in [
        ("[api]", "[api", "catalog/acme.toml:5: "),
        (
            "token_endpoint",
            "tokn_endpoint",
            "catalog/acme.toml:4: oauth2.tokn_endpoint: unknown field; did you mean `token_endpoint`?",
        ),
        (
            "[api]",
            "colour = \"red\"\n[api]",
            "catalog/acme.toml:5: oauth2.colour: unknown field, expected one of `grant`, ",
        ),
        ("token_endpoint = ", "scopes = [] #", "catalog/acme.toml:2: oauth2.token_endpoint: is missing"),
        ("[api]", "[[inputs]]\nname = \"a\"\n\n[api]", "catalog/acme.toml:5: inputs.0.label: is missing"),
        (
            "[api]",
            "scopes = [\n  \"a\",\n  1,\n]\n[api]",
            "catalog/acme.toml:7: oauth2.scopes.1: found integer `1`, expected a string",
        ),
        (
            "[api]",
            "pkce = \"s256\"\n[api]",
            "catalog/acme.toml:5: oauth2.pkce: unknown value `s256`, expected one of `S256`, `plain`, `none`",
        ),
        ("[api]", "dpop = 1.5\n[api]", "catalog/acme.toml:5: oauth2.dpop: found a fraction, expected a boolean"),
        (
            "[api]",
            "token_params = { a = 1 }\n[api]",
            "catalog/acme.toml:5: oauth2.token_params.a: found integer `1`, expected a string",
        ),
        (
            "[api]",
            "[api]\ncredential = { in = \"cookie\" }",
            "catalog/acme.toml:6: api.credential.in: unknown value `cookie`, expected one of ",
        ),
        (
            "[api]",
            "[api]\ncredential = { in = \"query\", nam = \"k\" }",
            "catalog/acme.toml:6: api.credential: unknown field; did you mean `name`?",
        ),
        (
            "[api]",
            "[api]\ncredential = { in = \"path\", name = \"k\" }",
            "catalog/acme.toml:6: api.credential: unknown field; nothing else stands here",
        ),
        ("name = \"Acme\"", "id = \"acme\"\nname = \"Acme\"", "catalog/acme.toml: leave `id` out"),
        ("https://acme.example/token", "http://acme.example/token", "catalog/acme.toml:4: oauth2.token_endpoint: "),
        ("[api]", "grant = \"jwt_bearer\"\n[api]", "catalog/acme.toml:2: oauth2.assertion: "),
        (
            "[api]",
            "[[inputs]]\nname = \"a\"\nlabel = \"A\"\n\n[[inputs]]\nname = \"b\"\nlabel = \"\"\n\n[api]",
            "catalog/acme.toml:11: inputs.b.label: ",
        ),
        ("name = ", "extends = \"none\"\nname = ", "catalog/acme.toml:1: extends: catalog/families/none.toml: "),
        ("name = ", "extends = \"../x\"\nname = ", "catalog/acme.toml:1: extends: `../x` is no family"),
        ("name = ", "extends = 1\nname = ", "catalog/acme.toml:1: extends: has to be the name of a family"),
    ] {
        let error = compiled(&ACME.replacen(old, new, 1), &[]).unwrap_err();
        assert!(error.starts_with(told), "{error}\nis not: {told}");
    }
}

#[test]
fn what_is_wrong_with_a_family_is_told_with_the_file_of_the_two_where_it_stands() {
    let entry = "extends = \"family\"\nname = \"Acme\"\n[api]\nbase_url = \"https://api.acme.example\"\n";
    for (entry, family, told) in [
        (
            entry,
            "# a comment\n[api]\nbase_urls = []\n",
            "catalog/families/family.toml:3: api.base_urls: unknown field; did you mean `base_url`?",
        ),
        (entry, "[oauth2]\npkce = 1\n", "catalog/families/family.toml:2: oauth2.pkce: "),
        (entry, "[oauth2]\nscopes = []\n", "catalog/families/family.toml:1: oauth2.token_endpoint: is missing"),
        (entry, "[api]\norigins = 1\n", "catalog/families/family.toml:2: api.origins: "),
        (&entry.replace("base_url", "origins = 1 #"), "[api]\norigins = []\n", "catalog/acme.toml:4: api.origins: "),
        (
            entry,
            "extends = \"family\"\n",
            "catalog/families/family.toml:1: extends: `family` is no family, or one that extends itself",
        ),
        (
            entry,
            "[oauth2]\ntoken_endpoint = \"https://a.example\"\nauthorization_endpoint = \"http://a.example\"\n",
            "catalog/families/family.toml:3: oauth2.authorization_endpoint: ",
        ),
        (entry, "extends = \"other\"\n", "catalog/families/family.toml:1: extends: catalog/families/other.toml: "),
        (entry, "[api\n", "catalog/families/family.toml:1: "),
    ] {
        let error = compiled(entry, &[("family", family)]).unwrap_err();
        assert!(error.starts_with(told), "{error}\nis not: {told}");
    }
}

#[test]
fn an_entry_is_laid_over_its_family() {
    let family = "\
extends = \"root\"
[oauth2]
token_endpoint = \"https://acme.example/token\"
scopes = [\"a\", \"b\"]
authorization_params = { access_type = \"offline\", prompt = \"consent\" }
";
    let root = "docs_url = \"https://acme.example/docs\"\n[oauth2]\nscopes = [\"z\"]\ndpop = true\n";
    let entry = "\
extends = \"family\"
name = \"Acme\"
[oauth2]
authorization_endpoint = \"https://acme.example/authorize\"
scopes = [\"c\"]
authorization_params = { prompt = \"login\", a = \"1\" }
[api]
base_url = \"https://api.acme.example\"
";
    let whole = "\
name = \"Acme\"
docs_url = \"https://acme.example/docs\"
[oauth2]
authorization_endpoint = \"https://acme.example/authorize\"
token_endpoint = \"https://acme.example/token\"
dpop = true
scopes = [\"c\"]
authorization_params = { a = \"1\", access_type = \"offline\", prompt = \"login\" }
[api]
base_url = \"https://api.acme.example\"
";
    assert_eq!(compiled(entry, &[("family", family), ("root", root)]), compiled(whole, &[]));
    assert!(compiled(whole, &[]).is_ok());
}

#[test]
fn the_catalogue_is_as_large_as_it_is_said_to_be() {
    assert!(Catalog::builtin().iter().count() >= 640);
}

#[test]
fn every_family_has_members() {
    let extended = |folder: &Path| -> Vec<String> {
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let tomls = files.filter(|file| file.extension().is_some_and(|extension| extension == "toml"));
        let line = |file| std::fs::read_to_string(file).unwrap();
        tomls
            .filter_map(|file| {
                line(file)
                    .lines()
                    .find_map(|line| Some(line.strip_prefix("extends = \"")?.strip_suffix('"')?.to_owned()))
            })
            .collect()
    };
    let families = folder().join("families");
    let used = [extended(folder()), extended(&families)].concat();
    for family in std::fs::read_dir(&families).unwrap() {
        let family = family.unwrap().path();
        let name = family.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(used.contains(&name), "nothing extends {name}");
    }
}

/// The files of Rust below a folder that are no tests.
fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let named = |path: &Path, name: &str| path.file_stem().is_some_and(|stem| stem == name);
    let below = folders.iter().filter(|folder| !named(folder, "tests")).flat_map(|folder| sources(folder));
    let rust = |path: &std::path::PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    files.iter().filter(|path| rust(path) && !named(path, "tests")).cloned().chain(below).collect()
}

#[test]
fn no_code_asks_for_a_connectors_name() {
    const WORDS: [&str; 2] = ["plain", "x"]; // a method of PKCE, a coordinate of a key: words of the protocols
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let functions = std::fs::read_dir(root.join("functions")).unwrap().map(|entry| entry.unwrap().path().join("src"));
    let catalog = Catalog::builtin();
    let (mut seen, mut named) = (0, Vec::new());
    for file in functions.chain([root.join("shared/src")]).flat_map(|folder| sources(&folder)) {
        let source = std::fs::read_to_string(&file).unwrap();
        let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for (at, line) in code.lines().enumerate() {
            let line = line.split("//").next().unwrap(); // also cuts what follows an address: nothing is compared with one
            for literal in line.split('"').skip(1).step_by(2) {
                seen += 1;
                if catalog.connector(literal).is_some() && !WORDS.contains(&literal) {
                    named.push(format!("{}:{}: {literal}", file.display(), at + 1));
                }
            }
        }
    }
    assert!(seen > 1000, "{seen} texts were looked at");
    assert!(named.is_empty(), "what is special about a provider is a field of its file:\n{}", named.join("\n"));
}

#[test]
fn any_text_is_kept_as_it_is() {
    let odd = Connector { name: "\"quoted\" {\\} \n é".into(), ..demo("odd") };
    let noted = Connector { notes: vec!["\"\\\n".into()].into(), ..odd.clone() };
    let (rows, texts) = packed::pack(std::slice::from_ref(&noted));
    let table = |bytes: Vec<u8>| packed::Table::of(Box::leak(bytes.into_boxed_slice())).unwrap();
    assert_eq!(table(rows).row(0), Some(odd));
    assert_eq!(table(texts).row(0), Some(noted.notes));
}

#[test]
fn bytes_that_are_cut_are_no_table_or_no_connector() {
    let bytes: &'static [u8] = Box::leak(packed::pack(&[demo("demo")]).0.into_boxed_slice());
    for end in 0..bytes.len() {
        let read: Option<Connector> = packed::Table::of(&bytes[..end]).and_then(|table| table.row(0));
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

/// The name that somebody registered: two labels, three under a country's shared one.
fn registered(host: &str) -> String {
    let labels: Vec<&str> = host.rsplit('.').collect();
    let shared = ["ac", "co", "com", "in", "net", "org"];
    let count = if labels.len() > 2 && labels[0].len() == 2 && shared.contains(&labels[1]) { 3 } else { 2 };
    labels.iter().take(count).rev().copied().collect::<Vec<_>>().join(".")
}

/// The registered name of an address or of a pattern; `None` where a placeholder stands for it.
fn owner(address: &str) -> Option<String> {
    let host = address.split_once("://")?.1.split(['/', '?', '#']).next()?;
    let name = registered(host);
    (!name.contains(['{', '}'])).then_some(name)
}

#[test]
fn no_allow_list_is_wider_than_the_providers_own_hosts() {
    let mut strangers = std::collections::BTreeSet::new();
    for connector in Catalog::builtin().iter() {
        let inputs = || connector.inputs.iter().chain(connector.settings.iter());
        let derived =
            inputs().flat_map(|input| input.also.iter()).flat_map(|(_, texts)| texts.iter().map(|(_, text)| text));
        let lists = inputs().flat_map(|input| input.values.iter()).map(AsRef::as_ref).chain(derived);
        let listed = lists.filter(|value| value.contains('.')).map(registered);
        let own: std::collections::BTreeSet<String> =
            crate::protocol::template::urls(connector).filter_map(owner).chain(listed).collect();
        for pattern in connector.api.base_url_patterns.iter().chain(connector.api.origins.iter()) {
            let name = owner(pattern).unwrap();
            if !own.contains(&name) {
                strangers.insert(name);
            }
        }
    }
    assert_eq!(
        strangers.into_iter().collect::<Vec<_>>(),
        FURTHER_NAMES,
        "a host of another name: is it the provider's own?"
    );
}

/// Under these names the providers have hosts of their own besides those that stand in an address: data centres of Bitrix24,
/// `DocuSign`, Salesforce, `SurveyMonkey` and Zoho.
const FURTHER_NAMES: [&str; 34] = [
    "bitrix24.by",
    "bitrix24.cn",
    "bitrix24.co",
    "bitrix24.com",
    "bitrix24.com.br",
    "bitrix24.com.tr",
    "bitrix24.de",
    "bitrix24.es",
    "bitrix24.eu",
    "bitrix24.fr",
    "bitrix24.id",
    "bitrix24.in",
    "bitrix24.in.th",
    "bitrix24.it",
    "bitrix24.jp",
    "bitrix24.kz",
    "bitrix24.mx",
    "bitrix24.pl",
    "bitrix24.ru",
    "bitrix24.vn",
    "cloudforce.com",
    "docusign.mil",
    "docusign.net",
    "surveymonkey.ca",
    "zohoapis.ae",
    "zohoapis.ca",
    "zohoapis.com",
    "zohoapis.com.au",
    "zohoapis.com.cn",
    "zohoapis.eu",
    "zohoapis.in",
    "zohoapis.jp",
    "zohoapis.sa",
    "zohoapis.uk",
];
