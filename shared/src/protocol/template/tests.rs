use serde_json::json;

use super::*;

fn values(pairs: &[(&str, &str)]) -> Values {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn vendor() -> Connector {
    serde_json::from_value(json!({"name": "Vendor", "api": {"base_url": "https://api.vendor.com"}})).unwrap()
}

fn input(extra: Value) -> Input {
    let mut input = json!({"name": "shop", "label": "Shop"});
    let Value::Object(extra) = extra else { panic!("an object") };
    input.as_object_mut().unwrap().extend(extra);
    serde_json::from_value(input).unwrap()
}

#[test]
fn a_value_stays_in_its_component() {
    let table = [
        ("a label", "https://{x}.vendor.com/a", "acme", "https://acme.vendor.com/a"),
        ("a label's part", "https://eu-{x}.vendor.com/", "1", "https://eu-1.vendor.com/"),
        ("a whole host", "https://{x}/oauth", "login.vendor.com", "https://login.vendor.com/oauth"),
        ("a segment", "https://v.com/a/{x}/b", "c", "https://v.com/a/c/b"),
        ("a slash", "https://v.com/a/{x}/b", "../c", "https://v.com/a/..%2Fc/b"),
        ("a backslash", "https://v.com/{x}", r"\\evil", "https://v.com/%5C%5Cevil"),
        ("an escape", "https://v.com/{x}/b", "%2e%2e", "https://v.com/%252e%252e/b"),
        ("a question mark", "https://v.com/{x}", "a?b#c", "https://v.com/a%3Fb%23c"),
        ("a query value", "https://v.com/?q={x}&r=1", "a&b=c d+é", "https://v.com/?q=a%26b%3Dc%20d%2B%C3%A9&r=1"),
        ("dots in a query", "https://v.com/?q={x}", "..", "https://v.com/?q=.."),
        ("at once after the host", "https://v.com?q={x}", "@evil", "https://v.com/?q=%40evil"),
        ("a whole address", "{x}/services", "https://a.vendor.com", "https://a.vendor.com/services"),
        ("one with a slash", "{x}/services", "https://a.vendor.com/", "https://a.vendor.com/services"),
        ("one with a path", "{x}", "https://a.vendor.com/base", "https://a.vendor.com/base"),
        ("loopback", "http://127.0.0.1:9000/{x}", "a", "http://127.0.0.1:9000/a"),
    ];
    for (case, template, value, expected) in table {
        assert_eq!(url(template, &values(&[("x", value)])).unwrap().as_str(), expected, "{case}");
    }
}

#[test]
fn a_hostile_value_never_changes_the_host() {
    let hostile = [
        "evil.example/",
        "evil.example/.vendor.com",
        "vendor.com@evil",
        "vendor.com@evil.example",
        "a:1",
        "a:b@evil",
        "ACME",
        "acmé",
        "аcme",
        "a.",
        ".a",
        "a..b",
        "",
        " ",
        "a b",
        "-a",
        "a-",
        "a_b",
        "a\\b",
        "a\\@evil",
        "a%2eb",
        "%61",
        "a%00",
        "a\0b",
        "a\nb",
        "a\tb",
        "a\r\nHost: evil",
        "a?b",
        "a#b",
        "a/b",
        "//evil",
        "[::1]",
        "::1",
        "{x}",
        "*",
        "a,b",
        "a;b",
        "a'b",
        "a\u{200b}b",
        "a\u{3002}b",
        "a\u{ff0f}b",
        "evil.example?.vendor.com",
        "evil.example#.vendor.com",
    ];
    for value in hostile {
        for template in ["https://{x}.vendor.com/a", "https://{x}/a", "https://eu-{x}.vendor.com/a", "{x}/a"] {
            let refused = url(template, &values(&[("x", value)]));
            assert!(matches!(refused, Err(TemplateError::Unfit { .. })), "{template} {value:?} {refused:?}");
        }
    }
    for value in ["evil.example", "vendor.com.evil.example", "127.0.0.1"] {
        assert!(url("https://{x}.vendor.com/a", &values(&[("x", value)])).is_err(), "{value}");
    }
    for value in ["localhost", "127.0.0.1", "2130706433", "0x7f.1", "a.1"] {
        assert!(url("https://{x}/a", &values(&[("x", value)])).is_err(), "{value}");
    }
}

#[test]
fn a_whole_address_is_written_as_it_is_understood() {
    let table = [
        "https://a.vendor.com@evil.example",
        "https://user:pass@a.vendor.com",
        "https:a.vendor.com",
        "https:/a.vendor.com",
        r"https:\\a.vendor.com",
        r"https://a.vendor.com\@evil.example",
        "https://A.vendor.com",
        "HTTPS://a.vendor.com",
        "https://a.vendor.com.",
        "https://a%2evendor.com",
        "https://ä.vendor.com",
        "https://a.vendor.com?x",
        "https://a.vendor.com#x",
        "https://a.vendor.com/../x",
        "https://a.vendor.com//",
        "https://[::1]",
        "ftp://a.vendor.com",
        "javascript:alert(1)",
        "//a.vendor.com",
        "a.vendor.com",
        "https://",
        "https://a.ven\tdor.com",
        " https://a.vendor.com",
        "https://a.vendor.com:443",
    ];
    for value in table {
        assert!(url("{x}/a", &values(&[("x", value)])).is_err(), "{value}");
    }
    assert!(url("{x}.vendor.com/a", &values(&[("x", "https://evil.example")])).is_err());
}

#[test]
fn dot_segments_are_refused() {
    for (template, value) in [("https://v.com/a/{x}/b", ".."), ("https://v.com/{x}", "."), ("https://v.com/{x}/b", "")]
    {
        assert!(
            matches!(url(template, &values(&[("x", value)])), Err(TemplateError::Unfit { .. })),
            "{template} {value:?}"
        );
    }
}

#[test]
fn a_broken_template_is_named() {
    for template in [
        "{x",
        "x}",
        "https://v.com/{}",
        "https://v.com/{X}",
        "https://v.com/{a{b}}",
        "v.com",
        "ftp://v.com/",
        "https://",
    ] {
        assert_eq!(url(template, &values(&[("x", "https://v.com")])), Err(TemplateError::Broken(template.to_owned())));
    }
    assert_eq!(url("https://v.com/{y}", &Values::default()), Err(TemplateError::Missing("y".to_owned())));
}

#[test]
fn a_header_value_has_one_line() {
    let token = |value| text("Bearer {t}", &values(&[("t", value)]));
    assert_eq!(token("a b/ç"), Ok("Bearer a b/ç".to_owned()));
    for value in ["a\r\nb", "a\nb", "a\0b", "a\u{7f}"] {
        assert!(token(value).is_err(), "{value:?}");
    }
}

#[test]
fn inputs_are_checked_and_completed() {
    let table = [
        ("given", json!({}), Some("acme"), "acme"),
        ("a default", json!({"default": "acme"}), None, "acme"),
        ("an untouched field", json!({"default": "acme"}), Some(""), "acme"),
        ("nothing", json!({}), None, "Shop (shop) is missing"),
        ("a listed value", json!({"values": ["a", "b"]}), Some("b"), "b"),
        ("another value", json!({"values": ["a", "b"]}), Some("c"), "Shop (shop) has to be one of: a, b"),
        ("a match", json!({"pattern": "[a-z]+"}), Some("acme"), "acme"),
        ("a match of a part", json!({"pattern": "[a-z]+"}), Some("acme1"), "Shop (shop) has to be of the form [a-z]+"),
        ("alternatives", json!({"pattern": "a|b"}), Some("ax"), "Shop (shop) has to be of the form a|b"),
        (
            "a second line",
            json!({"pattern": "a"}),
            Some("a\n"),
            "Shop (shop) has to be one line of 1 to 2048 characters",
        ),
    ];
    for (case, extra, given, expected) in table {
        let given = given.map(|value| ("shop".to_owned(), value.to_owned())).into_iter().collect();
        let outcome = inputs(&vendor(), &[input(extra)], &given);
        let outcome = outcome.map_or_else(|error| error.to_string(), |values| values.get("shop").unwrap().to_owned());
        assert_eq!(outcome, expected, "{case}");
    }
}

#[test]
fn an_input_that_is_not_asked_for_is_refused() {
    let given = BTreeMap::from([("other".to_owned(), "x".to_owned())]);
    assert_eq!(inputs(&vendor(), &[], &given).unwrap_err().to_string(), "`other` is not asked for");
}

#[test]
fn a_refused_secret_is_not_repeated() {
    let given = BTreeMap::from([("shop".to_owned(), "hunter2 hunter2".to_owned())]);
    let error = inputs(&vendor(), &[input(json!({"secret": true, "pattern": "[0-9]+"}))], &given).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[test]
fn what_a_provider_says_is_believed_within_the_data() {
    let connector: Connector = serde_json::from_value(json!({
        "name": "Vendor",
        "settings": [{"name": "region", "label": "Region", "values": ["eu", "us"]}],
        "captures": {
            "authorization_response": {"realm_id": "realmId"},
            "token_response": {"instance_url": "instance_url", "team": "team.id", "cluster": "cluster"},
            "patterns": {"realm_id": "[0-9]+", "cluster": "[a-z0-9-]+"}
        },
        "lookups": [{"name": "site", "url": "https://api.vendor.com/sites", "path": "0.id", "patterns": {"site": "[a-f]+"}}],
        "api": {"base_url": "{instance_url}", "base_url_patterns": ["https://*.vendor.com"]},
        "profile": {"url": "https://{cluster}.vendor.com/teams/{team}"}
    }))
    .unwrap();
    let table = [
        ("region", "eu", true),
        ("region", "evil", false),
        ("realm_id", "123", true),
        ("realm_id", "123/../456", false),
        ("team", "anything at all", true),
        ("team", "", false),
        ("team", "a\nb", false),
        ("team", "..", false),
        ("cluster", "c-1", true),
        ("cluster", "-c", false),
        ("site", "abc", true),
        ("site", "xyz", false),
        ("instance_url", "https://eu.vendor.com", true),
        ("instance_url", "https://vendor.com", false),
        ("instance_url", "https://evil.example", false),
        ("instance_url", "http://eu.vendor.com", false),
        ("instance_url", "eu.vendor.com", false),
        ("instance_url", "https://EU.vendor.com", false),
        ("instance_url", "https://eu.vendor.com/{a", false),
        ("nobody", "x", false),
    ];
    for (name, value, expected) in table {
        assert_eq!(believe(&connector, name, value).is_ok(), expected, "{name} {value:?}");
    }
    assert!(base_url(&connector, &values(&[("instance_url", "https://eu.vendor.com")])).is_ok());
    assert!(base_url(&connector, &values(&[("instance_url", "https://evil.example")])).is_err());
}

#[test]
fn debug_shows_names_only() {
    assert_eq!(format!("{:?}", values(&[("api_key", "hunter2")])), r#"{"api_key"}"#);
}

#[test]
fn members_are_found_by_path() {
    let answer = json!({
        "a": {"b": [{"c": "x"}, {"c": 7}]}, "ok": false, "0": "zero", "none": null,
        "whole": u64::MAX, "half": 1.5, "beyond": 18_446_744_073_709_551_616.0, "below": -1e300,
        "https://a.example/ctx": "dots", "x.y": {"z.": 1}, "x": {"y": "apart"}, "b\\": {"c": 2},
    });
    let table = [
        ("a.b.0.c", Some("x")),
        ("a.b.1.c", Some("7")),
        ("ok", Some("false")),
        ("whole", Some("18446744073709551615")),
        ("half", Some("1.5")),
        ("beyond", None), // 18446744073709551617 would read the same
        ("below", None),
        ("0", Some("zero")),
        ("a.b.2.c", None),
        ("a.b.x", None),
        ("a", None),
        ("none", None),
        ("", None),
        ("ok.x", None),
        (r"https://a\.example/ctx", Some("dots")),
        ("https://a.example/ctx", None),
        (r"x\.y.z\.", Some("1")),
        ("x.y", Some("apart")),
        (r"x\.y", None), // a table
        (r"b\.c", None),
    ];
    for (path, expected) in table {
        assert_eq!(pluck_text(&answer, path).as_deref(), expected, "{path}");
    }
    assert_eq!(find("{realm_id}", &answer, &values(&[("realm_id", "9")])).as_deref(), Some("9"));
    assert_eq!(find("a.b.0.c", &answer, &Values::default()).as_deref(), Some("x"));
}

#[test]
fn a_choice_fills_what_hangs_on_it() {
    let connector: Connector = serde_json::from_value(json!({
        "name": "Vendor",
        "inputs": [{
            "name": "region", "label": "Region", "values": ["us", "eu"], "default": "us",
            "also": {
                "api_host": {"us": "api.vendor.com", "eu": "api.eu.vendor.com"},
                "cell": {"us": "one", "eu": "two"},
            },
        }],
        "api": {"base_url": "https://{api_host}/v1"},
    }))
    .unwrap();
    for (given, expected) in [(None, "api.vendor.com one us"), (Some("eu"), "api.eu.vendor.com two eu")] {
        let given = given.map(|value| ("region".to_owned(), value.to_owned())).into_iter().collect();
        let values = inputs(&connector, &connector.inputs, &given).unwrap();
        let said = ["api_host", "cell", "region"].map(|name| values.get(name).unwrap());
        assert_eq!(said.join(" "), expected);
    }
    let given = BTreeMap::from([("api_host".to_owned(), "evil.example".to_owned())]);
    let refused = inputs(&connector, &connector.inputs, &given).unwrap_err();
    assert_eq!(refused.to_string(), "`api_host` is not asked for", "nobody types it");
    for (value, expected) in
        [("api.eu.vendor.com", true), ("evil.example", false), ("", false), ("vendor.com@evil", false)]
    {
        assert_eq!(believe(&connector, "api_host", value).is_ok(), expected, "{value}");
    }
    assert!(Origins::of(&connector, &values(&[("api_host", "evil.example")])).is_err());
    let optional = input(json!({"values": ["a"], "optional": true, "also": {"b": {"a": "c"}}}));
    assert_eq!(inputs(&vendor(), &[optional], &BTreeMap::new()).unwrap().get("b"), Some(""));
}

#[test]
fn of_a_value_the_part_that_is_meant_is_kept_and_judged_by_itself() {
    let connector: Connector = serde_json::from_value(json!({
        "name": "Vendor",
        "captures": {
            "authorization_response": {"store": "context", "context": "context"},
            "token_response": {"install": "endpoint", "region": "endpoint", "loose": "endpoint"},
            "patterns": {
                "store": "stores/(?<value>[a-z0-9]+)",
                "install": r"(?:https://)?(?<value>[a-z0-9-]+)\.[a-z]+\.vendor\.com/?",
                "region": r"(?:https://)?[a-z0-9-]+\.(?<value>[a-z]+)\.vendor\.com/?",
                "loose": "(?i)x(?<value>[a-z]+)|y",
            },
        },
        "lookups": [{"name": "team", "url": "https://api.vendor.com/", "path": "id", "patterns": {"team": "t:(?<value>[0-9]+)"}}],
        "api": {"base_url": "https://{install}.{region}.vendor.com/{store}"},
    }))
    .unwrap();
    let table = [
        ("store", "stores/abc", Some("abc")),
        ("store", "abc", None), // the whole value has to match
        ("store", "stores/abc/..", None),
        ("store", "stores/abc\n", None),
        ("context", "stores/abc", Some("stores/abc")),
        ("install", "https://acme.au.vendor.com/", Some("acme")),
        ("install", "acme.au.vendor.com", Some("acme")),
        ("region", "acme.au.vendor.com", Some("au")),
        ("install", "-acme.au.vendor.com", None), // no label
        ("install", "evil.example/.au.vendor.com", None),
        ("install", "acme.au.vendor.com.evil.example", None),
        ("install", "https://acme.au.vendor.com@evil.example/", None),
        ("install", "https://evil.example/acme.au.vendor.com", None),
        ("loose", "Xabc", Some("abc")),
        ("loose", "xABC", None), // what is kept matches its part by itself
        ("loose", "y", None),    // nothing is kept
        ("team", "t:7", Some("7")),
        ("team", "7", None),
    ];
    for (name, value, expected) in table {
        assert_eq!(believe(&connector, name, value).ok().as_deref(), expected, "{name} {value:?}");
    }
    // and what is stored is judged again before anybody is spoken to
    for (install, expected) in
        [("acme", true), ("acme.au", false), ("evil.example/", false), ("vendor.com@evil", false)]
    {
        let values = values(&[("install", install), ("region", "au"), ("store", "abc")]);
        assert_eq!(Origins::of(&connector, &values).is_ok(), expected, "{install}");
    }
}

#[test]
fn the_part_that_is_kept_is_found_in_its_pattern() {
    let table = [
        ("stores/(?<value>[a-z]+)", Some("[a-z]+")),
        ("(?<value>a(b|c)+)d", Some("a(b|c)+")),
        (r"(?<value>[)]\)[(\]]x)y", Some(r"[)]\)[(\]]x")),
        ("(?<value>)", Some("")),
        ("[a-z]+", None),
        ("(?<other>a)", None),
        ("(?<value>a", None),
    ];
    for (pattern, expected) in table {
        assert_eq!(kept_part(pattern), expected, "{pattern}");
    }
}

#[test]
fn what_is_random_is_new_with_each_request() {
    let random = Random::system();
    let first = values(&[("a", "b")]).with_random(&random);
    let id = first.get("random").unwrap();
    assert!(whole("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}").unwrap().is_match(id), "{id}");
    assert_eq!(first.get("a"), Some("b"));
    assert_ne!(values(&[]).with_random(&random).get("random"), first.get("random"));
    assert_eq!(values(&[("random", "stand-in")]).with_random(&random).get("random"), Some("stand-in"));
}

#[test]
fn a_connection_outlives_what_its_connector_asks_for_later() {
    let mut connector = vendor();
    let region = json!({ "name": "region", "values": ["us", "eu"], "default": "us", "also": { "host": { "us": "a", "eu": "b" } } });
    let asked = [
        region,
        json!({ "name": "shop" }),
        json!({ "name": "team", "optional": true }),
        json!({ "name": "key", "secret": true, "default": "k" }),
    ];
    connector.inputs = asked.map(input).into_iter().collect::<Vec<_>>().into();
    let table = [
        ("made before all of it", vec![], vec![("host", "a"), ("region", "us"), ("team", "")]),
        (
            "made before the host hung on it",
            vec![("region", "eu")],
            vec![("host", "b"), ("region", "eu"), ("team", "")],
        ),
        (
            "as it was stored",
            vec![("host", "c"), ("region", "eu"), ("shop", "s"), ("team", "t")],
            vec![("host", "c"), ("region", "eu"), ("shop", "s"), ("team", "t")],
        ),
    ];
    for (case, stored, expected) in table {
        let stored = values(&stored).into();
        assert_eq!(values_of(&connector, &stored).iter().collect::<Vec<_>>(), expected, "{case}");
    }
}

#[test]
fn what_is_live_stands_where_it_does_now() {
    let mut connector = vendor();
    let asked = [
        json!({ "name": "tenant", "default": "now" }),
        json!({ "name": "version", "live": true, "default": "2", "values": ["1", "2"], "also": { "edition": { "1": "one", "2": "two" } } }),
        json!({ "name": "contact", "live": true }),
    ];
    connector.settings = asked.map(input).into_iter().collect::<Vec<_>>().into();
    let stored = values(&[("tenant", "then"), ("version", "1"), ("edition", "one"), ("contact", "then")]).into();
    let expected = [("contact", "then"), ("edition", "two"), ("tenant", "then"), ("version", "2")];
    assert_eq!(values_of(&connector, &stored).iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_path_below_a_host_keeps_its_slashes_and_stays_below() {
    let table = [
        ("https://ci.example/{+folder}/api", "", Ok("https://ci.example/api")),
        ("https://ci.example/{+folder}/api", "/", Ok("https://ci.example/api")),
        ("https://ci.example/{+folder}/api", "//", Ok("https://ci.example/api")),
        ("https://ci.example/{+folder}/api", "tools", Ok("https://ci.example/tools/api")),
        ("https://ci.example/{+folder}/api", "/tools/ci/", Ok("https://ci.example/tools/ci/api")),
        ("https://ci.example/{+folder}", "", Ok("https://ci.example/")),
        ("https://ci.example/{+folder}", "tools", Ok("https://ci.example/tools")),
        ("https://ci.example/{+folder}?a=b", "", Ok("https://ci.example/?a=b")),
        ("https://ci.example/a/{+folder}/{+folder}/b", "c/d", Ok("https://ci.example/a/c/d/c/d/b")),
        ("https://ci.example/{+folder}/api", "a b?c#d%2e", Ok("https://ci.example/a%20b%3Fc%23d%252e/api")),
        ("https://ci.example/{+folder}/api", "@evil.example", Ok("https://ci.example/%40evil.example/api")),
        ("https://ci.example/{+folder}/api", "..", Err(())),
        ("https://ci.example/{+folder}/api", "a/../b", Err(())),
        ("https://ci.example/{+folder}/api", "a/./b", Err(())),
        ("https://ci.example/{+folder}/api", "//evil.example", Err(())),
        ("https://ci.example/{+folder}/api", "a//b", Err(())),
        ("https://ci.example/{+folder}/api", "a\nb", Err(())),
        ("https://ci.example{+folder}", "a", Err(())),
        ("https://{+folder}.example/", "a", Err(())),
        ("https://ci.example/?a={+folder}", "a", Err(())),
        ("{+folder}/api", "https://ci.example", Err(())),
    ];
    for (template, value, expected) in table {
        let filled = url(template, &values(&[("folder", value)]));
        assert_eq!(filled.as_ref().map(Url::as_str).map_err(|_| ()), expected, "{template} {value}");
        assert_eq!(address(template, &values(&[("folder", value)])).is_ok(), expected.is_ok(), "{template} {value}");
    }
    assert!(text("{+folder}", &values(&[("folder", "a")])).is_err());
    assert_eq!(
        address("https://ci.example/{+folder}/realms", &values(&[("folder", "auth")])).unwrap(),
        "https://ci.example/auth/realms"
    );
}
