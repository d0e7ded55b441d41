//! A provider of a test's own: a connector that leads to it, with a client that it knows.

use std::path::Path;

use serde_json::{Value, json};
use shared::protocol::connector::Connector;

use super::{Answer, Attempt, Browser, USER, World};

/// What a file of these tests defines, with the address of the server that plays the provider.
pub fn definition_in(file: &str, origin: &str) -> Value {
    let toml = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let connector: Connector = toml::from_str(&toml.replace("{origin}", origin)).unwrap();
    let mut definition = serde_json::to_value(connector).unwrap();
    definition.as_object_mut().unwrap().remove("id");
    definition
}

impl World {
    /// A custom connector of the demo's project, and the client that its provider knows.
    pub async fn custom_with_client(&self, id: &str, definition: &Value, client: &str, secret: &str) {
        self.custom(id, definition, false).await;
        let path = format!("/v1/admin/projects/{}/environments/test/connectors/{id}", self.project());
        self.root("PUT", &path, Some(&json!({ "client_id": client, "client_secret": secret }))).await;
    }

    /// Begins for a front end without an address of its own.
    pub async fn begin_at(&self, id: &str) -> Attempt {
        let path = format!("/connectors/{id}/oauth/authorize?userId={USER}");
        Attempt::of(&self.get(&path).await.member("authorizationUrl"))
    }

    /// The redirect URI of a custom connector.
    pub fn callback_of(&self, id: &str) -> String {
        format!("{}/connectors/{id}-{}/oauth/callback", self.base(), self.project())
    }

    /// The person confirms what was held, and there is a connection: its key.
    pub async fn confirmed(&self, browser: &Browser, attempt: &Attempt, landed: &Answer) -> String {
        assert_eq!((landed.status, landed.location()), (302, attempt.path("confirm")), "{}", landed.text());
        assert_eq!(self.confirm(browser, attempt).await.status, 303);
        let status = browser.fetch(&format!("{}/v1/connect/attempts/{}", self.base(), attempt.id)).await.json();
        status["connection"]["key"].as_str().unwrap_or_else(|| panic!("{status}")).to_owned()
    }

    /// How the attempt stands, as its browser is told.
    pub async fn told(&self, browser: &Browser, attempt: &Attempt) -> (String, String) {
        let status = browser.fetch(&format!("{}/v1/connect/attempts/{}", self.base(), attempt.id)).await.json();
        let text = |name: &str| status[name].as_str().unwrap_or("-").to_owned();
        (text("status"), text("error"))
    }

    /// An API call with a connection.
    pub fn passthrough(&self, method: &str, path: &str, key: &str) -> super::Call {
        self.api(method, &format!("/v1/passthrough/{path}")).header("x-one-connection-key", key)
    }
}
