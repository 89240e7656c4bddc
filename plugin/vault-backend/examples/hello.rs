//! A whole secrets engine: greetings that are stored and read back.
//!
//! `cargo build -p vault-backend --example hello`, register the binary as any plugin, then
//! `vault write hello/greetings/bob text="good morning"` and `vault read hello/greetings/bob`.

use std::process::ExitCode;
use std::sync::Arc;

use vault_backend::{Backend, Fault, Field, Mount, Params, Plugin, Request, Response, Route, Values};

struct Hello(Mount);

struct Greeting(String);

impl Params for Greeting {
    const FIELDS: &'static [Field] =
        &[Field::string("name", "Whom to greet."), Field::string("text", "What to say.").required()];

    fn from_values(values: &Values) -> Result<Self, Fault> {
        values.text("text").map(Self)
    }
}

impl Backend for Hello {
    const HELP: &'static str = "Stores greetings and says them.";

    fn new(mount: Mount) -> Self {
        Self(mount)
    }

    fn routes() -> Vec<Route<Self>> {
        vec![
            Route::at("greetings").synopsis("Who can be greeted.").list_all(list),
            Route::at("greetings/{name}").synopsis("One greeting.").read(read).write(write).delete(delete),
        ]
    }
}

fn key(request: &Request) -> String {
    format!("greetings/{}", request.parameter("name"))
}

async fn list(hello: Arc<Hello>, _: Request) -> Result<Response, Fault> {
    Ok(Response::list(hello.0.storage.list("greetings/").await?))
}

async fn read(hello: Arc<Hello>, request: Request, (): ()) -> Result<Response, Fault> {
    let Some(text) = hello.0.storage.get_json::<String>(&key(&request)).await? else {
        return Ok(Response::not_found());
    };
    Ok(Response::data([("text".to_owned(), text.into())].into_iter().collect()))
}

async fn write(hello: Arc<Hello>, request: Request, greeting: Greeting) -> Result<Response, Fault> {
    hello.0.storage.put_json(&key(&request), &greeting.0).await?;
    Ok(Response::no_content())
}

async fn delete(hello: Arc<Hello>, request: Request, (): ()) -> Result<Response, Fault> {
    hello.0.storage.delete(&key(&request)).await?;
    Ok(Response::no_content())
}

fn main() -> ExitCode {
    vault_backend::main::<Hello>(Plugin {
        name: "hello",
        version: "v0.1.0",
        about: "A secrets engine in sixty lines.",
        quiet_logs: &[],
    })
}
