import pytest

from tests import checks

PARTS = checks.POSTERIORS | checks.LIKELIHOODS | checks.OBJECTIVES | checks.PRIORS
PARTS |= checks.FLOWS | checks.LAYERS


@pytest.mark.parametrize("name", [*PARTS, *checks.MODELS])
def test_config_round_trip(name):
    checks.assert_config_round_trip((PARTS | checks.MODELS)[name]())
