//! Which header lines and statuses go through, in both directions.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode},
    response::IntoResponse,
};

use super::{Scene, hello};

#[tokio::test]
async fn what_is_meant_for_us_does_not_go_out() {
    let scene = Scene::new(hello).await;
    let call = scene.call("POST", "fake/x").body("application/json; charset=utf-8", "{}");
    let sent = [
        ("accept", "application/xml"),
        ("x-custom", "1"),
        ("x-custom", "2"),
        ("if-none-match", "\"e\""),
        ("range", "bytes=0-1"),
        ("user-agent", "app/1"),
        ("x-one-secret", &scene.world.key()),
        ("x-pica-secret", &scene.world.key()),
        ("cookie", "a=1"),
        ("origin", "https://app.example"),
        ("referer", "https://app.example/x"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("te", "trailers"),
        ("proxy-authorization", "Basic eA=="),
        ("forwarded", "for=1.2.3.4"),
        ("via", "1.1 x"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-host", "evil.example"),
        ("x-amzn-trace-id", "t"),
        ("x-mooring-x", "1"),
        ("x-request-id", "mine"),
        ("sec-fetch-site", "none"),
        ("x-real-ip", "1.2.3.4"),
    ];
    let call = sent.into_iter().fold(call, |call, (name, value)| call.header(name, value));
    assert_eq!(call.send().await.status, 200);
    let seen = scene.last();
    let mut lines: Vec<_> =
        seen.headers.iter().filter(|(name, _)| name != "host").map(|(n, v)| format!("{n}: {v}")).collect();
    lines.sort();
    let expected = [
        "accept: application/xml",
        "content-length: 2",
        "content-type: application/json; charset=utf-8",
        "if-none-match: \"e\"",
        "range: bytes=0-1",
        "user-agent: app/1",
        "x-api-key: the-key",
        "x-custom: 1",
        "x-custom: 2",
        "x-version: 7",
    ];
    assert_eq!(lines, expected);
    assert_eq!(seen.header("host"), scene.provider.url.strip_prefix("http://"));
}

#[tokio::test]
async fn what_would_act_on_our_own_origin_does_not_come_back() {
    let lines = [
        ("content-type", "application/vnd.x+json"),
        ("cache-control", "max-age=5"),
        ("etag", "\"e\""),
        ("x-request-id", "theirs"),
        ("link", "<a>; rel=next"),
        ("link", "<b>; rel=last"),
        ("x-ratelimit-remaining", "3"),
        ("retry-after", "7"),
        ("www-authenticate", "Bearer"),
        ("location", "/elsewhere"),
        ("set-cookie", "a=1"),
        ("strict-transport-security", "max-age=1"),
        ("clear-site-data", "\"*\""),
        ("access-control-allow-origin", "*"),
        ("access-control-allow-credentials", "true"),
        ("x-mooring-error", "forged"),
        ("x-mooring-request-id", "forged"),
        ("service-worker-allowed", "/"),
        ("alt-svc", "h3=\":1\""),
        ("nel", "{}"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("proxy-authenticate", "Basic"),
    ];
    let scene = Scene::new(move |_| {
        let mut response = (StatusCode::CREATED, "made").into_response();
        response.headers_mut().clear();
        for (name, value) in lines {
            response.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        response
    })
    .await;
    let own = scene.world.app_origin();
    let answer = scene.call("GET", "fake/x").header("origin", &own).send().await;
    let mut said: Vec<_> =
        answer.headers.iter().filter(|(n, _)| n != "date").map(|(n, v)| format!("{n}: {v}")).collect();
    let id = said.iter().position(|line| line.starts_with("x-mooring-request-id: ")).unwrap();
    assert_ne!(said.remove(id), "x-mooring-request-id: forged");
    said.retain(|line| !line.starts_with("transfer-encoding") && !line.starts_with("access-control-expose-headers"));
    said.sort();
    let origin = format!("access-control-allow-origin: {own}");
    let expected = [
        origin.as_str(),
        "cache-control: max-age=5",
        "content-type: application/vnd.x+json",
        "etag: \"e\"",
        "link: <a>; rel=next",
        "link: <b>; rel=last",
        "location: /elsewhere",
        "retry-after: 7",
        "vary: origin",
        "www-authenticate: Bearer",
        "x-ratelimit-remaining: 3",
        "x-request-id: theirs",
    ];
    assert_eq!((answer.status, answer.text().as_str(), said), (201, "made", expected.map(str::to_owned).into()));
}

#[tokio::test]
async fn every_status_of_the_provider_passes_through() {
    let scene = Scene::new(|seen| {
        let status = seen.target.rsplit('/').next().unwrap().parse().unwrap();
        (StatusCode::from_u16(status).unwrap(), [("location", "http://evil.example/")], "theirs").into_response()
    })
    .await;
    for status in [
        200, 201, 202, 204, 301, 302, 303, 307, 308, 304, 400, 401, 403, 404, 405, 409, 410, 418, 422, 429, 500, 502,
        503, 504,
    ] {
        let answer = scene.call("POST", &format!("fake/{status}")).send().await;
        assert_eq!((answer.status, answer.header("x-mooring-error")), (status, None));
        let bodiless = matches!(status, 204 | 304);
        assert_eq!(answer.text(), if bodiless { "" } else { "theirs" }, "{status}");
    }
}
