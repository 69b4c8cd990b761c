// A test that would fail, if it ran in the same process as the one before.
import assert from 'node:assert/strict'

assert.deepEqual(
  [1, 2].map((number) => number * 2),
  [2, 4],
)
assert.ok(!('leftBehind' in globalThis))
