//! The API says 401 although the token has not expired: one renewal, one replay.

use serde_json::Value;

use super::provider::Tokens;
use crate::{store_grants::race, store_world::World};

#[tokio::test]
async fn a_401_forces_one_renewal_and_one_replay_with_the_body() {
    let world = World::new().await;
    let key = world.connection("vendor").await.connection.key;
    world.provider.api_answers_next(&[401]);
    let told = world.call(&world.app, &key).await;
    assert_eq!((told.status, told.token(), &told.body["body"]), (200, "at-0-1", &Value::from("the body")));
    assert_eq!((world.provider.redeemed(), world.provider.api_calls()), (1, 2));
}

#[tokio::test]
async fn a_second_401_is_the_provider_s_answer() {
    let world = World::new().await;
    let key = world.connection("vendor").await.connection.key;
    world.provider.api_answers_next(&[401, 401]);
    let told = world.call(&world.app, &key).await;
    assert_eq!((told.status, told.token(), told.header("x-mooring-error")), (401, "at-0-1", None));
    assert_eq!((world.provider.redeemed(), world.provider.api_calls()), (1, 2));
}

#[tokio::test]
async fn a_401_without_a_refresh_token_is_the_provider_s_answer() {
    let world = World::new().await;
    let tokens = Tokens { refresh: String::new(), ..world.provider.consent() };
    let key = world.connection_with("vendor", &tokens, None).await.connection.key;
    world.provider.api_answers_next(&[401]);
    let told = world.call(&world.app, &key).await;
    assert_eq!((told.status, told.token(), told.header("x-mooring-error")), (401, "at-0-0", None));
    assert_eq!((world.provider.asked(), world.provider.api_calls()), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_401s_at_once_renew_once() {
    let world = World::new().await;
    let (one, other) = (world.quick_process().await, world.quick_process().await);
    let key = world.connection("vendor").await.connection.key;
    world.provider.expire_access_tokens();
    let told = race(100, |caller| world.call(if caller % 2 == 0 { &one } else { &other }, &key)).await;
    for told in &told {
        assert_eq!((told.status, told.token()), (200, "at-0-1"), "{told:?}");
    }
    assert_eq!((world.provider.redeemed(), world.provider.asked()), (1, 1));
}
