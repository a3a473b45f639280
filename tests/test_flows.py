"""Flows: determinants, inverses, directions, cost, whatever they are made of."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tests.checks import FLOWS, gradients
from tfvae import flows, transforms
from tfvae.transforms import TRANSFORMS

tfd, tfb = tfp.distributions, tfp.bijectors


def randomized(flow, size=0.3, seed=0):
    """The flow with random weights, and a random context or None."""
    rng = np.random.default_rng(seed)
    flow.build()
    flow.set_weights([size * rng.normal(size=w.shape) for w in flow.weights])
    context = rng.normal(size=[6, flow.context_dim]) if flow.context_dim else None
    return flow, None if context is None else tf.constant(context, flow.compute_dtype)


def numbers(flow, num_rows=6, size=1.0):
    rng = np.random.default_rng(1)
    z = size * rng.normal(size=[num_rows, flow.latent_dim])
    return tf.constant(z, flow.compute_dtype)


def exact_log_det(bijector, z):
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(z)
        y = bijector.forward(z)
    jacobian = tape.batch_jacobian(y, z, experimental_use_pfor=False)
    return np.linalg.slogdet(jacobian)[1]


def assert_log_det_is_exact(bijector, z):
    log_det = bijector.forward_log_det_jacobian(z, event_ndims=1)
    np.testing.assert_allclose(log_det, exact_log_det(bijector, z), atol=1e-6)


@pytest.fixture(params=FLOWS)
def double(request):
    """A flow in float64, its context and a z."""
    flow, context = randomized(FLOWS[request.param](dtype="float64"))
    return flow, context, numbers(flow)


def test_log_determinants_are_those_of_the_jacobian(double):
    flow, context, z = double
    assert_log_det_is_exact(flow(context), z)


def test_a_log_determinant_wrong_by_a_hundredth_is_caught(double):
    flow, context, z = double

    class Planted(tfb.Bijector):
        def __init__(self):
            super().__init__(forward_min_event_ndims=1, parameters={})

        def _forward(self, z):
            return flow(context).forward(z)

        def _forward_log_det_jacobian(self, z):
            log_det = flow(context).forward_log_det_jacobian(z, 1)
            # Of a flow that keeps the volume a hundredth is nothing.
            return 1.01 * log_det + 0.01 * tf.cast(log_det == 0, log_det.dtype)

    with pytest.raises(AssertionError):
        assert_log_det_is_exact(Planted(), z)


def test_there_and_back_again(double):
    flow, context, z = double
    there = flow(context).forward(z)
    # A new bijector: it has no cache of where `there` came from.
    back = flow(context).inverse(tf.identity(there))
    np.testing.assert_allclose(back, z, atol=1e-8)
    assert np.abs(there - z).max() > 0.01
    log_dets = (
        flow(context).forward_log_det_jacobian(z, 1),
        -flow(context).inverse_log_det_jacobian(tf.identity(there), 1),
    )
    np.testing.assert_allclose(*log_dets, atol=1e-8)


@pytest.mark.parametrize("name", ["Autoregressive", "Planar", "Radial"])
def test_one_latent_is_enough(name):
    flow, context = randomized(getattr(flows, name)(1, 2, dtype="float64"))
    z = numbers(flow)
    assert_log_det_is_exact(flow(context), z)
    back = flow(context).inverse(tf.identity(flow(context).forward(z)))
    np.testing.assert_allclose(back, z, atol=1e-8)


@pytest.mark.parametrize("name", ["Autoregressive", "Coupling", "Planar", "Radial"])
def test_densities_integrate_to_one(name):
    options = {} if name in ("Planar", "Radial") else {"hidden_units": [8]}
    flow = getattr(flows, name)(2, 3, **options, dtype="float64")
    flow, context = randomized(flow, seed=3)
    grid = np.linspace(-10, 10, 401)
    z = tf.constant(np.stack(np.meshgrid(grid, grid), -1).reshape(-1, 2))
    base = tfd.MultivariateNormalDiag(tf.zeros([2], tf.float64))
    context = None if context is None else context[:1]
    density = tfd.TransformedDistribution(base, flow(context)).prob(z)
    area = (grid[1] - grid[0]) ** 2
    assert abs(tf.reduce_sum(density) * area - 1) < 1e-4


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_starts_near_the_identity_or_its_gates_open(name):
    flow = FLOWS[name]()
    context = 0.1 * tf.ones([1, flow.context_dim]) if flow.context_dim else None
    gate = {"Autoregressive": 0.881**3, "Inverse": 0.881**-2}.get(name, 1)
    z = numbers(flow)
    # Splines start with bins a tenth wider or narrower.
    assert np.abs(flow(context).forward(z) - gate * z).mean() < 0.25


def test_gradients_of_values_and_log_determinants_are_those_of_differences(double):
    flow, context, z = double
    there = flow(context).forward(z)
    tests = [(flow(context).forward, z), (flow(context).inverse, there)]
    tests += [
        (lambda z: flow(context).forward_log_det_jacobian(z, 1), z),
        (lambda z: flow(context).inverse_log_det_jacobian(z, 1), there),
    ]
    if context is not None:
        tests += [
            (lambda c: flow(c).forward(z), context),
            (lambda c: flow(c).inverse(tf.identity(there)), context),
            (
                lambda c: flow(c).inverse_log_det_jacobian(tf.identity(there), 1),
                context,
            ),
        ]
    weights = np.random.default_rng(2).normal(size=[6, 3])
    for function, at in tests:
        across = np.random.default_rng(3).normal(size=at.shape)

        def weighed(at, function=function):
            y = function(tf.identity(at))
            return tf.reduce_sum(
                y * weights[:, : y.shape[-1]] if y.shape.rank > 1 else y
            )

        ahead, behind = (weighed(at + step * across) for step in (1e-6, -1e-6))
        with tf.GradientTape() as tape:
            tape.watch(at)
            value = weighed(at)
        gradient = tape.gradient(value, at, unconnected_gradients="zero")
        slope = tf.reduce_sum(across * gradient)
        np.testing.assert_allclose(slope, (ahead - behind) / 2e-6, rtol=1e-5, atol=1e-6)


def test_a_tape_may_start_after_a_value_was_computed():
    flow, _ = randomized(flows.Autoregressive(3, 1, hidden_units=[8]))

    @tf.function(autograph=False)
    def run(z):
        bijector = flow()
        bijector.forward(z)
        with tf.GradientTape() as tape:
            tape.watch(z)
            log_det = bijector.forward_log_det_jacobian(z, 1)
        return tape.gradient(log_det, z)

    z = numbers(flow)
    _, expected = gradients(lambda z: flow().forward_log_det_jacobian(z, 1), z)
    np.testing.assert_allclose(run(z), expected, rtol=1e-5)


@pytest.mark.parametrize("name", FLOWS)
def test_vectors_and_grids_are_mapped_as_rows_are(name):
    flow, context = randomized(FLOWS[name]())
    context = None if context is None else context[0]
    z = numbers(flow)
    rows = flow(context).forward(z)
    np.testing.assert_allclose(flow(context).forward(z[0]), rows[0], atol=1e-5)
    grid = flow(context).forward(tf.reshape(z, [2, 3, 3]))
    np.testing.assert_allclose(tf.reshape(grid, [6, 3]), rows, atol=1e-5)


@pytest.mark.parametrize("name", ["Autoregressive", "Coupling", "Inverse"])
def test_one_vector_is_mapped_for_each_context(name):
    flow = FLOWS[name]()
    flow.build()
    z, context = tf.random.normal([3]), tf.random.normal([5, 4])
    for way in (flow.forward, flow.inverse):
        value, log_det = way(z, context)
        wanted, log_det_wanted = way(tf.tile(z[None], [5, 1]), context)
        np.testing.assert_allclose(value, wanted, rtol=1e-6)
        np.testing.assert_allclose(log_det, log_det_wanted, rtol=1e-6)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_are_finite_and_rise_for_any_parameters(name):
    params_size, transform = TRANSFORMS[name]
    rng = np.random.default_rng(0)
    z = tf.linspace(-8.0, 8.0, 101)
    for scale in (0.0, 1.0, 100.0, 1e4):
        params = scale * rng.choice([-1, 1], size=[50, 1, params_size])

        def both(params):
            t = transform(tf.broadcast_to(params, [50, 101, params_size]))
            log_slope = t.forward_log_det_jacobian(z, event_ndims=0)
            return tf.stack([t.forward(z), tf.broadcast_to(log_slope, [50, 101])])

        value, gradient = gradients(both, params)
        assert np.isfinite(value).all()
        assert np.isfinite(gradient).all()
        assert np.diff(value[0], axis=-1).min() > -1e-5  # float32 at values up to 8


def test_the_spline_is_that_of_tfp():
    params = np.random.default_rng(0).normal(size=[5, 1, 3 * transforms.NUM_BINS - 1])
    ours = transforms.Spline(tf.constant(params))
    theirs = tfb.RationalQuadraticSpline(
        ours._widths,
        ours._heights,
        ours._slopes[..., 1:-1],
        range_min=-transforms.LIMIT,
    )
    z = tf.broadcast_to(tf.linspace(-8.0, 8.0, 97), [5, 97])
    z = tf.cast(z, tf.float64)
    for name in ("forward", "inverse"):
        np.testing.assert_allclose(
            getattr(ours, name)(z), getattr(theirs, name)(z), atol=1e-10
        )
        log_det = f"{name}_log_det_jacobian"
        np.testing.assert_allclose(
            getattr(ours, log_det)(z, 0), getattr(theirs, log_det)(z, 0), atol=1e-10
        )


def test_gates_stay_in_their_bounds():
    params = tf.constant([[0.0, -1e4], [0.0, 0.0], [0.0, 1e4]])
    gate = TRANSFORMS["gated"].bijector(params).forward(tf.ones([3]))
    np.testing.assert_allclose(gate, [1e-3, 0.8809, 1.0], atol=1e-3)


def test_a_gated_step_is_that_of_the_paper():
    m, s, z = 0.7, -0.4, 1.3
    gate = 1e-3 + (1 - 1e-3) / (1 + np.exp(-(s + 2)))
    step = TRANSFORMS["gated"].bijector(tf.constant([[m, s]]))
    np.testing.assert_allclose(step.forward([z]), gate * z + (1 - gate) * m, rtol=1e-6)
    log_det = step.forward_log_det_jacobian([z], event_ndims=0)
    np.testing.assert_allclose(log_det, np.log(gate), rtol=1e-5)


def test_orders_are_reversed_between_steps():
    flow = flows.Autoregressive(5, 3)
    degrees = [network.masked[0].in_degrees[0] for network in flow.networks]
    wanted = [[1, 2, 3, 4, 5], [5, 4, 3, 2, 1], [1, 2, 3, 4, 5]]
    np.testing.assert_array_equal(degrees, wanted)


@pytest.mark.parametrize("inverse", [False, True])
def test_value_and_log_determinant_take_one_pass_of_each_network(monkeypatch, inverse):
    flow = flows.Autoregressive(3, 2, hidden_units=[8])
    flow.build()
    passes = []
    kind = type(flow.networks[0])
    call = kind.call
    monkeypatch.setattr(
        kind, "call", lambda self, *args, **kw: passes.append(1) or call(self, *args)
    )

    z = numbers(flow)
    once = flows.Inverse(flow).inverse(z) if inverse else flow.forward(z)
    assert len(passes) == 2
    bijector = flow()
    apart = bijector.forward(z), bijector.forward_log_det_jacobian(z, 1)
    for ours, theirs in zip(once, apart, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_planar_flows_are_invertible_at_any_parameters():
    for seed in range(20):
        flow, _ = randomized(flows.Planar(4, 3, dtype="float64"))
        rng = np.random.default_rng(seed)
        context = tf.constant(3 * rng.normal(size=[6, flow.context_dim]))
        z = numbers(flow)
        log_det = flow(context).forward_log_det_jacobian(z, 1)
        assert np.isfinite(log_det).all()
        back = flow(context).inverse(tf.identity(flow(context).forward(z)))
        np.testing.assert_allclose(back, z, atol=1e-5)


def test_a_planar_flow_keeps_u_along_w_above_minus_one():
    w, u, b = [2.0, 0.0], [-3.0, 5.0], 0.1
    flow = flows.Planar(2, 1, dtype="float64")
    bijector = flow(tf.constant([[*w, *u, b]], tf.float64))
    z = tf.constant([[0.3, -0.2]], tf.float64)
    moved = (bijector.forward(z) - z)[0].numpy() / np.tanh(w[0] * 0.3 + b)
    assert moved[1] == pytest.approx(5.0)  # across w nothing is changed
    assert w[0] * moved[0] == pytest.approx(-1, abs=0.01)
    assert w[0] * moved[0] > -1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: flows.Autoregressive(0), "Received: latent_dim=0"),
        (lambda: flows.Autoregressive(2, -1), "Received: num_flows=-1"),
        (lambda: flows.Autoregressive(2, transform="gate"), "Did you mean 'gated'"),
        (lambda: flows.Coupling(1), "`latent_dim` must be an integer of at least 2"),
        (lambda: flows.Planar(2, 0), "Received: num_flows=0"),
        (
            lambda: flows.Planar(2, 1)(tf.zeros([1, 3])),
            r"of shape \[..., 5\], as `context_dim`",
        ),
        (
            lambda: flows.Planar(2, 1)(tf.zeros([1, 5])).forward(tf.zeros([4, 1])),
            r"`z` must be of shape \[..., 2\], as `latent_dim`",
        ),
        (
            lambda: flows.Radial(2, 1)(tf.zeros([1, 4])).inverse(tf.zeros([4, 3])),
            r"`z` must be of shape \[..., 2\], as `latent_dim`",
        ),
        (lambda: flows.Coupling(2, hidden_units=[0]), "hidden_units=0"),
        (lambda: flows.Planar(2, 1)(), r"of shape \[..., 5\], as `context_dim`"),
        (
            lambda: flows.Coupling(2)(tf.zeros([1, 3])),
            "`context` must be None, as `context_dim`",
        ),
    ],
)
def test_arguments_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_only_flows_are_turned_round():
    with pytest.raises(TypeError, match="`flow` must be a tfvae flow"):
        flows.Inverse(tfb.Exp())
