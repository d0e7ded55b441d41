//! Which texts may stand for somebody or something: the labels and names that pages show, and the identities of apps.
//!
//! What a page shows has to be what it is compared with. A character that can't be seen makes two different texts look the
//! same, and one that turns the direction makes a text look like another, so neither is in any of them. The two joiners are
//! let into labels and names, where Persian and emoji need them; in an identity they only make two look like one.

/// The longest, in characters: more than any id or e-mail address in use.
pub const LONGEST: usize = 256;

/// Why a text can't be one. The sentence follows the name of what it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Nothing in it can be seen.
    #[error("is blank")]
    Blank,
    /// It is endless.
    #[error("is longer than {0} characters")]
    TooLong(usize),
    /// It holds a character that can't be seen, or that turns the direction of others.
    #[error("holds U+{:04X}, a character that can't be seen", u32::from(*.0))]
    Unseen(char),
}

/// Whether the text can be shown as a name of at most so many characters.
pub fn must_be_label(text: &str, longest: usize) -> Result<(), Unfit> {
    if text.chars().count() > longest {
        return Err(Unfit::TooLong(longest));
    }
    if let Some(unseen) = text.chars().find(|c| is_unseen(*c)) {
        return Err(Unfit::Unseen(unseen));
    }
    let blank = text.chars().all(|c| c.is_whitespace() || is_joiner(c));
    if blank { Err(Unfit::Blank) } else { Ok(()) }
}

/// Whether the text can be shown as a name.
#[must_use]
pub fn is_label(text: &str) -> bool {
    must_be_label(text, LONGEST).is_ok()
}

/// Whether the text can be somebody's identity: a label without joiners.
pub fn must_be_identity(text: &str) -> Result<(), Unfit> {
    must_be_label(text, LONGEST)?;
    text.chars().find(|c| is_joiner(*c)).map_or(Ok(()), |joiner| Err(Unfit::Unseen(joiner)))
}

/// Control characters (Unicode `Cc`), what is without width, what sets the direction, and tags.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' // soft hyphen, no width, invisible operators
            | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' // UAX #9 §2
            | '\u{e0000}'..='\u{e007f}' // tags
        )
}

/// Between letters of Persian and in emoji of several parts.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_hides_something_is_no_label_and_no_identity() {
        let (longest, long) = ("é".repeat(256), "é".repeat(257));
        let table = [
            ("Ada Lovelace", Ok(()), Ok(())),
            ("آدا", Ok(()), Ok(())),
            (&longest, Ok(()), Ok(())),
            ("می\u{200c}خواهم", Ok(()), Err(Unfit::Unseen('\u{200c}'))),
            ("👩\u{200d}💻", Ok(()), Err(Unfit::Unseen('\u{200d}'))),
            ("❤\u{fe0f}", Ok(()), Ok(())),
            ("", Err(Unfit::Blank), Err(Unfit::Blank)),
            (" \u{3000}", Err(Unfit::Blank), Err(Unfit::Blank)),
            ("\u{200d}\u{200c} ", Err(Unfit::Blank), Err(Unfit::Blank)),
            (&long, Err(Unfit::TooLong(256)), Err(Unfit::TooLong(256))),
        ];
        for (text, label, identity) in table {
            assert_eq!((must_be_label(text, LONGEST), must_be_identity(text)), (label, identity), "{text:?}");
        }
        let unseen = [
            0x00..=0x1f,
            0x7f..=0x9f,
            0xad..=0xad,
            0x61c..=0x61c,
            0x200b..=0x200b,
            0x200e..=0x200f,
            0x202a..=0x202e,
            0x2060..=0x2064,
            0x2066..=0x2069,
            0xfeff..=0xfeff,
            0xe0000..=0xe007f,
        ];
        for character in unseen.into_iter().flatten().map(|code| char::from_u32(code).unwrap()) {
            let text = format!("a{character}b");
            let expected = Err(Unfit::Unseen(character));
            assert_eq!((must_be_label(&text, LONGEST), must_be_identity(&text)), (expected, expected), "{text:?}");
        }
    }

    #[test]
    fn the_character_is_named() {
        let said = ["a\u{200b}", "a\n", "a\u{e0041}"].map(|text| must_be_identity(text).unwrap_err().to_string());
        let expected = ["200B", "000A", "E0041"].map(|code| format!("holds U+{code}, a character that can't be seen"));
        assert_eq!(said, expected);
    }
}
