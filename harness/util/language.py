"""Messages in the language of the user's locale, from the gettext catalogues in harness/locale.

Names, numbers, and the lines that the Go kola prints for programs stay as they are in every language.
"""

from __future__ import annotations

import functools
import gettext
from pathlib import Path

DOMAIN = "kola"
CATALOGUES = Path(__file__).parents[1] / "locale"


def tr(text: str, **values: object) -> str:
    """Return the text in the user's language, with the values in place of `{name}`.

    `text` is written out where it is used, so that the test of the catalogues finds it.
    """
    translated = _catalogue().gettext(text)
    return translated.format(**values) if values else translated


@functools.cache
def _catalogue() -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, CATALOGUES, fallback=True)
