from typing import get_args

from streamguard.adapters.silent_meter import SilentMeter
from streamguard.core.ports import Exporter, Stage


def test_it_takes_all_that_is_counted_and_keeps_nothing() -> None:
    meter: Exporter = SilentMeter()

    for stage in get_args(Stage):
        meter.stage(stage, 1.0)
    meter.sampled(is_judged=True)
    meter.dropped("lane_full", 3)
    meter.describe_model("m", "1", "cpu")
    meter.watch("n", "Number.", lambda: 1 / 0)

    assert not vars(meter)


def test_it_has_all_that_a_meter_has() -> None:
    wanted = {name for name in dir(Exporter) if not name.startswith("_")}

    assert wanted <= set(dir(SilentMeter))
