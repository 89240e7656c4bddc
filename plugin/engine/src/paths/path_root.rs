//! `root/generate/internal`: a self-signed CA whose key never leaves the engine.

use std::sync::Arc;
use std::time::Duration;

use ca::{CaProfile, Issuer, KeySpec, Subject};
use vault_backend::{Answer, Ask, Fault, Field, Request, Route, Values};

use crate::Engine;
use crate::ground::bounds::Bounds;
use crate::ground::clock;
use crate::ground::faults;
use crate::issuers::{self, Candidate, Issuers, KeyPlace};
use crate::paths::path_issuers;

const TTL: Bounds = Bounds { least: 86_400, most: 100 * 365 * 86_400 };
const USUAL_TTL: Duration = Duration::from_hours(10 * 365 * 24);

/// The subject and key fields that a root and a signing request share.
pub(crate) struct NewCa {
    pub(crate) subject: Subject,
    pub(crate) key: KeySpec,
}

impl NewCa {
    pub(crate) const COMMON_NAME: Field = Field::string("common_name", "subject CN of the CA").required();
    pub(crate) const ORGANIZATION: Field = Field::list("organization", "subject O").prose();
    pub(crate) const UNIT: Field = Field::list("organizational_unit", "subject OU").prose();
    pub(crate) const COUNTRY: Field = Field::list("country", "subject C, two letters");
    pub(crate) const LOCALITY: Field = Field::list("locality", "subject L").prose();
    pub(crate) const PROVINCE: Field = Field::list("province", "subject ST").prose();
    pub(crate) const KEY_TYPE: Field =
        Field::string("key_type", "kind of key").default_text("ec").one_of(&["ec", "rsa", "ml-dsa"]);
    pub(crate) const KEY_BITS: Field = Field::int(
        "key_bits",
        "size of the key: 256 or 384 for ec; 2048, 3072 or 4096 for rsa; 44, 65 or 87, the parameter set, for ml-dsa",
    );

    pub(crate) fn take(values: &Values) -> Result<Self, Fault> {
        let list = |field: &str| values.list(field).map(Option::unwrap_or_default);
        let subject = Subject {
            common_name: Some(values.text("common_name")?),
            organization: list("organization")?,
            organizational_unit: list("organizational_unit")?,
            country: list("country")?,
            locality: list("locality")?,
            province: list("province")?,
        };
        let kind = values.string("key_type")?.unwrap_or_else(|| "ec".to_owned());
        let bits = values.int("key_bits")?.map(|bits| u32::try_from(bits).unwrap_or(0));
        let key = KeySpec::from_type_and_bits(&kind, bits).map_err(faults::ca)?;
        Ok(Self { subject, key })
    }
}

/// A new self-signed CA.
struct Generate {
    ca: NewCa,
    ttl: Duration,
    issuer_name: Option<String>,
}

impl Ask for Generate {
    const FIELDS: &'static [Field] = &[
        NewCa::COMMON_NAME,
        NewCa::ORGANIZATION,
        NewCa::UNIT,
        NewCa::COUNTRY,
        NewCa::LOCALITY,
        NewCa::PROVINCE,
        NewCa::KEY_TYPE,
        NewCa::KEY_BITS,
        Field::duration("ttl", "life of the CA certificate, at least a day").default_text("87600h"),
        Field::string("issuer_name", "name of the issuer, unique in the mount"),
    ];

    fn take(values: &Values) -> Result<Self, Fault> {
        let ttl = values.duration("ttl")?.map(|given| TTL.check("ttl", given)).transpose()?;
        Ok(Self {
            ca: NewCa::take(values)?,
            ttl: ttl.unwrap_or(USUAL_TTL),
            issuer_name: values.string("issuer_name")?,
        })
    }
}

pub(crate) fn route() -> Route<Engine> {
    Route::at("root/generate/internal")
        .synopsis("Make a self-signed CA whose key never leaves the engine.")
        .description(
            "The answer's certificate is what a Roles Anywhere trust anchor must hold. The first issuer of a mount becomes its default, a second one is the next: see rotation. A third is refused until one is disabled or deleted, because an anchor holds two certificates.",
        )
        .update(generate)
}

async fn generate(engine: Arc<Engine>, request: Request, ask: Generate) -> Result<Answer, Fault> {
    let _lock = engine.store.lock().await;
    let issuers = Issuers::load(&engine.store).await?;
    issuers::check_name(&issuers, ask.issuer_name.as_deref())?;
    issuers.check_room(clock::now(), &request.mount_point)?;
    let profile = CaProfile { subject: ask.ca.subject, key: ask.ca.key, ttl: ask.ttl };
    let issuer = off_thread(move || Issuer::generate_root(&profile, clock::now())).await?;
    let (name, mount_point) = (ask.issuer_name, request.mount_point.as_str());
    let candidate = Candidate { issuer, name, key: KeyPlace::New, mount_point };
    path_issuers::added(&engine, candidate).await
}

/// Runs key-making, which may take a second for RSA, where it holds up no other request.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ca::Error> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(Fault::bug)?.map_err(faults::ca)
}
