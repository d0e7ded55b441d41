//! The local server's folder: whose it is, and what a start leaves alone.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use local::{
    Server,
    options::{Data, Options},
};
use shared::{
    clock::{Clock, Random},
    secret::Bearer,
};

/// A place in the temporary folder, removed at the end of the test.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let name = Bearer::random(&Random::system()).digest().as_str()[..12].to_owned();
        let place = Self(std::env::temp_dir().join(format!("mooring-{name}")));
        fs::create_dir(&place.0).unwrap();
        place
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn options(folder: &Path) -> Options {
    Options { data: Data::Folder(folder.to_owned()), ..Options::for_test(Clock::system()) }
}

async fn start(folder: &Path) -> Server {
    Server::start(options(folder)).await.unwrap()
}

/// Why it does not start: one line.
async fn refusal(options: Options) -> String {
    let Err(error) = Server::start(options).await else { panic!("it started") };
    let line = error.to_string();
    assert!(!line.contains('\n'), "{line}");
    line
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Each file that the start itself writes, with its content. The database is at work all the while.
fn content(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let names = ["demo.env", "demo.json", "lambda.env", "provider.json", "secrets.json"];
    names.map(|name| (folder.join(name), fs::read(folder.join(name)).unwrap())).to_vec()
}

#[tokio::test]
async fn a_folder_that_is_made_is_its_owners_alone() {
    let place = Place::new();
    let folder = place.join("a/b");
    start(&folder).await.stop().await;
    assert_eq!((mode(&place.join("a")), mode(&folder)), (0o700, 0o700));
}

#[tokio::test]
async fn a_folder_that_was_there_is_left_as_it_is_and_its_files_are_private() {
    let place = Place::new();
    fs::set_permissions(&place.0, fs::Permissions::from_mode(0o755)).unwrap();
    let server = start(&place.0).await;
    assert_eq!(mode(&place.0), 0o755);
    for file in fs::read_dir(&place.0).unwrap().map(|entry| entry.unwrap().path()) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    server.stop().await;
}

#[tokio::test]
async fn a_folder_that_can_not_be_used_is_told_in_one_line() {
    let place = Place::new();
    let file = place.join("file");
    fs::write(&file, b"").unwrap();
    for folder in [&file, &file.join("below"), Path::new("/proc/self")] {
        let line = refusal(options(folder)).await;
        assert!(line.starts_with(&format!("the folder {} can't be used (", folder.display())), "{line}");
        assert!(line.ends_with("; set MOORING_DATA to another one, or to :memory:"), "{line}");
    }

    let read_only = place.join("read-only");
    fs::create_dir(&read_only).unwrap();
    fs::set_permissions(&read_only, fs::Permissions::from_mode(0o555)).unwrap();
    // root writes everywhere
    if fs::write(read_only.join("try"), b"").is_err() {
        let line = refusal(options(&read_only)).await;
        assert!(line.contains("read-only can't be used (Permission denied"), "{line}");
        assert_eq!(mode(&read_only), 0o555);
    }
}

#[tokio::test]
async fn a_taken_port_changes_nothing_in_the_folder() {
    let place = Place::new();
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let folder = place.join("data");
    for change in
        [|options: &mut Options, port| options.port = port, |options: &mut Options, port| options.app_port = port]
    {
        let mut options = options(&folder);
        change(&mut options, port);
        let line = refusal(options).await;
        assert!(line.starts_with(&format!("port {port} on 127.0.0.1 can't be used")), "{line}");
        assert!(!folder.exists());
    }
}

#[tokio::test]
async fn a_folder_has_one_server_at_a_time() {
    let place = Place::new();
    let first = start(&place.0).await;
    let (key, access_key_id) = (first.root_key.clone(), first.app.config.aws.access_key_id.clone());
    let before = content(&place.0);
    let line = refusal(options(&place.0)).await;
    let expected = format!(
        "another local server is using the folder {}; stop that one, or set MOORING_DATA to another folder",
        place.0.display()
    );
    assert_eq!(line, expected);
    assert_eq!(content(&place.0), before);

    first.stop().await;
    let second = start(&place.0).await;
    assert_eq!((&second.root_key, &second.app.config.aws.access_key_id), (&key, &access_key_id));
    second.stop().await;
}

#[tokio::test]
async fn a_damaged_file_is_named_in_one_line_and_left_as_it_is() {
    let place = Place::new();
    start(&place.0).await.stop().await;
    let folder = place.0.display();
    for name in ["secrets.json", "dynamodb.sqlite", "demo.json", "provider.json"] {
        let file = place.join(name);
        let good = fs::read(&file).unwrap();
        for damage in [
            b"{\"half\": ".as_slice(),
            b"not what it was, and longer than the head of a database: ".repeat(20).as_slice(),
        ] {
            fs::write(&file, damage).unwrap();
            let line = refusal(options(&place.0)).await;
            let (before, after) = (
                format!("{folder}/{name} can't be read ("),
                format!("); put back a copy of it, or remove what Mooring keeps in {folder} to start afresh"),
            );
            assert!(line.starts_with(&before) && line.ends_with(&after), "{line}");
            assert_eq!(fs::read(&file).unwrap(), damage, "{name}");
        }
        fs::write(&file, good).unwrap();
    }
    start(&place.0).await.stop().await;
}
