// A test that fails.
import assert from 'node:assert/strict'

assert.equal(1 + 1, 3, 'one and one are three')
