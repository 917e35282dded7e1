//! The document of the interface (`OpenAPI` 3.1): made of the route table, of what each row says of itself
//! (`describe`), and of what all routes of a kind have in common, which is added here.

mod headers;
mod parameters;
mod problems;
mod schemas;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, Paths};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::security::{Flow, Http, HttpAuthScheme, OAuth2, Password, Scopes, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr,
    Required, ResponsesBuilder, SecurityRequirement, ServerBuilder,
};

use crate::context::{Access, TOKEN};
use crate::describe::{self, Body, Form, JSON, tag};
use crate::problem::Code;
use crate::routes::{ENDPOINTS, Endpoint};

/// The names of the ways to say who one is, in the order in which they are offered.
const PASSWORD: &str = "password";
const TOKEN_SCHEME: &str = "token";

/// The codes that come before an operation is found.
pub(crate) const UNTOLD: [Code; 2] = [Code::CorsRejected, Code::MethodNotAllowed];

/// The document as it is served, printed and kept under `specs/`.
pub fn openapi_json() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        // Strings, numbers and lists: there is nothing that could fail.
        let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
        text.push('\n');
        text
    });
    &TEXT
}

fn document() -> OpenApi {
    let mut paths = Paths::new();
    for endpoint in ENDPOINTS {
        let methods = method(endpoint).into_iter().collect();
        paths.add_path_operation(endpoint.path, methods, operation(endpoint));
    }
    let license = LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build();
    let info = InfoBuilder::new()
        .title("errand")
        .version(env!("CARGO_PKG_VERSION"))
        .license(Some(license))
        .description(Some(include_str!("openapi/overview.md")))
        .build();
    let server = ServerBuilder::new()
        .url("/")
        .description(Some("Where this document comes from."))
        .build();
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([server]))
        .paths(paths)
        .components(Some(components().build()))
        .tags(Some(tags()))
        .build()
}

fn tags() -> impl Iterator<Item = utoipa::openapi::Tag> {
    let all = [
        (
            tag::ACCOUNTS,
            "Make an account, sign in, change the password, leave.",
        ),
        (
            tag::SESSIONS,
            "A session is one sign-in. Its tokens are renewed until it ends.",
        ),
        (tag::TASKS, "What is to be done."),
        (tag::TRASH, "Deleted tasks are kept here for 30 days."),
        (tag::SERVICE, "About errand itself."),
    ];
    all.into_iter()
        .map(|(name, text)| TagBuilder::new().name(name).description(Some(text)).build())
}

fn components() -> ComponentsBuilder {
    let flow = Password::with_refresh_url(TOKEN, Scopes::new(), TOKEN);
    let text = "Signs in with a user name or an e-mail address.";
    let password = OAuth2::with_description([Flow::Password(flow)], text);
    let mut bearer = Http::new(HttpAuthScheme::Bearer);
    bearer.bearer_format = Some("JWT".to_owned());
    bearer.description = Some("The `access_token` of a grant.".to_owned());
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas::all())
        .security_scheme(TOKEN_SCHEME, SecurityScheme::Http(bearer))
        .security_scheme(PASSWORD, SecurityScheme::OAuth2(password));
    let components = headers::all()
        .into_iter()
        .fold(components, |all, (name, header)| all.header(name, header));
    let components = parameters::all()
        .into_iter()
        .fold(components, |all, (name, parameter)| {
            all.parameter(name, parameter)
        });
    let components = components.responses_from_iter(problems::shared());
    let told = Code::ALL.iter().filter(|code| !UNTOLD.contains(code));
    told.fold(components, |all, code| {
        all.example(code.slug(), problems::example(*code))
    })
}

fn method(endpoint: &Endpoint) -> Option<HttpMethod> {
    match endpoint.method.as_str() {
        "GET" => Some(HttpMethod::Get),
        "PUT" => Some(HttpMethod::Put),
        "POST" => Some(HttpMethod::Post),
        "PATCH" => Some(HttpMethod::Patch),
        "DELETE" => Some(HttpMethod::Delete),
        _ => None,
    }
}

fn operation(endpoint: &Endpoint) -> OperationBuilder {
    let said = (endpoint.describe)();
    let codes = codes(endpoint, said.body.as_ref(), &said.codes);
    let mut operation = OperationBuilder::new()
        .operation_id(Some(said.id))
        .tag(said.tag)
        .summary(Some(said.summary))
        .description(Some(text(endpoint, &said)).filter(|text| !text.is_empty()));
    for name in segments(endpoint.path).chain(said.headers) {
        operation = operation.parameter_ref(Ref::new(format!("#/components/parameters/{name}")));
    }
    for parameter in said.query {
        operation = operation.parameter(parameter);
    }
    let securities = match endpoint.access {
        // Said outright: nothing is needed.
        Access::Public => Vec::new(),
        Access::Bearer | Access::Owner => vec![requirement(PASSWORD), requirement(TOKEN_SCHEME)],
    };
    let answers = said.answers.into_iter();
    let responses = ResponsesBuilder::new()
        .responses_from_iter(answers.map(|(status, answer)| (status.to_string(), answer.build())))
        .responses_from_iter(problems::responses(&codes));
    operation
        .securities(Some(securities))
        .request_body(said.body.map(|body| request_body(&body)))
        .responses(responses.build())
}

fn requirement(name: &str) -> SecurityRequirement {
    SecurityRequirement::new::<_, [&str; 0], _>(name, [])
}

/// The names in a path.
fn segments(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// What the row says of itself, and its older paths.
fn text(endpoint: &Endpoint, said: &describe::Description) -> String {
    let mut text = said.text.clone();
    if !endpoint.aliases.is_empty() {
        let paths: Vec<_> = endpoint.aliases.iter().map(|path| format!("`{path}`")).collect();
        let gap = if text.is_empty() { "" } else { "\n\n" };
        text = format!("{text}{gap}Older paths of the same: {}.", paths.join(", "));
    }
    text
}

fn request_body(body: &Body) -> RequestBody {
    let (media, required) = match body.form {
        Form::Json => (JSON, Required::True),
        Form::JsonOrNothing => (JSON, Required::False),
        Form::Urlencoded => ("application/x-www-form-urlencoded", Required::True),
    };
    let examples = body.examples.iter().map(|(name, value)| {
        let example = ExampleBuilder::new().value(Some(value.clone()));
        (*name, RefOr::from(example))
    });
    let content = ContentBuilder::new()
        .schema(Some(describe::schema(body.schema)))
        .examples_from_iter(examples)
        .build();
    RequestBodyBuilder::new()
        .description(Some(format!("At most {} bytes.", body.max)))
        .content(media, content)
        .required(Some(required))
        .build()
}

/// Every code that can come, by its status: the row's own and those of its kind.
fn codes(endpoint: &Endpoint, body: Option<&Body>, own: &[Code]) -> BTreeMap<u16, Vec<Code>> {
    let mut codes = vec![Code::UriTooLong, Code::HeadersTooLarge, Code::InternalError];
    if endpoint.access != Access::Public {
        codes.extend([
            Code::InvalidToken,
            Code::TooManyRequests,
            Code::Overloaded,
            Code::Unavailable,
        ]);
    }
    if endpoint.access == Access::Owner {
        codes.push(Code::WrongUser);
    }
    if endpoint.query.is_some() {
        codes.extend([Code::MalformedQuery, Code::ValidationFailed]);
    }
    if let Some(body) = body {
        codes.push(match body.form {
            Form::Json | Form::JsonOrNothing => Code::MalformedJson,
            Form::Urlencoded => Code::MalformedForm,
        });
        codes.extend([
            Code::BadRequest,
            Code::RequestTimeout,
            Code::BodyTooLarge,
            Code::UnsupportedMediaType,
        ]);
    }
    codes.extend(own);
    let slugs: BTreeSet<_> = codes.iter().map(|code| code.slug()).collect();
    let mut by_status = BTreeMap::<u16, Vec<Code>>::new();
    // In the order of the table of codes.
    for code in Code::ALL.iter().filter(|code| slugs.contains(code.slug())) {
        by_status.entry(code.status().as_u16()).or_default().push(*code);
    }
    by_status
}
