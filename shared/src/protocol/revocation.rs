//! Withdrawing consent at the provider (RFC 7009 and what providers have in its place).

use bytes::Bytes;
use http::{HeaderMap, header};
use url::Url;

use super::{
    account,
    answer::{self, signalled},
    connector::{BodyFormat, Connector, Revoke, RevokeAuthentication},
    request::{basic, call, sensitive, set_headers},
    template::{self, TemplateError, Values},
    token::TokenRequest,
};
use crate::{
    clock::{Random, Timestamp},
    error::ProviderError,
    secret::ClientSecret,
    secrets::ProviderClient,
};

/// The request that withdraws consent. A parameter whose placeholder is not there falls back to the access token.
pub fn request(
    connector: &Connector,
    revoke: &Revoke,
    client: Option<&ProviderClient>,
    values: &Values,
    now: Timestamp,
    random: &Random,
) -> Result<http::Request<Bytes>, TemplateError> {
    let mut values = values.with_random(random);
    if values.get("refresh_token").is_none()
        && let Some(token) = values.get("access_token").map(str::to_owned)
    {
        values.insert("refresh_token", token);
    }
    if let Some(client) = client {
        values.insert("client_id", client.client_id.clone());
        client.client_secret.iter().for_each(|secret| values.insert("client_secret", secret.expose()));
    }
    let mut params = template::pairs(&revoke.params, &values)?;
    let mut url = template::url(&revoke.url, &values)?;
    let bare = params.is_empty();
    let mut authorization = HeaderMap::new();
    if let Some(placement) = &revoke.credential {
        account::place(placement, &values, &mut url, &mut authorization)?;
    } else {
        let asking = Asking { connector, client, values: &values, now, random };
        authorization = asking.authenticate(revoke.authentication, &mut params, &mut url)?;
    }
    // a DELETE has a body where the provider wants one (GitHub's names the token so), and JSON is sent even when it is empty
    let silent = bare && params.is_empty() && revoke.body != BodyFormat::Json;
    let mut request = call(revoke.method, revoke.body, url, &params, false)?;
    if silent {
        request.headers_mut().remove(header::CONTENT_TYPE);
    }
    request.headers_mut().extend(authorization);
    set_headers(request.headers_mut(), &revoke.headers, &values)?;
    Ok(request)
}

/// Who asks.
struct Asking<'a> {
    connector: &'a Connector,
    client: Option<&'a ProviderClient>,
    values: &'a Values,
    now: Timestamp,
    random: &'a Random,
}

impl<'a> Asking<'a> {
    /// Adds what proves who asks, where it has to stand: gives the headers of it. A connection without a client has nothing to show
    /// for one.
    fn authenticate(
        &self,
        way: RevokeAuthentication,
        params: &mut Vec<(&'a str, String)>,
        url: &mut Url,
    ) -> Result<HeaderMap, TemplateError> {
        let mut headers = HeaderMap::new();
        match (way, self.client, &self.connector.oauth2) {
            (RevokeAuthentication::Client, Some(client), Some(oauth2)) => {
                let Self { values, now, random, .. } = *self;
                let asking = TokenRequest { oauth2, client, values, now, random };
                let mut proof = Vec::new();
                let basic = asking.authenticate(oauth2.token_endpoint_auth_method, &mut proof)?;
                headers.extend(basic.map(|basic| (header::AUTHORIZATION, basic)));
                // as the token endpoint calls them
                let own = |name| oauth2.parameter_names.token_request.value(name).unwrap_or(name);
                params.extend(proof.into_iter().map(|(name, value)| (own(name), value)));
            }
            (RevokeAuthentication::ClientSecretPost, Some(client), _) => {
                params.push(("client_id", client.client_id.clone()));
                params.extend(client.client_secret.iter().map(|secret| ("client_secret", secret.expose().to_owned())));
            }
            (RevokeAuthentication::ClientSecretBasic, Some(client), _) => {
                let secret = client.client_secret.as_ref().map(ClientSecret::expose).unwrap_or_default();
                headers.insert(header::AUTHORIZATION, basic(&client.client_id, secret));
            }
            (RevokeAuthentication::Token, ..) => {
                let token = self.values.get("access_token").map(|token| sensitive(&format!("Bearer {token}")));
                headers.extend(token.map(|token| (header::AUTHORIZATION, token)));
            }
            (RevokeAuthentication::Api, ..) => {
                account::place(&self.connector.api.credential, self.values, url, &mut headers)?;
            }
            (RevokeAuthentication::Client | RevokeAuthentication::None, ..)
            | (RevokeAuthentication::ClientSecretBasic | RevokeAuthentication::ClientSecretPost, None, _) => {}
        }
        Ok(headers)
    }
}

/// Whether consent is withdrawn. A token that the provider no longer knows is as good (RFC 7009 §2.2).
pub fn read(revoke: &Revoke, response: &http::Response<Bytes>) -> Result<(), ProviderError> {
    let status = response.status();
    if status.is_success() && revoke.error_signal.is_none() {
        return Ok(());
    }
    if matches!(status.as_u16(), 404 | 410) {
        return Ok(());
    }
    match answer::json(response) {
        Ok(answer) => signalled(revoke.error_signal.as_ref(), &answer)
            .filter(|code| !is_gone(code))
            .map_or(Ok(()), |code| Err(ProviderError::Refused(code))),
        Err(ProviderError::Refused(code)) if is_gone(&code) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Codes that say: there is nothing left to revoke.
fn is_gone(code: &str) -> bool {
    matches!(code, "invalid_token" | "token_revoked" | "token_expired" | "not_authed" | "account_inactive")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_as_the_data_says() {
        let connector: Connector = serde_json::from_value(serde_json::json!({
            "id": "acme", "name": "Acme", "api": {"base_url": "https://api.acme.example"},
            "oauth2": {"authorization_endpoint": "https://a.acme.example/a", "token_endpoint": "https://a.acme.example/t", "token_endpoint_auth_method": "client_secret_post"},
            "revoke": {"url": "https://a.acme.example/revoke", "params": {"token": "{refresh_token}"}}
        }))
        .unwrap();
        let client = ProviderClient {
            client_id: "id".to_owned(),
            client_secret: Some(ClientSecret::from("s".to_owned())),
            ..ProviderClient::default()
        };
        let mut values = Values::default();
        values.insert("access_token", "at");
        let revoke = connector.revoke.as_ref().unwrap();
        let built =
            request(&connector, revoke, Some(&client), &values, Timestamp::default(), &Random::system()).unwrap();
        assert_eq!(
            (built.method(), &built.body()[..]),
            (&http::Method::POST, &b"token=at&client_id=id&client_secret=s"[..])
        );
        values.insert("refresh_token", "rt");
        let built =
            request(&connector, revoke, Some(&client), &values, Timestamp::default(), &Random::system()).unwrap();
        assert_eq!(&built.body()[..], b"token=rt&client_id=id&client_secret=s");
    }

    #[test]
    fn what_is_gone_already_counts_as_revoked() {
        let revoke: Revoke = serde_json::from_value(serde_json::json!({"url": "https://x.example/"})).unwrap();
        for (status, body, expected) in [
            (200, "", true),
            (204, "", true),
            (404, "", true),
            (400, r#"{"error":"invalid_token"}"#, true),
            (400, r#"{"error":"invalid_client"}"#, false),
            (503, "", false),
            (401, "", false),
        ] {
            let response = http::Response::builder().status(status).body(Bytes::from(body)).unwrap();
            assert_eq!(read(&revoke, &response).is_ok(), expected, "{status} {body}");
        }
    }
}
