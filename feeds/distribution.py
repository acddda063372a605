"""The installed distribution: its name on the index, the command that adds an extra, and the files that it contains."""

import shlex
import sys
from pathlib import Path


def share_folder() -> Path:
    """Return the folder that contains docs/ and deploy/: a folder of the package, or the clone."""
    package = Path(__file__).parent
    share = package / "share"  # pyproject.toml puts it into the wheel
    return share if share.is_dir() else package.parent


def distribution_name() -> str:
    """Return the name of the distribution that installed the command `feeds`, which pyproject.toml states.

    If feeds is not installed, return "feeds".
    """
    from importlib.metadata import entry_points

    scripts = entry_points(group="console_scripts", name="feeds")
    found = (script.dist.name for script in scripts if script.value == "feeds.__main__:run" and script.dist is not None)
    return next(found, "feeds")


def install_command(extra: str, environment: Path = Path(sys.prefix)) -> str:
    """Return the shell command that installs the packages of an extra into the environment of feeds.

    The environments of pipx and of `uv tool` are recognised by the files that these programs keep there.
    """
    name = distribution_name()
    requirement = shlex.quote(f"{name}[{extra}]")
    if (environment / "pipx_metadata.json").exists():
        return f"pipx inject {name} {requirement}"
    if (environment / "uv-receipt.toml").exists():
        return f"uv pip install --python {shlex.quote(str(environment))} {requirement}"
    return f"pip install {requirement}"
