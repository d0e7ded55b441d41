//! Recorded events: each file of `events/` goes through the code that a deployed function runs, and its whole answer is
//! compared. The same files are there for `cargo lambda invoke <function> --data-file events/<file>`.

mod expected;
mod invented;
mod pages;

use std::{collections::BTreeSet, fmt::Write, fs, path::PathBuf, sync::Arc};

use admin::Admin;
use authorize::Authorize;
use bytes::Bytes;
use callback::Callback;
use connect::Connect;
use connections::Connections;
use futures_util::TryStreamExt;
use passthrough::Passthrough;
use shared::{
    app::App,
    http::{
        Body, Response, answer,
        event::{Buffered, Event},
    },
};
use token::Token;

use self::{expected::ANSWERS, invented::Invented, pages::PAGES};

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../events"))
}

/// The answer of the function that the file is named for.
async fn answered(app: &Arc<App>, file: &str) -> Response {
    let text = fs::read_to_string(folder().join(format!("{file}.json"))).unwrap();
    // from text, as the runtime does it: a `Value` would sort the members
    let event: Event = serde_json::from_str(&text).unwrap();
    let request = event.into_request("", "invocation").unwrap();
    match file.split_once('.').unwrap().0 {
        "token" => answer(app, request, &Token).await,
        "authorize" => answer(app, request, &Authorize).await,
        "callback" => answer(app, request, &Callback).await,
        "passthrough" => answer(app, request, &Passthrough).await,
        "connections" => answer(app, request, &Connections).await,
        "connect" => answer(app, request, &Connect).await,
        "admin" => answer(app, request, &Admin).await,
        other => panic!("there is no function {other}"),
    }
}

/// Status, header lines and body as one text, with what is random masked.
async fn whole(response: Response) -> String {
    let mut text = format!("{}\n", response.status);
    for (name, value) in response.headers.iter().filter(|(name, _)| name != "date") {
        writeln!(text, "{name}: {value}").unwrap();
    }
    let body = match response.body {
        Body::Full(bytes) => bytes,
        Body::Stream(stream) => stream.try_collect::<Vec<Bytes>>().await.unwrap().concat().into(),
    };
    text.push('\n');
    text.push_str(std::str::from_utf8(&body).unwrap());
    masked(&text)
}

/// Random ids, tokens, digests and signatures as `…`.
fn masked(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let mut masked = String::new();
    for piece in text.split_inclusive(|c| !is_word(c)) {
        let word = piece.trim_end_matches(|c| !is_word(c));
        masked.push_str(&mask(word));
        masked.push_str(&piece[word.len()..]);
    }
    masked
}

fn mask(word: &str) -> String {
    for prefix in ["__Host-mooring_att_", "__Host-mooring_link_", "att_", "conn_", "cred_"] {
        if word.strip_prefix(prefix).is_some_and(|rest| rest.len() > 20) {
            return format!("{prefix}…");
        }
    }
    let project = word.len() == 17 && word.starts_with('p') && word.bytes().any(|b| b.is_ascii_digit());
    if word.len() >= 43 || project { "…".to_owned() } else { word.to_owned() }
}

#[tokio::test]
async fn every_recorded_event_gets_the_answer_that_stands_here() {
    let invented = Invented::new().await;
    for (file, expected) in ANSWERS.iter().chain(PAGES) {
        let found = whole(answered(&invented.app, file).await).await;
        assert_eq!(found.trim_end(), expected.trim(), "{file}");
    }
}

#[test]
fn every_recorded_event_is_in_the_table_and_every_row_has_its_file() {
    let names = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = names.filter_map(|name| Some(name.strip_suffix(".json")?.to_owned())).collect();
    let rows = ANSWERS.iter().chain(PAGES).map(|(file, _)| (*file).to_owned()).chain(["keeper.tick".to_owned()]);
    assert_eq!(files, rows.collect());
}

/// A whole answer has one form that a REST API and a function URL both read.
#[tokio::test]
async fn an_answer_to_the_gateway_carries_its_cookies_in_both_forms() {
    let invented = Invented::new().await;
    let buffered = serde_json::to_value(Buffered::of(answered(&invented.app, "authorize.start").await)).unwrap();
    let cookie = buffered["cookies"][0].as_str().unwrap();
    assert!(cookie.starts_with("__Host-mooring_att_invented="), "{cookie}");
    assert_eq!(buffered["multiValueHeaders"]["set-cookie"], buffered["cookies"]);
    assert_eq!(
        (&buffered["statusCode"], &buffered["body"], &buffered["isBase64Encoded"]),
        (&302.into(), &"".into(), &false.into())
    );
}

/// The address is read where a page has to lead somewhere, also on an instance that has read nothing yet.
#[tokio::test]
async fn a_form_leads_below_the_stage_from_the_first_request_on() {
    let invented = Invented::new().await;
    let page = whole(answered(&invented.cold(), "connect.page").await).await;
    assert!(page.contains("<form method=\"post\" action=\"/prod/connect/acme\""), "{page}");
}

#[tokio::test]
async fn a_tick_of_the_schedule_is_a_round_of_the_keeper() {
    let text = fs::read_to_string(folder().join("keeper.tick.json")).unwrap();
    let _: serde::de::IgnoredAny = serde_json::from_str(&text).unwrap(); // all that its function reads of it
    let invented = Invented::new().await;
    assert_eq!(keeper::keep(&invented.app, None).await.unwrap(), keeper::Round::default());
}

#[test]
fn no_recorded_event_names_a_real_host() {
    for entry in fs::read_dir(folder()).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for host in text.split("https://").skip(1).map(|rest| rest.split(['/', '"', ',', '\\', '?']).next().unwrap()) {
            assert!(host.ends_with(".example"), "{host}");
        }
    }
}
