"""Pages: charts, results with their verdicts, and the build of the book. Never imports torch."""

import sys

# Altair loads jsonschema, which loads a grammar of web addresses if one is installed. That takes
# longer than all of Altair (1.4 s a page) and checks nothing that a chart has.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # None: no such module
