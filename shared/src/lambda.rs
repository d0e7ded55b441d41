//! The loop of a Lambda function: an event in, an answer out.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use lambda_runtime::{Error, FunctionResponse, LambdaEvent, MetadataPrelude, StreamResponse, service_fn};

use crate::{
    app::App,
    clock::Timestamp,
    http::{
        Body, ByteStream, Handler, Response, answer,
        event::{Buffered, Event},
    },
};

/// Serves a function whose answers are whole.
pub async fn serve<H: Handler>(app: &Arc<App>, handler: H) -> Result<(), Error> {
    let handler = &handler;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Event>| async move {
        Ok::<_, Error>(Buffered::of(respond(app, handler, event).await?))
    }))
    .await
}

/// Serves a function whose answers are passed on as they come: the REST API's streaming integration and a function URL in
/// streaming mode read the same framing.
pub async fn serve_streaming<H: Handler>(app: &Arc<App>, handler: H) -> Result<(), Error> {
    let handler = &handler;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Event>| async move {
        let response = respond(app, handler, event).await?;
        Ok::<_, Error>(FunctionResponse::<(), _>::StreamingResponse(streamed(response)?))
    }))
    .await
}

async fn respond<H: Handler>(app: &Arc<App>, handler: &H, event: LambdaEvent<Event>) -> Result<Response, Error> {
    let (event, context) = event.into_parts();
    // a custom domain's base path stands in front; a stage does not
    let public_path = app.config.public_url.as_ref().map_or("", |url| url.path());
    let mut request = event.into_request(public_path, &context.request_id)?;
    request.deadline = Some(Timestamp::from_millis(context.deadline));
    Ok(answer(app, request, handler).await)
}

/// The prelude holds one line for each name: the framing has no list form that both front ends read, and RFC 9110 §5.3 lets
/// lines of one name be joined. Only `set-cookie` can't be, and passthrough passes none on.
fn streamed(response: Response) -> Result<StreamResponse<ByteStream>, Error> {
    let mut headers = http::HeaderMap::new();
    for (name, value) in response.headers {
        let name = http::HeaderName::try_from(name)?;
        let value = match headers.get(&name) {
            Some(before) => http::HeaderValue::try_from([before.as_bytes(), b", ", value.as_bytes()].concat())?,
            None => http::HeaderValue::try_from(value)?,
        };
        headers.insert(name, value);
    }
    let stream = match response.body {
        Body::Full(bytes) if bytes.is_empty() => stream::empty().boxed(),
        Body::Full(bytes) => stream::once(async move { Ok::<Bytes, _>(bytes) }).boxed(),
        Body::Stream(stream) => until_it_breaks(stream),
    };
    let metadata_prelude =
        MetadataPrelude { status_code: http::StatusCode::from_u16(response.status)?, headers, cookies: Vec::new() };
    Ok(StreamResponse { metadata_prelude, stream })
}

/// A stream that ends where the provider's breaks. The runtime would write the error's text behind the provider's bytes as if
/// it were one of them; an end that comes early is at least none of ours.
fn until_it_breaks(stream: ByteStream) -> ByteStream {
    let whole = stream.take_while(|chunk| {
        if let Err(error) = chunk {
            tracing::warn!(%error, "a provider's answer broke off");
        }
        std::future::ready(chunk.is_ok())
    });
    whole.boxed()
}
