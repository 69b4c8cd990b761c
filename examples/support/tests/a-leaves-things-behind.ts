// A test that changes what all others use.
import assert from 'node:assert/strict'
import ts from 'typescript'

assert.match(ts.transpile('let x: number = 1'), /x = 1;/)
Array.prototype.map = () => []
Object.assign(globalThis, { leftBehind: true })
