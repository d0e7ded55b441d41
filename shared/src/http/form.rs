//! Forms of our own pages: that a POST comes from the page we gave to this browser, and from no other.
//!
//! Two defences, each sufficient in a browser of today: a token that is derived from the page's cookie and so known only to
//! who was given the page, and the browser's own word on where the form stood (`Sec-Fetch-Site`, `Origin`).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use url::Url;

use super::{Params, Request};
use crate::error::Error;

/// The name of the hidden field.
pub const TOKEN_FIELD: &str = "form_token";

/// The token of a form: an HMAC of what the form is for, under the cookie of its page.
#[must_use]
pub fn token(cookie: &str, purpose: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, cookie.as_bytes());
    URL_SAFE_NO_PAD.encode(hmac::sign(&key, purpose.as_bytes()))
}

/// Fails unless the form comes from our page in this browser. `cookie` is the page's own.
pub fn must_be_ours(
    request: &Request,
    form: &Params,
    cookie: &str,
    purpose: &str,
    base_url: &str,
) -> Result<(), Error> {
    if !is_ours(request, base_url)? {
        return Err(Error::ForgedForm);
    }
    let given = form.one(TOKEN_FIELD)?.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or(Error::ForgedForm)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, cookie.as_bytes());
    hmac::verify(&key, purpose.as_bytes(), &given).map_err(|_| Error::ForgedForm)
}

/// What the browser says of where the form, or the script, stood. Our pages send no referrer, so `Origin` is then `null`
/// (Fetch, "append a request `Origin` header"), and `Sec-Fetch-Site` decides. A program that is no browser says nothing; it has
/// no one else's cookies to misuse.
pub fn is_ours(request: &Request, base_url: &str) -> Result<bool, Error> {
    let own = Url::parse(base_url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    let site = request.single_header("sec-fetch-site")?;
    let origin = request.single_header("origin")?;
    Ok(match (site, origin) {
        (Some("same-origin"), None | Some("null")) | (None, None) => true,
        (Some("same-origin") | None, Some(origin)) => origin == own,
        (Some(_), _) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(headers: &[(&str, &str)], body: &str) -> bool {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let request =
            Request::new("POST", "/".to_owned(), String::new(), headers, body.to_owned().into(), "r".to_owned());
        must_be_ours(&request, &request.form().unwrap(), "cookie", "confirm", "https://m.example/prod").is_ok()
    }

    /// Header lines, a body, and whether the form is taken.
    type Row<'a> = (&'a [(&'a str, &'a str)], &'a str, bool);

    #[test]
    fn only_a_form_of_our_page_in_this_browser_is_taken() {
        let good = format!("{TOKEN_FIELD}={}", token("cookie", "confirm"));
        let table: [Row<'_>; 11] = [
            (&[], &good, true),
            (&[("sec-fetch-site", "same-origin"), ("origin", "null")], &good, true),
            (&[("sec-fetch-site", "same-origin"), ("origin", "https://m.example")], &good, true),
            (&[("origin", "https://m.example")], &good, true),
            (&[("origin", "https://evil.example")], &good, false),
            (&[("origin", "null")], &good, false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "null")], &good, false),
            (&[("sec-fetch-site", "same-site")], &good, false),
            (&[("sec-fetch-site", "none")], &good, false),
            (&[], "form_token=x", false),
            (&[], "", false),
        ];
        for (headers, body, expected) in table {
            assert_eq!(accepted(headers, body), expected, "{headers:?} {body}");
        }
        assert!(!accepted(&[], &format!("{TOKEN_FIELD}={}", token("another", "confirm"))));
        assert!(!accepted(&[], &format!("{TOKEN_FIELD}={}", token("cookie", "connect"))));
    }
}
