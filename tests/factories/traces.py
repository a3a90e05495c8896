"""A trace of a caller's, as its header hands it on."""

from typing import Final

TRACE_ID: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID: Final = "00f067aa0ba902b7"
SAMPLED: Final = f"00-{TRACE_ID}-{SPAN_ID}-01"
UNSAMPLED: Final = f"00-{TRACE_ID}-{SPAN_ID}-00"
