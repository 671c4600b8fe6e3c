"""
Crash points: a shop in front of a provider is killed at every commit and every send, and confused
in every other way, and what is left has to add up.

    from payport.testing.explorer import CrashExplorer

    report = CrashExplorer("adyen_like").storms(range(200))
    assert report.ok, report

`python -m payport.testing.explorer --help` does the same with more seeds, and repeats one.
"""

from payport.testing.explorer.explorer import CrashExplorer
from payport.testing.explorer.outcome import Outcome, Report
from payport.testing.explorer.processors import PROFILES, Processor

__all__ = ["PROFILES", "CrashExplorer", "Outcome", "Processor", "Report"]
