"""Numbers that courses have published for years; whoever compares with their notes finds them here."""

from __future__ import annotations

import numpy as np

from toolkit import scratch
from toolkit.scratch import Scalar


def two_layer_net(l2=0.0):
    """The two-layer ReLU net on linspace weights (CS231n, assignment 1): D = 5, H = 50, C = 7."""
    return scratch.Sequential(
        [
            scratch.Dense(
                50,
                "relu",
                kernel_initializer=np.linspace(-0.7, 0.3, 250).reshape(5, 50),
                bias_initializer=np.linspace(-0.1, 0.9, 50),
                kernel_regularizer=scratch.L2(l2),
            ),
            scratch.Dense(
                7,
                kernel_initializer=np.linspace(-0.3, 0.4, 350).reshape(50, 7),
                bias_initializer=np.linspace(-0.9, 0.1, 7),
                kernel_regularizer=scratch.L2(l2),
            ),
        ],
        input_shape=5,
        dtype="float64",
    )


X = np.linspace(-5.5, 4.5, 15).reshape(5, 3).T


def test_two_layer_scores_match_published():
    expected = [
        [11.53165108, 12.2917344, 13.05181771, 13.81190102, 14.57198434, 15.33206765, 16.09215096],
        [12.05769098, 12.74614105, 13.43459113, 14.1230412, 14.81149128, 15.49994135, 16.18839143],
        [12.58373087, 13.20054771, 13.81736455, 14.43418138, 15.05099822, 15.66781506, 16.2846319],
    ]
    np.testing.assert_allclose(two_layer_net().forward(X), expected, atol=1e-8)


def test_two_layer_loss_matches_published():
    loss = scratch.SparseCategoricalCrossentropy(from_logits=True)
    # The course's penalty is ½λΣW² with λ = 1.
    for l2, expected in ((0.0, 3.4702243556), (0.5, 26.5948426952)):
        net = two_layer_net(l2)
        net.compile(loss=loss)
        value, _ = net.loss_and_gradients(X, [0, 5, 1])
        assert np.isclose(value, expected, atol=1e-9, rtol=0)
        scratch.gradient_check(net, X, [0, 5, 1], samples=40)


def test_scalar_expression_graph_matches_published():
    """The expression of micrograd's README and tests."""
    a, b = Scalar(-4.0), Scalar(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    g.backward()
    assert round(g.data, 4) == 24.7041
    assert round(a.grad, 4) == 138.8338
    assert round(b.grad, 4) == 645.5773


def test_small_scalar_expression_graph_matches_published():
    """The sanity check of micrograd's tests."""
    x = Scalar(-4.0)
    z = 2 * x + 2 + x
    q = z.relu() + z * x
    h = (z * z).relu()
    y = h + q + q * x
    y.backward()
    assert (y.data, x.grad) == (-20, 46)


def test_sigmoid_neuron_matches_published():
    """The two-input neuron of the CS231n notes on backpropagation: w = (2, −3, −3), x = (−1, −2)."""
    w0, x0, w1, x1, w2 = map(Scalar, (2.0, -1.0, -3.0, -2.0, -3.0))
    f = 1 / (1 + (-(w0 * x0 + w1 * x1 + w2)).exp())
    f.backward()
    assert round(f.data, 2) == 0.73
    gradients = [round(node.grad, 2) for node in (w0, x0, w1, x1, w2)]
    assert gradients == [-0.2, 0.39, -0.39, -0.59, 0.2]


W = np.linspace(-0.4, 0.6, 20).reshape(4, 5)
DW = np.linspace(-0.6, 0.4, 20).reshape(4, 5)
V = np.linspace(0.6, 0.9, 20).reshape(4, 5)


def one_step(optimizer, iterations=0, **state):
    """One step from given running averages; returns the new parameter and the new averages."""
    w = W.copy()
    optimizer.state["w"] = {name: values.copy() for name, values in state.items()}
    optimizer.iterations = iterations
    optimizer.step({"w": w}, {"w": DW})
    return w, optimizer.state["w"]


def test_momentum_table_matches_published():
    w, state = one_step(scratch.Momentum(1e-3, 0.9), v=V)
    np.testing.assert_allclose(
        w,
        [
            [0.1406, 0.20738947, 0.27417895, 0.34096842, 0.40775789],
            [0.47454737, 0.54133684, 0.60812632, 0.67491579, 0.74170526],
            [0.80849474, 0.87528421, 0.94207368, 1.00886316, 1.07565263],
            [1.14244211, 1.20923158, 1.27602105, 1.34281053, 1.4096],
        ],
        atol=1e-8,
    )
    np.testing.assert_allclose(
        state["v"],
        [
            [0.5406, 0.55475789, 0.56891579, 0.58307368, 0.59723158],
            [0.61138947, 0.62554737, 0.63970526, 0.65386316, 0.66802105],
            [0.68217895, 0.69633684, 0.71049474, 0.72465263, 0.73881053],
            [0.75296842, 0.76712632, 0.78128421, 0.79544211, 0.8096],
        ],
        atol=1e-8,
    )


def test_rmsprop_table_matches_published():
    w, state = one_step(scratch.RMSprop(1e-2, rho=0.99, epsilon=1e-8), v=V)
    np.testing.assert_allclose(
        w,
        [
            [-0.39223849, -0.34037513, -0.28849239, -0.23659121, -0.18467247],
            [-0.132737, -0.08078555, -0.02881884, 0.02316247, 0.07515774],
            [0.12716641, 0.17918792, 0.23122175, 0.28326742, 0.33532447],
            [0.38739248, 0.43947102, 0.49155973, 0.54365823, 0.59576619],
        ],
        atol=1e-7,
    )
    np.testing.assert_allclose(
        state["v"],
        [
            [0.5976, 0.6126277, 0.6277108, 0.64284931, 0.65804321],
            [0.67329252, 0.68859723, 0.70395734, 0.71937285, 0.73484377],
            [0.75037008, 0.7659518, 0.78158892, 0.79728144, 0.81302936],
            [0.82883269, 0.84469141, 0.86060554, 0.87657507, 0.8926],
        ],
        atol=1e-8,
    )


def test_adam_table_matches_published():
    m = np.linspace(0.6, 0.9, 20).reshape(4, 5)
    v = np.linspace(0.7, 0.5, 20).reshape(4, 5)
    w, state = one_step(scratch.Adam(1e-2, epsilon=1e-8), iterations=5, m=m, v=v)
    np.testing.assert_allclose(
        w,
        [
            [-0.40094747, -0.34836187, -0.29577703, -0.24319299, -0.19060977],
            [-0.1380274, -0.08544591, -0.03286534, 0.01971428, 0.0722929],
            [0.1248705, 0.17744702, 0.23002243, 0.28259667, 0.33516969],
            [0.38774145, 0.44031188, 0.49288093, 0.54544852, 0.59801459],
        ],
        atol=1e-7,
    )
    np.testing.assert_allclose(
        state["v"],
        [
            [0.69966, 0.68908382, 0.67851319, 0.66794809, 0.65738853],
            [0.64683452, 0.63628604, 0.6257431, 0.61520571, 0.60467385],
            [0.59414753, 0.58362676, 0.57311152, 0.56260183, 0.55209767],
            [0.54159906, 0.53110598, 0.52061845, 0.51013645, 0.49966],
        ],
        atol=1e-8,
    )
    np.testing.assert_allclose(
        state["m"],
        [
            [0.48, 0.49947368, 0.51894737, 0.53842105, 0.55789474],
            [0.57736842, 0.59684211, 0.61631579, 0.63578947, 0.65526316],
            [0.67473684, 0.69421053, 0.71368421, 0.73315789, 0.75263158],
            [0.77210526, 0.79157895, 0.81105263, 0.83052632, 0.85],
        ],
        atol=1e-8,
    )
