//! Which names somebody may have meant who wrote one that there is not.

/// How many are named.
const MOST: usize = 3;

/// The ids nearest to what was written, of pairs of an id and a name: those that contain it or begin alike, then those that a few
/// slips of the finger lead to.
pub fn among<'a>(known: impl Iterator<Item = (&'a str, &'a str)>, written: &str) -> Vec<&'a str> {
    let written = plain(written);
    let mut near: Vec<(usize, &str)> = known
        .filter_map(|(id, name)| {
            let distance = distance(&written, &plain(id)).min(distance(&written, &plain(name)));
            Some((distance?, id))
        })
        .collect();
    near.sort_unstable();
    near.into_iter().map(|(_, id)| id).take(MOST).collect()
}

/// How far a name is from what was written, in letters put in, taken out or changed; `None` where it is too far to have been meant.
fn distance(written: &str, name: &str) -> Option<usize> {
    if written.is_empty() {
        return None;
    }
    // `google` for `google-drive`, `jira cloud` for `jira`
    let begins = written.len() >= 3 && (name.contains(written) || (name.len() >= 3 && written.starts_with(name)));
    let slips = strsim::levenshtein(written, name);
    if begins { Some(slips.min(1)) } else { Some(slips).filter(|slips| *slips <= 1 + written.len() / 4) }
}

/// What differs in writing alone does not count.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_come_first_and_far_ones_not_at_all() {
        let known = [
            ("gmail", "Gmail"),
            ("google-drive", "Google Drive"),
            ("github", "GitHub"),
            ("gitlab", "GitLab"),
            ("jira", "Jira"),
            ("stripe-api-key", "Stripe"),
        ];
        let table = [
            ("gmial", "gmail"),
            ("GitHub", "github gitlab"),
            ("gihub", "github"),
            ("google", "google-drive"),
            ("google drive", "google-drive"),
            ("jira-cloud", "jira"),
            ("stripe", "stripe-api-key"),
            ("git", "github gitlab"),
            ("salesforce", ""),
            ("", ""),
        ];
        for (written, expected) in table {
            assert_eq!(among(known.into_iter(), written).join(" "), expected, "{written}");
        }
    }
}
