"""Which cases of costly tests every run takes: the others are slow.

For each test, a regular expression that finds the names of the cases that stay; None if
all of it is slow, as is all that needs a browser. `pytest -m slow` runs what is left
out.
"""

import re

_CONVOLUTIONAL = "(Gated|Residual)PixelNetwork"
KEPT = {
    "test_adversarial": {
        "test_a_skipped_batch_leaves_all_players_as_they_were": "False",
        "test_the_best_discriminator_knows_the_densities": None,
        "test_training_goes_on_as_before_from_a_file": r"\[GAN-False",
    },
    "test_autoregressive": {
        "test_every_model_trains_reports_and_reloads": r"\[MADE\]",
        "test_fast_sampling_gives_what_full_passes_give": r"\[2-",
        "test_probabilities_of_all_x_sum_to_one": r"^(?!.*DiagonalBiLSTM)",
        "test_samples_are_as_frequent_as_they_are_probable": ("MADE|Network-2x2x2"),
        "test_what_is_observed_stays_and_what_comes_before_it_is_free": "MADE|CNN",
    },
    "test_cli": {
        "test_a_closed_stdout_gives_no_traceback_and_no_log_lines_reach_it": None,
        "test_a_gan_is_trained_reported_and_exported": None,
        "test_a_ladder_is_trained_pictured_and_exported": None,
        "test_a_model_without_latents_is_trained_reported_and_exported": None,
        "test_interrupted_trainings_answer_130_and_143_and_can_be_resumed": None,
        "test_pixels_are_trained_pictured_and_exported": None,
        "test_resume_goes_on_to_the_asked_epochs_with_the_settings_of_the_run": None,
        "test_sample_and_export_write_where_they_are_told": None,
    },
    "test_data": {
        "test_a_large_npz_file_is_read_where_it_lies": "True-uint8",
        "test_a_worker_reads_its_own_rows_alone": r"False\]",
        "test_an_array_larger_than_memory_is_read_from_its_file": "uint8",
        "test_same_seed_gives_same_bits_and_epochs_differ": "dynamic",
        "test_training_goes_on_from_a_backup_in_the_same_order": "False",
    },
    "test_docs": {
        "test_examples_in_docstrings_run": (
            "^(?!.*(annealed|densities|hmc|ivae|plots.models|quality|saved_model|"
            "serving|tflite|vae_gan))"
        ),
    },
    "test_examples": {
        "test_a_gan_draws_the_digits_asked_for": None,
        "test_adversarial_models_side_by_side": None,
        "test_beta_vae_on_sprites": None,
        "test_colour_photographs_by_pixelcnn": None,
        "test_digits_by_label": None,
        "test_figures_of_the_vae_paper": None,
        "test_flows_fitted_to_densities": None,
        "test_guide_from_training_to_a_phone": None,
        "test_identifiable_vae_beside_a_vae": None,
        "test_ladder_of_digits": None,
        "test_made_on_binary_data": None,
        "test_own_networks": None,
        "test_rotation_scale_and_position": None,
        "test_sources_of_nonlinear_mixtures": None,
        "test_train_deploy_and_sample_on_a_phone": None,
    },
    "test_export": {
        "test_the_session_loader_answers_as_the_model_for_any_batch": "GAN-labels",
    },
    "test_flows": {
        "test_densities_integrate_to_one": "^(?!.*Planar)",
        "test_gradients_of_values_and_log_determinants_are_those_of_differences": (
            r"(affine|Planar|Radial|Coupling-spline)\]"
        ),
    },
    "test_ivae": {
        "test_data_come_as_a_pair_a_target_or_a_data_set": None,
        "test_every_condition_trains_reports_and_reloads": r"\[labels",
        "test_linear_ica_with_known_variances_is_solved": None,
    },
    "test_layers": {
        "test_parameters_depend_on_all_earlier_dimensions_and_no_others": (
            r"\[2-|\[7-hidden_units[02]-True"
        ),
    },
    "test_metrics": {
        "test_a_mean_field_posterior_comes_as_close_as_it_can": None,
        "test_bounds_of_annealed_importance_sampling_meet_around_the_truth": None,
        "test_markov_chains_agree_with_importance_sampling": None,
        "test_posteriors_that_can_reach_the_exact_log_marginal": None,
    },
    "test_models": {
        "test_a_bad_batch_changes_nothing_and_is_reported": "nan-False",
        "test_a_saved_model_answers_the_same_in_a_fresh_process": None,
        "test_averages_of_a_short_run_are_no_worse_than_its_weights": "False",
        "test_data_come_as_a_keras_user_gives_them": "generator",
        "test_every_model_trains_reports_and_reloads": r"False-VAE\]",
        "test_methods_have_their_shapes_and_split_large_requests": (
            r"\[(IAF)?VAE(-conv)?\]"
        ),
        "test_mixed_precision_trains_with_densities_in_float32": r"\[VAE\]",
        "test_nothing_is_traced_again_after_the_first_epoch": "False-PlanarFlowVAE",
        "test_standard_callbacks_work": None,
        "test_streams_are_answered_as_arrays_are_batch_by_batch": (
            r"\[VAE-as|MADE-labels-iter|IVAE-labels-Parts"
        ),
        "test_the_bound_rises_whatever_the_execution": None,
    },
    "test_pixels": {
        "test_an_element_sees_all_before_it": f"shape2.*{_CONVOLUTIONAL}",
        "test_an_element_sees_none_but_those_before_it": f"shape2.*{_CONVOLUTIONAL}",
        "test_blind_spots_are_where_the_papers_say": _CONVOLUTIONAL,
        "test_conditional_models_learn_what_goes_with_y": None,
        "test_fast_sampling_gives_what_full_passes_give": f"shape0.*{_CONVOLUTIONAL}",
        "test_mixed_precision_trains_and_samples_under_a_context": "MADE|CNN",
        "test_no_pixel_leaks_where_there_are_as_many_features_as_channels": (
            _CONVOLUTIONAL
        ),
        "test_with_rows_of_thirteen_one_bilstm_sees_the_far_corner": None,
    },
    "test_presets": {
        "test_preset_builds_a_compiled_model_of_its_data": "^(?!.*lstm)",
    },
    "test_publishing": {
        "test_a_published_folder_holds_every_format": None,
        "test_a_published_model_is_loaded_by_name": None,
        "test_the_card_says_how_it_came_about": None,
        "test_what_cannot_be_published_is_refused": None,
        "test_published_files_draw_digits_without_tensorflow": r"\[vae_mnist",
        "test_published_models_answer_everywhere_as_in_keras": r"\[vae_mnist",
    },
    "test_quality": {"test_inception_sees_images_scaled_and_in_colour": None},
    "test_runs": {
        "test_a_model_of_labels_is_trained_evaluated_and_pictured": None,
        "test_a_resumed_run_follows_the_schedules_of_its_new_end": None,
        "test_a_resumed_run_keeps_the_best_model_of_its_first_part": None,
        "test_a_run_whose_files_were_edited_is_refused": "config|checkpoint",
        "test_an_adversarial_model_keeps_its_last_epoch": None,
        "test_flat_data_with_one_latent_are_trained_and_pictured": None,
    },
    "test_sprites": {"test_dsprites_comes_through_tfds_with_five_labels": None},
    "test_tflite": {
        "test_a_file_that_draws_mostly_other_elements_is_refused": None,
        "test_a_lite_file_answers_as_the_model_without_tensorflow": (
            r"\[VAE\]|IVAE-labels"
        ),
        "test_models_of_mixed_precision_are_exported_in_float32": r"\[VAE\]",
        "test_quantized_files_answer_nearly_as_the_model": None,
    },
    "test_xla_loop": {
        "test_a_call_of_many_large_batches_takes_them_all": None,
        "test_a_constant_may_be_infinite": "False",
        "test_auto_is_decided_anew_on_loading": None,
        "test_blocks_train_as_single_steps_do_outside_of_xla": r"\[VAE\]",
        "test_callbacks_come_as_keras_takes_them": None,
        "test_callbacks_with_a_frequency_meet_the_weights_of_their_batch": None,
        "test_epochs_of_an_endless_stream_end_where_asked": None,
        "test_fit_goes_on_with_another_batch_size_and_counts_to_the_end": None,
        "test_gradients_too_large_to_be_squared_are_skipped": "Own-how9|Adam-how10",
        "test_large_batches_make_short_blocks": None,
        "test_own_callbacks_see_every_batch_as_it_is_trained": None,
        "test_prediction_and_evaluation_before_and_after_see_all_data": None,
        "test_single_batches_and_accumulated_gradients": "False",
        "test_what_xla_does_not_know_is_trained_outside_of_it": None,
    },
}


def is_slow(test):
    """True if a collected test is left out of the default run."""
    if "browser" in test.fixturenames:
        return True
    names = KEPT.get(test.path.stem, {})
    if test.originalname not in names:
        return False
    kept = names[test.originalname]
    return kept is None or not re.search(kept, test.name)
