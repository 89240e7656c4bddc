//! One process, one client: who am I, twice a second, for as many seconds as the first argument says, once at least.

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_sts::Client;
use aws_sdk_sts::error::DisplayErrorContext;
use tokio::time::{Instant, sleep};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let seconds: u64 = std::env::args().nth(1).ok_or("how many seconds?")?.parse()?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let client = Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await);
    loop {
        let line = match client.get_caller_identity().send().await {
            Ok(who) => who.arn().unwrap_or_default().to_owned(),
            Err(error) => format!("error: {}", DisplayErrorContext(error)),
        };
        writeln!(std::io::stdout(), "{}", line.replace('\n', " "))?;
        sleep(Duration::from_millis(500)).await;
        if Instant::now() >= end {
            return Ok(());
        }
    }
}
