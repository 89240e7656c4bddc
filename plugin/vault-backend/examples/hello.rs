//! A whole secrets engine: greetings that are stored and read back.
//!
//! `cargo build -p vault-backend --example hello`, register the binary as any plugin, then
//! `vault write hello/greetings/bob text="good morning"` and `vault read hello/greetings/bob`.

use std::process::ExitCode;
use std::sync::Arc;

use vault_backend::{Answer, Ask, Backend, Fault, Field, Mount, Plugin, Request, Route, Values};

struct Hello(Mount);

struct Greeting(String);

impl Ask for Greeting {
    const FIELDS: &'static [Field] =
        &[Field::string("name", "Whom to greet."), Field::string("text", "What to say.").required()];

    fn take(values: &Values) -> Result<Self, Fault> {
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
            Route::at("greetings").synopsis("Who can be greeted.").list(list),
            Route::at("greetings/{name}").synopsis("One greeting.").read(read).write(write).delete(delete),
        ]
    }
}

fn key(request: &Request) -> String {
    format!("greetings/{}", request.parameter("name"))
}

async fn list(hello: Arc<Hello>, _: Request, (): ()) -> Result<Answer, Fault> {
    Ok(Answer::list(hello.0.storage.list("greetings/").await?))
}

async fn read(hello: Arc<Hello>, request: Request, (): ()) -> Result<Answer, Fault> {
    let Some(text) = hello.0.storage.get_json::<String>(&key(&request)).await? else {
        return Ok(Answer::absent());
    };
    Ok(Answer::data([("text".to_owned(), text.into())].into_iter().collect()))
}

async fn write(hello: Arc<Hello>, request: Request, greeting: Greeting) -> Result<Answer, Fault> {
    hello.0.storage.put_json(&key(&request), &greeting.0).await?;
    Ok(Answer::nothing())
}

async fn delete(hello: Arc<Hello>, request: Request, (): ()) -> Result<Answer, Fault> {
    hello.0.storage.delete(&key(&request)).await?;
    Ok(Answer::nothing())
}

fn main() -> ExitCode {
    vault_backend::main::<Hello>(Plugin {
        name: "hello",
        version: "v0.1.0",
        about: "A secrets engine in sixty lines.",
    })
}
