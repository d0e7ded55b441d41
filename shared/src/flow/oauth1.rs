//! From a verifier of OAuth 1.0a to a token (RFC 5849 §2.3).

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::{depart::signer, making::Making, unusable};
use crate::{
    app::App,
    error::{Error, ProviderError},
    http::Params,
    protocol::{
        authorization::ClaimedCode,
        connector::OAuth1,
        oauth1::{self, Signer, Token},
        template,
        token::Tokens,
    },
    store::attempts::Kept,
};

impl App {
    /// Exchanges the temporary credentials that this browser left with, and no other, for token credentials.
    pub(super) async fn redeem_verifier(
        &self,
        making: &mut Making<'_>,
        oauth1: &OAuth1,
        kept: &Kept,
        verifier: &ClaimedCode,
        response: &Params,
    ) -> Result<Tokens, Error> {
        let id = making.id;
        let (Some(temporary), Some(secret)) = (&kept.temporary, &kept.token_secret) else {
            return Err(Error::UnknownState);
        };
        // RFC 5849 §2.2: what comes back names the temporary credentials; another's would be somebody else's consent
        if response.one("oauth_token").ok().flatten() != Some(temporary.expose()) {
            let why = "the answer names other temporary credentials than those that the browser left with";
            return Err(ProviderError::InvalidResponse(why).of(id));
        }
        let endpoint = template::url(&oauth1.token_endpoint, &making.all()).map_err(unusable(id))?;
        let token = Some(Token { token: temporary, secret });
        let signer = Signer { token, ..signer(oauth1, &making.client)? };
        let now = self.clock.now();
        let request = signer
            .token_request(&http::Method::POST, &endpoint, verifier.expose(), now, &self.nonce())
            .map_err(unusable(id))?;
        let response = self.send(making, request).await?;
        let oauth1::Credentials { token, secret, further } =
            oauth1::read_token(&response).map_err(|cause| cause.of(id))?;
        making.credentials.token_secret = Some(secret);
        Ok(Tokens {
            access_token: token,
            refresh_token: None,
            expires_at: oauth1.expires_in.map(|seconds| now.after(Duration::from_secs(seconds))),
            scopes: None,
            slots: BTreeMap::new(),
            answer: Value::Object(further),
        })
    }
}
