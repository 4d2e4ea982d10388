"""What all tests share."""

import os

from hypothesis import HealthCheck, settings

# `fast` is what everybody runs; `deep` is for a night.
settings.register_profile("fast", deadline=None)
settings.register_profile(
    "deep", deadline=None, max_examples=20_000, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))
