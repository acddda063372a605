"""The child process of `Sandbox`: renders articles that it reads from standard input."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from feeds.confined import child
from feeds.core.errors import ArticleError
from feeds.core.model import Content
from feeds.core.parse.content import MarkdownRenderer
from feeds.core.parse.links import Links
from feeds.render.sandbox import TOO_SLOW

# Loads the modules that are imported on first use: `regex` cuts a summary, codecs encode a host that isn't ASCII.
_WARM_UP_TEXT = "[a](https://é.example/) " + "한" * 1_000


def _reply(renderer: MarkdownRenderer, method: str, arguments: Sequence[Any], seconds: float) -> dict[str, Any]:
    """Return {"result": …} or {"error": reason} for a request."""
    try:
        with child.limited_cpu(seconds):
            result = renderer.render(*arguments) if method == "render" else renderer.convert(*arguments)
            return {"result": asdict(result) if isinstance(result, Content) else result}
    except TimeoutError:
        return {"error": TOO_SLOW}
    except ArticleError as error:
        return {"error": error.reason}
    except RecursionError:
        return {"error": "nested too deep"}
    except MemoryError:
        return {"error": "takes too much memory to render"}
    except Exception as error:  # the Markdown library fails on this article
        return {"error": f"can't be rendered: {type(error).__name__}: {error}"}


def main() -> None:  # pragma: no cover  # the confined process can't write coverage data
    """Answer requests until the input ends."""
    child.limit_process()
    renderer = MarkdownRenderer("python-markdown")
    renderer.render(_WARM_UP_TEXT, None, "https://site.invalid/", "e-")

    def answer(request: list[Any]) -> dict[str, Any]:
        method, seconds, *arguments = request
        if method == "render":
            *arguments, links, language = arguments
            arguments += [Links(*links), language]
        started_at = child.cpu_time()
        reply = _reply(renderer, method, arguments, seconds)
        reply["seconds"] = child.cpu_time() - started_at
        return reply

    child.serve(answer)


if __name__ == "__main__":
    main()
