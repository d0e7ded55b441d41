//! The two listeners, and the control of the plain one.

use serde_json::json;

use crate::client::World;

#[tokio::test]
async fn curl_chooses_a_provider_by_the_path() {
    let world = World::new().await;
    let plain = world.zoo.plain_address();
    let key = [("authorization", "Bearer SG.zoo.key")];
    let answer = world.get(&format!("http://{plain}/api.sendgrid.com/v3/scopes"), &key).await;
    assert_eq!(answer.status, 200);
    let by_header = [key[0], ("host", "api.sendgrid.com")];
    assert_eq!(world.get(&format!("http://{plain}/v3/scopes"), &by_header).await.status, 200);
    assert_eq!(world.get(&format!("http://{plain}/nobody.example/"), &[]).await.status, 421);
    assert_eq!(world.get(&format!("http://{plain}/api.sendgrid.com/nothing"), &[]).await.status, 404);
    assert_eq!(world.log(), [": no provider has this host name", ": nothing is documented at this path"]);
}

#[tokio::test]
async fn the_control_does_what_the_library_does() {
    let world = World::new().await;
    let control = |what: &str| format!("http://{}/_zoo/{what}", world.zoo.plain_address());
    let key = json!({ "provider": "sendgrid", "key": { "api_key": "k" } });
    assert_eq!(world.post_json(&control("keys"), &[], &key).await.status, 200);
    let fault = json!({ "provider": "sendgrid", "endpoint": "scopes", "calls": 1, "fault": { "status": [503, 9] } });
    assert_eq!(world.post_json(&control("faults"), &[], &fault).await.status, 200);
    let scopes = "https://api.sendgrid.com/v3/scopes";
    let struck = world.get(scopes, &[("authorization", "Bearer k")]).await;
    assert_eq!((struck.status, struck.headers["retry-after"].as_str()), (503, "9"));
    assert_eq!(world.get(scopes, &[("authorization", "Bearer k")]).await.status, 200);
    assert_eq!(world.get(scopes, &[("authorization", "Bearer secret")]).await.status, 401);

    let log = world.get(&control("log"), &[]).await;
    assert_eq!(log.at("/0/words"), "no registered key has this api_key");
    assert!(!log.text.contains("secret"));
    assert_eq!(world.get(&control("calls"), &[]).await.at("/sendgrid/scopes"), "3");
    let odd = json!({ "provider": "sendgrid", "endpoint": "scopes", "fault": "surprise" });
    assert_eq!(world.post_json(&control("faults"), &[], &odd).await.status, 400);
    assert_eq!(world.get(&control("nothing"), &[]).await.status, 400);
}

#[tokio::test]
async fn a_body_has_an_end() {
    let world = World::new().await;
    let long = "a".repeat(1024 * 1024 + 1);
    let answer = world.send("POST", "https://zoom.us/oauth/token", &[], long).await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn the_zoo_ends() {
    let world = World::new().await;
    let address = world.zoo.address();
    world.zoo.shutdown().await;
    assert!(std::net::TcpStream::connect(address).is_err());
}
