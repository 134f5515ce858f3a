"""Pages that come from code: settings, commands, protocols, studies, demonstrations, the glossary, the course.

    python docs/generate [--quick]

They go to docs/generated/, which Sphinx reads beside the written pages. --quick leaves the demonstrations' small forms
and the execution of the course out, to look at a page that one writes.
"""

import shutil
import sys
from pathlib import Path

import api_pages
import command_pages
import course_pages
import gallery_pages
import glossary_pictures
import protocol_pages
import setting_pages
import study_pages

DOCS = Path(__file__).resolve().parents[1]


def main(quick: bool) -> None:
    out = DOCS / "generated"
    shutil.rmtree(out, ignore_errors=True)
    api_pages.write(out)
    setting_pages.write(out / "settings")
    command_pages.write(out / "commands")
    protocol_pages.write(out)
    study_pages.write(out / "studies")
    glossary_pictures.write(out / "pictures")
    gallery_pages.write(out / "gallery", DOCS / "pictures" / "demos", run=not quick)
    course_pages.write(DOCS / "course", out / "course", run=not quick)


if __name__ == "__main__":
    main("--quick" in sys.argv[1:])
