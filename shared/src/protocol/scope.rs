//! What was asked for and not granted (RFC 6749 §3.3: "the authorization server MAY fully or partially ignore the scope requested").

/// Scopes of OpenID Connect Core §3.1.2.1 and §11 that change the answer rather than grant access; many providers grant them
/// without naming them.
const OF_THE_PROTOCOL: [&str; 2] = ["openid", "offline_access"];

/// The scopes that were asked for and are not among the granted ones, in the order they were asked for.
#[must_use]
pub fn missing<'a>(asked: &'a [String], granted: &[String]) -> Vec<&'a str> {
    let is_granted = |asked: &str| granted.iter().any(|granted| is_same(asked, granted));
    asked.iter().map(String::as_str).filter(|asked| !OF_THE_PROTOCOL.contains(asked) && !is_granted(asked)).collect()
}

/// Providers answer a short scope with its full address and the other way round, in letters of either case: `Mail.Read` and
/// `https://graph.example/Mail.Read`, `email` and `https://accounts.example/auth/userinfo.email`. To be told of a lack that is none
/// is worse than not to be told of one.
fn is_same(asked: &str, granted: &str) -> bool {
    let (asked, granted) = (name(asked), name(granted));
    asked == granted
        || granted.strip_suffix(asked.as_str()).is_some_and(|rest| rest.ends_with('.') && !asked.contains('.'))
}

fn name(scope: &str) -> String {
    let of_an_address = scope.contains("://").then(|| scope.trim_end_matches('/').rsplit('/').next().unwrap_or(scope));
    of_an_address.unwrap_or(scope).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_and_not_granted_is_named() {
        let table = [
            ("a b", "a b", ""),
            ("a b", "b a c", ""),
            ("a b c", "b", "a c"),
            ("a", "", "a"),
            ("openid offline_access a", "a", ""),
            (
                "email profile",
                "https://accounts.example/auth/userinfo.email https://accounts.example/auth/userinfo.profile",
                "",
            ),
            ("email", "https://accounts.example/auth/gmail.readonly", "email"),
            ("Mail.Read", "https://graph.example/mail.read", ""),
            ("https://graph.example/Mail.Read", "Mail.Read", ""),
            ("Mail.Read Mail.Send", "Mail.Read", "Mail.Send"),
            ("read", "notes:read", "read"),
            ("notes:read notes:write", "notes:read", "notes:write"),
        ];
        for (asked, granted, expected) in table {
            let list = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(missing(&list(asked), &list(granted)).join(" "), expected, "{asked} / {granted}");
        }
    }
}
