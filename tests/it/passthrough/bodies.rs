//! Bodies, of any bytes and as they come.

use std::{convert::Infallible, sync::Arc};

use axum::{body::Body, response::IntoResponse};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::Notify;

use super::Scene;

/// Bytes that no text decoder leaves as they are.
fn noise(length: usize) -> Bytes {
    let mut state = 1_u32;
    let next = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*state >> 24) as u8
    };
    (0..length).map(|_| next(&mut state)).collect::<Vec<_>>().into()
}

#[tokio::test]
async fn bodies_of_any_bytes_arrive_as_they_are() {
    let scene = Scene::new(|seen| {
        let pieces: Vec<_> =
            seen.body.chunks(70_001).map(|chunk| Ok::<_, Infallible>(Bytes::copy_from_slice(chunk))).collect();
        Body::from_stream(stream::iter(pieces)).into_response()
    })
    .await;
    for length in [0, 1, 65_536, 3_000_000] {
        let sent = noise(length);
        let answer = scene
            .call("PUT", "fake/x")
            .header("accept-encoding", "gzip")
            .body("application/octet-stream", sent.clone())
            .send()
            .await;
        assert_eq!(scene.last().body, sent, "{length} out");
        assert!(answer.body == sent, "{length} back");
    }
}

#[tokio::test]
async fn an_answer_is_passed_on_as_it_comes() {
    let go = Arc::new(Notify::new());
    let wait = Arc::clone(&go);
    let scene = Scene::new(move |_| {
        let wait = Arc::clone(&wait);
        let first = stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b"first ")) });
        let second = stream::once(async move {
            wait.notified().await;
            Ok(Bytes::from_static(b"second"))
        });
        Body::from_stream(first.chain(second)).into_response()
    })
    .await;
    let url = format!("{}/v1/passthrough/fake/x", scene.world.base());
    let http = shared::aws::http_client(shared::aws::tls()).unwrap();
    let request = http.get(url).bearer_auth(scene.world.key()).header("x-one-connection-key", &scene.key);
    let mut answer = request.send().await.unwrap();
    // the second half does not exist before the first was read here
    assert_eq!(answer.chunk().await.unwrap().as_deref(), Some(b"first ".as_slice()));
    go.notify_one();
    assert_eq!(answer.chunk().await.unwrap().as_deref(), Some(b"second".as_slice()));
    assert_eq!(answer.chunk().await.unwrap(), None);
}
