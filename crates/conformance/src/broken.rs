//! Stores with one defect each. The case that is meant for a defect must fail on it: a suite that passes
//! everything proves nothing.

mod accounts;
mod changes;
mod events;
mod limits;
mod sessions;
mod tasks;
mod work;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use errand_domain::TaskId;
use errand_domain::task::Task;

use crate::cases;
use crate::harness::Stores;
use crate::model::Model;

/// The model with a defect.
#[derive(Clone)]
pub(crate) struct Broken {
    model: Model,
    defect: Defect,
    /// Tasks of deleted accounts by the address.
    left_behind: Arc<Mutex<BTreeMap<String, BTreeMap<TaskId, Task>>>>,
}

impl Broken {
    pub(crate) fn stores(defect: Defect) -> Stores {
        let broken = Self {
            model: Model::new(),
            defect,
            left_behind: Arc::default(),
        };
        Stores {
            accounts: Arc::new(broken.clone()),
            events: Arc::new(broken.clone()),
            limits: Arc::new(broken.clone()),
            sessions: Arc::new(broken.clone()),
            tasks: Arc::new(broken),
        }
    }

    fn is(&self, defect: Defect) -> bool {
        self.defect == defect
    }
}

macro_rules! defects {
    ($($(#[$meta:meta])* $defect:ident => $case:ident,)+) => {
        /// What a store can do wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Defect {
            $($(#[$meta])* $defect,)+
        }

        /// Every defect and the name of the case that must fail on it.
        const DEFECTS: &[(Defect, &str)] = &[$((Defect::$defect, stringify!($case)),)+];
    };
}

defects! {
    /// Addresses compare by ASCII letters alone.
    FoldsAddressesByAscii => addresses_are_unique_in_any_letter_case,
    /// User names compare as they are written.
    NamesByLetterCase => user_names_are_unique_in_any_letter_case,
    /// Looks at the name first.
    ReportsNameFirst => a_taken_address_is_reported_before_a_taken_name,
    /// Looks whether an address is taken and adds the account in two steps.
    RegistersInTwoSteps => one_of_identical_registrations_wins,
    /// The id of the account deleted last is given again.
    ReusesAccountIds => an_account_id_is_never_given_again,
    /// Account time stamps in whole milliseconds.
    CutsMicroseconds => registering_gives_back_what_was_sent,
    /// A changed password leaves the old sessions.
    KeepsSessionsOnPasswordChange => changing_the_password_ends_every_session_and_starts_one,
    /// A password is changed whatever the hash is by now.
    IgnoresExpectedHash => changing_the_password_from_another_hash_does_nothing,
    /// Compares the hash in one step and changes it in another.
    ChangesPasswordInTwoSteps => one_of_parallel_password_changes_wins,
    /// A renewed hash moves `updated_at`.
    RenewalMovesTime => renewing_the_hash_touches_nothing_else,
    /// A deleted account's sessions are gone without a record.
    DeletesAccountSilently => deleting_an_account_ends_its_sessions,
    /// Deletes whatever became of the password since it was given.
    DeletesUnproven => a_password_proven_before_a_change_deletes_nothing,
    /// A deleted account's tasks wait for the next of that address.
    KeepsTasksOfDeleted => a_deleted_account_can_be_registered_anew_and_sees_nothing,
    /// The export shows expired sessions too.
    ExportsExpiredSessions => the_export_shows_only_living_sessions,

    /// The export forgets the events.
    ExportsNoEvents => every_act_leaves_its_event,
    /// A disabled account's sessions live on.
    DisablesSilently => disabling_ends_every_session,
    /// A disabled account starts sessions.
    StartsDisabled => a_disabled_account_starts_no_session,
    /// A session starts and leaves no event.
    StartsWithoutEvent => every_act_leaves_its_event,
    /// Reuse leaves no event: rolled back with the answer.
    ReuseLeavesNoEvent => reuse_leaves_its_event,
    /// Anybody's events are shown.
    EventsLeak => another_owner_sees_no_events,
    /// Failures push out everything else.
    OneRingOfEvents => failures_push_out_only_failures,
    /// Reads a bucket in one step and writes it in another.
    TakesInTwoSteps => parallel_attempts_share_a_bucket,
    /// A refused bucket gives back the others.
    OneRefusesAll => a_refused_bucket_leaves_the_others_taken,
    /// One given back fills the bucket.
    GivesBackEverything => what_is_given_back_can_be_taken_once,
    /// A session that is refreshed too often looks ended.
    LimitedRefreshIsUnknown => a_flood_of_refreshes_waits_and_loses_nothing,
    /// Everybody may have as many tasks as they like.
    KnowsNoQuota => a_full_owner_makes_no_task,

    /// Starts a session whatever became of the account since the password was given.
    StartsUnproven => a_password_proven_before_a_change_starts_no_session,
    /// Anybody may end a session whose id they know.
    EndLeaks => another_owner_cannot_end_a_session,
    /// Anybody may rotate a token, whoever they say they are.
    RotateLeaks => another_owner_cannot_rotate_or_end_by_reuse,
    /// Sessions pushed out are gone without a record.
    PushesOutSilently => one_session_too_many_ends_the_oldest,
    /// Sessions pushed out leave no event.
    PushesOutWithoutEvent => one_session_too_many_ends_the_oldest,
    /// Expired sessions take up room.
    CountsExpiredSessions => expired_sessions_push_nobody_out,
    /// A session lives one microsecond too long.
    ExpiresLate => an_unused_session_expires,
    /// Sessions are listed by id alone.
    ListsSessionsById => sessions_are_listed_oldest_first_then_by_id,
    /// Judges a token in one step and replaces it in another.
    RotatesInTwoSteps => one_of_parallel_rotations_wins,
    /// A replay is given the caller's salt instead of the stored one.
    ReplaysNewSalt => a_replay_within_the_grace_gives_the_stored_salt,
    /// A reused token is refused, and the session goes on: rolled back with the answer.
    ReuseEndsNothing => a_grandparent_ends_the_session_at_once,
    /// Reuse ends all the user's sessions.
    ReuseEndsEverything => reuse_ends_only_its_own_session,
    /// The cursor runs ahead of what was shown.
    ForgetsOneEnding => following_the_record_misses_no_ending,

    /// `find` looks for the id alone.
    FindLeaks => another_owner_cannot_find_a_task,
    /// `change` looks for the id alone.
    ChangeLeaks => another_owner_cannot_change_a_task,
    /// `delete` looks for the id alone.
    DeleteLeaks => another_owner_cannot_delete_a_task,
    /// A walk is found by its id alone.
    WalkLeaks => another_owner_cannot_follow_a_walk,
    /// The count is of everybody's tasks.
    CountLeaks => another_owners_pages_are_empty,
    /// Creation keys are unique among all owners.
    KeysAreShared => another_owner_cannot_use_a_creation_key,
    /// One sequence of ids for all owners.
    IdsAreShared => ids_count_from_one_for_each_owner,
    /// A repeated key makes another task.
    RepeatsCreation => a_repeated_key_gives_the_same_task_as_it_is_now,
    /// Looks for the key in one step and makes the task in another.
    CreatesInTwoSteps => parallel_creations_with_one_key_make_one_task,
    /// The key of a deleted task makes a new one.
    ForgetsKeyOfDeleted => the_key_of_a_deleted_task_gives_nothing,
    /// The next id is one more than the largest there is.
    ReusesTaskIds => a_task_id_is_never_given_twice,
    /// A day comes back as its midnight.
    ForgetsKindOfDue => due_dates_come_back_as_the_same_kind,
    /// An empty description is stored as none.
    EmptyIsNone => an_empty_description_is_not_none,
    /// Reads a task, applies the change and writes the whole task back.
    LosesUpdates => parallel_changes_of_different_fields_all_stay,
    /// The version stays.
    ForgetsVersion => every_field_changes_alone,
    /// The same values count as a change.
    CountsNoChange => a_change_to_the_same_values_moves_nothing,
    /// `updated_at` is the clock's time, even if that went back.
    TimeGoesBack => updated_at_never_goes_back,
    /// Completing again is another completion.
    CompletesAgain => completing_again_keeps_the_first_time,
    /// A change of a deleted task brings it back.
    Resurrects => a_deleted_task_is_absent_everywhere,
    /// Deleting again moves `deleted_at`.
    DeletesTwice => a_deleted_task_is_kept_as_it_was,

    /// Writes whatever version is expected.
    ExpectsNothing => a_write_for_another_version_does_nothing,
    /// Looks at the version in one step and writes in another.
    ChecksVersionInTwoSteps => one_of_parallel_writers_for_a_version_wins,
    /// A task that is not there has another version.
    AbsentIsStale => an_absent_task_is_absent_whatever_is_expected,
    /// A deletion is no change.
    CountsNoDeletion => the_counter_moves_with_every_change_and_only_then,
    /// An empty page has nothing to take the counter from.
    EmptyPageHasNoCounter => a_page_says_of_which_counter_it_is,
    /// The counter is read after the page.
    ReadsCounterAfterwards => pages_of_one_counter_are_the_same,
    /// The counter is everybody's.
    CounterLeaks => another_owner_moves_no_counter,

    /// What is completed keeps its recurrence.
    KeepsRecurrence => completing_makes_one_successor,
    /// Undoing leaves the successor.
    TakesNothingBack => undoing_takes_back_what_nobody_touched,
    /// A successor is taken back whatever became of it.
    TakesBackTheTouched => a_successor_that_was_touched_stays,
    /// Completes a task and makes its successor in two steps.
    CompletesInTwoSteps => parallel_completions_make_one_successor,
    /// Does what is not refused.
    DoesPartOfABatch => one_that_is_refused_undoes_all,
    /// Knows no request.
    ForgetsRequests => a_known_request_is_not_done_again,
    /// Answers a known key whatever is asked for.
    IgnoresFingerprint => a_key_is_of_one_request,
    /// A key is known for ever.
    RemembersRequestsForEver => a_request_is_known_for_a_day,
    /// A key is everybody's.
    RequestsAreShared => another_owner_has_other_requests,
    /// Looks for a request and does it in two steps.
    WorksInTwoSteps => one_of_parallel_requests_of_one_key_is_done,
    /// Deletions are not told.
    TellsNoDeletion => a_follower_ends_equal_after_every_kind_of_write,
    /// What is taken back stays at the place of its deletion.
    RestoresUntold => a_follower_ends_equal_after_every_kind_of_write,
    /// A task that changes keeps its place among the changes.
    KeepsFirstPlace => what_changes_between_two_pages_is_told,
    /// Goes on behind everything, even if there is more.
    SkipsTheRest => small_pages_of_changes_add_up,
    /// A deleted task is told as it was.
    TellsDeletedTask => every_task_is_told_once_as_it_is_now,
    /// The counter is read after the changes.
    FollowsCounterAfterwards => a_follower_beside_writers_misses_nothing,
    /// No place expires.
    NoPlaceExpires => a_place_before_a_forgotten_deletion_has_expired,
    /// A place that lies ahead is waited for.
    WaitsForPlace => a_place_that_lies_ahead_has_expired,
    /// Who is still at the beginning has missed whatever was forgotten.
    BeginningExpires => what_was_deleted_before_one_began_expires_nothing,
    /// The places of who is gone are expired.
    ExpiresWithAccount => nobody_has_no_changes,
    /// Anybody's changes are told.
    ChangesLeak => another_owner_follows_nothing,

    /// The trash is ordered by id alone.
    TrashGoesById => the_trash_shows_the_newest_deletion_first,
    /// What is over is shown.
    TrashIsForEver => the_trash_keeps_a_task_for_thirty_days,
    /// Taking back is no change.
    RestoresWithoutVersion => a_restored_task_is_as_it_was_but_for_version_and_time,
    /// Taking back knows no quota.
    RestoresBeyondQuota => a_full_owner_restores_nothing,
    /// What is erased stays.
    ErasesNothing => what_is_erased_is_gone_for_good,
    /// Removes everything at once.
    PurgesAllAtOnce => purging_removes_what_is_over_in_steps,
    /// Anybody's trash is shown.
    TrashLeaks => another_owner_has_another_trash,

    /// Ties go by id upwards, in either direction.
    TiesByAge => equal_keys_go_by_id,
    /// No due date is the largest due date.
    NoDueDateIsLargest => tasks_without_a_due_date_come_last_either_way,
    /// Titles compare by UTF-16 units.
    TitlesByUtf16 => titles_compare_folded_by_code_point,
    /// A place in the order of creation is a time alone.
    PlacesByTimeAlone => small_pages_add_up_to_the_big_one,
    /// Pages of a changing order are counted off instead of walked.
    PagesByOffset => paging_while_writing_shows_every_task_exactly_once,
    /// A page of a walk is cut before the missing are left out.
    WalkLeavesHoles => a_walk_fills_its_pages,
    /// A full page always has a next one.
    FullPageHasNext => next_is_none_exactly_at_the_end,
    /// The next walk takes the place of the last.
    KeepsOneWalk => walks_are_independent,
    /// `%` in a search stands for anything.
    PercentIsWildcard => search_takes_every_character_literally,
    /// A search ignores the case of ASCII letters alone.
    SearchesByAscii => search_ignores_letter_case_of_every_script,
    /// Title and description are searched as one text.
    SearchesAcrossFields => every_word_is_searched_in_title_and_description,
    /// A tag is found within a longer one.
    TagsBySubstring => tag_filters_match_whole_tags_in_any_case,
    /// Tasks due at the bound are shown.
    BoundsAreInclusive => due_bounds_are_exclusive,
}

/// Runs a case on a store; whether it passed. All on this thread, so that tasks change hands exactly where they
/// wait, and what a failing case prints is kept with this test's output.
fn passes(case: &cases::Case, stores: Stores) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    catch_unwind(AssertUnwindSafe(|| runtime.block_on((case.run)(stores)))).is_ok()
}

#[test]
fn every_broken_store_fails_the_case_meant_for_it() {
    let cases = cases::all();
    let mut unnoticed = Vec::new();
    for (defect, name) in DEFECTS {
        let case = cases
            .iter()
            .find(|case| case.name == *name)
            .expect("a case of that name");
        if passes(case, Broken::stores(*defect)) {
            unnoticed.push((defect, name));
        }
    }
    assert!(unnoticed.is_empty(), "{unnoticed:?} passed");
}

#[test]
fn the_model_passes_every_case() {
    for case in cases::all() {
        assert!(passes(&case, Model::new().stores()), "{}", case.name);
    }
}
