//! Who is asking: one resolver for every form in which a key, token or session arrives.
//!
//! A secret key may come as `Authorization: Bearer sk_…`, `X-One-Secret`, `X-Pica-Secret`, HTTP Basic (client id and secret) or
//! `client_id` and `client_secret` in a form or JSON body; a JWT from `/oauth2/token` wherever a Bearer key may. All mean the
//! same: an app client of one project and environment, with its roles. Passthrough leaves out the last way: its body is the
//! provider's ([`Operation::takes_credentials_in_the_body`](crate::routes::Operation::takes_credentials_in_the_body)).

use crate::{
    app::App,
    clock::Timestamp,
    error::{Error, Missing},
    http::{Request, basic_credentials, bearer_token},
    id::{ClientId, ConnectorId, Environment, ProjectId, Role},
    protocol::jwt,
    secret::{AppSecret, Digest, RootKey, digest},
    store::settings::{AppClient, KEPT, Key, Project, Read},
    subject::Subject,
};

/// An app client that proved itself, with what was read along the way.
pub struct Caller {
    /// The app client.
    pub client: AppClient,
    /// Its project.
    pub project: Project,
    /// Its environment.
    pub environment: Environment,
    /// What was read in the same round.
    pub read: Read,
    roles: Vec<Role>,
}

/// How somebody says who they are.
#[derive(Debug)]
pub enum Presented {
    /// An app client's id and secret.
    Secret {
        /// The app client.
        id: ClientId,
        /// Its secret.
        secret: AppSecret,
        /// The environment that the key names; one without a key names none.
        environment: Option<Environment>,
        /// Whether they came by HTTP Basic, and so may be challenged (RFC 6749 §5.2).
        by_basic: bool,
    },
    /// A JWT of ours.
    Jwt(String),
}

const UNKNOWN: &str = "the credential is unknown, revoked or expired";
const TWO: &str = "the request carries two different credentials; send one";
const MISSING: &str = "send a secret key as Authorization: Bearer sk_…, or get a token at /oauth2/token";

impl Presented {
    /// What a request presents, in any of the ways.
    pub fn of(request: &Request) -> Result<Option<Self>, Error> {
        Self::one(Self::from_headers(request)?.into_iter().chain(Self::from_body(request)?))
    }

    /// What the headers present.
    pub fn from_headers(request: &Request) -> Result<Option<Self>, Error> {
        Self::one(Self::from_authorization(request)?.into_iter().chain(Self::from_key_headers(request)?))
    }

    /// What the body presents, if it is a form or a JSON object with both halves, on a route where these are the caller's: never
    /// in passthrough, where the body is the provider's.
    pub fn from_body(request: &Request) -> Result<Option<Self>, Error> {
        let Some(form) = request.credentials_form() else { return Ok(None) };
        let (Some(id), Some(secret)) = (form.one("client_id")?, form.one("client_secret")?) else { return Ok(None) };
        let id = ClientId::parse(id).ok_or(Error::Unauthenticated { why: UNKNOWN, challenge: false })?;
        Ok(Some(Self::Secret { id, secret: secret.to_owned().into(), environment: None, by_basic: false }))
    }

    fn from_authorization(request: &Request) -> Result<Option<Self>, Error> {
        let Some(header) = request.single_header("authorization")? else { return Ok(None) };
        if let Some((id, secret)) = basic_credentials(header) {
            let id = ClientId::parse(&id).ok_or(Error::Unauthenticated { why: UNKNOWN, challenge: true })?;
            return Ok(Some(Self::Secret { id, secret: secret.into(), environment: None, by_basic: true }));
        }
        let challenge = header.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic"));
        let key = bearer_token(header).ok_or(Error::Unauthenticated { why: MISSING, challenge })?;
        Self::from_key(key).map(Some)
    }

    fn from_key_headers(request: &Request) -> Result<Vec<Self>, Error> {
        let mut presented = Vec::new();
        for name in ["x-one-secret", "x-pica-secret"] {
            presented.extend(request.single_header(name)?.map(Self::from_key).transpose()?);
        }
        Ok(presented)
    }

    /// One credential may come in several ways. Of two that differ nobody can tell which was meant.
    fn one(presented: impl Iterator<Item = Self>) -> Result<Option<Self>, Error> {
        let mut one: Option<Self> = None;
        for other in presented {
            one = Some(match one {
                Some(first) => first.and(other).ok_or_else(|| Error::invalid(TWO))?,
                None => other,
            });
        }
        Ok(one)
    }

    /// Both, if they are the same.
    fn and(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Jwt(token), Self::Jwt(other)) => (token == other).then_some(Self::Jwt(token)),
            (
                Self::Secret { id, secret, environment, by_basic },
                Self::Secret { id: other_id, secret: other_secret, environment: other, by_basic: also },
            ) => {
                let same = id == other_id && secret.expose() == other_secret.expose();
                let agreed = environment.is_none() || other.is_none() || environment == other;
                let environment = environment.or(other);
                (same && agreed).then_some(Self::Secret { id, secret, environment, by_basic: by_basic || also })
            }
            (Self::Jwt(_), Self::Secret { .. }) | (Self::Secret { .. }, Self::Jwt(_)) => None,
        }
    }

    fn from_key(text: &str) -> Result<Self, Error> {
        if jwt::is_jwt(text) {
            return Ok(Self::Jwt(text.to_owned()));
        }
        let key = Self::secret_key(text).ok_or(Error::Unauthenticated { why: UNKNOWN, challenge: false })?;
        Ok(key)
    }

    /// `sk_<environment>_<client id>_<secret>`.
    fn secret_key(text: &str) -> Option<Self> {
        let (environment, rest) = text.strip_prefix("sk_")?.split_once('_')?;
        let (id, secret) = rest.split_once('_')?;
        Some(Self::Secret {
            id: ClientId::parse(id)?,
            secret: secret.to_owned().into(),
            environment: Some(Environment::parse(environment)?),
            by_basic: false,
        })
    }
}

/// The secret key of an app client, as the answer that makes one shows it once.
#[must_use]
pub fn secret_key(id: &ClientId, secret: &AppSecret) -> String {
    format!("sk_{}_{id}_{}", id.environment(), secret.expose())
}

impl App {
    /// Who is asking, if it has one of these roles. All that is needed of the settings is read in one round, the
    /// connector's part included where the path names one.
    pub async fn caller(&self, request: &Request, roles: &'static [Role]) -> Result<Caller, Error> {
        let connector = request.param("connector").ok().and_then(ConnectorId::parse);
        self.caller_reading(request, roles, |project, environment| {
            connector.iter().flat_map(|connector| connector_keys(project, environment, connector)).collect()
        })
        .await
    }

    /// The same, for a request that is for somebody: fails if that user was deleted.
    pub async fn caller_for(
        &self,
        request: &Request,
        roles: &'static [Role],
        subject: &Subject,
    ) -> Result<Caller, Error> {
        let connector = request.param("connector").ok().and_then(ConnectorId::parse);
        let caller = self
            .caller_reading(request, roles, |project, environment| {
                let user = subject.identity.iter();
                let user = user.map(|user| Key::DeletedUser(project.clone(), environment, user.clone()));
                let connector = connector.iter().flat_map(|connector| connector_keys(project, environment, connector));
                user.chain(connector).collect()
            })
            .await?;
        self.must_not_be_deleted(&caller.project.id, caller.environment, subject.identity.as_ref()).await?;
        Ok(caller)
    }

    /// The same, with further settings of the caller's project and environment read in the same round.
    pub async fn caller_reading(
        &self,
        request: &Request,
        roles: &'static [Role],
        further: impl Fn(&ProjectId, Environment) -> Vec<Key>,
    ) -> Result<Caller, Error> {
        let presented = Presented::of(request)?.ok_or(Error::Unauthenticated { why: MISSING, challenge: false })?;
        let caller = self.identify(&presented, further).await?;
        // first: a page of the project may read which role its key lacks
        let allowed = |origin: &&str| caller.project.allowed_origins.iter().any(|allowed| allowed == origin);
        if let Some(origin) = request.header("origin").filter(allowed) {
            request.reflect_origin(origin);
        }
        caller.require(roles)?;
        Ok(caller)
    }

    /// Who presents this.
    pub async fn identify(
        &self,
        presented: &Presented,
        further: impl Fn(&ProjectId, Environment) -> Vec<Key>,
    ) -> Result<Caller, Error> {
        let now = self.clock.now();
        let unknown = |challenge| Error::Unauthenticated { why: UNKNOWN, challenge };
        match presented {
            Presented::Secret { id, secret, environment, by_basic: challenge } => {
                let (challenge, caller) = (*challenge, self.app_client(id, further, now).await?);
                let (caller, hash) = caller.ok_or(unknown(challenge))?;
                // digests are compared: what the time of comparing them tells leads to no secret of 256 random bits
                let same = digest(secret.expose()).as_str() == hash;
                if !same || environment.is_some_and(|said| said != caller.environment) {
                    return Err(unknown(challenge));
                }
                Ok(caller)
            }
            Presented::Jwt(token) => {
                // whose it says it is only tells what to read, so that one round is enough; nothing is believed of it yet
                let id = jwt::named_client(token).ok_or(unknown(false))?;
                let (mut caller, _) = self.app_client(&id, further, now).await?.ok_or(unknown(false))?;
                let jwks = caller.read.deployment().jwks.ok_or(unknown(false))?;
                let claims = jwt::verify(token, &jwks, &self.config.deployment_id, now).ok_or(unknown(false))?;
                if claims.client_id != id {
                    return Err(unknown(false));
                }
                // a token carries no more than its client has by now
                caller.roles.retain(|role| claims.roles().contains(role));
                Ok(caller)
            }
        }
    }

    /// An app client that is not revoked, and the digest of its secret.
    async fn app_client(
        &self,
        id: &ClientId,
        further: impl Fn(&ProjectId, Environment) -> Vec<Key>,
        now: Timestamp,
    ) -> Result<Option<(Caller, String)>, Error> {
        let (project_id, environment) = (id.project(), id.environment());
        let mut keys = vec![Key::Deployment, Key::Project(project_id.clone()), Key::Client(id.clone())];
        keys.extend(further(&project_id, environment));
        let read = self.settings.read(&keys, now).await?;
        let (Some(project), Some((client, hash))) = (read.project(&project_id)?, read.client(id)?) else {
            return Ok(None);
        };
        if client.revoked_at.is_some() {
            return Ok(None);
        }
        let roles = client.roles.clone();
        Ok(Some((Caller { client, project, environment, read, roles }, hash)))
    }

    /// Whether the request carries the deployment's root key.
    pub async fn has_root_key(&self, request: &Request) -> Result<bool, Error> {
        let Some(token) = request.single_header("authorization")?.and_then(bearer_token) else { return Ok(false) };
        if token.starts_with("sk_") || jwt::is_jwt(token) {
            return Ok(false);
        }
        if self.root_key_digest().await?.is_none_or(|root| digest(token) != root) {
            return Ok(false);
        }
        if !Presented::from_key_headers(request)?.is_empty() || Presented::from_body(request)?.is_some() {
            return Err(Error::invalid(TWO));
        }
        Ok(true)
    }

    /// The digest of the root key, if there is one. It is kept for as long as settings are, so that whoever guesses at it
    /// costs one fetch in that time; a changed one works everywhere after it.
    async fn root_key_digest(&self) -> Result<Option<Digest>, Error> {
        let mut kept = self.root_key.lock().await; // those who ask meanwhile wait for the one fetch
        let now = self.clock.now();
        if let Some((since, root)) = &*kept
            && since.until(now) < KEPT
        {
            return Ok(root.clone());
        }
        let root = RootKey::from(self.secrets.text(&self.config.secrets.root_key).await?);
        let root = Some(digest(root.expose())).filter(|_| !root.expose().is_empty());
        *kept = Some((now, root.clone()));
        Ok(root)
    }
}

/// The settings that decide about a connector in a project and environment.
#[must_use]
pub fn connector_keys(project: &ProjectId, environment: Environment, connector: &ConnectorId) -> [Key; 3] {
    [
        Key::Connector(project.clone(), environment, connector.clone()),
        Key::Custom(project.clone(), connector.clone()),
        Key::DefaultClient(connector.clone()),
    ]
}

impl Caller {
    /// Fails unless the caller has one of these roles.
    pub fn require(&self, roles: &'static [Role]) -> Result<(), Error> {
        if roles.iter().any(|role| self.roles.contains(role)) { Ok(()) } else { Err(Error::RoleMissing(roles)) }
    }

    /// The roles that count for this request.
    #[must_use]
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// Fails unless the path names the caller's own project. A foreign one is not told apart from one that is not there.
    pub fn must_be(&self, project: &str) -> Result<(), Error> {
        if self.project.id.as_str() == project { Ok(()) } else { Err(Error::NotFound(Missing::Project)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Request::new("GET", "/".to_owned(), String::new(), headers, bytes::Bytes::new(), "r".to_owned())
    }

    fn said(headers: &[(&str, &str)]) -> String {
        match Presented::of(&request(headers)) {
            Ok(None) => "nobody".to_owned(),
            Ok(Some(Presented::Jwt(token))) => format!("jwt {token}"),
            Ok(Some(Presented::Secret { id, secret, environment, .. })) => {
                format!("{id} {} {environment:?}", secret.expose())
            }
            Err(error) => format!("error {error}"),
        }
    }

    #[test]
    fn a_key_means_the_same_in_every_form() {
        let key = "sk_test_p1-t1_s_e-c";
        let expected = "p1-t1 s_e-c Some(Test)";
        assert_eq!(said(&[("authorization", &format!("Bearer {key}"))]), expected);
        assert_eq!(said(&[("authorization", &format!("bearer  {key}"))]), expected);
        assert_eq!(said(&[("x-one-secret", key)]), expected);
        assert_eq!(said(&[("x-pica-secret", key)]), expected);
        assert_eq!(said(&[("x-pica-secret", key), ("authorization", &format!("Bearer {key}"))]), expected);
        // p1%2Dt1:s%2De, as a client sends it that encodes even the hyphen
        assert_eq!(said(&[("authorization", "Basic cDElMkR0MTpzJTJEZQ==")]), "p1-t1 s-e None");
        assert_eq!(said(&[("authorization", "Bearer ey.a.b")]), "jwt ey.a.b");
        assert_eq!(said(&[]), "nobody");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for headers in [
            vec![("authorization", "Bearer sk_test_nonsense")],
            vec![("authorization", "Bearer sk_other_p1-t1_s")],
            vec![("authorization", "Digest x")],
            vec![("authorization", "Basic !!")],
            vec![("authorization", "Bearer sk_test_p1-t1_s"), ("authorization", "Bearer sk_test_p1-t1_s")],
            vec![("x-one-secret", "sk_test_p1-t1_a"), ("x-pica-secret", "sk_test_p1-t1_b")],
        ] {
            assert!(said(&headers).starts_with("error"), "{headers:?}");
        }
    }
}
