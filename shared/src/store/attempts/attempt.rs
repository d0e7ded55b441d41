//! What an attempt is: who asked for it, where it leads, and how it may be completed.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    id::{AttemptId, ConnectionKey, ConnectorId, Environment, Identity, ProjectId},
    secrets::ClientSource,
    vault::Belongs,
};

/// How long an authorization may take, from its making to the callback.
pub const LIFETIME: Duration = Duration::from_mins(10);

/// One person's way to one connection: who asked for it, where it leads, and how it may be completed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Attempt {
    /// Its name, which authorises nothing.
    pub id: AttemptId,
    /// Whose.
    pub project: ProjectId,
    /// In which environment.
    pub environment: Environment,
    /// To which provider.
    pub connector: ConnectorId,
    /// How that provider is called.
    pub connector_name: String,
    /// For whom; absent means for the project itself.
    pub identity: Option<Identity>,
    /// How the app's back end calls them.
    pub identity_label: Option<String>,
    /// How the app is called, at the time of asking.
    pub app_name: String,
    /// How it was started, and so where the browser goes at the end.
    pub shape: Shape,
    /// Who may complete it.
    pub completion: Completion,
    /// How the person wants the connection to be called.
    #[serde(default)]
    pub name: Option<String>,
    /// The connection it will make, or renew.
    pub connection: ConnectionKey,
    /// Whether that connection exists already.
    pub reconnect: bool,
    /// Whose client of the provider is used.
    pub client: Option<ClientSource>,
    /// That client's public half.
    pub client_id: Option<String>,
    /// Where the provider is asked, but for the `state`: made once, so that starting reads nothing.
    pub authorization_url: String,
    /// The `redirect_uri` in it, which the token request repeats (RFC 6749 §4.1.3).
    pub redirect_uri: String,
    /// Which of our redirect URIs that is, and so where the answer has to arrive.
    pub callback: Callback,
    /// Who has to answer, where that is known (RFC 9207).
    pub issuer: Option<Issuer>,
    /// The parameter of the answer that carries the code, where that is not `code`.
    #[serde(default)]
    pub code_parameter: Option<String>,
    /// How the browser gets to the provider, and so what it comes back with.
    #[serde(default)]
    pub departure: Departure,
    /// How many seconds it may take, where that is not [`LIFETIME`].
    #[serde(default)]
    pub lifetime: Option<u64>,
    /// The scopes asked for.
    pub scopes: Vec<String>,
    /// The digest of the connect session that may ask for its status.
    pub session: Option<String>,
    /// What the person typed and the operator chose, secrets excepted.
    pub values: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Attempt {
    /// Until when the provider's answer is taken.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.created_at.after(self.lifetime.map_or(LIFETIME, Duration::from_secs))
    }

    /// What its sealed values belong to.
    #[must_use]
    pub fn belongs(&self, content: &'static str) -> Belongs<'_> {
        Belongs {
            project: &self.project,
            environment: self.environment,
            connector: &self.connector,
            connection: &self.connection,
            content,
        }
    }

    /// As compared by a claim: the connector in the path of our redirect URI, or none.
    pub(super) fn callback_name(&self) -> &str {
        match self.callback {
            Callback::Own => self.redirect_uri.rsplit('/').nth(2).unwrap_or_default(),
            Callback::Common => COMMON,
        }
    }

    /// The name of the cookie that tells the browser of this attempt.
    #[must_use]
    pub fn cookie_name(&self) -> String {
        cookie_name(&self.id)
    }
}

/// How the browser gets to the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Departure {
    /// By an address that says all.
    #[default]
    Direct,
    /// By a reference to what is pushed ahead of it (RFC 9126).
    Pushed {
        /// The parameters, but for the `state`.
        params: Vec<(String, String)>,
    },
    /// With temporary credentials that are got ahead of it, and back with a verifier (RFC 5849 §2.1, §2.2).
    Temporary,
    /// Not at all: a person types a code elsewhere (RFC 8628).
    Device,
}

/// A redirect URI of ours. Each connector has its own, so that one provider's answer can't be taken for another's
/// (RFC 9700 §4.4.2.2); a provider client that was registered before may name the one that all share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Callback {
    /// The connector's own.
    #[default]
    Own,
    /// The common one.
    Common,
}

/// No connector's id.
pub(super) const COMMON: &str = "*";

/// The authorization server that an attempt leads to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Issuer {
    /// Its identifier (RFC 8414 §2).
    pub identifier: String,
    /// Whether each of its answers names it. One that does not is then refused (RFC 9207 §2.4).
    pub is_told: bool,
}

/// The name of the cookie that tells an attempt's browser; one for each, so that two tabs do not disturb each other.
#[must_use]
pub fn cookie_name(id: &AttemptId) -> String {
    format!("__Host-mooring_{id}")
}

/// How a flow was started, and so where the browser goes at the end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Shape {
    /// By a one-time token in a link.
    Link {
        /// Where the browser goes back to; without it, our own page is the end.
        return_to: Option<String>,
        /// The link's name, under which its page can be opened again.
        #[serde(default)]
        link: Option<String>,
    },
    /// By `GET /connectors/{connector}/oauth/authorize`.
    FrontEnd {
        /// The front end to go back to; without it, our own page is the end.
        base_url: Option<String>,
    },
    /// By a page of the app's with a connect session: `connect.js`.
    Page {
        /// The page to go back to; without it, ours is the end, in a window of its own.
        return_to: Option<String>,
    },
    /// By the published widget in the page's own window. That page adds its address to the `state` on the way out
    /// ([`crate::protocol::return_address`]), so that it stands beside the attempt ([`super::Progress::came_from`]) and not in it.
    Widget,
    /// By `POST /v1/connect/device`: no browser of ours has part in it.
    Device,
    /// By `POST /connectors/{connector}/credentials`.
    Credentials {
        /// Where the completion code goes.
        redirect_uri: String,
    },
}

/// What completes a held grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Completion {
    /// The app's back end redeems the completion code and names the identity that its own session says is logged in.
    AppVouches,
    /// Nobody any more: the page that asked was proven before the browser left, and the browser that brings the answer is the
    /// one that left from it.
    BoundAtStart,
    /// The person confirms on our page.
    PersonConfirms,
}
