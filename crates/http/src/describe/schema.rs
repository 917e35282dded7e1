//! Small words to write schemas with.

use utoipa::Number;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, KnownFormat, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{ObjectBuilder, RefOr, Required, Schema};

/// A text.
pub(crate) fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// A text or null.
pub(crate) fn text_or_null() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]))
}

/// One of these words.
pub(crate) fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> ObjectBuilder {
    text().enum_values(Some(words))
}

/// True or false.
pub(crate) fn flag() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Boolean)
}

/// A whole number of at least `min`.
pub(crate) fn integer(min: u32) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(Number::from(min)))
}

/// A whole number between two bounds.
pub(crate) fn between(min: u32, max: u32) -> ObjectBuilder {
    integer(min).maximum(Some(Number::from(max)))
}

/// An id of a user or a task.
pub(crate) fn id() -> ObjectBuilder {
    integer(1).format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
}

/// A time stamp.
pub(crate) fn time() -> ObjectBuilder {
    text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}

/// A time stamp or null.
pub(crate) fn time_or_null() -> ObjectBuilder {
    text_or_null().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}

/// A format that no list of formats has; for who generates values.
pub(crate) fn custom(format: &str) -> SchemaFormat {
    SchemaFormat::Custom(format.to_owned())
}

/// A UUID.
pub(crate) fn uuid() -> ObjectBuilder {
    text().format(Some(custom("uuid")))
}

/// One of several shapes, or more than one.
pub(crate) fn any_of(shapes: impl IntoIterator<Item = RefOr<Schema>>) -> RefOr<Schema> {
    let any = shapes.into_iter().fold(AnyOfBuilder::new(), AnyOfBuilder::item);
    RefOr::T(any.into())
}

/// Many of one kind.
pub(crate) fn list(items: impl Into<RefOr<Schema>>) -> ArrayBuilder {
    ArrayBuilder::new().items(items.into())
}

/// A member of an object.
pub(crate) struct Field {
    name: &'static str,
    schema: RefOr<Schema>,
    required: bool,
}

impl Field {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }
}

/// A member that is always there.
pub(crate) fn always(name: &'static str, schema: impl Into<RefOr<Schema>>) -> Field {
    Field {
        name,
        schema: schema.into(),
        required: true,
    }
}

/// A member that may be absent.
pub(crate) fn maybe(name: &'static str, schema: impl Into<RefOr<Schema>>) -> Field {
    Field {
        name,
        schema: schema.into(),
        required: false,
    }
}

/// An object with these members.
pub(crate) fn object(fields: impl IntoIterator<Item = Field>) -> ObjectBuilder {
    let object = ObjectBuilder::new().schema_type(Type::Object);
    fields.into_iter().fold(object, |object, field| {
        let object = object.property(field.name, field.schema);
        if field.required {
            object.required(field.name)
        } else {
            object
        }
    })
}

/// A parameter of the query that may be absent.
pub(crate) fn query(
    name: &'static str,
    description: &str,
    schema: impl Into<RefOr<Schema>>,
) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema.into()))
}

/// A segment of the path.
pub(crate) fn segment(name: &str, description: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(schema.into()))
        .build()
}

/// A header of the request that may be absent. Its example stands in words: pages that try a route out would send
/// it.
pub(crate) fn request_header(
    name: &str,
    description: &str,
    schema: impl Into<RefOr<Schema>>,
    example: &str,
) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(format!("{description} Example: `{example}`.")))
        .schema(Some(schema.into()))
        .build()
}
