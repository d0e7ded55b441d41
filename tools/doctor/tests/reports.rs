//! Whole reports, as they are written to a terminal. `UPDATE=1`-like switches there are none: a difference is read, then the file is
//! written anew by the ignored test, then it is read again.

use std::path::{Path, PathBuf};

/// Each report's file, its arguments, and the exit code.
const REPORTS: [(&str, &[&str], u8); 14] = [
    ("plain", &["gmail", "--base-url", "https://connect.example.com", "--client-id", "invented"], 0),
    ("nothing_given", &["slack"], 0),
    (
        "offline_lost",
        &[
            "gmail",
            "--base-url",
            "https://connect.example.com/",
            "--client-id",
            "invented",
            "--param",
            "access_type=online",
            "--param",
            "state=mine",
        ],
        1,
    ),
    (
        "scopes_in_one",
        &[
            "jira",
            "--base-url",
            "http://127.0.0.1:4400",
            "--client-id",
            "invented",
            "--scopes",
            "read:me,read:jira-work",
        ],
        2,
    ),
    (
        "common_callback",
        &["dropbox", "--base-url", "http://connect.example.com", "--client-id", "invented", "--callback", "common"],
        2,
    ),
    ("key", &["sendgrid"], 0),
    (
        "subdomain",
        &[
            "file:subdomain",
            "--base-url",
            "https://connect.example.com",
            "--client-id",
            "invented",
            "--set",
            "shop=Not A Label",
        ],
        2,
    ),
    ("pushed", &["file:pushed", "--base-url", "https://connect.example.com", "--client-id", "invented"], 0),
    ("signed", &["file:signed", "--base-url", "https://connect.example.com", "--client-id", "invented"], 0),
    ("device", &["file:device", "--client-id", "invented"], 0),
    ("oauth1", &["file:oauth1", "--base-url", "https://connect.example.com", "--client-id", "invented"], 0),
    ("login", &["file:login"], 0),
    ("misspelt", &["file:misspelt"], 2),
    ("unknown", &["gmial"], 2),
];

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"))
}

fn file(name: &str) -> PathBuf {
    folder().join(format!("{name}.txt"))
}

/// `file:x` stands for a file beside this one.
fn arguments(given: &[&str]) -> Vec<String> {
    let words = given.iter().flat_map(|word| match word.strip_prefix("file:") {
        Some(name) => vec!["--file".to_owned(), folder().join(format!("{name}.toml")).display().to_string()],
        None => vec![(*word).to_owned()],
    });
    words.collect()
}

async fn written(given: &[&str]) -> (String, u8) {
    let outcome = doctor::run(&arguments(given), false).await;
    (outcome.text.replace(&format!("{}/", folder().display()), ""), outcome.code)
}

#[tokio::test]
async fn a_report_says_what_would_be_sent_and_what_is_wrong() {
    for (name, given, code) in REPORTS {
        let (text, ended) = written(given).await;
        let expected = std::fs::read_to_string(file(name)).unwrap_or_default();
        assert_eq!((text.as_str(), ended), (expected.as_str(), code), "{name}");
    }
}

#[tokio::test]
#[ignore = "writes into the tree"]
async fn write_the_reports() {
    for (name, given, _) in REPORTS {
        std::fs::write(file(name), written(given).await.0).unwrap();
    }
}

#[tokio::test]
async fn arguments_that_are_none_are_named() {
    for (given, expected) in [
        (&["gmail", "slack"][..], "slack: one connector at a time.\n"),
        (&["gmail", "--base-url"], "--base-url needs a value. --help shows how.\n"),
        (&["gmail", "--colour"], "--colour is no option. --help shows them.\n"),
        (&["gmail", "--set", "x"], "--set takes NAME=VALUE.\n"),
        (&["gmail", "--callback", "both"], "--callback is own or common, not both.\n"),
        (
            &["zzzzzzzz"],
            "There is no connector zzzzzzzz. docs/connectors.md lists them all; --file looks at one of your own.\n",
        ),
    ] {
        assert_eq!(written(given).await, (expected.to_owned(), 2));
    }
}

#[tokio::test]
async fn a_report_for_programs_has_the_same_in_json_and_no_secret_that_was_typed() {
    let (text, code) = written(&["sendgrid", "--json", "--set", "api_key=SG.a-canary"]).await;
    assert!(!text.contains("canary"), "{text}");
    assert!(text.contains("\"verdict\": \"ready\""), "{text}");
    assert_eq!(code, 0);
}
