//! What the demo needs to be there: a project, an app client with its key, Acme's client, and a file to paste from.

use std::{fmt::Write, io, path::Path};

use serde::{Deserialize, Serialize};
use shared::{
    app::App,
    caller::secret_key,
    error::Error,
    id::{ClientId, ConnectorId, Environment, ProjectId, Role},
    secret::{AppSecret, Bearer, ClientSecret},
    secrets::{ClientsSecret, ProviderClient},
    store::settings::{AppClient, ConnectorSettings, Key, Project},
};
use url::Url;

use crate::{addresses::Addresses, folder::write_private};

/// What the demo is called with, kept beside the state so that a restart changes none of it.
#[derive(Clone, Deserialize, Serialize)]
pub struct Demo {
    /// The demo's project.
    pub project: ProjectId,
    /// Its app client.
    pub client: ClientId,
    /// Half of Acme's client, the public one.
    pub acme_client_id: String,
    secret: String,
    acme_client_secret: String,
}

impl Demo {
    /// A new one.
    #[must_use]
    pub fn random(app: &App) -> Self {
        let project = ProjectId::random(&app.random);
        let client = ClientId::random(&project, Environment::Test, &app.random);
        let secret = || Bearer::random(&app.random).expose().to_owned();
        Self {
            project,
            client,
            acme_client_id: "mooring-demo".to_owned(),
            secret: secret(),
            acme_client_secret: secret(),
        }
    }

    /// The app client's own secret.
    #[must_use]
    pub fn client_secret(&self) -> &str {
        &self.secret
    }

    /// The secret key.
    #[must_use]
    pub fn secret_key(&self) -> String {
        secret_key(&self.client, &AppSecret::from(self.secret.clone()))
    }

    /// Acme's client secret.
    #[must_use]
    pub fn acme_client_secret(&self) -> &str {
        &self.acme_client_secret
    }

    /// The one kept in this file, or a new one.
    pub fn load(app: &App, file: Option<&Path>) -> io::Result<Self> {
        match file {
            Some(file) if file.exists() => Ok(serde_json::from_slice(&std::fs::read(file)?)?),
            Some(file) => {
                let demo = Self::random(app);
                write_private(file, &serde_json::to_vec_pretty(&demo)?)?;
                Ok(demo)
            }
            None => Ok(Self::random(app)),
        }
    }

    /// Puts it into the store, where it is not there yet. The addresses are set at each start, since ports may change.
    pub async fn plant(&self, app: &App, base_url: &str, app_url: &Url) -> Result<(), Error> {
        let now = app.clock.now();
        app.settings.set_base_url(base_url).await?;
        let origin = app_url.origin().ascii_serialization();
        let redirect_uris = vec![format!("{origin}/"), format!("{origin}/connected")];
        let read =
            app.settings.read(&[Key::Project(self.project.clone()), Key::Client(self.client.clone())], now).await?;
        if read.project(&self.project)?.is_none() {
            let project = Project {
                id: self.project.clone(),
                name: "Orbit CRM".to_owned(),
                allowed_origins: vec![origin.clone()],
                redirect_uris: redirect_uris.clone(),
                vouches_for_users: false,
                reconnect_other_account: shared::store::settings::OtherAccount::default(),
                brand: shared::brand::Brand::default(),
                created_at: now,
            };
            app.settings.create_project(&project).await?;
        } else {
            app.settings
                .update_project(&self.project, |project| {
                    add(&mut project.allowed_origins, std::slice::from_ref(&origin));
                    add(&mut project.redirect_uris, &redirect_uris);
                })
                .await?;
        }
        if read.client(&self.client)?.is_none() {
            let client = AppClient {
                id: self.client.clone(),
                name: "Orbit CRM's back end".to_owned(),
                description: "Made by the local server for the demo.".to_owned(),
                roles: Role::ALL.to_vec(),
                created_at: now,
                revoked_at: None,
            };
            app.settings.create_client(&client, &shared::secret::digest(&self.secret)).await?;
        }
        self.plant_acme(app).await
    }

    async fn plant_acme(&self, app: &App) -> Result<(), Error> {
        let Some(acme) = ConnectorId::parse("acme") else { return Err(Error::UnknownState) };
        let secret = ClientSecret::from(self.acme_client_secret.clone());
        let client_id = self.acme_client_id.clone();
        let client = ProviderClient { client_id, client_secret: Some(secret), ..ProviderClient::default() };
        let token = || Bearer::random(&app.random).expose().to_owned();
        app.secrets.put_provider_client(&ClientsSecret::Default, &acme, Some(&client), token).await?;
        let settings =
            ConnectorSettings { client_id: Some(client.client_id.clone()), order: 1, ..ConnectorSettings::default() };
        app.settings.put_connector(&Key::DefaultClient(acme), &settings).await?;
        Ok(())
    }

    /// The lines of `demo.env`, which a shell can source.
    #[must_use]
    pub fn env(&self, addresses: &Addresses, root_key: &str) -> String {
        let lines = [
            ("BASE_URL", addresses.base()),
            ("PROJECT_ID", self.project.as_str()),
            ("SECRET_KEY", &self.secret_key()),
            ("CLIENT_ID", self.client.as_str()),
            ("CLIENT_SECRET", &self.secret),
            ("ROOT_KEY", root_key),
            ("APP_URL", addresses.app_url.as_str().trim_end_matches('/')),
            ("PROVIDER_URL", addresses.provider_url.as_str().trim_end_matches('/')),
        ];
        lines.iter().fold(String::new(), |mut text, (name, value)| {
            // writing to a string does not fail
            let _ = writeln!(text, "export {name}='{value}'");
            text
        })
    }
}

fn add(list: &mut Vec<String>, wanted: &[String]) {
    for entry in wanted {
        if !list.contains(entry) {
            list.push(entry.clone());
        }
    }
}
