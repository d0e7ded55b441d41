//! Rules for headers, parameters and captures.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::Value;

use crate::{
    data::{Rule, RuleTable},
    refusal::Refused,
    template::{at, plain},
};

/// A field of a key, the value that was presented for it, and the case if it is not that of a registered one.
pub struct Claim {
    /// The field.
    pub field: String,
    /// What was presented.
    pub value: String,
    /// The case of the refusal.
    pub case: String,
}

/// What is checked: `parameter state`, and how a refusal is called unless the rule says.
pub struct Subject<'s> {
    /// `header`, `parameter` or `capture`.
    pub what: &'s str,
    /// Its name.
    pub name: &'s str,
    /// Whether it is a secret for the log: values never are told, but rules are.
    pub case: &'s str,
}

/// Holds every rule against the value that `value` finds. What has to be a field of a key is collected.
pub fn check<'v>(
    rules: &BTreeMap<String, Rule>,
    what: &str,
    case: &str,
    value: impl Fn(&str) -> Option<&'v str>,
) -> Result<Vec<Claim>, Refused> {
    let mut claims = Vec::new();
    for (name, rule) in rules {
        let subject = Subject { what, name, case };
        claims.extend(check_one(rule, &subject, value(name))?);
    }
    Ok(claims)
}

fn check_one(rule: &Rule, subject: &Subject<'_>, value: Option<&str>) -> Result<Option<Claim>, Refused> {
    let Subject { what, name, case } = subject;
    let table = match rule {
        Rule::Exact(wanted) => {
            return match value {
                Some(value) if value == wanted => Ok(None),
                Some(_) => Err(Refused::new(case, format!("{what} {name} has to be {wanted}, was something else"))),
                None => Err(Refused::new(case, format!("{what} {name} has to be {wanted}, was absent"))),
            };
        }
        Rule::Table(table) => table,
    };
    let case = table.refusal.as_deref().unwrap_or(case);
    let refuse = |words: String| Err(Refused::new(case, format!("{what} {name} {words}")));
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return if table.optional || table.forbidden { Ok(None) } else { refuse("is missing".to_owned()) };
    };
    if table.forbidden {
        return refuse("is not taken here".to_owned());
    }
    if !table.one_of.is_empty() && !table.one_of.iter().any(|wanted| wanted == value) {
        return refuse(format!("has to be one of {}", table.one_of.join(", ")));
    }
    if let Some(part) = table.contains.as_deref().filter(|part| !value.contains(*part)) {
        return refuse(format!("has to contain {part}"));
    }
    if let Some(pattern) = table.pattern.as_deref().filter(|pattern| !fits(pattern, value)) {
        return refuse(format!("has to match {pattern}"));
    }
    let claim = |field: &String| Claim { field: field.clone(), value: value.to_owned(), case: case.to_owned() };
    Ok(table.key.as_ref().map(claim))
}

/// What an account's token has to be used with: rules that compare with a field of the account.
pub fn check_account<'v>(
    rules: &BTreeMap<String, Rule>,
    what: &str,
    case: &str,
    account: &Value,
    value: impl Fn(&str) -> Option<&'v str>,
) -> Result<(), Refused> {
    for (name, rule) in rules {
        let Rule::Table(RuleTable { account: Some(field), refusal, .. }) = rule else { continue };
        let wanted = at(field, account).map(plain);
        if value(name).is_some_and(|value| Some(value) != wanted.as_deref()) {
            let case = refusal.as_deref().unwrap_or(case);
            return Err(Refused::new(case, format!("{what} {name} has to be that of the account of the token")));
        }
    }
    Ok(())
}

/// Whether a text matches a regular expression; the loader has made sure that it is one.
#[must_use]
pub fn fits(pattern: &str, text: &str) -> bool {
    Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_says_in_words_what_it_misses() {
        let table = [
            ("a = 'x'", Some("x"), "fine"),
            ("a = 'x'", Some("y"), "parameter: parameter a has to be x, was something else"),
            ("a = 'x'", None, "parameter: parameter a has to be x, was absent"),
            ("a = {}", Some("y"), "fine"),
            ("a = {}", Some(""), "parameter: parameter a is missing"),
            ("a = { optional = true, one_of = ['x'] }", None, "fine"),
            ("a = { optional = true, one_of = ['x'] }", Some("y"), "parameter: parameter a has to be one of x"),
            ("a = { forbidden = true }", Some("y"), "parameter: parameter a is not taken here"),
            (
                "a = { pattern = '^[0-9]+$', refusal = 'version' }",
                Some("y"),
                "version: parameter a has to match ^[0-9]+$",
            ),
            ("a = { contains = 'x' }", Some("y"), "parameter: parameter a has to contain x"),
            ("a = { key = 'api_key' }", Some("y"), "key api_key = y"),
        ];
        for (rule, value, expected) in table {
            let rules: BTreeMap<String, Rule> = toml::from_str(rule).unwrap();
            let said = match check(&rules, "parameter", "parameter", |_| value) {
                Err(Refused { case, words, .. }) => format!("{case}: {words}"),
                Ok(claims) => {
                    claims.first().map_or("fine".to_owned(), |claim| format!("key {} = {}", claim.field, claim.value))
                }
            };
            assert_eq!(said, expected, "{rule}");
        }
    }
}
