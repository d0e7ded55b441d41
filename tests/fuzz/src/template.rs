//! Addresses and headers that are filled from what strangers say.
//!
//! Whatever `check` accepts stays inside, whatever the values are: no secret leaves for a host that the connector's data does
//! not allow by [`reach`](crate::reach)'s rules, and no header or parameter has a control character in it.

use serde_json::Value;
use shared::protocol::{
    connector::{Connector, Pairs},
    origins::Origins,
    template::{self, Values},
};
use url::Url;

use crate::{
    case::Case,
    fill::{self, CANARY},
    reach::{addresses, admits, named},
};

/// Addresses that belong to nobody's connector.
const STRANGERS: [&str; 9] = [
    "https://evil.example/",
    "https://vendor.com.evil.example/",
    "https://evil.example/.vendor.com",
    "https://vendor.com@evil.example/",
    "https://evilvendor.com/",
    "https://evil.example:8443/",
    "http://acme.vendor.com/",
    "https://169.254.169.254/",
    "https://[::1]/",
];

/// Fills everything that a case's connector has, and looks where it leads.
///
/// # Panics
/// If something leads where it must not: that is a finding.
pub fn run(data: &[u8]) {
    if data.windows(CANARY.len()).any(|bytes| bytes == CANARY.as_bytes()) {
        return; // whoever says our secrets knows them
    }
    let case = Case::read(data);
    let Some((json, connector)) = case.connector() else { return };
    let checked = connector.check(false);
    if case.word(1) == "local" {
        let local = connector.check(true);
        assert!(checked.is_err() || local.is_ok(), "what may be everywhere may be on a laptop: {local:?}");
    }
    if checked.is_err() {
        return;
    }
    let Some(values) = fill::values(&connector, &case.given) else { return };
    let place = Place { json: &json, connector: &connector, values: &values };
    place.addresses_stay();
    place.requests_stay();
    place.strangers_stay_out(&case);
    place.pairs_are_plain();
}

struct Place<'a> {
    json: &'a Value,
    connector: &'a Connector,
    values: &'a Values,
}

impl Place<'_> {
    fn admits(&self, url: &Url) -> bool {
        admits(self.json, self.values, url)
    }

    fn origins(&self) -> Origins {
        match Origins::of(self.connector, self.values) {
            Ok(origins) => origins,
            Err(error) => panic!("values were taken in that lead nowhere: {error}"),
        }
    }

    fn addresses_stay(&self) {
        let origins = self.origins();
        for address in addresses(self.json) {
            let Ok(url) = template::url(address, self.values) else { continue };
            assert!(self.admits(&url), "{address} leads to {url}");
            assert!(!url.query().unwrap_or_default().contains(CANARY), "{address} shows a secret");
            // what is left out of the list is never called, which is safe and useless: labels that are too long together
            let callable = url.host_str().is_some_and(|host| host.split('.').all(|label| label.len() <= 63));
            assert!(!callable || origins.permits(&url), "{address} gives {url}, which may not be called");
        }
        if let Ok(base) = template::base_url(self.connector, self.values) {
            assert!(self.admits(&base), "the API is at {base}");
        }
        if let Some(url) = fill::authorization_url(self.connector, self.values) {
            assert!(self.admits(&url), "the browser is sent to {url}");
            assert!(!url.as_str().contains(CANARY), "the browser is shown a secret");
        }
    }

    /// Each request that may be sent goes where its secret may go.
    fn requests_stay(&self) {
        for request in fill::requests(self.connector, self.values) {
            let url = Url::parse(&request.uri().to_string());
            let Ok(url) = url else { panic!("a request to no address") };
            assert!(self.admits(&url), "a request goes to {}", url.origin().ascii_serialization());
            for (name, value) in request.headers() {
                assert!(!value.is_empty() || self.may_be_empty(), "{name} lost its value");
            }
        }
    }

    /// Whether a header without a value is what the data says: that of an optional input inside of a credential.
    fn may_be_empty(&self) -> bool {
        let mut inputs = self.connector.inputs.iter().chain(self.connector.settings.iter());
        inputs.any(|input| input.optional) || self.json.to_string().contains("\":\"\"")
    }

    fn strangers_stay_out(&self, case: &Case<'_>) {
        let all = self.origins();
        let Ok(api) = Origins::of_api(self.connector, self.values) else { panic!("the API has no origins") };
        let said = case.given.values().flat_map(|value| [value.clone(), format!("https://{value}/")]);
        for address in STRANGERS.map(str::to_owned).into_iter().chain(said) {
            let Ok(url) = Url::parse(&address) else { continue };
            let permitted = all.permits(&url) || api.permits(&url);
            assert!(!permitted || self.admits(&url), "{url} is permitted");
        }
    }

    fn pairs_are_plain(&self) {
        let lists = named(self.json, &|name| {
            name.ends_with("params") || name.ends_with("headers") || name == "query" || name == "claims"
        });
        for list in lists {
            let Ok(pairs) = serde_json::from_value::<Pairs>(list.clone()) else { continue };
            let filled = template::pairs(&pairs, self.values).unwrap_or_default();
            for (name, value) in filled {
                let literal = pairs.value(name).is_some_and(|template| template.contains(char::is_control));
                assert!(literal || !value.contains(char::is_control), "a control character in {name}");
            }
        }
    }
}
