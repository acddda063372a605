"""The values of `site.theme` and `site.nav`: colours, fonts, lengths and links.

They become part of a stylesheet and of pages, so only values of known forms are accepted.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from feeds.config.values import Text, did_you_mean, text
from feeds.core.text import one_line, printable_excerpt, url_scheme

# the named colours of CSS Color Module Level 4, section 6.1
_NAMED_COLOURS = frozenset(
    """
    aliceblue antiquewhite aqua aquamarine azure beige bisque black blanchedalmond blue blueviolet brown burlywood
    cadetblue chartreuse chocolate coral cornflowerblue cornsilk crimson cyan darkblue darkcyan darkgoldenrod darkgray
    darkgreen darkgrey darkkhaki darkmagenta darkolivegreen darkorange darkorchid darkred darksalmon darkseagreen
    darkslateblue darkslategray darkslategrey darkturquoise darkviolet deeppink deepskyblue dimgray dimgrey dodgerblue
    firebrick floralwhite forestgreen fuchsia gainsboro ghostwhite gold goldenrod gray green greenyellow grey honeydew
    hotpink indianred indigo ivory khaki lavender lavenderblush lawngreen lemonchiffon lightblue lightcoral lightcyan
    lightgoldenrodyellow lightgray lightgreen lightgrey lightpink lightsalmon lightseagreen lightskyblue lightslategray
    lightslategrey lightsteelblue lightyellow lime limegreen linen magenta maroon mediumaquamarine mediumblue
    mediumorchid mediumpurple mediumseagreen mediumslateblue mediumspringgreen mediumturquoise mediumvioletred
    midnightblue mintcream mistyrose moccasin navajowhite navy oldlace olive olivedrab orange orangered orchid
    palegoldenrod palegreen paleturquoise palevioletred papayawhip peachpuff peru pink plum powderblue purple
    rebeccapurple red rosybrown royalblue saddlebrown salmon sandybrown seagreen seashell sienna silver skyblue
    slateblue slategray slategrey snow springgreen steelblue tan teal thistle tomato turquoise violet wheat white
    whitesmoke yellow yellowgreen
    """.split()  # noqa: SIM905  # 148 names
)
_HEX_COLOUR = re.compile(r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})")
_HEX_WITHOUT_SIGN = re.compile(r"(?=[0-9a-f]*[0-9])(?:[0-9a-f]{3}|[0-9a-f]{6})")
_NUMBER = r"[+-]?(?:[0-9]{1,6}(?:\.[0-9]{1,6})?|\.[0-9]{1,6})(?:%|deg|rad|grad|turn)?"
_COLOUR_FUNCTION = re.compile(
    rf"(?:rgba?|hsla?|hwb|lab|lch|oklab|oklch)\( ?{_NUMBER}(?:(?: ?, ?| ){_NUMBER}){{2}}(?: ?[,/] ?{_NUMBER})? ?\)"
)
_GENERIC_FONTS = frozenset({
    "serif", "sans-serif", "monospace", "cursive", "fantasy", "system-ui", "ui-serif", "ui-sans-serif", "ui-monospace",
    "ui-rounded", "math", "emoji",
})  # fmt: skip
_FONT = re.compile(r"(?=.*[^\W\d_])[^\W_](?:[^\W_]|[ ._+-]){0,79}")
_MAX_FONTS = 12
_LENGTH = re.compile(r"[0-9]{1,5}(?:\.[0-9]{1,3})?(?:rem|em|ch|px)")
_LINK_SCHEMES = ("", "http", "https", "mailto")


def _colour(value: Any) -> str:
    """Return a colour in the syntax of CSS, in lower case."""
    if value is None or value == "":
        raise ValueError('has no value; a colour that begins with # needs quotes: "#0b4f9c"')
    colour = one_line(str(value)).lower()
    if _HEX_COLOUR.fullmatch(colour) or colour in _NAMED_COLOURS or _COLOUR_FUNCTION.fullmatch(colour):
        return colour
    shown = printable_excerpt(colour)
    if _HEX_WITHOUT_SIGN.fullmatch(colour):
        raise ValueError(f'{shown} is not a colour; did you mean "#{colour}"?')
    hint = did_you_mean(colour, _NAMED_COLOURS) if colour.isalpha() else ""
    raise ValueError(f'{shown} is not a colour; write it like "#0b4f9c", navy or rgb(11 79 156){hint}')


def _fonts(value: Any) -> str:
    """Return a list of font families in the syntax of CSS, with names in quotes."""
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be names of fonts, like Georgia, serif")
    names = [one_line(name).strip("\"'").strip() for name in value.split(",")]
    for name in names:
        if not _FONT.fullmatch(name):
            raise ValueError(
                f"{printable_excerpt(name) or 'an empty name'} is not the name of a font; separate names by commas, "
                "like Georgia, serif"
            )
    if len(names) > _MAX_FONTS:
        raise ValueError(f"must have at most {_MAX_FONTS} fonts")
    return ", ".join(name.lower() if name.lower() in _GENERIC_FONTS else f'"{name}"' for name in names)


def _length(value: Any) -> str:
    if isinstance(value, str) and _LENGTH.fullmatch(value) and float(value.rstrip("remchpx")) > 0:
        return value
    raise ValueError("must be a length with a unit: rem, em, ch or px, like 42rem")


def _link(value: str) -> str:
    link = text(value)
    if url_scheme(link) not in _LINK_SCHEMES:
        raise ValueError("must be a path on the site like /about/, or an http(s) or mailto URL")
    return link


def _folder(value: Any) -> Any:
    if value is True or value == "":
        raise ValueError("must be a folder, or false for none")
    return value


def css_variables(values: Mapping[str, str | None]) -> list[str]:
    """Return the declarations of CSS variables for the keys of `site.theme` that have a value."""
    return [f"{_VARIABLES[key]}: {value};" for key, value in values.items() if value]


_VARIABLES = {
    **{key: f"--color-{key}" for key in ("text", "muted", "border", "background", "surface", "accent")},
    **{f"font_{key}": f"--font-{key}" for key in ("text", "heading", "code")},
    "width": "--width",
}

Colour = Annotated[str | None, BeforeValidator(_colour)]
Fonts = Annotated[str | None, BeforeValidator(_fonts)]
Length = Annotated[str | None, BeforeValidator(_length)]
Links = dict[Text, Annotated[str, AfterValidator(_link)]]
OptionalFolder = BeforeValidator(_folder)
