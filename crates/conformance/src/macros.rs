//! Turning the cases into tests.

/// The list of all cases by the module that they are in. Calls `callback! { [args] group { case, … } … }`.
///
/// A case that is missing here fails a test of this crate.
#[macro_export]
macro_rules! for_each_case {
    ($($callback:ident)::+ => $($args:tt)*) => {
        $($callback)::+! {
            [$($args)*]
            accounts {
                registering_gives_back_what_was_sent,
                accounts_keep_every_character,
                registering_starts_the_first_session,
                absent_accounts_are_absent,
                sign_in_names_ignore_letter_case,
                addresses_are_unique_in_any_letter_case,
                user_names_are_unique_in_any_letter_case,
                a_taken_address_is_reported_before_a_taken_name,
                a_refused_registration_leaves_nothing_behind,
                deleting_an_account_ends_its_sessions,
                deleting_an_account_removes_everything,
                deleting_an_account_again_is_false,
                a_password_proven_before_a_change_deletes_nothing,
                an_account_id_is_never_given_again,
                a_deleted_account_can_be_registered_anew_and_sees_nothing,
                the_export_shows_everything_in_order,
                the_export_shows_only_living_sessions,
            }
            passwords {
                changing_the_password_replaces_the_hash,
                changing_the_password_ends_every_session_and_starts_one,
                changing_the_password_from_another_hash_does_nothing,
                changing_the_password_always_moves_updated_at,
                renewing_the_hash_touches_nothing_else,
                renewing_from_another_hash_does_nothing,
            }
            disabled {
                disabling_ends_every_session,
                a_disabled_account_starts_no_session,
                a_disabled_account_rotates_nothing,
                a_disabled_account_changes_no_password,
                a_password_set_by_the_administration_starts_nothing,
                enabling_lets_in_again,
                disabling_twice_is_false,
                accounts_are_listed_by_id,
            }
            events {
                every_act_leaves_its_event,
                what_does_not_happen_leaves_none,
                reuse_leaves_its_event,
                a_noted_event_is_kept,
                events_come_newest_first_and_not_too_many,
                the_oldest_events_go,
                failures_push_out_only_failures,
                events_go_with_their_account,
                another_owner_sees_no_events,
            }
            limits {
                a_bucket_empties_and_fills,
                buckets_are_independent,
                a_refused_bucket_leaves_the_others_taken,
                what_is_given_back_can_be_taken_once,
                giving_back_to_a_full_bucket_changes_nothing,
                a_clock_set_back_shuts_nobody_out,
                parallel_attempts_share_a_bucket,
                parallel_attempts_on_several_buckets_finish,
            }
            sessions {
                a_session_comes_back_with_every_field,
                sessions_are_listed_oldest_first_then_by_id,
                absent_owners_have_no_sessions,
                one_session_too_many_ends_the_oldest,
                the_oldest_session_is_by_creation_then_id,
                a_password_proven_before_a_change_starts_no_session,
                expired_sessions_push_nobody_out,
                the_limit_is_for_each_user,
                an_unused_session_expires,
                a_session_lives_to_its_last_moment,
                every_session_expires_in_the_end,
                ending_a_session_ends_it_once,
                ending_all_sessions_counts_them,
                the_record_of_ended_sessions_begins_an_hour_back,
                following_the_record_misses_no_ending,
                every_reader_of_the_record_has_a_place_of_its_own,
            }
            refresh {
                rotating_replaces_the_token_and_moves_the_expiry,
                rotating_gives_the_user_as_it_is_now,
                a_replay_within_the_grace_gives_the_stored_salt,
                the_parent_after_the_grace_ends_the_session,
                a_grandparent_ends_the_session_at_once,
                every_rotation_has_its_own_grace,
                reuse_ends_only_its_own_session,
                a_token_of_another_family_is_unknown_and_harmless,
                a_token_of_another_session_is_unknown,
                a_flood_of_refreshes_waits_and_loses_nothing,
                replays_are_limited_too,
            }
            tasks {
                a_new_task_comes_back_with_every_field,
                the_longest_values_fit,
                texts_come_back_byte_for_byte,
                due_dates_come_back_as_the_same_kind,
                an_empty_description_is_not_none,
                tags_keep_order_and_spelling,
                ids_count_from_one_for_each_owner,
                a_task_id_is_never_given_twice,
                a_repeated_key_gives_the_same_task_as_it_is_now,
                the_key_of_a_deleted_task_gives_nothing,
                creation_keys_belong_to_their_owner,
                absent_tasks_are_absent,
                a_deleted_task_is_absent_everywhere,
                a_deleted_task_is_kept_as_it_was,
                a_full_owner_makes_no_task,
            }
            changes {
                every_field_changes_alone,
                all_fields_change_at_once,
                a_change_to_the_same_values_moves_nothing,
                completing_again_keeps_the_first_time,
                toggling_goes_to_and_fro,
                updated_at_never_goes_back,
                versions_count_the_changes,
                a_change_touches_no_other_task,
            }
            conditions {
                a_write_for_the_right_version_is_done,
                a_write_for_another_version_does_nothing,
                an_absent_task_is_absent_whatever_is_expected,
                the_counter_moves_with_every_change_and_only_then,
                a_page_says_of_which_counter_it_is,
            }
            series {
                a_recurrence_comes_back,
                completing_makes_one_successor,
                the_last_of_a_series_has_no_successor,
                undoing_takes_back_what_nobody_touched,
                a_successor_that_was_touched_stays,
                a_recurrence_that_does_not_fit_is_refused,
                a_full_owner_completes_no_series,
                a_series_goes_on_for_the_right_version_alone,
            }
            work {
                operations_are_done_in_order,
                one_that_is_refused_undoes_all,
                together_is_one_by_one,
                a_known_request_is_not_done_again,
                an_erased_task_is_in_no_answer,
                a_key_is_of_one_request,
                a_request_is_known_for_a_day,
                another_owner_has_other_requests,
                a_deleted_account_has_no_requests,
            }
            following {
                a_follower_ends_equal_after_every_kind_of_write,
                every_task_is_told_once_as_it_is_now,
                small_pages_of_changes_add_up,
                what_changes_between_two_pages_is_told,
                a_place_before_a_forgotten_deletion_has_expired,
                what_was_deleted_before_one_began_expires_nothing,
                a_place_that_lies_ahead_has_expired,
                nobody_has_no_changes,
                another_owner_follows_nothing,
            }
            trash {
                the_trash_shows_the_newest_deletion_first,
                the_trash_keeps_a_task_for_thirty_days,
                a_restored_task_is_as_it_was_but_for_version_and_time,
                what_is_not_in_the_trash_is_not_restored,
                a_full_owner_restores_nothing,
                what_is_erased_is_gone_for_good,
                a_deletion_removes_what_is_over,
                purging_removes_what_is_over_in_steps,
            }
            pages {
                every_order_is_the_domains,
                equal_keys_go_by_id,
                time_stamps_order_to_the_microsecond,
                tasks_without_a_due_date_come_last_either_way,
                titles_compare_folded_by_code_point,
                titles_compare_to_the_last_character,
                small_pages_add_up_to_the_big_one,
                next_is_none_exactly_at_the_end,
                the_next_page_is_named_by_its_order,
                an_offset_skips_so_many,
                the_count_is_of_all_that_match,
                the_largest_page_holds_all,
                a_place_needs_no_task_to_stand_on,
            }
            filters {
                completion_filters,
                priority_filters,
                tag_filters_match_whole_tags_in_any_case,
                tags_of_any_character_are_found,
                due_bounds_are_exclusive,
                search_takes_every_character_literally,
                search_ignores_letter_case_of_every_script,
                every_word_is_searched_in_title_and_description,
                search_reads_to_the_end,
                filters_combine,
            }
            walks {
                paging_while_writing_shows_every_task_exactly_once,
                later_pages_show_only_what_matches_now,
                a_walk_fills_its_pages,
                a_walk_ends_where_nothing_is_left,
                a_page_of_a_walk_can_be_read_again,
                walks_are_independent,
                a_walk_is_kept_for_an_hour,
                an_unknown_walk_is_none,
                a_reader_by_creation_meets_the_new_ones_ahead,
            }
            isolation {
                another_owner_cannot_find_a_task,
                another_owner_cannot_change_a_task,
                another_owner_moves_no_counter,
                another_owner_cannot_delete_a_task,
                another_owner_has_another_trash,
                another_owner_cannot_use_a_creation_key,
                another_owners_pages_are_empty,
                another_owner_cannot_follow_a_walk,
                another_owner_cannot_list_sessions,
                another_owner_cannot_end_a_session,
                another_owner_ends_only_its_own_sessions,
                another_owner_cannot_rotate_or_end_by_reuse,
                another_owners_sessions_push_nobody_out,
                another_owner_cannot_change_a_password,
                another_owner_deletes_only_itself,
                accounts_and_exports_hold_nothing_of_others,
                what_others_do_shows_nowhere,
                the_same_id_is_another_task_for_every_owner,
                sessions_expire_each_for_its_owner,
            }
            races {
                one_of_parallel_registrations_of_an_address_wins,
                one_of_parallel_registrations_of_a_name_wins,
                one_of_identical_registrations_wins,
                parallel_registrations_of_different_people_all_succeed,
                one_of_parallel_rotations_wins,
                one_of_parallel_password_changes_wins,
                a_renewed_hash_never_undoes_a_changed_password,
                a_session_ended_while_refreshing_is_ended,
                one_of_parallel_endings_wins,
                parallel_sign_ins_keep_to_the_limit,
                nothing_outlives_an_account_deleted_meanwhile,
                one_of_parallel_account_deletions_wins,
                an_export_is_of_one_moment,
                readers_of_the_record_miss_nothing_meanwhile,
            }
            task_races {
                parallel_creations_with_one_key_make_one_task,
                parallel_creations_get_different_ids,
                parallel_toggles_all_count,
                parallel_changes_of_different_fields_all_stay,
                a_task_deleted_while_changing_stays_deleted,
                one_of_parallel_deletions_wins,
                changes_and_creations_at_once_do_not_disturb_each_other,
                one_of_parallel_writers_for_a_version_wins,
                writers_who_try_again_all_count,
                pages_of_one_counter_are_the_same,
                one_of_parallel_requests_of_one_key_is_done,
                parallel_completions_make_one_successor,
                one_of_parallel_restorations_wins,
                a_follower_beside_writers_misses_nothing,
            }
        }
    };
}

/// Makes a module `conformance` with one test for every case and one for random histories, all on an adapter
/// opened by a [`Harness`](crate::Harness). With `name = Type` the module has another name. The calling crate
/// needs `tokio` with its runtime and macros.
#[macro_export]
macro_rules! conformance {
    ($harness:ty) => {
        $crate::conformance!(conformance = $harness);
    };
    ($module:ident = $harness:ty) => {
        $crate::for_each_case!($crate::__tests => $module = $harness);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ([$module:ident = $harness:ty] $($group:ident { $($case:ident,)+ })+) => {
        mod $module {
            use super::*;

            type TheHarness = $harness;

            $(mod $group {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let subject = <super::TheHarness as $crate::Harness>::fresh().await;
                    $crate::cases::$group::$case($crate::Harness::stores(&subject)).await;
                })+
            })+

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn random_histories_match_the_model() {
                $crate::random::random_histories::<TheHarness>($crate::random::HISTORIES, $crate::random::SEED);
            }
        }
    };
}
