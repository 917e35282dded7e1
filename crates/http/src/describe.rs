//! What the document of the interface says of each route: a function per route, named by its row in the route
//! table. What all routes of a kind have in common (tokens, bodies, limits) is added by `openapi.rs`.

pub(crate) mod accounts;
pub(crate) mod batch;
pub(crate) mod samples;
pub(crate) mod schema;
pub(crate) mod service;
pub(crate) mod sessions;
pub(crate) mod tasks;
pub(crate) mod trash;

use serde_json::Value;
use utoipa::openapi::link::LinkBuilder;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder, Schema};

use crate::problem::Code;

/// An operation.
pub(crate) struct Description {
    /// The name of the method that clients are given.
    pub(crate) id: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) text: String,
    /// Parameters of the query.
    pub(crate) query: Vec<Parameter>,
    /// Headers of the request, by their names among the shared parameters.
    pub(crate) headers: Vec<&'static str>,
    pub(crate) body: Option<Body>,
    pub(crate) answers: Vec<(u16, Answer)>,
    /// The problems that only some routes have.
    pub(crate) codes: Vec<Code>,
}

/// How a body is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    /// JSON, or nothing at all.
    JsonOrNothing,
    /// As forms of web pages are.
    Urlencoded,
}

pub(crate) struct Body {
    pub(crate) form: Form,
    pub(crate) schema: &'static str,
    /// The most bytes.
    pub(crate) max: usize,
    pub(crate) examples: Vec<(&'static str, Value)>,
}

/// Something else than a problem.
pub(crate) struct Answer {
    pub(crate) response: ResponseBuilder,
    /// By their names among the shared headers.
    pub(crate) headers: Vec<&'static str>,
}

pub(crate) const JSON: &str = "application/json";

/// The beginning of a description.
pub(crate) fn describe(id: &'static str, tag: &'static str, summary: &'static str) -> Description {
    Description {
        id,
        tag,
        summary,
        text: String::new(),
        query: Vec::new(),
        headers: Vec::new(),
        body: None,
        answers: Vec::new(),
        codes: Vec::new(),
    }
}

impl Description {
    pub(crate) fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    pub(crate) fn query(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.query.extend(parameters);
        self
    }

    pub(crate) fn headers(mut self, names: &[&'static str]) -> Self {
        self.headers.extend(names);
        self
    }

    pub(crate) fn body(self, schema: &'static str, max: usize, example: Value) -> Self {
        self.bodies(Form::Json, schema, max, vec![("example", example)])
    }

    pub(crate) fn bodies(
        mut self,
        form: Form,
        schema: &'static str,
        max: usize,
        examples: Vec<(&'static str, Value)>,
    ) -> Self {
        self.body = Some(Body {
            form,
            schema,
            max,
            examples,
        });
        self
    }

    pub(crate) fn answer(mut self, status: u16, answer: Answer) -> Self {
        self.answers.push((status, answer));
        self
    }

    /// The client has it already.
    pub(crate) fn or_not_modified(self) -> Self {
        self.answer(
            304,
            empty("Unchanged: the client has it already.").headers(&["ETag"]),
        )
    }

    pub(crate) fn codes(mut self, codes: &[Code]) -> Self {
        self.codes.extend(codes);
        self
    }
}

/// A JSON answer.
pub(crate) fn json(text: &str, schema: impl Into<RefOr<Schema>>, example: Value) -> Answer {
    content(text, JSON, schema, example)
}

/// An answer of some media type.
pub(crate) fn content(text: &str, media: &str, schema: impl Into<RefOr<Schema>>, example: Value) -> Answer {
    let content = ContentBuilder::new()
        .schema(Some(schema.into()))
        .example(Some(example).filter(|example| !example.is_null()))
        .build();
    Answer {
        response: ResponseBuilder::new().description(text).content(media, content),
        headers: Vec::new(),
    }
}

/// An answer without a body.
pub(crate) fn empty(text: &str) -> Answer {
    Answer {
        response: ResponseBuilder::new().description(text),
        headers: Vec::new(),
    }
}

impl Answer {
    pub(crate) fn headers(mut self, names: &[&'static str]) -> Self {
        self.headers.extend(names);
        self
    }

    /// What can be asked for with what is in this answer.
    pub(crate) fn link(mut self, operation: &'static str, parameters: &[(&str, &str)]) -> Self {
        let link = LinkBuilder::new().operation_id(operation);
        let link = parameters.iter().fold(link, |link, (name, expression)| {
            link.parameter(*name, *expression)
        });
        self.response = self.response.link(operation, link.build());
        self
    }

    /// The answer, with references to its headers and to those that all answers have.
    pub(crate) fn build(self) -> Response {
        let names = self.headers.into_iter().chain([X_REQUEST_ID]);
        let response = names.fold(self.response, |response, name| {
            response.header_ref(name, header(name))
        });
        response.build()
    }
}

const X_REQUEST_ID: &str = "X-Request-Id";

/// A reference to a shared header.
pub(crate) fn header(name: &str) -> Ref {
    Ref::new(format!("#/components/headers/{name}"))
}

/// A reference to a shared schema.
pub(crate) fn schema(name: &str) -> Ref {
    Ref::from_schema_name(name)
}

/// The names of the parts that the document is divided into.
pub(crate) mod tag {
    pub(crate) const ACCOUNTS: &str = "accounts";
    pub(crate) const SESSIONS: &str = "sessions";
    pub(crate) const TASKS: &str = "tasks";
    pub(crate) const TRASH: &str = "trash";
    pub(crate) const SERVICE: &str = "service";
}
