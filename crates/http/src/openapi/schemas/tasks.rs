//! Tasks.

use errand_application::tasks::BATCH_MAX;
use errand_domain::task::{
    DESCRIPTION_MAX_CHARS, Priority, RULE_MAX_CHARS, RecurrenceFrom, TAG_MAX_CHARS, TAGS_MAX,
    TIME_ZONE_MAX_CHARS, TITLE_MAX_CHARS,
};
use utoipa::openapi::schema::{Discriminator, OneOfBuilder, SchemaType, Type};
use utoipa::openapi::{Deprecated, ObjectBuilder, RefOr, Schema};

use super::Named;
use crate::describe::schema as reference;
use crate::describe::schema::{
    Field, always, any_of, custom, flag, id, integer, list, maybe, object, text, text_or_null, time,
    time_or_null, words,
};

/// Tab and line breaks, and what is no control character.
const NO_CONTROLS: &str = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$";
/// The same, and not only blanks.
const SOMETHING: &str = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*[^\s\u0000-\u0020\u007f-\u00a0][^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$";

pub(super) fn all() -> Vec<Named> {
    let mut all = sent();
    all.extend(answered());
    all.extend(together());
    all
}

fn title() -> ObjectBuilder {
    text()
        .min_length(Some(1))
        .max_length(Some(TITLE_MAX_CHARS))
        .pattern(Some(SOMETHING))
        .description(Some("Kept without blanks around it."))
}

fn description() -> ObjectBuilder {
    text_or_null()
        .max_length(Some(DESCRIPTION_MAX_CHARS))
        .pattern(Some(NO_CONTROLS))
}

fn priority() -> ObjectBuilder {
    words(Priority::ALL.map(Priority::as_str))
}

fn due() -> ObjectBuilder {
    text_or_null()
        .format(Some(custom("date-or-date-time")))
        .description(Some(
            "A date (`2026-12-01`) or a date-time (`2026-12-01T10:00:00Z`; without an offset it is UTC). It comes \
             back as the same kind: a date is never turned into a point in time.",
        ))
        .examples(["2026-12-01", "2026-12-01T10:00:00Z"])
}

fn zone() -> ObjectBuilder {
    text_or_null()
        .max_length(Some(TIME_ZONE_MAX_CHARS))
        .format(Some(custom("time-zone")))
        .description(Some(
            "The name of a time zone in the IANA database; matters for tasks that repeat.",
        ))
        .examples(["Europe/Berlin"])
}

/// As it is sent by clients.
fn rule() -> ObjectBuilder {
    text_or_null()
        .max_length(Some(RULE_MAX_CHARS))
        .format(Some(custom("recurrence")))
        .description(Some(
            "`daily`, `weekly`, `monthly`, `yearly` or an RRULE (RFC 5545). Needs a due date.",
        ))
        .examples(["weekly", "FREQ=MONTHLY;BYMONTHDAY=-1"])
}

fn rule_from() -> ObjectBuilder {
    words([RecurrenceFrom::Due, RecurrenceFrom::Completion].map(RecurrenceFrom::as_str))
        .description(Some("From what the next due date is counted."))
}

fn tags() -> RefOr<Schema> {
    let pattern = format!("^[^,\\u0000-\\u001f\\u007f-\\u009f]{{1,{TAG_MAX_CHARS}}}$");
    let tag = text()
        .min_length(Some(1))
        .max_length(Some(TAG_MAX_CHARS))
        .pattern(Some(pattern));
    let array = list(tag).max_items(Some(TAGS_MAX));
    let text = text_or_null().format(Some(custom("tags"))).description(Some(
        "With commas between the tags. Null: none. The same tag in another letter case is dropped.",
    ));
    any_of([array.into(), text.into()])
}

/// What a client may say of a task besides its title.
fn wishes() -> Vec<Field> {
    let old = rule()
        .description(Some(
            "The old name of `recurrence`; counts if both are sent. Empty: none.",
        ))
        .deprecated(Some(Deprecated::True));
    vec![
        maybe("description", description()),
        maybe("priority", priority().description(Some("In any letter case."))),
        maybe("due_date", due()),
        maybe("time_zone", zone()),
        maybe("tags", tags()),
        maybe("recurrence", rule()),
        maybe("recursion_pattern", old),
        maybe("recurrence_from", or_null(rule_from())),
        maybe("completed", flag()),
    ]
}

/// The same words, or null.
fn or_null(words: ObjectBuilder) -> RefOr<Schema> {
    let null = ObjectBuilder::new().schema_type(SchemaType::Type(Type::Null));
    any_of([words.into(), null.into()])
}

fn new_task() -> ObjectBuilder {
    let priority = || {
        priority()
            .default(Some(Priority::default().as_str().into()))
            .description(Some("In any letter case."))
    };
    let others = wishes().into_iter().map(|field| match field.name() {
        "priority" => maybe("priority", priority()),
        _ => field,
    });
    object(std::iter::once(always("title", title())).chain(others))
}

fn task_change() -> ObjectBuilder {
    object(std::iter::once(maybe("title", title())).chain(wishes()))
        .min_properties(Some(1))
        .description(Some("Only what is to change."))
}

fn sent() -> Vec<Named> {
    vec![
        ("NewTask", new_task().into()),
        ("TaskChange", task_change().into()),
        ("Completion", object([maybe("completed", flag())]).into()),
    ]
}

fn task() -> Vec<Field> {
    vec![
        always("id", id().description(Some("Counted for each user."))),
        always("user_id", id()),
        always(
            "title",
            text().min_length(Some(1)).max_length(Some(TITLE_MAX_CHARS)),
        ),
        always(
            "description",
            text_or_null().max_length(Some(DESCRIPTION_MAX_CHARS)),
        ),
        always("completed", flag()),
        always("priority", priority()),
        always("due_date", due()),
        always("time_zone", zone()),
        always("tags", list(text()).max_items(Some(TAGS_MAX))),
        always(
            "recurrence",
            text_or_null().description(Some("An RRULE, in one spelling: `FREQ=WEEKLY`.")),
        ),
        maybe(
            "recurrence_from",
            rule_from().description(Some("Only of tasks that repeat.")),
        ),
        always("completed_at", time_or_null()),
        always("created_at", time()),
        always(
            "updated_at",
            time().description(Some("Moves with every change, and only with one.")),
        ),
        always("version", integer(1).description(Some("The same as the `ETag`."))),
    ]
}

fn answered() -> Vec<Named> {
    let deleted = || task().into_iter().chain([always("deleted_at", time())]);
    let trashed = deleted().chain([always("purge_at", time())]);
    vec![
        ("Task", object(task()).into()),
        ("DeletedTask", object(deleted()).into()),
        ("TrashedTask", object(trashed).into()),
    ]
}

/// One of several shapes, told apart by a member.
fn one_of(member: &str, shapes: &[(&str, &str)]) -> RefOr<Schema> {
    let mapping = shapes
        .iter()
        .map(|(value, name)| (*value, reference(name).ref_location));
    let discriminator = Discriminator::with_mapping(member, mapping);
    let one_of = shapes
        .iter()
        .fold(OneOfBuilder::new(), |all, (_, name)| all.item(reference(name)));
    RefOr::T(one_of.discriminator(Some(discriminator)).into())
}

/// What it is, in a member of this name.
fn kind(name: &'static str, value: &str) -> Field {
    always(name, words([value]))
}

fn together() -> Vec<Named> {
    let operations = [
        ("create", "CreateOperation"),
        ("update", "UpdateOperation"),
        ("complete", "CompleteOperation"),
        ("delete", "DeleteOperation"),
    ];
    let result = any_of([reference("Task").into(), reference("Done").into()]);
    let changes = [("upsert", "TaskUpsert"), ("delete", "TaskDeletion")];
    vec![
        (
            "Batch",
            object([always(
                "operations",
                list(reference("Operation")).max_items(Some(BATCH_MAX)),
            )])
            .into(),
        ),
        ("Operation", one_of("op", &operations)),
        (
            "CreateOperation",
            object([kind("op", "create"), always("task", reference("NewTask"))]).into(),
        ),
        (
            "UpdateOperation",
            object([
                kind("op", "update"),
                always("id", id()),
                always("task", reference("TaskChange")),
            ])
            .into(),
        ),
        (
            "CompleteOperation",
            object([
                kind("op", "complete"),
                always("id", id()),
                maybe("completed", flag()),
            ])
            .into(),
        ),
        (
            "DeleteOperation",
            object([kind("op", "delete"), always("id", id())]).into(),
        ),
        ("BatchResults", object([always("results", list(result))]).into()),
        (
            "Changes",
            object([
                always("changes", list(reference("Change"))),
                always(
                    "cursor",
                    text().description(Some("For `since` of the next request.")),
                ),
                always("has_more", flag()),
            ])
            .into(),
        ),
        ("Change", one_of("type", &changes)),
        (
            "TaskUpsert",
            object([kind("type", "upsert"), always("task", reference("Task"))]).into(),
        ),
        (
            "TaskDeletion",
            object([kind("type", "delete"), always("id", id())]).into(),
        ),
    ]
}
