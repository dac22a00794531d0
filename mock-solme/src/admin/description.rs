//! The admin API in OpenAPI 3.1, made of the types of its handlers: what a handler takes and gives is what the description
//! says. The table of routes is the router's own.

use std::marker::PhantomData;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::handler::Handler;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use axum::{Json as Out, Router};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema, json_schema};
use serde_json::{Map, Value, json};
use solme_sync_protocol::{LicenseNumber, LicenseServerId, limits};

use super::Admin;
use super::extract::{Json, Number, Path, Query};
use crate::form;
use crate::http::problem::ProblemResponse;

/// One line of the table of routes.
#[derive(Clone)]
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// What it is about: the module of its handler.
    pub(super) resource: &'static str,
    /// What is done: the name of its handler.
    pub(super) verb: &'static str,
    /// One line for people.
    pub(super) about: &'static str,
}

/// What is made of the table of routes: the router, or its description.
pub(super) trait Table: Sized {
    /// With this route.
    fn on<H, R: 'static, A>(self, route: Route, handler: H) -> Self
    where
        H: Handler<R, Admin> + Described<A>;
}

impl Table for Router<Admin> {
    fn on<H, R: 'static, A>(self, route: Route, handler: H) -> Self
    where
        H: Handler<R, Admin> + Described<A>,
    {
        let method = MethodFilter::try_from(route.method).expect("a method that axum routes");
        self.route(route.path, on(method, handler))
    }
}

/// A handler whose operation can be described.
pub(super) trait Described<A> {
    fn describe(operation: &mut Operation<'_>);
}

/// What a handler takes.
pub(super) trait Taken {
    fn describe(operation: &mut Operation<'_>);
}

/// What a handler gives.
pub(super) trait Given {
    fn describe(operation: &mut Operation<'_>);
}

macro_rules! described {
    ($($taken:ident),*) => {
        impl<F, Doing, $($taken: Taken,)*> Described<($($taken,)*)> for F
        where
            F: Fn($($taken),*) -> Doing,
            Doing: Future<Output: Given>,
        {
            fn describe(operation: &mut Operation<'_>) {
                $($taken::describe(operation);)*
                <Doing::Output as Given>::describe(operation);
            }
        }
    };
}

described!();
described!(A);
described!(A, B);
described!(A, B, C);

impl Taken for State<Admin> {
    fn describe(_: &mut Operation<'_>) {}
}

impl<T: JsonSchema> Taken for Json<T> {
    fn describe(operation: &mut Operation<'_>) {
        let mut schema = operation.schemas.taken.subschema_for::<T>();
        schema.insert("title".to_owned(), T::schema_name().into());
        let required = schema.get("required").is_some();
        operation.set(
            "requestBody",
            json!({ "required": required, "content": { "application/json": { "schema": schema } } }),
        );
    }
}

/// A file as it is.
impl Taken for Body {
    fn describe(operation: &mut Operation<'_>) {
        operation.set("requestBody", json!({ "required": true, "content": { "application/octet-stream": {} } }));
    }
}

impl<T: JsonSchema> Taken for Query<T> {
    fn describe(operation: &mut Operation<'_>) {
        let schema = operation.schemas.taken.subschema_for::<T>();
        for (name, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            operation.parameter("query", name, without_null(schema.clone()));
        }
    }
}

/// A query can leave a member out, and has no null.
fn without_null(mut schema: Value) -> Value {
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|kind| kind != "null");
    }
    if let Some(forms) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        forms.retain(|form| form["type"] != "null");
    }
    schema
}

impl<T: Parts> Taken for Path<T> {
    fn describe(operation: &mut Operation<'_>) {
        let schemas = T::schemas(&mut operation.schemas.given);
        let names: Vec<_> =
            operation.route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(names.len(), schemas.len(), "{}", operation.route.path);
        for (name, schema) in names.into_iter().zip(schemas) {
            operation.parameter("path", name, schema.into());
        }
    }
}

/// What is in a path.
pub(super) trait Parts {
    fn schemas(generator: &mut SchemaGenerator) -> Vec<Schema>;
}

impl Parts for LicenseServerId {
    fn schemas(generator: &mut SchemaGenerator) -> Vec<Schema> {
        vec![generator.subschema_for::<form::LicenseServerId>()]
    }
}

impl Parts for LicenseNumber {
    fn schemas(generator: &mut SchemaGenerator) -> Vec<Schema> {
        vec![generator.subschema_for::<form::LicenseNumber>()]
    }
}

impl Parts for Number {
    fn schemas(_: &mut SchemaGenerator) -> Vec<Schema> {
        vec![json_schema!({ "type": "integer", "minimum": 0, "maximum": limits::INTEGER })]
    }
}

impl<A: Parts, B: Parts> Parts for (A, B) {
    fn schemas(generator: &mut SchemaGenerator) -> Vec<Schema> {
        [A::schemas(generator), B::schemas(generator)].concat()
    }
}

impl<T: JsonSchema> Given for Out<T> {
    fn describe(operation: &mut Operation<'_>) {
        let schema = operation.schemas.given.subschema_for::<T>();
        operation.answer(StatusCode::OK, "application/json", schema.into());
    }
}

/// Something new.
impl<T: JsonSchema> Given for (StatusCode, Out<T>) {
    fn describe(operation: &mut Operation<'_>) {
        let schema = operation.schemas.given.subschema_for::<T>();
        operation.answer(StatusCode::CREATED, "application/json", schema.into());
    }
}

impl<T: Given> Given for Result<T, ProblemResponse> {
    fn describe(operation: &mut Operation<'_>) {
        T::describe(operation);
        operation.problem("5XX", "It could not be done.");
    }
}

/// A document that is sent as it is, and is a `T` in JSON or another medium.
pub(super) struct Raw<T>(Bytes, PhantomData<fn() -> T>);

/// What a document is.
pub(super) trait Medium {
    const CONTENT_TYPE: &'static str;
    fn schema(generator: &mut SchemaGenerator) -> Schema;
}

impl<T: JsonSchema> Medium for T {
    const CONTENT_TYPE: &'static str = "application/json";
    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

impl<T> Raw<T> {
    pub(super) fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into(), PhantomData)
    }
}

impl<T: Medium> IntoResponse for Raw<T> {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, T::CONTENT_TYPE)], self.0).into_response()
    }
}

impl<T: Medium> Given for Raw<T> {
    fn describe(operation: &mut Operation<'_>) {
        let schema = T::schema(&mut operation.schemas.given);
        operation.answer(StatusCode::OK, T::CONTENT_TYPE, schema.into());
    }
}

/// A response file, and in a header what became of the request.
impl<T: Medium> Given for ([(HeaderName, HeaderValue); 1], Raw<T>) {
    fn describe(operation: &mut Operation<'_>) {
        Raw::<T>::describe(operation);
        let about = "`accepted`, or the code of the refusal.";
        let header =
            json!({ (super::operations::OUTCOME.as_str()): { "description": about, "schema": { "type": "string" } } });
        operation.members["responses"][StatusCode::OK.as_str()]["headers"] = header;
    }
}

/// Counters as text.
pub(super) enum OpenMetrics {}

impl Medium for OpenMetrics {
    const CONTENT_TYPE: &'static str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// A file in TOML.
pub(super) enum Toml {}

impl Medium for Toml {
    const CONTENT_TYPE: &'static str = "application/toml";
    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// Events as long as somebody listens.
pub(super) struct Live(pub(super) Response);

impl IntoResponse for Live {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Given for Live {
    fn describe(operation: &mut Operation<'_>) {
        let about =
            "`exchange` with an entry of the journal without its bytes, `changed` with a path, `lagged` with a number.";
        operation.answer(StatusCode::OK, "text/event-stream", json!({ "type": "string", "description": about }));
        operation.problem("5XX", "Too many listen.");
    }
}

/// An operation under description.
pub(super) struct Operation<'d> {
    route: Route,
    schemas: &'d mut Schemas,
    members: Map<String, Value>,
}

impl Operation<'_> {
    fn set(&mut self, name: &str, value: Value) {
        self.members.insert(name.to_owned(), value);
    }

    fn list(&mut self, name: &str) -> &mut Vec<Value> {
        let list = self.members.entry(name).or_insert_with(|| json!([]));
        list.as_array_mut().expect("only lists are asked for")
    }

    fn parameter(&mut self, place: &str, name: &str, mut schema: Value) {
        let about = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        let mut parameter = json!({ "name": name, "in": place, "required": place == "path", "schema": schema });
        if let Some(about) = about {
            parameter["description"] = about;
        }
        self.list("parameters").push(parameter);
    }

    /// What is answered when it is done.
    pub(super) fn answer(&mut self, status: StatusCode, content_type: &str, schema: Value) {
        let done = json!({ "description": "Done.", "content": { content_type: { "schema": schema } } });
        self.response(status.as_str(), done);
    }

    fn problem(&mut self, statuses: &str, about: &str) {
        let schema = self.schemas.given.subschema_for::<form::Problem>();
        self.response(
            statuses,
            json!({ "description": about, "content": { "application/problem+json": { "schema": schema } } }),
        );
    }

    fn response(&mut self, status: &str, response: Value) {
        let responses = self.members.entry("responses").or_insert_with(|| json!({}));
        responses[status] = response;
    }
}

/// The schemas of all types: those that are read, where what has a default may be missing, and those that are written.
struct Schemas {
    taken: SchemaGenerator,
    given: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        let taken = settings.clone().for_deserialize().with(|settings| settings.inline_subschemas = true);
        Self { taken: taken.into_generator(), given: settings.for_serialize().into_generator() }
    }
}

/// The description in the making.
struct Description {
    paths: Map<String, Value>,
    schemas: Schemas,
    needs_token: bool,
}

impl Table for Description {
    fn on<H, R: 'static, A>(mut self, route: Route, _: H) -> Self
    where
        H: Handler<R, Admin> + Described<A>,
    {
        let mut operation = Operation { route: route.clone(), schemas: &mut self.schemas, members: Map::new() };
        H::describe(&mut operation);
        operation.problem("4XX", "It was refused; nothing has changed.");
        operation.set("summary", route.about.into());
        operation.set("operationId", format!("{}_{}", route.resource, route.verb).into());
        operation.set("tags", json!([route.resource.replace('_', "-")]));
        operation.set("security", if self.needs_token { json!([{ "token": [] }]) } else { json!([]) });
        let members = operation.members;
        self.paths.entry(route.path).or_insert_with(|| json!({}))[route.method.as_str().to_ascii_lowercase()] =
            members.into();
        self
    }
}

/// The document.
pub(crate) fn openapi() -> Value {
    let empty = Description { paths: Map::new(), schemas: Schemas::new(), needs_token: false };
    let open = Description { needs_token: true, ..super::router::open(empty) };
    let Description { paths, mut schemas, .. } = super::router::with_token(open);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "The admin API of mock-solme",
            "description": "What an operator does to the simulator of the main license server. In a request a member that is \
                            missing has its default, and an unknown one is refused. What fails is a problem document: decide by its \
                            `code`; its `cure` says what to do next.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The address `admin` of the ready line of mock-solme serve." }],
        "paths": paths,
        "components": {
            "schemas": schemas.given.take_definitions(true),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "`admin_token` of the ready line." },
            },
        },
    })
}
