//! Pages of a list.

use serde::Serialize;
use serde_json::{Value, json};
use shared::{
    error::Error,
    http::{Params, Request},
};

/// Which page of a list is wanted, and how long one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paging {
    page: usize,
    limit: usize,
}

impl Paging {
    /// What the query says: `page` from 1, the first if absent; `limit` from 1 to `most`, 100 if absent.
    pub fn of(query: &Params, most: usize) -> Result<Self, Error> {
        let page = number(query, "page", 1, usize::MAX)
            .map_err(|()| Error::invalid("page is a whole number from 1"))?
            .unwrap_or(1);
        let limit = number(query, "limit", 1, most)
            .map_err(|()| Error::invalid(format!("limit is a whole number from 1 to {most}")))?
            .unwrap_or(100);
        Ok(Self { page, limit })
    }

    /// The rows of the wanted page, as an answer. A page beyond the last is empty.
    pub fn answer<'a, T, R: Serialize>(self, all: &'a [T], row: impl Fn(&'a T) -> R, request: &Request) -> Value {
        let skipped = (self.page - 1).saturating_mul(self.limit);
        let rows: Vec<R> = all.iter().skip(skipped).take(self.limit).map(row).collect();
        json!({
            "rows": rows,
            "total": all.len(),
            "pages": all.len().div_ceil(self.limit),
            "page": self.page,
            "requestId": request.request_id,
        })
    }
}

/// A whole number in a range; `None` if the parameter is absent.
fn number(query: &Params, name: &str, least: usize, most: usize) -> Result<Option<usize>, ()> {
    let Some(text) = query.one(name).map_err(drop)? else { return Ok(None) };
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    // `parse` would take a plus sign
    if text.bytes().all(|byte| byte.is_ascii_digit()) { number.map(Some).ok_or(()) } else { Err(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paging(query: &str) -> Result<Paging, String> {
        let params = Params::from_form(query.as_bytes()).unwrap();
        Paging::of(&params, 100).map_err(|error| error.to_string())
    }

    #[test]
    fn a_range_is_kept_and_named() {
        let page = || Err("page is a whole number from 1".to_owned());
        let limit = || Err("limit is a whole number from 1 to 100".to_owned());
        let table = [
            ("", Ok(Paging { page: 1, limit: 100 })),
            ("page=2&limit=1", Ok(Paging { page: 2, limit: 1 })),
            ("page=&limit=", Ok(Paging { page: 1, limit: 100 })),
            ("page=18446744073709551615", Ok(Paging { page: usize::MAX, limit: 100 })),
            ("page=0", page()),
            ("page=-1", page()),
            ("page=%2B1", page()),
            ("page=1.0", page()),
            ("page=18446744073709551616", page()),
            ("page=1&page=2", page()),
            ("limit=0", limit()),
            ("limit=101", limit()),
            ("limit=ten", limit()),
        ];
        for (query, expected) in table {
            assert_eq!(paging(query), expected, "{query}");
        }
    }

    #[test]
    fn a_page_is_a_part_of_the_list() {
        let request =
            Request::new("GET", "/".to_owned(), String::new(), Vec::new(), Vec::new().into(), "r1".to_owned());
        let table = [("limit=2", [1, 2].as_slice()), ("limit=2&page=2", &[3]), ("limit=2&page=3", &[])];
        for (query, rows) in table {
            let paging = paging(query).unwrap();
            let expected = json!({ "rows": rows, "total": 3, "pages": 2, "page": paging.page, "requestId": "r1" });
            assert_eq!(paging.answer(&[1, 2, 3], |row| *row, &request), expected, "{query}");
        }
        let last = paging("page=18446744073709551615").unwrap();
        assert_eq!(last.answer(&[1], |row| *row, &request)["rows"], json!([]));
    }
}
