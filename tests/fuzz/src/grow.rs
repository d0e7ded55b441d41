//! One case out of another, by a change that means something: another connector, another template, another value.
//!
//! The engine changes bytes, which rarely makes a template out of a template. What is drawn here is drawn from a seed, so that
//! a run can be repeated.

use arbitrary::{Result, Unstructured};
use serde_json::Value;

use crate::case::{Case, bases, halves};

/// What is said for placeholders: what fits, what nearly fits, and what leads astray.
const SAID: [&str; 40] = [
    "acme",
    "eu",
    "1",
    "a@b.example",
    "login.vendor.com",
    "https://eu.vendor.com",
    "https://one.example:8443/v1",
    "",
    "evil.example",
    "evil.example/",
    "evil.example/.vendor.com",
    "vendor.com.evil.example",
    "vendor.com@evil",
    "evil.example#",
    "evil.example?",
    "evil.example:443",
    "https://evil.example",
    "https://vendor.com.evil.example",
    "https://evil.example/.vendor.com",
    "https://vendor.com@evil.example",
    "https://evil.example\\.vendor.com",
    "http://eu.vendor.com",
    "HTTPS://EU.VENDOR.COM",
    "https://eu.vendor.com:22",
    "https://eu.vendor.com/..",
    "//evil.example",
    "javascript:alert(1)",
    "169.254.169.254",
    "[::1]",
    "0x7f.1",
    "localhost",
    ".",
    "..",
    "%2e%2e",
    "a/b",
    "a\\b",
    "\"a\\r\\nX-Evil: 1\"",
    "\"a\\u0000b\"",
    "ｅvil．example",
    "xn--vil-y5a.example",
];

/// What hosts are put together from.
const HOSTS: [&str; 16] = [
    "https://",
    "http://",
    "{}",
    "{}",
    ".vendor.com",
    "vendor.com",
    "api.",
    "-",
    ".",
    ":8443",
    "@",
    "evil.example",
    ".co.uk",
    "*.",
    "\\",
    "user:",
];

/// What comes after a host.
const RESTS: [&str; 16] =
    ["/", "/v1", "{}", "{}", "/{+}", "/{+}", "?a=", "&b=", "#", "..", ".", "%2e", "@", "//", ":", "\\"];

/// Patterns for values: narrow, wide, and with holes.
const PATTERNS: [&str; 14] = [
    "[a-z0-9-]+",
    "[a-z]{2}",
    "[0-9]+",
    ".*",
    ".+",
    "[^/]+",
    "(?i)[a-z]+",
    "(?s).+",
    "a|b",
    "[a-z0-9-]+(\\.[a-z0-9-]+)*",
    "[\\w.-]+",
    "x*",
    "(evil\\.example/)?[a-z]+",
    "(?m)[a-z]+$",
];

/// Members that a connector may have besides those it has.
const MEMBERS: [(&str, &str); 20] = [
    ("/oauth2/exchange", r#"{"endpoint":"https://login.vendor.com/x","params":{"t":"{access_token}"}}"#),
    ("/oauth2/refresh_endpoint", r#""https://login.vendor.com/refresh""#),
    ("/oauth2/refresh_params", r#"{"token":"{refresh_token}"}"#),
    ("/oauth2/registration", r#"{"endpoint":"https://login.vendor.com/register"}"#),
    ("/oauth2/pushed_authorization_request_endpoint", r#""https://login.vendor.com/par""#),
    ("/oauth2/grant", r#""client_credentials""#),
    ("/oauth2/token_endpoint_auth_method", r#""client_secret_post""#),
    ("/oauth2/token_request_body", r#""json""#),
    ("/oauth2/token_request_method", r#""GET""#),
    ("/oauth2/error_signal", r#"{"path":"ok","equals":"false","code":"error"}"#),
    (
        "/oauth2/token_slots",
        r#"[{"name":"bot","access_token":"bot.token","expires_in":"bot.ttl","scope":"bot.scope"}]"#,
    ),
    ("/inputs/-", r#"{"name":"extra","label":"Extra"}"#),
    ("/settings/-", r#"{"name":"extra","label":"Extra","pattern":".+"}"#),
    ("/captures/token_response", r#"{"instance_url":"instance_url","region":"region"}"#),
    ("/captures/patterns", r#"{"region":"[a-z0-9-]+"}"#),
    ("/api/base_url_patterns", r#"["https://*.vendor.com"]"#),
    ("/api/origins", r#"["https://*.vendor.com","https://files.vendor.net"]"#),
    ("/api/credential", r#"{"in":"query","name":"key","value":"{access_token}"}"#),
    ("/revoke", r#"{"url":"https://login.vendor.com/revoke","params":{"token":"{refresh_token}"}}"#),
    (
        "/lookups/-",
        r#"{"name":"found","url":"https://api.vendor.com/sites","path":"0.id","patterns":{"found":"[a-z]+"}}"#,
    ),
];

/// A case that came out of another by one change. `None` where the change came to nothing.
#[must_use]
pub fn grown(case: &[u8], seed: u32) -> Option<Vec<u8>> {
    let drawn = entropy(seed);
    change(case, &mut Unstructured::new(&drawn)).ok().flatten()
}

fn change(data: &[u8], draw: &mut Unstructured<'_>) -> Result<Option<Vec<u8>>> {
    let case = Case::read(data);
    let (head, body) = halves(data);
    let mut lines: Vec<String> = String::from_utf8_lossy(head).lines().map(str::to_owned).collect();
    let Some((json, _)) = case.connector() else {
        let names: Vec<_> = bases().collect();
        let name = *draw.choose(&names)?;
        return Ok(Some(written(&[format!("{name} 200")], body)));
    };
    let names = placeholders(&json);
    let line = match draw.int_in_range(0..=9)? {
        0 => {
            let bases: Vec<_> = bases().collect();
            if let Some(first) = lines.first_mut() {
                *first = first.replacen(case.word(0), draw.choose(&bases)?, 1);
            }
            None
        }
        1 if lines.len() > 1 => {
            let at = draw.int_in_range(1..=lines.len() - 1)?;
            lines.remove(at);
            None
        }
        2 => {
            let (pointer, member) = draw.choose(&MEMBERS)?;
            Some(format!("{pointer} {member}"))
        }
        3 | 4 => {
            let texts = texts("", &json);
            let templates: Vec<_> =
                texts.iter().filter(|(_, text)| text.contains("://") || text.contains('{')).collect();
            if templates.is_empty() {
                return Ok(None);
            }
            let (pointer, text) = draw.choose(&templates)?;
            Some(format!("{pointer} {}", template(text, &names, draw)?))
        }
        5 => {
            let input = draw.choose(&["/inputs/0", "/inputs/1", "/settings/0", "/captures/patterns"])?;
            let member = match draw.int_in_range(0..=6)? {
                0 => "secret true".to_owned(),
                1 => "optional true".to_owned(),
                2 => "multiline true".to_owned(),
                3 => "live true".to_owned(),
                4 => format!("values {}", Value::from(vec![*draw.choose(&SAID)?, *draw.choose(&SAID)?])),
                5 => format!("default {}", Value::from(*draw.choose(&SAID)?)),
                _ => format!(
                    "{} {}",
                    if input.contains("captures") { pick(&names, draw)? } else { "pattern" },
                    Value::from(*draw.choose(&PATTERNS)?)
                ),
            };
            Some(format!("{input}/{member}"))
        }
        _ => {
            let said = draw.choose(&SAID)?;
            let more = if draw.ratio(1, 4)? { *draw.choose(&SAID)? } else { "" };
            Some(format!("{}={said}{more}", pick(&names, draw)?))
        }
    };
    lines.extend(line);
    Ok(Some(written(&lines, body)))
}

/// A template like this one, with another host, another end, or both.
fn template(text: &str, names: &[String], draw: &mut Unstructured<'_>) -> Result<String> {
    let start = text.find("://").map_or(0, |at| at + 3);
    let end = text[start..].find('/').map_or(text.len(), |at| start + at);
    let (host, rest) = text.split_at(end);
    let mut template = if draw.ratio(2, 3)? { pieces(&HOSTS, names, draw)? } else { host.to_owned() };
    template += &if draw.ratio(1, 2)? { pieces(&RESTS, names, draw)? } else { rest.to_owned() };
    Ok(Value::from(template).to_string())
}

fn pieces(from: &[&str], names: &[String], draw: &mut Unstructured<'_>) -> Result<String> {
    let mut made = String::new();
    if from[0].contains("://") && draw.ratio(7, 8)? {
        made += from[0];
    }
    for _ in 0..draw.int_in_range(1..=4)? {
        match *draw.choose(from)? {
            "{}" => made.extend(["{", pick(names, draw)?, "}"]),
            "/{+}" => made.extend(["/{+", pick(names, draw)?, "}"]),
            piece => made += piece,
        }
    }
    Ok(made)
}

fn pick<'a>(names: &'a [String], draw: &mut Unstructured<'_>) -> Result<&'a str> {
    if names.is_empty() { Ok("client_id") } else { Ok(draw.choose(names)?) }
}

/// The names that are declared or used in a connector.
pub(crate) fn placeholders(json: &Value) -> Vec<String> {
    let used = texts("", json).into_iter().flat_map(|(_, text)| {
        text.split('{')
            .skip(1)
            .filter_map(|part| part.split_once('}').map(|(name, _)| name.to_owned()))
            .collect::<Vec<_>>()
    });
    let mut names: Vec<String> = used.filter(|name| !name.is_empty()).collect();
    for list in ["inputs", "settings", "lookups"] {
        names.extend(
            json[list].as_array().into_iter().flatten().filter_map(|input| input["name"].as_str().map(str::to_owned)),
        );
    }
    names.extend(json["captures"]["token_response"].as_object().into_iter().flat_map(|pairs| pairs.keys().cloned()));
    names.sort();
    names.dedup();
    names
}

/// Every text in a connector, with its pointer.
fn texts(pointer: &str, value: &Value) -> Vec<(String, String)> {
    match value {
        Value::String(text) => vec![(pointer.to_owned(), text.clone())],
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(at, item)| texts(&format!("{pointer}/{at}"), item)).collect()
        }
        Value::Object(members) => {
            members.iter().flat_map(|(name, member)| texts(&format!("{pointer}/{name}"), member)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

fn written(lines: &[String], body: &[u8]) -> Vec<u8> {
    let head = lines.join("\n") + "\n";
    if body.is_empty() { head.into_bytes() } else { [head.as_bytes(), b"\n", body].concat() }
}

/// Bytes to draw from, by `SplitMix64`.
fn entropy(seed: u32) -> Vec<u8> {
    let mut state = u64::from(seed);
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    (0..16).flat_map(|_| next().to_le_bytes()).collect()
}
