"""Which cases of costly tests every run takes: the others are slow.

For each test, words in the names of the cases that stay; none if all of it is slow.
`pytest -m slow` runs what is left out.
"""

CONVOLUTIONAL = ["GatedPixelNetwork", "ResidualPixelNetwork"]
KEPT = {
    "test_adversarial.test_training_goes_on_as_before_from_a_file": [
        "[GAN-False]",
        "[GAN-True]",
        "[VAEGAN-False]",
    ],
    "test_autoregressive.test_every_model_trains_reports_and_reloads": [
        "MADE-masks",
        "row",
    ],
    "test_cli.test_a_model_without_latents_is_trained_reported_and_exported": [],
    "test_cli.test_interrupted_trainings_answer_130_and_143_and_can_be_resumed": [],
    "test_cli.test_pixels_are_trained_pictured_and_exported": [],
    "test_examples.test_adversarial_models_side_by_side": [],
    "test_examples.test_beta_vae_on_sprites": [],
    "test_examples.test_figures_of_the_vae_paper": [],
    "test_examples.test_flows_fitted_to_densities": [],
    "test_examples.test_sources_of_nonlinear_mixtures": [],
    "test_ivae.test_data_come_as_a_pair_a_target_or_a_data_set": ["labels"],
    "test_metrics.test_markov_chains_agree_with_importance_sampling": ["IAFVAE"],
    "test_metrics.test_posteriors_that_can_reach_the_exact_log_marginal": ["IAF"],
    "test_models.test_mixed_precision_trains_with_densities_in_float32": ["[VAE]"],
    "test_models.test_nothing_is_traced_again_after_the_first_epoch": [
        "False-PlanarFlowVAE",
        "auto-IAFVAE",
    ],
    "test_pixels.test_an_element_sees_all_before_it": ["shape2-Dia", *CONVOLUTIONAL],
    "test_pixels.test_an_element_sees_none_but_those_before_it": [
        "shape2-Row",
        *CONVOLUTIONAL,
    ],
    "test_pixels.test_blind_spots_are_where_the_papers_say": CONVOLUTIONAL,
    "test_pixels.test_conditional_models_learn_what_goes_with_y": [
        "True-MADE",
        "[False-PixelCNN]",
    ],
    "test_pixels.test_fast_sampling_gives_what_full_passes_give": [
        "shape1",
        *CONVOLUTIONAL,
    ],
    "test_quality.test_inception_sees_images_scaled_and_in_colour": ["3"],
    "test_runs.test_a_model_of_labels_is_trained_evaluated_and_pictured": [],
    "test_tflite.test_quantized_files_answer_nearly_as_the_model": ["int8-IVAE"],
    "test_tflite.test_a_lite_file_answers_as_the_model_without_tensorflow": [
        "[VAE]",
        "IVAE-labels",
        "MADE-NormalMixture",
        "GAN-labels",
    ],
    "test_xla_loop.test_a_call_of_many_large_batches_takes_them_all": ["[3]"],
    "test_xla_loop.test_blocks_train_as_single_steps_do_outside_of_xla": [
        "[VAE]",
        "IAFVAE",
    ],
    "test_xla_loop.test_epochs_of_an_endless_stream_end_where_asked": ["[23]"],
    "test_xla_loop.test_gradients_too_large_to_be_squared_are_skipped": [
        "Own",
        "[Adam-how",
        "SGD",
    ],
}


def is_slow(test):
    """True if a collected test is left out of the default run."""
    kept = KEPT.get(f"{test.path.stem}.{test.originalname}")
    return kept is not None and not any(word in test.name for word in kept)
