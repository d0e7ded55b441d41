//! With the deployment's client it is the deployment that says what belongs to it: hosts, secrets, the redirect URI. A project neither
//! has to nor can.

use serde_json::{Value, json};

use crate::world::{Answer, World};

async fn put(world: &World, path: &str, body: &Value) -> Answer {
    world.call("PUT", path).bearer(&world.server.root_key).json(body).send().await
}

/// What is shown of it: the settings, and whose client it is.
async fn shown(world: &World, path: &str) -> (Value, Value) {
    let shown = world.root("GET", path, None).await.json();
    (shown["settings"].clone(), shown["client_source"].clone())
}

#[tokio::test]
async fn a_project_says_nothing_of_the_hosts_of_the_deployments_client() {
    let world = World::new().await;
    let deployment = "/v1/admin/connectors/auth0";
    let project = format!("/v1/admin/projects/{}/environments/test/connectors/auth0", world.project());
    let client =
        json!({ "client_id": "ours", "client_secret": "invented", "settings": { "domain": "ours.auth0.com" } });
    let theirs = json!({ "settings": { "domain": "theirs.auth0.com" } });

    // while nobody has a client, it has to be said, and is the project's to say
    let lacking = put(&world, &project, &json!({})).await;
    assert_eq!(lacking.refusal(), (400, "invalid_request".to_owned()));
    assert!(lacking.text().contains("settings: Auth0 domain (domain) is missing"), "{}", lacking.text());
    assert_eq!(put(&world, &project, &theirs).await.status, 200);

    // from here on the deployment's counts, and that is what is shown and may come back
    world.root("PUT", deployment, Some(&client)).await;
    let ours = json!({ "domain": "ours.auth0.com" });
    assert_eq!(shown(&world, &project).await, (ours.clone(), json!("default")));
    let refused = put(&world, &project, &theirs).await;
    assert_eq!(refused.refusal(), (400, "invalid_request".to_owned()));
    assert!(refused.text().contains("settings.domain: it says which server requests go to"), "{}", refused.text());
    for fits in [
        json!({ "scopes": ["openid"] }),
        json!({ "settings": { "domain": "" } }),
        json!({ "settings": ours }),
        json!({ "enabled": false }),
    ] {
        let answer = put(&world, &project, &fits).await;
        assert_eq!((answer.status, &answer.json()["settings"]), (200, &ours), "{fits} {}", answer.text());
    }

    // it was not kept a second time: the deployment moves, and the project with it
    let moved = json!({ "settings": { "domain": "moved.auth0.com" } });
    world.root("PUT", deployment, Some(&moved)).await;
    assert_eq!(shown(&world, &project).await, (moved["settings"].clone(), json!("default")));

    // with a client of its own it may say where that is known
    let mut own = json!({ "client_id": "own", "client_secret": "invented" });
    assert_eq!(put(&world, &project, &own).await.status, 200);
    assert_eq!(shown(&world, &project).await, (moved["settings"].clone(), json!("project")));
    own["settings"] = theirs["settings"].clone();
    assert_eq!(put(&world, &project, &own).await.status, 200);
    assert_eq!(shown(&world, &project).await, (theirs["settings"].clone(), json!("project")));
}

#[tokio::test]
async fn a_default_of_the_catalogue_is_what_the_deployment_says() {
    let world = World::new().await;
    let client = json!({ "client_id": "ours", "client_secret": "invented" });
    world.root("PUT", "/v1/admin/connectors/gitlab", Some(&client)).await;
    let project = format!("/v1/admin/projects/{}/environments/test/connectors/gitlab", world.project());
    for (host, status) in [("gitlab.com", 200), ("git.orbit.example", 400)] {
        let answer = put(&world, &project, &json!({ "settings": { "host": host } })).await;
        assert_eq!(answer.status, status, "{host}: {}", answer.text());
    }
}

#[tokio::test]
async fn where_the_deployment_has_said_nothing_yet_a_project_may_decide_the_rest() {
    let world = World::new().await;
    let client = json!({ "enabled": false, "client_id": "ours", "client_secret": "invented" });
    world.root("PUT", "/v1/admin/connectors/onelogin", Some(&client)).await;
    let project = format!("/v1/admin/projects/{}/environments/test/connectors/onelogin", world.project());
    let answer = put(&world, &project, &json!({ "scopes": ["openid"] })).await;
    assert_eq!((answer.status, &answer.json()["ready"]), (200, &json!(false)), "{}", answer.text());
    assert_eq!(put(&world, &project, &json!({ "settings": { "subdomain": "theirs" } })).await.status, 400);
}

#[tokio::test]
async fn nor_of_its_secrets_and_its_redirect_uri() {
    let world = World::new().await;
    let deployment = "/v1/admin/connectors/google-ads";
    let project = format!("/v1/admin/projects/{}/environments/test/connectors/google-ads", world.project());
    let mut ours = json!({ "client_id": "ours", "client_secret": "invented", "callback": "common" });
    ours["settings"] = json!({ "developer_token": "invented-ours" });
    let theirs = json!({ "settings": { "developer_token": "invented-theirs" } });

    // as long as nobody has a client it is the project's to say
    assert_eq!(put(&world, &project, &theirs).await.status, 200);
    assert_eq!(put(&world, &project, &json!({ "callback": "common" })).await.status, 200);

    world.root("PUT", deployment, Some(&ours)).await;
    for (refused, named) in [
        (&theirs, "settings.developer_token: it is a secret, and with the deployment's client"),
        (&json!({ "callback": "own" }), "callback: it belongs to a client, and with the deployment's client"),
    ] {
        let answer = put(&world, &project, refused).await;
        assert_eq!(answer.refusal(), (400, "invalid_request".to_owned()));
        assert!(answer.text().contains(named), "{}", answer.text());
    }
    for fits in [json!({}), json!({ "callback": "common" }), json!({ "settings": { "developer_token": null } })] {
        let answer = put(&world, &project, &fits).await;
        assert_eq!((answer.status, answer.json()["ready"].clone()), (200, json!(true)), "{fits} {}", answer.text());
        assert_eq!(answer.json()["callback"], "common");
    }

    // the deployment registers its client anew, and the project follows
    ours["callback"] = json!("own");
    world.root("PUT", deployment, Some(&ours)).await;
    assert_eq!(world.root("GET", &project, None).await.json()["callback"], "own");

    // with a client of its own, all of it is its own
    let mut own = theirs.clone();
    own["client_id"] = json!("own");
    own["client_secret"] = json!("invented");
    own["callback"] = json!("common");
    let answer = put(&world, &project, &own).await.json();
    assert_eq!(
        (&answer["ready"], &answer["callback"], &answer["client_source"]),
        (&json!(true), &json!("common"), &json!("project"))
    );
}

#[tokio::test]
async fn what_is_shown_can_be_sent_back() {
    let world = World::new().await;
    let client = json!({ "client_id": "ours", "client_secret": "invented", "callback": "common" });
    world.root("PUT", "/v1/admin/connectors/gmail", Some(&client)).await;
    for id in ["gmail", "bill-com", "telegram-bot", "mastodon"] {
        let path = format!("/v1/admin/projects/{}/environments/test/connectors/{id}", world.project());
        let before = world.root("GET", &path, None).await.json();
        let members = [
            "enabled",
            "visible",
            "order",
            "scopes",
            "second_scopes",
            "optional_scopes",
            "authorization_params",
            "settings",
            "callback",
            "client_id",
        ];
        let mut body: serde_json::Map<_, _> =
            members.into_iter().map(|name| (name.to_owned(), before[name].clone())).collect();
        if before["client_id"].is_null() {
            body.remove("client_id"); // null takes one away
        }
        let answer = put(&world, &path, &Value::Object(body.clone())).await;
        assert_eq!(answer.status, 200, "{id}: {}", answer.text());
        let after = answer.json();
        for name in members.into_iter().chain(["client_source", "ready"]) {
            assert_eq!(after[name], before[name], "{id}: {name}");
        }
    }
}

#[tokio::test]
async fn a_redirect_uri_that_the_deployment_decides_counts_where_servers_register_clients() {
    let world = World::new().await;
    let decided = world.root("PUT", "/v1/admin/connectors/mastodon", Some(&json!({ "callback": "common" }))).await;
    assert_eq!(decided.json()["callback"], "common");
    let project = format!("/v1/admin/projects/{}/environments/test/connectors/mastodon", world.project());
    assert_eq!(world.root("GET", &project, None).await.json()["callback"], "common");
}

#[tokio::test]
async fn what_is_missing_is_asked_for_where_it_counts() {
    let world = World::new().await;
    let client = json!({ "client_id": "ours", "client_secret": "invented" });
    world.root("PUT", "/v1/admin/connectors/google-ads", Some(&client)).await;
    let project = format!("/v1/admin/projects/{}/environments/test/connectors/google-ads", world.project());
    put(&world, &project, &json!({ "order": 5 })).await;
    let refused = world.get("/connectors/google-ads/oauth/authorize?userId=ada").await;
    assert_eq!(refused.refusal(), (409, "client_not_configured".to_owned()));
    assert_eq!(
        refused.json()["error_description"],
        "google-ads lacks developer_token: store it with PUT /v1/admin/connectors/google-ads"
    );
    let report = world.root("GET", &format!("{project}/doctor"), None).await.text();
    assert!(report.contains("PUT /v1/admin/connectors/google-ads with it"), "{report}");
}
