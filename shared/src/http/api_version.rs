//! The `x-api-version` header, which the credentials routes read. Their answers carry it, refusals too.

use super::{Request, Response};
use crate::{
    error::{Error, Refusal},
    routes::Voice,
};

/// The header's name.
const NAME: &str = "x-api-version";

/// Every version that is accepted, the current one first. So far they mean the same.
const VERSIONS: [&str; 3] = ["2025-09", "2024-02", "2023-12"];

/// The version of the API that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiVersion(&'static str);

impl ApiVersion {
    /// The version that is spoken with this request, where a route of this voice has versions.
    pub fn spoken(request: &Request, voice: Voice) -> Option<Result<Self, Error>> {
        (voice == Voice::Credentials).then(|| Self::of(request))
    }

    /// What the request says; the current version if it says nothing.
    fn of(request: &Request) -> Result<Self, Error> {
        let [current, ..] = VERSIONS;
        let Some(asked) = request.single_header(NAME)? else { return Ok(Self(current)) };
        VERSIONS.into_iter().find(|version| *version == asked).map(Self).ok_or_else(|| {
            Error::refused(Refusal::UnsupportedApiVersion, format!("{NAME} is one of {}", VERSIONS.join(", ")))
        })
    }

    /// The answer, with the version that it was made for.
    #[must_use]
    pub fn echo(self, response: Response) -> Response {
        response.with(NAME, self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(values: &[&str]) -> Option<&'static str> {
        let headers = values.iter().map(|value| (NAME.to_owned(), (*value).to_owned())).collect();
        let request = Request::new("GET", "/".to_owned(), String::new(), headers, bytes::Bytes::new(), "r".to_owned());
        ApiVersion::of(&request).ok().map(|version| version.0)
    }

    #[test]
    fn three_versions_are_accepted() {
        let table: [(&[&str], _); 6] = [
            (&[], Some("2025-09")),
            (&[""], Some("2025-09")),
            (&["2024-02"], Some("2024-02")),
            (&["2023-12"], Some("2023-12")),
            (&["2022-01"], None),
            (&["2025-09", "2024-02"], None),
        ];
        for (values, expected) in table {
            assert_eq!(asked(values), expected, "{values:?}");
        }
    }
}
