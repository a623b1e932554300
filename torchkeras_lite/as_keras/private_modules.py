"""Names of the modules in Keras's sources, from which packages import: `keras.src.utils.tracking`."""

MODULES = frozenset(
    """
    accuracy_metrics activation activations activity_regularization adadelta adafactor adagrad adam
    adamax adamw adaptive_average_pooling1d adaptive_average_pooling2d adaptive_average_pooling3d
    adaptive_max_pooling1d adaptive_max_pooling2d adaptive_max_pooling3d add additive_attention
    alpha_dropout api_export applications argument_validation array_data_adapter array_slicing
    attention audio_dataset_utils aug_mix auto_contrast average average_pooling1d average_pooling2d
    average_pooling3d awq awq_config awq_core backend backend_utils backup_and_restore
    base_adaptive_pooling base_conv base_conv_transpose base_depthwise_conv base_global_pooling
    base_image_preprocessing_layer base_layer base_merge base_optimizer base_pooling
    base_separable_conv batch_normalization bidirectional boston_housing bounding_box bounding_boxes
    california_housing callback callback_list callbacks category_encoding center_crop cifar cifar10
    cifar100 clahe cloning code_stats common compile_utils concatenate config confusion_metrics
    constant_initializers constraints conv1d conv1d_transpose conv2d conv2d_transpose conv3d
    conv3d_transpose conv_lstm conv_lstm1d conv_lstm2d conv_lstm3d converters convnext convolutional
    core correlation_metrics cropping1d cropping2d cropping3d csv_logger cut_mix data_adapter
    data_adapter_utils data_adapters data_layer dataset_utils datasets dense densenet
    depthwise_conv1d depthwise_conv2d discretization distillation distillation_loss distiller
    distribution distribution_lib dmtree_impl dot draw_bounding_boxes draw_segmentation_masks
    dropout dropout_rnn_cell dtype_policies dtype_policy dtype_policy_map dtype_utils dtypes
    early_stopping efficientnet efficientnet_v2 einops einsum_dense elu embedding engine
    epoch_iterator equalization export export_utils f_score_metrics fashion_mnist feature_space
    file_editor file_utils fixes flatten formats ftrl function functional gaussian_dropout
    gaussian_noise generator_data_adapter global_average_pooling1d global_average_pooling2d
    global_average_pooling3d global_max_pooling1d global_max_pooling2d global_max_pooling3d
    global_state gptq gptq_config gptq_core grain_dataset_adapter grain_utils group_normalization
    grouped_query_attention gru hashed_crossing hashing hinge_metrics history identity image
    image_dataset_utils image_preprocessing image_utils imagenet_utils imdb inception_resnet_v2
    inception_v3 index_lookup initializer initializers input_layer input_spec integer_lookup
    io_utils iou iou_metrics jax jax_layer jax_utils json_utils keras_saveable keras_tensor lamb
    lambda_callback lambda_layer layer layer_normalization layers leaky_relu learning_rate_schedule
    learning_rate_scheduler legacy legacy_h5_format linalg lion litert loss loss_scale_optimizer
    losses lstm masking math max_num_bounding_box max_pooling1d max_pooling2d max_pooling3d maximum
    mel_spectrogram merging metric metrics metrics_utils minimum mix_up mnist mobilenet mobilenet_v2
    mobilenet_v3 model model_checkpoint model_visualization models module_utils monitor_callback
    multi_head_attention multi_optimizer multiply muon nadam name_scope naming nasnet
    neptune_model_export_archive network nn node normalization npz_utils numerical_utils numpy
    object_registration onnx openvino operation operation_utils ops optimizer optimizers optree_impl
    orbax_checkpoint orbax_util permute pipeline plot_bounding_box_gallery plot_image_gallery
    plot_segmentation_mask_gallery pooling prelu preprocessing probabilistic_metrics progbar
    progbar_logger py_dataset_adapter python_utils quantization_config quantizers rand_augment
    random random_brightness random_color_degeneration random_color_jitter random_contrast
    random_crop random_elastic_transform random_erasing random_flip random_gaussian_blur
    random_grayscale random_hue random_initializers random_invert random_perspective
    random_posterization random_rotation random_saturation random_sharpness random_shear
    random_translation random_zoom reduce_lr_on_plateau reduction_metrics regression_metrics
    regularization regularizers relu remat remote_monitor repeat_vector rescaling reshape reshaping
    resizing resnet resnet_v2 reuters reversible_embedding rms_normalization rmsprop rng_utils rnn
    saved_model saved_model_export_archive saving saving_api saving_lib saving_options saving_utils
    schedule_free_adamw schedules seed_generator separable_conv1d separable_conv2d sequence
    sequence_utils sequential serialization serialization_lib sgd simple_rnn sklearn_wrapper softmax
    solarization sparse spatial_dropout spectral_normalization stacked_rnn_cells stateless_scope
    stft_spectrogram string_lookup subtract summary_utils swap_ema_weights symbolic_arguments
    symbolic_scope tensor_attributes tensorboard tensorflow terminate_on_nan test_case test_utils
    testing tests text text_dataset_utils text_vectorization tf2onnx_lib tf_dataset_adapter tf_utils
    tfsm_layer time_distributed timeseries_dataset_utils topology torch torch_adadelta torch_adagrad
    torch_adam torch_adamax torch_adamw torch_data_loader_adapter torch_lion torch_nadam
    torch_optimizer torch_parallel_optimizer torch_rmsprop torch_sgd torch_utils torchtree_impl
    traceback_utils trackable tracking trainer trainers training tree tree_api unit_normalization
    up_sampling1d up_sampling2d up_sampling3d utils validation variable_mapping variables version
    vgg16 vgg19 visualization wrapper wrappers xception zero_padding1d zero_padding2d zero_padding3d
    """.split()  # noqa: SIM905, a list of them would be as long as the file may be
)
