"""`terrace why`: one key's story.

python3 tests/cli/why_test.py [TestCase...]; ctest runs each TestCase as a test of its own.
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness import MISS, Case, digest_of, key_of, main, root_of


class Why(Case):
    def why(self, name: str, key: str, exit_code: int = 0) -> Any:
        return self.run_json("why", self.store, "--namespace", name, "--key", key, exit_code=exit_code)

    def test_X2_tells_where_a_key_is_and_below_which_parent(self) -> None:
        path, digests = self.manifest(2, 5000)
        self.put_manifest(path, "--chain")
        story = self.why("model", digests[1])
        self.assertTrue(story["found"])
        self.assertEqual([], story["elsewhere"])
        head = key_of("model", digests[0])
        self.assertEqual([{"tier": "disk", "bytes": 5000, "parent": head, "readable": True}], story["where"])
        self.assertIsNone(self.why("model", digests[0])["where"][0]["parent"])
        arguments = ("why", self.store, "--namespace", "model", "--key", digests[1])
        self.assertIn(f"in disk: 4.9 KiB, below {head}", self.run_cli(*arguments).stdout.decode())

    def test_X2_a_key_as_ls_prints_it_is_found_too(self) -> None:
        key = key_of("model", self.put("a", 5000))
        self.assertEqual(key, self.why("model", key)["key"])
        (other,) = self.why("another", key, MISS)["elsewhere"]
        self.assertEqual(key, other["story"]["key"])

    def test_X2_names_the_namespace_that_has_the_key_and_the_field_that_differs(self) -> None:
        digest = self.put("a", 5000, "llama-3-8b")
        story = self.why("llama-3-70b", digest, MISS)
        told = (story["found"], story["namespace_known"], story["reason"])
        self.assertEqual((False, False, "unknown"), told)
        (other,) = story["elsewhere"]
        self.assertEqual(root_of("llama-3-8b").hex(), other["root"])
        differs = {"field": "model_id", "asked": "llama-3-70b", "stored": "llama-3-8b"}
        self.assertEqual([differs], other["differs"])
        arguments = ("why", self.store, "--namespace", "llama-3-70b", "--key", digest)
        text = self.run_cli(*arguments, exit_code=MISS).stdout.decode()
        self.assertIn("model_id is 'llama-3-8b' there, 'llama-3-70b' here", text)
        self.assertIn("the store knows no such namespace", text)

    def test_X2_a_key_that_nobody_has_is_unknown(self) -> None:
        self.put("a", 5000)
        story = self.why("model", digest_of("other"), MISS)
        told = (story["namespace_known"], story["reason"], story["elsewhere"])
        self.assertEqual((True, "unknown", []), told)
        arguments = ("why", self.store, "--namespace", "model", "--key", digest_of("other"))
        self.assertIn("unknown: never stored here", self.run_cli(*arguments, exit_code=MISS).stdout.decode())
        self.refused("why", self.store, "--namespace", "model", "--key", "12", says=("64 hexadecimal",))


if __name__ == "__main__":
    main()
