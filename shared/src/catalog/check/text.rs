//! Texts of a bounded size that are what they should be.

use regex_lite::Regex;
use serde_json::Value;

use super::{Checked, refuse, require};
use crate::{
    label::must_be_label,
    protocol::{
        connector::ErrorSignal,
        template::{self, whole},
    },
};

const LONGEST_PATTERN: usize = 512;
const LONGEST_TEXT: usize = 2048;
const LARGEST: usize = 64 * 1024;
const MOST_ENTRIES: usize = 100;

/// A whole connector, and each part of it.
pub(super) fn sized(connector: &Value) -> Checked {
    require(connector.to_string().len() <= LARGEST, "connector", &format!("has to fit into {LARGEST} bytes of JSON"))?;
    sizes("", connector)
}

fn sizes(field: &str, value: &Value) -> Checked {
    let within = |name: &str| if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") };
    let entries = format!("has more than {MOST_ENTRIES} entries");
    match value {
        Value::String(text) => {
            require(text.len() <= LONGEST_TEXT, field, &format!("is longer than {LONGEST_TEXT} bytes"))
        }
        Value::Array(items) => {
            require(items.len() <= MOST_ENTRIES, field, &entries)?;
            items.iter().enumerate().try_for_each(|(at, item)| sizes(&within(&at.to_string()), item))
        }
        Value::Object(members) => {
            require(members.len() <= MOST_ENTRIES, field, &entries)?;
            members.iter().try_for_each(|(name, member)| {
                require(name.len() <= LONGEST_TEXT, field, "has a name that is too long")?;
                sizes(&within(name), member)
            })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

pub(super) fn caption(field: &str, text: &str) -> Checked {
    must_be_label(text, 100).or_else(|unfit| refuse(field, unfit.to_string()))?;
    require(text.trim() == text, field, "has a space at an end")
}

pub(super) fn regex(field: &str, pattern: &str) -> Checked {
    // On its own as well: `a)|(b` would compile only between our parentheses, and mean something else there.
    let compiles = pattern.len() <= LONGEST_PATTERN && Regex::new(pattern).is_ok() && whole(pattern).is_ok();
    require(compiles, field, &format!("has to be a regular expression of at most {LONGEST_PATTERN} bytes"))
}

/// The pattern of a value that an answer brings, of which the group `(?<value>…)` says what is kept.
pub(super) fn learnt_pattern(field: &str, pattern: &str) -> Checked {
    regex(field, pattern)?;
    let names = whole(pattern).map(|regex| regex.capture_names().flatten().map(str::to_owned).collect::<Vec<_>>());
    match names.unwrap_or_default().as_slice() {
        [] => Ok(()),
        [name] if name == "value" => {
            let kept = template::kept_part(pattern);
            require(kept.is_some_and(|kept| whole(kept).is_ok()), field, "has a group that can't be read by itself")
        }
        _ => refuse(field, "has a named group other than one (?<value>…), which says what is kept"),
    }
}

pub(super) fn signal(field: &str, signal: Option<&ErrorSignal>) -> Checked {
    match signal {
        Some(signal) => path(field, &signal.path).and_then(|()| path(field, &signal.code)),
        None => Ok(()),
    }
}

pub(super) fn path(field: &str, path: &str) -> Checked {
    // a place in a list is written in one way, so that two paths to one member are one text
    let is_one_way = |step: &str| step.parse::<usize>().map_or(true, |at| at.to_string() == step);
    let named = template::steps(path).all(|step| !step.is_empty() && !step.contains('\\') && is_one_way(&step));
    let plain = named && !path.contains(['{', '}']);
    require(
        plain,
        field,
        "has to be a dotted path like user.id, or 0.id for the first of a list; a name's own dot is \\.",
    )
}
