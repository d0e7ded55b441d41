//! A picture for every connector: a letter on a colour. Providers' logos are theirs, so none ships.

use shared::{id::ConnectorId, record::definition_id};

/// The picture of a connector of this name, as SVG. The same id always has the same colour.
pub fn svg(id: &ConnectorId, name: &str) -> String {
    let hue = definition_id(id) % 360;
    let letter = letter(name);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 64 64\" width=\"64\" height=\"64\">\
         <rect width=\"64\" height=\"64\" rx=\"14\" fill=\"hsl({hue}, 42%, 40%)\"/>\
         <text x=\"32\" y=\"43\" font-family=\"system-ui, sans-serif\" font-size=\"32\" font-weight=\"600\" \
         text-anchor=\"middle\" fill=\"#fff\">{letter}</text></svg>"
    )
}

/// The first letter or digit, escaped: the name may be anybody's.
fn letter(name: &str) -> String {
    let first = name.chars().find(|c| c.is_alphanumeric()).or_else(|| name.chars().next()).unwrap_or('?');
    first.to_uppercase().map(escape).collect()
}

fn escape(c: char) -> String {
    match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&#39;".to_owned(),
        c if c.is_control() => "?".to_owned(),
        c => c.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_stands_for_a_name_and_can_not_break_out() {
        let table = [
            ("Gmail", "G"),
            ("gmail", "G"),
            ("  \"Quoted\"", "Q"),
            ("<script>", "S"),
            ("<", "&lt;"),
            ("&", "&amp;"),
            ("\u{0}", "?"),
            ("ähre", "Ä"),
            ("1Password", "1"),
            ("", "?"),
        ];
        for (name, expected) in table {
            assert_eq!(letter(name), expected, "{name:?}");
        }
    }

    #[test]
    fn a_picture_is_the_same_every_time() {
        let id = ConnectorId::parse("gmail").unwrap();
        assert_eq!(svg(&id, "Gmail"), svg(&id, "Gmail"));
        assert_ne!(svg(&id, "Gmail"), svg(&ConnectorId::parse("google-drive").unwrap(), "Gmail"));
    }
}
