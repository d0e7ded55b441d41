//! Sealing: what a connection's credentials are at rest.
//!
//! ```text
//! ring seed (Secrets Manager) ──HKDF──▶ ring version ──HKDF(salt of the item)──▶ wrapping key
//! random item key ──AES-256-GCM(wrapping key)──▶ wrapped key      plaintext ──AES-256-GCM(item key)──▶ ciphertext
//! sealed = 1 ‖ ring version (4) ‖ salt (32) ‖ wrapped key (32 + 16) ‖ ciphertext (n + 16)
//! ```
//! Both layers name project, environment, connector and connection as associated data: an item copied over another does
//! not open. A wrapping key and an item key each encrypt one message only, so the nonce of both is zero by construction
//! and can't repeat. Old ring versions read, the newest seals. Deleting an item shreds its key.
//!
//! The ring is checked against a value in the settings: a foreign ring is refused loudly before anything is sealed with it.

use std::{collections::BTreeMap, sync::Mutex};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, KeyType, Salt},
    hmac,
};
use serde::Deserialize;

use crate::{
    clock::Random,
    error::VaultError,
    id::{ConnectionKey, ConnectorId, Environment, ProjectId},
};

const FORMAT: u8 = 1;
const SALT: usize = 32;
const KEY: usize = 32;
const TAG: usize = 16;
const HEAD: usize = 1 + 4 + SALT;

/// What a sealed item belongs to; it opens nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct Belongs<'a> {
    /// The project.
    pub project: &'a ProjectId,
    /// Its environment.
    pub environment: Environment,
    /// The provider.
    pub connector: &'a ConnectorId,
    /// The connection, or the one that an attempt will make.
    pub connection: &'a ConnectionKey,
    /// What kind of content, so that one can't stand in for another.
    pub content: &'static str,
}

impl Belongs<'_> {
    /// Each part with its length in front: no two different lists have the same bytes.
    fn associated_data(&self) -> Vec<u8> {
        let parts = [
            self.content,
            self.project.as_str(),
            self.environment.as_str(),
            self.connector.as_str(),
            self.connection.as_str(),
        ];
        parts.iter().flat_map(|part| (part.len() as u64).to_be_bytes().into_iter().chain(part.bytes())).collect()
    }
}

/// Sealed bytes, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

/// The keys that seal, by version.
pub struct Ring {
    versions: BTreeMap<u32, [u8; KEY]>,
}

#[derive(Deserialize)]
struct LaterVersions {
    #[serde(default)]
    versions: BTreeMap<u32, String>,
}

impl Ring {
    /// The ring of a seed (version 1) and of the versions that rotations added.
    pub fn new(seed: &str, later: &str) -> Result<Self, VaultError> {
        let malformed = |why| VaultError::Malformed { name: "ring".to_owned(), why };
        if seed.len() < 32 {
            return Err(malformed("the seed has fewer than 32 characters"));
        }
        let later: LaterVersions = if later.is_empty() {
            LaterVersions { versions: BTreeMap::new() }
        } else {
            serde_json::from_str(later)
                .map_err(|_| malformed("the versions are not JSON of the form {\"versions\": {\"2\": \"…\"}}"))?
        };
        let mut versions = BTreeMap::from([(1, derive(seed.as_bytes(), &[], b"mooring ring version")?)]);
        for (version, text) in later.versions {
            if version < 2 || text.len() < 32 {
                return Err(malformed("a later version is numbered from 2 and has at least 32 characters"));
            }
            versions.insert(version, derive(text.as_bytes(), &[], b"mooring ring version")?);
        }
        Ok(Self { versions })
    }

    /// A value that tells this ring from another and nothing else about it.
    #[must_use]
    pub fn check_value(&self) -> String {
        let first = self.versions.get(&1).map(<[u8; KEY]>::as_slice).unwrap_or_default();
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, first), b"mooring ring check");
        URL_SAFE_NO_PAD.encode(tag)
    }

    /// Seals under the newest version.
    pub fn seal(&self, belongs: &Belongs<'_>, plaintext: &[u8], random: &Random) -> Result<Sealed, VaultError> {
        let (version, ring_key) = self.versions.last_key_value().ok_or(VaultError::UnknownRingVersion(0))?;
        let salt = random.bytes::<SALT>();
        let item_key = random.bytes::<KEY>();
        let mut sealed = vec![FORMAT];
        sealed.extend_from_slice(&version.to_be_bytes());
        sealed.extend_from_slice(&salt);
        let aad = belongs.associated_data();
        sealed.extend(encrypt(&derive(ring_key, &salt, b"mooring wrapping key")?, &aad, &item_key)?);
        sealed.extend(encrypt(&item_key, &aad, plaintext)?);
        Ok(Sealed(sealed))
    }

    /// Opens what was sealed for the same owner under any version in the ring.
    pub fn open(&self, belongs: &Belongs<'_>, sealed: &Sealed) -> Result<Vec<u8>, VaultError> {
        let (head, rest) = sealed.0.split_at_checked(HEAD).ok_or(VaultError::DoesNotOpen)?;
        let (wrapped, ciphertext) = rest.split_at_checked(KEY + TAG).ok_or(VaultError::DoesNotOpen)?;
        let (format, version, salt) = (&head[..1], &head[1..5], &head[5..]);
        if format != [FORMAT] {
            return Err(VaultError::DoesNotOpen);
        }
        let version = version.try_into().map(u32::from_be_bytes).map_err(|_| VaultError::DoesNotOpen)?;
        let ring_key = self.versions.get(&version).ok_or(VaultError::UnknownRingVersion(version))?;
        let aad = belongs.associated_data();
        let item_key = decrypt(&derive(ring_key, salt, b"mooring wrapping key")?, &aad, wrapped)?;
        decrypt(&item_key, &aad, ciphertext)
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-SHA256 (RFC 5869) to 32 bytes.
pub(crate) fn derive(secret: &[u8], salt: &[u8], info: &[u8]) -> Result<[u8; KEY], VaultError> {
    let pseudorandom = Salt::new(HKDF_SHA256, salt).extract(secret);
    let mut key = [0; KEY];
    let info = [info];
    let expanded = pseudorandom.expand(&info, Length(KEY)).map_err(|_| VaultError::DoesNotOpen)?;
    expanded.fill(&mut key).map_err(|_| VaultError::DoesNotOpen)?;
    Ok(key)
}

/// AES-256-GCM under a key that encrypts this one message only, so the nonce may be zero.
fn encrypt(key: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, VaultError> {
    let mut message = plaintext.to_vec();
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    cipher(key)?.seal_in_place_append_tag(nonce, Aad::from(aad), &mut message).map_err(|_| VaultError::DoesNotOpen)?;
    Ok(message)
}

fn decrypt(key: &[u8], aad: &[u8], message: &[u8]) -> Result<Vec<u8>, VaultError> {
    let mut message = message.to_vec();
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    let length =
        cipher(key)?.open_in_place(nonce, Aad::from(aad), &mut message).map_err(|_| VaultError::DoesNotOpen)?.len();
    message.truncate(length);
    Ok(message)
}

fn cipher(key: &[u8]) -> Result<LessSafeKey, VaultError> {
    UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new).map_err(|_| VaultError::DoesNotOpen)
}

/// A value that is read once, when first needed, and kept; a failed read is tried again at the next need.
pub(crate) struct Once<T>(Mutex<Option<std::sync::Arc<T>>>);

impl<T> Once<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(None))
    }

    pub(crate) fn get(&self) -> Option<std::sync::Arc<T>> {
        self.0.lock().ok()?.clone()
    }

    pub(crate) fn set(&self, value: T) -> std::sync::Arc<T> {
        let value = std::sync::Arc::new(value);
        if let Ok(mut kept) = self.0.lock() {
            *kept = Some(value.clone());
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &str = "a seed of thirty-two characters.";

    fn owner(project: &ProjectId) -> (ConnectorId, ConnectionKey) {
        let _ = project;
        (ConnectorId::parse("acme").unwrap(), ConnectionKey::parse("conn_1").unwrap())
    }

    #[test]
    fn what_was_sealed_opens_for_its_owner_alone() {
        let (ring, random) = (Ring::new(SEED, "").unwrap(), Random::system());
        let project = ProjectId::parse("p1").unwrap();
        let (connector, connection) = owner(&project);
        let belongs = Belongs {
            project: &project,
            environment: Environment::Test,
            connector: &connector,
            connection: &connection,
            content: "grant",
        };
        let sealed = ring.seal(&belongs, b"tokens", &random).unwrap();
        assert_eq!(ring.open(&belongs, &sealed).unwrap(), b"tokens");

        let other_project = ProjectId::parse("p2").unwrap();
        let other_connector = ConnectorId::parse("slack").unwrap();
        let other_connection = ConnectionKey::parse("conn_2").unwrap();
        let others = [
            Belongs { project: &other_project, ..belongs },
            Belongs { environment: Environment::Live, ..belongs },
            Belongs { connector: &other_connector, ..belongs },
            Belongs { connection: &other_connection, ..belongs },
            Belongs { content: "verifier", ..belongs },
        ];
        for other in others {
            assert!(matches!(ring.open(&other, &sealed), Err(VaultError::DoesNotOpen)), "{other:?}");
        }
        for at in 0..sealed.0.len() {
            let mut changed = sealed.clone();
            changed.0[at] ^= 1;
            assert!(ring.open(&belongs, &changed).is_err(), "byte {at}");
        }
        for length in 0..sealed.0.len() {
            assert!(ring.open(&belongs, &Sealed(sealed.0[..length].to_vec())).is_err(), "length {length}");
        }
    }

    #[test]
    fn the_newest_version_seals_and_old_ones_open() {
        let random = Random::system();
        let project = ProjectId::parse("p1").unwrap();
        let (connector, connection) = owner(&project);
        let belongs = Belongs {
            project: &project,
            environment: Environment::Test,
            connector: &connector,
            connection: &connection,
            content: "grant",
        };
        let first = Ring::new(SEED, "").unwrap();
        let second = Ring::new(SEED, r#"{"versions":{"2":"another seed of thirty-two chars"}}"#).unwrap();
        let old = first.seal(&belongs, b"old", &random).unwrap();
        let new = second.seal(&belongs, b"new", &random).unwrap();
        assert_eq!(second.open(&belongs, &old).unwrap(), b"old");
        assert!(matches!(first.open(&belongs, &new), Err(VaultError::UnknownRingVersion(2))));
        assert_eq!(first.check_value(), second.check_value());
        assert_ne!(first.check_value(), Ring::new("another seed of thirty-two chars", "").unwrap().check_value());
    }

    #[test]
    fn equal_plaintexts_do_not_look_equal() {
        let (ring, random) = (Ring::new(SEED, "").unwrap(), Random::system());
        let project = ProjectId::parse("p1").unwrap();
        let (connector, connection) = owner(&project);
        let belongs = Belongs {
            project: &project,
            environment: Environment::Test,
            connector: &connector,
            connection: &connection,
            content: "grant",
        };
        assert_ne!(ring.seal(&belongs, b"x", &random).unwrap(), ring.seal(&belongs, b"x", &random).unwrap());
    }

    #[test]
    fn a_short_or_malformed_ring_is_refused() {
        for (seed, later) in [
            ("short", ""),
            (SEED, "nonsense"),
            (SEED, r#"{"versions":{"1":"another seed of thirty-two chars"}}"#),
            (SEED, r#"{"versions":{"2":"short"}}"#),
        ] {
            assert!(Ring::new(seed, later).is_err());
        }
    }
}
