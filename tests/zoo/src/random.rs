//! Randomness for tokens.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom, SystemRandom};

/// Forty random characters of the URL alphabet, without `-` and `_`.
#[must_use]
pub fn text() -> String {
    let mut bytes = [0_u8; 60];
    // A system without randomness has bigger sorrows than a weak token of a tool for tests.
    let _ = system().fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes).chars().filter(char::is_ascii_alphanumeric).take(40).collect()
}

/// A random UUID (RFC 9562 §5.4).
#[must_use]
pub fn uuid() -> String {
    let mut bytes = [0_u8; 16];
    let _ = system().fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = crate::digest::hex(&bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// The system's source.
#[must_use]
pub fn system() -> SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "the one place where the zoo takes randomness")]
    SystemRandom::new()
}
