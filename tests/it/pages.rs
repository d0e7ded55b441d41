//! What a person sees, as a person sees it: languages, the list, forms, outcomes and a project's own dress.

use crate::world::{Browser, Shape, World};

/// A page as a browser of this language gets it.
async fn in_language(browser: &Browser, url: &str, languages: &str) -> String {
    let said = [("sec-fetch-dest", "document"), ("accept-language", languages)];
    browser.open_unsaid(url, &said).await.text()
}

#[tokio::test]
async fn every_page_speaks_the_language_that_the_browser_prefers() {
    let world = World::new().await;
    let browser = world.browser();
    let link = world.one_time_link().await;
    let named = browser.open(&link).await.location();
    let list = named.replace("/connect/acme", "/connect");
    let (attempt, _) = world.hold(Shape::OneTimeLink, &browser).await;
    let nowhere = format!("{}/nowhere", world.base());
    let confirm = attempt.path("confirm");
    let pages = [
        (named.as_str(), "<h1>Connect Acme to Orbit CRM</h1>", "<h1>Acme mit Orbit CRM verbinden</h1>"),
        (&list, "What would you like to connect", "Was möchten Sie mit Orbit CRM verbinden?"),
        (&confirm, "Connect this account to Orbit CRM?", "Dieses Konto mit Orbit CRM verbinden?"),
        (&nowhere, "<h1>Nothing here</h1>", "<h1>Hier ist nichts</h1>"),
    ];
    for (url, english, german) in pages {
        for (languages, tag, words) in [
            ("de-AT,de;q=0.9,en;q=0.8", "de", german),
            ("en;q=0.2,de;q=0.9", "de", german),
            ("en,de;q=0.9", "en", english),
            ("fr", "en", english),
        ] {
            let page = in_language(&browser, url, languages).await;
            assert!(page.contains(&format!("<html lang=\"{tag}\" dir=\"ltr\">")), "{url} {languages}: {page}");
            assert!(page.contains(words), "{url} {languages}: {page}");
        }
    }
    world.decide(&browser, &attempt, "confirm").await;
    let outcome = in_language(&browser, &attempt.path("outcome"), "de").await;
    assert!(outcome.contains("<h1>Verbunden</h1>"), "{outcome}");
}
