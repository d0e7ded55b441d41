//! `cargo run`: Mooring on a laptop, with a demo to click through.

use std::process::ExitCode;

use local::{
    Server, StartError,
    options::{Data, Options, log_level},
};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Mooring can't start: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A condition that fails is a warning to the embedded DynamoDB and an answer to Mooring, which asked.
fn levels() -> Result<Targets, StartError> {
    Ok(Targets::new().with_default(log_level()?).with_target("dynoxide", LevelFilter::ERROR))
}

async fn run() -> Result<(), StartError> {
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_target(false)
        .without_time()
        .finish()
        .with(levels()?)
        .init();
    if log_level()? > tracing::level_filters::STATIC_MAX_LEVEL {
        eprintln!(
            "LOG: this build logs down to {} and no further: `cargo run` does, without --release.",
            tracing::level_filters::STATIC_MAX_LEVEL
        );
    }
    let options = Options::from_env()?;
    let data = options.data.clone();
    let server = Server::start(options).await?;
    greet(&server, &data);
    // an error means that no signal can be waited for; then there is nothing to wait for
    let _ = tokio::signal::ctrl_c().await;
    println!("\nStopping.");
    server.stop().await;
    Ok(())
}

fn greet(server: &Server, data: &Data) {
    let address = |url: &url::Url| url.as_str().trim_end_matches('/').to_owned();
    println!("Mooring is running on this machine.\n");
    println!("  Try it            {}   a demo app: log in, connect Acme, call its API", address(&server.app_url));
    println!("  Mooring           {}", address(&server.base_url));
    println!("  Demo provider     {}   Acme: what was granted to whom", address(&server.provider_url));
    match data {
        Data::Folder(folder) => {
            println!("\n  For curl          source {}", folder.join("demo.env").display());
            println!("  For cargo lambda  source {} (see events/README.md)", folder.join("lambda.env").display());
            println!("  State             {} (remove it to start afresh)", folder.display());
        }
        Data::Memory => println!("\n  State             in memory: it ends with this process"),
    }
    println!("\nCtrl-C stops it.");
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::filter::LevelFilter;

    use super::levels;

    #[test]
    fn the_terminal_shows_warnings_but_those_of_the_embedded_dynamodb() {
        let table = [
            ("local", LevelFilter::WARN, LevelFilter::INFO),
            ("shared::http::failure", LevelFilter::WARN, LevelFilter::INFO),
            ("dynoxide", LevelFilter::ERROR, LevelFilter::WARN),
            ("dynoxide::server", LevelFilter::ERROR, LevelFilter::WARN),
        ];
        for (target, shown, hidden) in table {
            let levels =
                [shown, hidden].map(|filter| levels().unwrap().would_enable(target, &filter.into_level().unwrap()));
            assert_eq!(levels, [true, false], "{target}");
        }
    }
}
