//! x
use crate::world::{Shape, World};
#[tokio::test]
async fn a_one_time_link_connects() {
    let world = World::new().await;
    for shape in [Shape::OneTimeLink, Shape::SessionLink, Shape::FrontEnd, Shape::Credentials] {
        let key = world.connect_account(shape).await;
        assert_eq!(world.me(&key).await.status, 200);
    }
}
