"""Many users and many signals: who means what by which signal, from a rank-one structure in what they do.

Where every person has a way of their own to use a hundred signals, crosses of user and signal are too many to
learn one by one. But feedback depends on user and signal only through the state it stands for, so that the
sign of z(u, y) = g(u) h(y) tells the state. For each user u and signal y we keep the moments

    T[u, y] = sum of w psi(x) (chi(a) - mean over the round of chi)

with psi and chi random sketches of the context without the user and of an action, multiplied element by element, and
w = 1/(K p); and the weighted counts of (u, y), centred by rows and columns and scaled to the same noise, as one more
channel. Two embeddings are read from them:

spectral        The best rank-one approximation g (x) h (x) v of the whole; z is the sign of g(u) h(y). It needs no
                difference in how often people use which signal.
co-occurrence   The best rank-one approximation of the counts alone; z = tanh(g(u) h(y)). At a reward rate of one
                half under uniform play, counts tell nothing.

In both, z is positive for the state whose actions are the more concentrated: the rewarded one. At a reward rate of
exactly one half under uniform play the two signs cannot be told apart.

The start matters more than the iteration: it is tried from the counts' singular vectors and from the leading
eigenvectors of the Gram matrices of users and of signals (without their diagonals), and from the embedding before,
keeping what explains most. Everything is summed in one fixed order, so that the same moments give the same embedding.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from processors.compiled import compiled
from processors.features.crosses import cross

WORD: Final = 32
SKETCH: Final = 4 * WORD
"""Channels of the sketch. A hash has as many bits as a word, each of which is a sign."""
ITERATIONS: Final = 30
SETTLED: Final = 1e-4
_OF_CONTEXT: Final = 0x2545F491
_OF_ACTION: Final = 0x5851F42D
# Columns of an interaction: rows of the tables, rows of the feature store, what was shown, and whether the rows of user
# and signal have just been given to them.
USER, SIGNAL, CONTEXT, ACTIONS, CHOSEN, NEW_USER, NEW_SIGNAL = range(7)


@compiled()
def add_batch(moments, weights, squares, features, without, interactions, importance):
    """Add interactions in order; `without` are the hashes of their users, which the sketch leaves out.

    `moments` has shape (users, signals, SKETCH), `weights` and `squares` (sums of w and of its square) shape
    (users, signals). An interaction whose user is -1 is passed over.
    """
    context, action, mean = np.empty(SKETCH), np.empty(SKETCH), np.empty(SKETCH)
    context_start, context_hash, context_value, set_start, set_rows, action_start, action_hash, action_value = features
    nobody = np.uint32(0)
    for i in range(len(interactions)):
        user, signal, w = interactions[i, USER], interactions[i, SIGNAL], importance[i]
        if user < 0:
            continue
        if interactions[i, NEW_USER]:
            _clear(moments[user], weights[user], squares[user])
        if interactions[i, NEW_SIGNAL]:
            _clear(moments[:, signal], weights[:, signal], squares[:, signal])
        row = interactions[i, CONTEXT]
        begin, end = context_start[row], context_start[row + 1]
        _sketch(context_hash, context_value, begin, end, np.uint32(without[i]), _OF_CONTEXT, context)
        mean[:] = 0.0
        first, last = set_start[interactions[i, ACTIONS]], set_start[interactions[i, ACTIONS] + 1]
        for a in range(first, last):
            begin, end = action_start[set_rows[a]], action_start[set_rows[a] + 1]
            _sketch(action_hash, action_value, begin, end, nobody, _OF_ACTION, action)
            for d in range(SKETCH):
                mean[d] += action[d] / (last - first)
        row = set_rows[first + interactions[i, CHOSEN]]
        _sketch(action_hash, action_value, action_start[row], action_start[row + 1], nobody, _OF_ACTION, action)
        weights[user, signal] += w
        squares[user, signal] += w * w
        for d in range(SKETCH):
            moments[user, signal, d] += w * context[d] * (action[d] - mean[d])


@compiled()
def _clear(moments, weights, squares):
    """Forget cells. One without weight holds nothing: on the whole no more are written than interactions came."""
    for i in range(len(weights)):
        if weights[i] > 0.0:
            moments[i], weights[i], squares[i] = 0.0, 0.0, 0.0


@compiled()
def _sketch(hashes, values, begin, end, without, salt, out):
    """Write the random signs of the features [begin, end), weighted with their values, as if of length one."""
    out[:] = 0.0
    length = 0.0
    for j in range(begin, end):
        if hashes[j] == without and without:
            continue
        value = values[j]
        length += value * value
        for d in range(0, SKETCH, WORD):
            signs = cross(hashes[j], salt + d)
            for bit in range(WORD):
                out[d + bit] += value if (signs >> np.uint64(bit)) & np.uint64(1) else -value
    for d in range(SKETCH):
        out[d] /= math.sqrt(length)


@compiled(nogil=True)
def embedding(moments, weights, squares, actions, counts_alone, out):
    """Write z of each user and signal to `out`, which holds it as it was before: 0 where one has not been seen.

    `actions` is the mean number of actions in a round.
    """
    users, signals = _met(weights), _met(weights.T)
    if len(users) < 2 or len(signals) < 2:
        out[:] = 0.0
        return
    tensor = _standardised(moments, weights, squares, users, signals, actions)
    size, left, right = _leading_pair(tensor[:, :, SKETCH].astype(np.float64))
    size /= math.sqrt(1.0 - 1.0 / actions)
    if not counts_alone:
        left, right = _best(tensor, out[users][:, signals], left, right)
    out[:] = 0.0
    for i in range(len(users)):
        for j in range(len(signals)):
            z = left[i] * right[j]
            out[users[i], signals[j]] = math.tanh(size * z) if counts_alone else (1.0 if z >= 0.0 else -1.0)
    if _concentration(moments, weights, out, 1.0) < _concentration(moments, weights, out, -1.0):
        out *= -1.0


@compiled()
def _best(tensor, before, left, right):
    """Return the weights of users and signals that explain most, from several starts."""
    of_users, of_signals = _leading_slices(tensor), _leading_slices(tensor.transpose(1, 0, 2))
    _, fitting, _ = _leading_pair(_weighted(tensor, of_signals))
    _, old_left, old_right = _leading_pair(before)
    best_left, best_right, most = left, right, -1.0
    for start in ((left, right), (of_users, of_signals), (fitting, of_signals), (old_left, old_right)):
        found_left, found_right = _rank_one(tensor, start[0], start[1])
        explained = _explained(tensor, found_left, found_right)
        if explained > most:
            best_left, best_right, most = found_left, found_right, explained
    return best_left, best_right


@compiled()
def _met(weights):
    """Return the rows that are not all zero."""
    return np.array([i for i in range(len(weights)) if weights[i].any()], dtype=np.int64)


@compiled()
def _standardised(moments, weights, squares, users, signals, actions):
    """Return moments and counts, the last channel, of the users and signals met, of like noise in each cell.

    Shape (users, signals, SKETCH + 1).
    """
    tensor = np.empty((len(users), len(signals), SKETCH + 1), dtype=np.float32)
    of_user, of_signal = np.zeros(len(users)), np.zeros(len(signals))
    total, square = 0.0, 0.0
    for i in range(len(users)):
        for j in range(len(signals)):
            weight = weights[users[i], signals[j]]
            of_user[i] += weight
            of_signal[j] += weight
            total += weight
            square += squares[users[i], signals[j]]
    # A few rare actions weigh so much that their cells alone would make the best rank-one approximation.
    mean_square = square / (len(users) * len(signals))
    noise = math.sqrt(1.0 - 1.0 / actions)
    for i in range(len(users)):
        for j in range(len(signals)):
            user, signal = users[i], signals[j]
            scale = math.sqrt(squares[user, signal] + mean_square)
            for c in range(SKETCH):
                tensor[i, j, c] = moments[user, signal, c] / scale
            tensor[i, j, SKETCH] = noise * (weights[user, signal] - of_user[i] * of_signal[j] / total) / scale
    # What all have in common is a rank-one part as well. Centring leaves the signs of two groups as they are.
    for i in range(len(users)):
        _centre(tensor[i])
    for j in range(len(signals)):
        _centre(tensor[:, j])
    return tensor


@compiled()
def _centre(rows):
    mean = np.zeros(rows.shape[1])
    for i in range(len(rows)):
        for c in range(len(mean)):
            mean[c] += rows[i, c]
    mean /= len(rows)
    for i in range(len(rows)):
        for c in range(len(mean)):
            rows[i, c] -= mean[c]


@compiled()
def _normalise(vector):
    """Divide a vector by its length and return that."""
    total = 0.0
    for i in range(len(vector)):
        total += vector[i] * vector[i]
    length = math.sqrt(total)
    if length > 0.0:
        for i in range(len(vector)):
            vector[i] /= length
    return length


@compiled()
def _leading_pair(matrix):
    """Return the largest singular value with its left and right vector, by power iteration from the longest row."""
    rows, columns = matrix.shape
    left, right = np.zeros(rows), np.zeros(columns)
    longest = -1.0
    for i in range(rows):
        row = matrix[i].copy()
        length = _normalise(row)
        if length > longest:
            longest = length
            right[:] = row
    size = 0.0
    for _ in range(ITERATIONS):
        for i in range(rows):
            left[i] = 0.0
            for j in range(columns):
                left[i] += matrix[i, j] * right[j]
        size = _normalise(left)
        right[:] = 0.0
        for i in range(rows):
            for j in range(columns):
                right[j] += matrix[i, j] * left[i]
        _normalise(right)
    return size, left, right


@compiled()
def _inner(left, right):
    total = 0.0
    for c in range(len(left)):
        total += left[c] * right[c]
    return total


@compiled()
def _leading_slices(tensor):
    """Return the leading eigenvector of the first axis' Gram matrix without its diagonal, by power iteration."""
    rows, columns, channels = tensor.shape
    own, vector = np.zeros(rows), np.zeros(rows)
    for i in range(rows):
        for j in range(columns):
            own[i] += _inner(tensor[i, j], tensor[i, j])
    vector[np.argmax(own)] = 1.0
    for _ in range(ITERATIONS // 3):
        summed = np.zeros((columns, channels))
        for i in range(rows):
            for j in range(columns):
                for c in range(channels):
                    summed[j, c] += vector[i] * tensor[i, j, c]
        for i in range(rows):
            vector[i] *= -own[i]
            for j in range(columns):
                vector[i] += _inner(tensor[i, j], summed[j])
        _normalise(vector)
    return vector


@compiled()
def _weighted(tensor, of_signals):
    """Return the sum of the signals' slices, each times its weight; shape (users, channels)."""
    users, signals, channels = tensor.shape
    result = np.zeros((users, channels))
    for u in range(users):
        for f in range(signals):
            for c in range(channels):
                result[u, c] += tensor[u, f, c] * of_signals[f]
    return result


@compiled()
def _channels(tensor, of_users, of_signals):
    """Return the sum of all cells, each times the product of its two weights; shape (channels,)."""
    users, signals, channels = tensor.shape
    result = np.zeros(channels)
    for u in range(users):
        for f in range(signals):
            weight = of_users[u] * of_signals[f]
            for c in range(channels):
                result[c] += tensor[u, f, c] * weight
    return result


@compiled()
def _rank_one(tensor, of_users, of_signals):
    """Return the weights of users and of signals in the best rank-one approximation near these."""
    users, signals, _ = tensor.shape
    left, right, before = of_users.copy(), of_signals.copy(), np.empty(signals)
    matrix = np.empty((users, signals))
    for _ in range(ITERATIONS):
        before[:] = right
        of_channels = _channels(tensor, left, right)
        _normalise(of_channels)
        for u in range(users):
            left[u] = 0.0
            for f in range(signals):
                matrix[u, f] = _inner(tensor[u, f], of_channels)
                left[u] += matrix[u, f] * right[f]
        _normalise(left)
        right[:] = 0.0
        for u in range(users):
            for f in range(signals):
                right[f] += matrix[u, f] * left[u]
        _normalise(right)
        if np.abs(right - before).max() < SETTLED:
            break
    return left, right


@compiled()
def _explained(tensor, of_users, of_signals):
    """Return how much of the tensor a rank-one candidate's signs explain: all have a say, large or small."""
    return _normalise(_channels(tensor, np.where(of_users < 0.0, -1.0, 1.0), np.where(of_signals < 0.0, -1.0, 1.0)))


@compiled()
def _concentration(moments, weights, meanings, sign):
    """Return the length of the mean moments where z has this sign."""
    total, summed = 1e-9, np.zeros(SKETCH)
    for u in range(len(weights)):
        for f in range(weights.shape[1]):
            if meanings[u, f] * sign > 0.0:
                total += weights[u, f]
                for c in range(SKETCH):
                    summed[c] += moments[u, f, c]
    return _normalise(summed) / total
