"""The YAML files of the config groups: where they lie, and what each says; read without Hydra, in no time."""

from pathlib import Path

HERE = Path(__file__).parent
CONF = next(folder for folder in (HERE / "conf", HERE.parent / "conf") if folder.is_dir())
"""The YAML files: within an installed package, or beside it in a clone."""

FOLDERS = [CONF]
"""Where YAML files are looked for: those of the command's `--config-dir` come after ours."""


def groups() -> list[str]:
    """The config groups: model, data, measure, measure/order ..."""
    folders = {file.parent.relative_to(CONF).as_posix() for file in CONF.rglob("*/*.yaml")}
    return sorted(folder for folder in folders if not folder.startswith("hydra"))


def options(group: str) -> list[str]:
    """The YAML files of a config group, without their ending."""
    return sorted({file.stem for folder in FOLDERS for file in (folder / group).glob("*.yaml")})


def entry_file(group: str, name: str) -> Path:
    """The YAML file of an entry; ours where there are several.

    Raises:
        FileNotFoundError: when there is none.
    """
    for folder in FOLDERS:
        if (file := folder / group / f"{name}.yaml").is_file():
            return file
    raise FileNotFoundError(f"no {group}/{name}.yaml in {' or '.join(map(str, FOLDERS))}")


def description(group: str, name: str) -> str:
    """What a YAML file says of itself: its first comment that is not Hydra's `@package`."""
    lines = entry_file(group, name).read_text(encoding="utf-8", errors="replace").splitlines()
    comments = (line.removeprefix("#").strip() for line in lines if line.startswith("#"))
    return next((comment for comment in comments if not comment.startswith("@")), "")
