"""The guide (docs/guide) is true to the program: its configurations are accepted, its pages are all linked.

python3 tests/cli/guide_test.py [TestCase...]; ctest runs each TestCase as a test of its own.
"""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness import Case, main

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide"


class Guide(Case):
    def test_C1_every_configuration_in_it_is_accepted(self) -> None:
        checked = 0
        for page in sorted(GUIDE.glob("*.md")):
            for i, text in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)):
                file = self.folder / f"{page.stem}_{i}.yaml"
                file.write_text(text)
                # What this machine's memory allows is not the guide's business.
                document = self.run_json("config", "check", file, "--set", "l1.budget=128MiB")
                self.assertEqual([], document["warnings"], page.name)
                checked += 1
        self.assertGreater(checked, 20)

    def test_every_page_is_in_the_index_and_every_link_leads_somewhere(self) -> None:
        pages = {page.name for page in GUIDE.glob("*.md")} - {"README.md"}
        self.assertLessEqual(pages, set(re.findall(r"\]\(([^)#]+\.md)", (GUIDE / "README.md").read_text())))
        for page in GUIDE.glob("*.md"):
            for link in re.findall(r"\]\(([^)#]+\.md)", page.read_text()):
                self.assertTrue((GUIDE / link).is_file(), f"{page.name}: {link}")

    def test_a_page_is_short_and_says_the_same_things(self) -> None:
        for page in GUIDE.glob("*.md"):
            if page.name in ("README.md", "configuration.md"):
                continue
            text = page.read_text()
            self.assertLess(len(text.splitlines()), 75, page.name)
            for part in ("**Use it**", "**It costs**", "```yaml", "stats`**"):
                self.assertIn(part, text, page.name)


if __name__ == "__main__":
    main()
