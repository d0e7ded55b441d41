//! For whom something is asked: the identity that a request names, and what the app's back end calls it.

use crate::{
    error::Error,
    http::Params,
    id::{Identity, IdentityType},
    label::{LONGEST, must_be_label},
};

/// For whom. Absent means for the project itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The app's own id.
    pub identity: Option<Identity>,
    /// What the confirmation page shows.
    pub label: Option<String>,
}

impl Subject {
    /// What a request says: `identity` with `identityType` (a user unless it says otherwise), or `userId` or `user_id`. Two
    /// that differ are refused, since nobody can tell which was meant.
    pub fn from_params(params: &Params) -> Result<Self, Error> {
        let identity_type = match params.one("identityType")?.or(params.one("identity_type")?) {
            None => IdentityType::default(),
            Some(text) => IdentityType::parse(text)
                .ok_or_else(|| Error::invalid("identityType is one of user, team, organization, project"))?,
        };
        // an app that lost its user's id must not act for everybody in it
        if let Some(name) = ["identity", "userId", "user_id"].into_iter().find(|name| params.is_blank(name)) {
            return Err(Error::invalid(format!("{name} is empty; leave it out if this is for the project itself")));
        }
        let mut named = Vec::new();
        if let Some(identity) = params.one("identity")? {
            named.push(parse("identity", identity, identity_type)?);
        }
        for name in ["userId", "user_id"] {
            if let Some(user) = params.one(name)? {
                named.push(parse(name, user, IdentityType::User)?);
            }
        }
        if named.iter().any(|identity| Some(identity) != named.first()) {
            return Err(Error::invalid("identity and userId name two different users; send one of them"));
        }
        let mut label = None;
        for name in ["identityLabel", "userLabel", "user_label"] {
            if let Some(text) = params.one(name)? {
                must_be_label(text, LONGEST).map_err(|unfit| Error::invalid(format!("{name} {unfit}")))?;
                label = Some(text.to_owned());
            }
        }
        Ok(Self { identity: named.into_iter().next(), label })
    }
}

fn parse(name: &str, text: &str, identity_type: IdentityType) -> Result<Identity, Error> {
    Identity::parse(text, identity_type).map_err(|unfit| Error::invalid(format!("{name} {unfit}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_has_several_names_and_one_value() {
        let table = [
            ("", Some(None)),
            ("identity=a", Some(Some("user a"))),
            ("identity=a&identityType=team", Some(Some("team a"))),
            ("userId=a", Some(Some("user a"))),
            ("user_id=a&userId=a&identity=a", Some(Some("user a"))),
            ("user_id=a&userId=b", None),
            ("userId=a&identity=a&identityType=team", None),
            ("identity=a&identityType=robot", None),
            ("userId=", None),
            ("identity=%20", None),
            ("userId=a%0Ab", None),
            ("userId=a&userLabel=a%E2%80%AEb", None),
            ("userId=a%E2%80%8Bb", None),
            ("userId=a%E2%80%8Db", None),
            ("userId=a&userLabel=a%E2%80%8Bb", None),
            ("userId=a&userLabel=a%E2%80%8Db", Some(Some("user a"))),
        ];
        for (query, expected) in table {
            let subject = Params::from_form(query.as_bytes()).and_then(|params| Subject::from_params(&params));
            let said = subject
                .ok()
                .map(|subject| subject.identity.map(|i| format!("{} {}", i.identity_type.as_str(), i.identity)));
            assert_eq!(said.as_ref().map(Option::as_deref), expected, "{query}");
        }
    }
}
