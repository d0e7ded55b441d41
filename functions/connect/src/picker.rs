//! What a person chooses from, where a look-up found several: as the page shows it, and what came back.

use shared::{
    error::Error,
    http::Params,
    page::Language,
    protocol::account::Found,
    store::connections::{Choices, Chosen, Held},
};
use url::Url;

/// From how many on a search helps.
const MANY: usize = 9;

/// The names of the form's fields: which list was shown, and what was chosen.
const LIST: &str = "list";
const CHOICE: &str = "choice";

/// A list to choose from.
pub struct Picker {
    /// Which list it is.
    pub list: String,
    /// What is asked: `Which site?`
    pub question: String,
    /// What there is.
    pub options: Vec<PickOption>,
    /// What is wrong with what was sent.
    pub fault: Option<String>,
    /// Whether nothing else is asked, so that the page's heading is the question.
    pub alone: bool,
}

/// One of them.
pub struct PickOption {
    /// What is sent.
    pub value: String,
    /// What a person reads first.
    pub name: String,
    /// What tells it from others.
    pub detail: Option<String>,
    /// What a search looks in.
    pub sought: String,
}

impl Picker {
    /// What a held grant waits for, if it does.
    pub fn of(t: Language, held: Option<&Held>, alone: bool, fault: Option<String>) -> Option<Self> {
        let Choices { name, title, found } = held?.choices.as_ref()?;
        let options = found.iter().map(|one| PickOption::of(one, found)).collect();
        Some(Self { list: name.clone(), question: question(t, title.as_deref()), options, fault, alone })
    }

    /// Whether there are so many that a search helps.
    pub fn is_long(&self) -> bool {
        self.options.len() >= MANY
    }
}

impl PickOption {
    fn of(one: &Found, all: &[Found]) -> Self {
        let value = one.value().to_owned();
        let name = one.label.clone().unwrap_or_else(|| value.clone());
        let alike = all.iter().filter(|other| other.label == one.label).count() > 1;
        let detail = host(one).or_else(|| (alike && name != value).then(|| value.clone())).filter(|it| *it != name);
        let sought = format!("{name} {}", detail.as_deref().unwrap_or_default()).to_lowercase();
        Self { value, name, detail, sought }
    }
}

/// Where it is, where the provider says so: people know the address of a site better than its number.
fn host(one: &Found) -> Option<String> {
    let addresses = one.values.iter().filter_map(|(_, value)| Url::parse(value).ok());
    addresses.filter(|url| url.scheme() == "https").find_map(|url| url.host_str().map(str::to_owned))
}

/// The provider's word in a sentence: `Site` is written small there, and `URL` as it is.
fn question(t: Language, title: Option<&str>) -> String {
    let Some(title) = title else { return t.pick_one() };
    let mut letters = title.chars();
    let first = letters.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
    let is_word = letters.clone().next().is_some_and(char::is_lowercase);
    let small = format!("{first}{}", letters.as_str());
    t.pick_named(title, if is_word { &small } else { title })
}

/// What was chosen. `None` where another page was shown than would be now: its word counts for nothing else.
pub fn chosen(form: &Params, held: &Held) -> Result<Option<Chosen>, Error> {
    let open = held.choices.as_ref().map(|choices| choices.name.as_str());
    if form.one(LIST)? != open {
        return Ok(None);
    }
    let value = form.one(CHOICE)?.zip(open);
    Ok(Some(value.map(|(value, list)| (list.to_owned(), value.to_owned())).into_iter().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_a_sentence_in_every_language() {
        let table = [
            (Some("Site"), "Which site?", "Site auswählen"),
            (Some("Organisation"), "Which organisation?", "Organisation auswählen"),
            (Some("API key"), "Which API key?", "API key auswählen"),
            (None, "Which one?", "Bitte auswählen"),
        ];
        for (title, english, german) in table {
            let asked = [Language::English, Language::German].map(|t| question(t, title));
            assert_eq!(asked, [english, german], "{title:?}");
        }
    }

    #[test]
    fn what_is_called_alike_is_told_apart() {
        let found = |value: &str, label: Option<&str>, url: Option<&str>| {
            let own = ("cloud_id".to_owned(), value.to_owned());
            let url = url.map(|url| ("cloud_url".to_owned(), url.to_owned()));
            Found { values: std::iter::once(own).chain(url).collect(), label: label.map(str::to_owned) }
        };
        let all = [
            found("1", Some("Orbit"), Some("https://orbit.example")),
            found("2", Some("Twin"), None),
            found("3", Some("Twin"), None),
            found("4", Some("Alone"), None),
            found("5", None, None),
        ];
        let shown = all.iter().map(|one| PickOption::of(one, &all)).map(|option| (option.name, option.detail));
        let expected =
            [("Orbit", Some("orbit.example")), ("Twin", Some("2")), ("Twin", Some("3")), ("Alone", None), ("5", None)];
        assert!(shown.eq(expected.map(|(name, detail)| (name.to_owned(), detail.map(str::to_owned)))));
    }
}
