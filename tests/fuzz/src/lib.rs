//! What the protocol reads from strangers, fed with what no test thought of.
//!
//! Two targets: [`template`], addresses and headers that are filled from values of strangers, and [`answers`], what providers
//! answer. A [`case`] is a text that a person can read. The engine stands behind the feature `engine`; without it the cases of
//! `corpus/` run once each, as tests.

pub mod answers;
pub mod case;
pub mod fill;
pub mod grow;
pub mod reach;
pub mod template;

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// Every case in a folder of the corpus, by its name.
    fn each(folder: &str, run: impl Fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(folder);
        let files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(files.len() > 10, "the corpus is there");
        for file in files {
            println!("{}", file.display()); // shown where it fails
            run(&fs::read(file).unwrap());
        }
    }

    #[test]
    fn every_case_of_a_filled_template_holds() {
        each("template", crate::template::run);
    }

    #[test]
    fn every_case_of_a_read_answer_holds() {
        each("answers", crate::answers::run);
    }

    #[test]
    fn every_connector_stays_inside_whatever_is_said() {
        for base in crate::case::bases() {
            println!("{base}"); // shown where it fails
            let names = crate::grow::placeholders(&crate::case::Case::read(base.as_bytes()).connector().unwrap().0);
            for said in ["", "evil.example/.vendor.com", "https://vendor.com.evil.example"] {
                let lines = names.iter().map(|name| format!("\n{name}={said}"));
                crate::template::run(format!("{base} 200{}", lines.collect::<String>()).as_bytes());
            }
        }
    }

    #[test]
    fn a_case_grows_into_cases() {
        let mut case = b"label\nshop=acme\n".to_vec();
        for seed in 0..300 {
            case = crate::grow::grown(&case, seed).unwrap_or(case);
            case.truncate(4096);
            crate::template::run(&case);
            crate::answers::run(&case);
        }
    }
}
