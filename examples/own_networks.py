"""Your own Keras encoder and decoder, with KL warm-up, free bits and pictures."""

import argparse

import keras

import tfvae

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", default="digits", help="digits, or a TFDS name")
parser.add_argument("--epochs", type=int, default=30)
parser.add_argument("--pictures", default="pictures", help="folder for pictures")
options = parser.parse_args()

keras.utils.set_random_seed(0)
train, valid, test = tfvae.data.load(options.data, binarize="dynamic", batch_size=64)
shape = train.element_spec.shape[1:]

encoder = keras.Sequential(
    [
        keras.Input(shape),
        keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
        keras.layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dropout(0.1),
    ]
)
decoder = keras.Sequential(  # ends in logits: no sigmoid
    [
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(shape.num_elements()),
        keras.layers.Reshape(shape),
    ]
)
model = tfvae.VAE(
    posterior=tfvae.posteriors.FullCovariance(encoder, latent_dim=6),
    likelihood=tfvae.likelihoods.Bernoulli(decoder),
    objective=tfvae.objectives.ELBO(
        beta=tfvae.objectives.warm_up(len(train)), free_bits=0.05
    ),
)
model.compile(keras.optimizers.Adam(1e-3))
examples = next(iter(test))[:10]
model.fit(
    train,
    validation_data=valid,
    epochs=options.epochs,
    verbose=2,
    callbacks=[
        keras.callbacks.EarlyStopping("val_elbo", mode="max", patience=10),
        tfvae.callbacks.Reconstructions(examples, every=10, folder=options.pictures),
        tfvae.callbacks.SampleGrid(every=10, folder=options.pictures),
    ],
)
log_p = tfvae.metrics.log_marginal(model, test, num_samples=100)
print(f"test log p(x): {log_p.mean():.2f} nats")
