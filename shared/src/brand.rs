//! A project's own dress: its colour and logo on the pages that know it.
//!
//! The colour is anybody's choice, so what is written on it and what is drawn in it are computed: WCAG 2.2 §1.4.3 wants 4.5 to 1
//! between a text and its ground.

use serde::{Deserialize, Serialize};

/// How a project's pages look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Brand {
    /// The colour of buttons.
    pub colour: Option<Colour>,
    /// The logo's address.
    pub logo_url: Option<String>,
}

/// An opaque colour in sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Colour([u8; 3]);

const WHITE: Colour = Colour([255; 3]);
const BLACK: Colour = Colour([0; 3]);

/// The grounds that a text in the project's colour may stand on, as in `style.css`: of the light ones the darkest, of the dark
/// ones the lightest.
const LIGHT_GROUND: Colour = Colour([0xf1, 0xf4, 0xf6]);
const DARK_GROUND: Colour = Colour([0x1e, 0x26, 0x2e]);

/// WCAG 2.2 §1.4.3.
const READABLE: f64 = 4.5;

impl TryFrom<String> for Colour {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a colour is written #rrggbb")
    }
}

impl From<Colour> for String {
    fn from(colour: Colour) -> Self {
        colour.css()
    }
}

impl Colour {
    /// From `#rrggbb`, in letters of either case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text
            .strip_prefix('#')
            .filter(|digits| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
        Some(Self([part(0)?, part(2)?, part(4)?]))
    }

    /// As in a stylesheet.
    #[must_use]
    pub fn css(self) -> String {
        let [red, green, blue] = self.0;
        format!("#{red:02x}{green:02x}{blue:02x}")
    }

    /// What is written on this colour: white where that is readable, else black, of which one always is.
    #[must_use]
    pub fn ink(self) -> Self {
        if self.contrast(WHITE) >= READABLE { WHITE } else { BLACK }
    }

    /// The nearest shade of it that is readable on the light pages' grounds.
    #[must_use]
    pub fn on_light(self) -> Self {
        self.towards(BLACK, LIGHT_GROUND)
    }

    /// The nearest shade of it that is readable on the dark pages' grounds.
    #[must_use]
    pub fn on_dark(self) -> Self {
        self.towards(WHITE, DARK_GROUND)
    }

    fn towards(self, end: Self, ground: Self) -> Self {
        (0..=50).map(|step| self.mixed(end, step)).find(|shade| shade.contrast(ground) >= READABLE).unwrap_or(end)
    }

    /// With so many fiftieths of another.
    fn mixed(self, other: Self, fiftieths: u16) -> Self {
        let mut parts = self.0;
        for (part, other) in parts.iter_mut().zip(other.0) {
            let mixed = (u16::from(*part) * (50 - fiftieths) + u16::from(other) * fiftieths) / 50;
            *part = u8::try_from(mixed).unwrap_or(u8::MAX);
        }
        Self(parts)
    }

    /// WCAG 2.2, "contrast ratio".
    fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// WCAG 2.2, "relative luminance".
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_six_hexadecimal_digits() {
        assert_eq!(Colour::parse("#0B6e74").map(Colour::css).as_deref(), Some("#0b6e74"));
        for text in ["", "#", "0b6e74", "#0b6e7", "#0b6e744", "#0b6e7g", "#+b6e74", "#é6e74", "red", "#fff;}"] {
            assert_eq!(Colour::parse(text), None, "{text}");
        }
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        let ratio = |a: &str, b: &str| Colour::parse(a).unwrap().contrast(Colour::parse(b).unwrap());
        assert!((ratio("#ffffff", "#000000") - 21.0).abs() < 0.01);
        assert!((ratio("#777777", "#ffffff") - 4.48).abs() < 0.01);
        assert!((ratio("#0b6e74", "#0b6e74") - 1.0).abs() < 0.01);
    }

    #[test]
    fn whatever_the_colour_everything_is_readable() {
        let steps = [0u8, 32, 64, 96, 118, 128, 160, 192, 224, 255];
        for red in steps {
            for green in steps {
                for blue in steps {
                    let colour = Colour([red, green, blue]);
                    assert!(colour.contrast(colour.ink()) >= READABLE, "{}", colour.css());
                    assert!(colour.on_light().contrast(LIGHT_GROUND) >= READABLE, "{}", colour.css());
                    assert!(colour.on_dark().contrast(DARK_GROUND) >= READABLE, "{}", colour.css());
                }
            }
        }
    }

    #[test]
    fn a_colour_that_is_readable_stays_as_it_is() {
        let teal = Colour::parse("#0b6e74").unwrap();
        assert_eq!((teal.on_light(), teal.ink()), (teal, WHITE));
        let yellow = Colour::parse("#ffd400").unwrap();
        assert_eq!((yellow.on_dark(), yellow.ink()), (yellow, BLACK));
    }
}
