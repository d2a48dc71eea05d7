"""What data sheets say of accelerators, for times and prices. Public as `bl.costs.ACCELERATORS`."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Accelerator:
    """What a data sheet says of one accelerator: bytes, bytes per second and FLOPs per second (16 bits, dense).

    `network_bandwidth` is printed for both directions together.
    """

    memory_bytes: float
    memory_bandwidth: float
    network_bandwidth: float
    flops: float

    @property
    def intensity(self) -> float:
        """FLOPs that it computes in the time in which it reads a byte."""
        return self.flops / self.memory_bandwidth

    @property
    def one_way_bandwidth(self) -> float:
        return self.network_bandwidth / 2


def _sheet(gigabytes: float, memory_gb: float, network_gb: float, teraflops: float) -> Accelerator:
    return Accelerator(gigabytes * 1e9, memory_gb * 1e9, network_gb * 1e9, teraflops * 1e12)


ACCELERATORS: Mapping[str, Accelerator] = MappingProxyType(
    {
        "V100": _sheet(16, 900, 300, 125),
        "A100-40": _sheet(40, 1555, 600, 312),
        "A100": _sheet(80, 2000, 600, 312),
        "H100": _sheet(80, 3352, 900, 989),
        "H200": _sheet(141, 4800, 900, 989),
        "B100": _sheet(192, 8000, 1800, 1800),
        "B200": _sheet(192, 8000, 1800, 2250),
        "B200-sparse": _sheet(192, 8000, 1800, 4500),  # the convention of Kinetics: intensity 562.5
        "MI250": _sheet(128, 3352, 800, 362),
        "MI300": _sheet(192, 5300, 1024, 1307),
        "MI325X": _sheet(256, 6000, 1024, 1307),
        "Gaudi2": _sheet(96, 2400, 600, 1000),
        "Gaudi3": _sheet(128, 3700, 1200, 1800),
        "Ada6000": _sheet(48, 960, 64, 182),
    }
)
"""The hardware table of the NanoFlow paper (arXiv 2408.12757); A100 has 80 GB. Peaks differ between sources."""
