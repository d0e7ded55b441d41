//! Which language a page is written in: the one that the browser asks for, of those that [`super::words`] has.

use crate::http::Request;

/// A language that the pages are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English, for whoever asks for none of the others.
    #[default]
    English,
    /// German.
    German,
}

impl Language {
    /// Every language; of two that are wanted equally, the first.
    const ALL: [Self; 2] = [Self::English, Self::German];

    /// The language that a request wants.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        let lines = request.headers.iter().filter(|(name, _)| name == "accept-language");
        Self::wanted(&lines.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(","))
    }

    /// The language that an `Accept-Language` prefers (RFC 9110 §12.5.4): by weight, and of equal ones the one named first. A
    /// range like `de-AT` is served by `de` (RFC 4647 §3.4).
    fn wanted(header: &str) -> Self {
        let mut ranges: Vec<(&str, f32)> = header.split(',').filter_map(range).collect();
        let refused: Vec<Self> =
            ranges.iter().filter(|(_, q)| *q <= 0.0).filter_map(|(tag, _)| Self::named(tag)).collect();
        ranges.retain(|(_, q)| *q > 0.0);
        ranges.sort_by(|(_, a), (_, b)| b.total_cmp(a)); // stable: equal ones stay in their order
        let named = |tag: &str| match tag {
            "*" => Self::ALL.into_iter().find(|language| !refused.contains(language)),
            _ => Self::named(tag),
        };
        ranges.iter().find_map(|(tag, _)| named(tag)).unwrap_or_default()
    }

    fn named(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| primary.eq_ignore_ascii_case(language.tag()))
    }

    /// Its tag (RFC 5646), for `lang`.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// The direction it is written in, for `dir`.
    #[must_use]
    pub fn direction(self) -> &'static str {
        match self {
            Self::English | Self::German => "ltr",
        }
    }
}

/// A language range and its weight. One that can't be read is overlooked, as if it were not there.
fn range(text: &str) -> Option<(&str, f32)> {
    let mut parts = text.split(';').map(str::trim);
    let tag = parts.next().filter(|tag| !tag.is_empty())?;
    let mut weight = 1.0;
    for parameter in parts {
        let (name, value) = parameter.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("q") {
            weight = value.trim().parse::<f32>().ok().filter(|q| (0.0..=1.0).contains(q))?;
        }
    }
    Some((tag, weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_the_browser_prefers() {
        let table = [
            ("", "en"),
            ("de", "de"),
            ("DE-at", "de"),
            ("de-AT,de;q=0.9,en;q=0.8", "de"),
            ("en-GB,en;q=0.9,de;q=0.8", "en"),
            ("en;q=0.5, de;q=0.7", "de"),
            ("de;q=0.7, en;q=0.7", "de"),
            ("fr, de;q=0.2", "de"),
            ("fr, ja;q=0.9", "en"),
            ("fr, *;q=0.1", "en"),
            ("*", "en"),
            ("en;q=0, *", "de"),
            ("de;q=0, fr", "en"),
            ("de;q=0", "en"),
            ("den", "en"),
            ("de;q=2, en;q=0.1", "en"),
            ("de;q=x", "en"),
            ("de ; q = 0.8", "de"),
            (";;,,=", "en"),
        ];
        for (header, expected) in table {
            assert_eq!(Language::wanted(header).tag(), expected, "{header}");
        }
    }

    #[test]
    fn lines_of_the_header_are_one_list() {
        let lines = [("accept-language", "fr"), ("accept-language", "de;q=0.5")];
        let headers = lines.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let request = Request::new("GET", "/".to_owned(), String::new(), headers, bytes::Bytes::new(), "r".to_owned());
        assert_eq!(Language::of(&request), Language::German);
    }
}
