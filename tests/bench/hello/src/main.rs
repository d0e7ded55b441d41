//! A Lambda function that says hello: what a start costs with nothing of ours in it.
//!
//! A package of its own, built by itself, so that no other crate's features come along.

use lambda_http::{Error, Request, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(|_: Request| async { Ok::<_, Error>("hello") })).await
}
