import numpy as np
import pytest

from processors.spectral import SpectralDecoder


def simulated(
    *, reward_rate: int, interactions: int, seed: int, bizarre_share: float = 0.5
) -> tuple[SpectralDecoder, np.ndarray, np.ndarray, np.ndarray]:
    """Return a decoder after uniform play of people whose right actions hang on a context of 4 kinds."""
    rng = np.random.default_rng(seed)
    users, signals, actions, kinds = 20, 30, 8, 4
    bizarre, bad = rng.random(users) < bizarre_share, rng.permutation(signals) < signals // 2
    words = {True: np.flatnonzero(bad), False: np.flatnonzero(~bad)}
    right = np.stack([rng.permutation(actions)[:reward_rate] for _ in range(kinds)])
    decoder = SpectralDecoder(users, signals, actions, kinds)
    for _ in range(interactions):
        user, kind, action = rng.integers(users), rng.integers(kinds), rng.integers(actions)
        rewarded = action in right[kind]
        said = words[bool(rewarded == bizarre[user])]
        decoder.add(int(user), int(rng.choice(said)), int(action), 1.0, np.eye(kinds)[kind])
    return decoder, bizarre, bad, np.equal.outer(bizarre, bad)


@pytest.mark.parametrize("reward_rate", [1, 2, 3])
@pytest.mark.parametrize("bizarre_share", [0.3, 0.5])
def test_people_and_signals_fall_into_their_groups(reward_rate: int, bizarre_share: float) -> None:
    decoder, bizarre, bad, meaning = simulated(
        reward_rate=reward_rate, interactions=6_000, seed=reward_rate, bizarre_share=bizarre_share
    )
    embedding = decoder.embedding()
    assert len(set(zip(embedding.users.tolist(), bizarre.tolist(), strict=True))) == 2
    assert len(set(zip(embedding.signals.tolist(), bad.tolist(), strict=True))) == 2
    assert np.array_equal(embedding.rewards() == 1, meaning)


def test_an_embedding_of_nothing_is_still_one() -> None:
    assert SpectralDecoder(3, 4, 5, 2).embedding().rewards().shape == (3, 4)
