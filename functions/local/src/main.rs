//! `cargo run`: Mooring on a laptop, with a demo to click through.

use std::process::ExitCode;

use local::{
    Server, StartError,
    options::{Data, Options, log_level},
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

async fn run() -> Result<(), StartError> {
    tracing_subscriber::fmt().with_max_level(log_level()?).with_target(false).without_time().init();
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
