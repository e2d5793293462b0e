"""What the site has besides docs/: other pages of the repository, pictures, the demo's report."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "first-load.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
FRAME = re.compile(r"(?s)<!-- report -->.*<!-- /report -->")
LINK = re.compile(r"\]\(([^)\s#]+)(#[^)\s]*)?\)")
CODE = re.compile(r"(?ms)(^```.*?^```$)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and pictures from outside of docs/, and the report if the demo has run."""
    for path, name in PAGES.items():
        text = (ROOT / path).read_text("utf-8")
        files.append(File.generated(config, name, content=text))
    for picture in sorted((ROOT / "benchmarks").glob("*.svg")):
        name = f"benchmarks/{picture.name}"
        files.append(File.generated(config, name, abs_src_path=f"{picture}"))
    if (report := _report(config)).exists():
        files.append(File.generated(config, "report.html", abs_src_path=f"{report}"))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return the page with links that are right on the site."""
    if not _report(config).exists():
        markdown = FRAME.sub("", markdown)
    sources = {name: path for path, name in PAGES.items()}
    place = sources.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def corrected(link: re.Match[str]) -> str:
        path, anchor = link[1], link[2] or ""
        return link[0] if "://" in path else f"]({_target(path, place, config, files)}{anchor})"

    parts = CODE.split(markdown)
    return "".join(part if part.startswith("```") else LINK.sub(corrected, part) for part in parts)


def on_post_page(output: str, **_: object) -> str:
    """Return the page without what makes the theme ask GitHub for the number of stars."""
    return output.replace('data-md-component="source"', "")


def _report(config: MkDocsConfig) -> Path:
    return Path(ROOT, config.extra["report"])


def _target(path: str, place: str, config: MkDocsConfig, files: Files) -> str:
    """Return where the site has what a page at `place` in the repository links to."""
    meant = posixpath.normpath(posixpath.join(posixpath.dirname(place), path))
    inside = PAGES.get(meant, meant.removeprefix("docs/"))
    if files.get_file_from_path(inside):
        return inside
    kind = "tree" if (ROOT / meant).is_dir() else "blob"
    return f"{config.repo_url}/{kind}/main/{meant}"
