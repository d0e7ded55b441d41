//! A client may choose the id that the gateway gives its request (`x-amzn-RequestId`): what works once hangs on nothing of it.

use callback::Callback;
use shared::{
    http::{Body, Request, answer},
    store::attempts::Status,
};

use crate::store_world::World;

const CHOSEN: &str = "chosen-by-the-client";

async fn send(world: &World, request: &Request) -> (u16, String) {
    let Request { method, path, query, headers, body, .. } = request;
    let method = method.map_or("", shared::http::Method::as_str);
    let again = Request::new(method, path.clone(), query.clone(), headers.clone(), body.clone(), CHOSEN.to_owned());
    let response = answer(&world.app, again, &Callback).await;
    let Body::Full(body) = response.body else { panic!("a streamed answer") };
    (response.status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn a_completion_code_works_once_under_one_id() {
    let world = World::new().await;
    let request = world.completion().await;
    assert_eq!(send(&world, &request).await.0, 200);
    for _ in 0..3 {
        let (status, body) = send(&world, &request).await;
        assert!(status == 400 && body.contains("invalid_grant"), "{status} {body}");
    }
}

#[tokio::test]
async fn a_spent_state_stays_spent_under_one_id() {
    let world = World::new().await;
    let attempt = world.attempt("vendor");
    let mut request = world.answer_of_the_provider(attempt.clone()).await;
    let answered = std::mem::take(&mut request.query);
    for query in [answered.replace("code=c", "error=access_denied"), answered] {
        request.query = query;
        send(&world, &request).await;
    }
    let progress = world.app.attempts.progress_of(&attempt.id, world.hands.now()).await.unwrap();
    assert_eq!((progress.status, progress.error.as_deref()), (Status::Denied, Some("access_denied")));
}
