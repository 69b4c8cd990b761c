// Which functions a thread is in: told by the words of its stack that can be return addresses. Without the tables of a
// debugger this may find one too many, left over from a call that is done; those further out than the first are hints.
import { nameFunctions, type Place, plainName } from './elf-symbols'
import type { Mapping, ProcessView, RawCall } from './process-view'

const stackBytes = 8192
const mostFrames = 64

interface Frame extends Place {
  file: Mapping
}

/** The functions of each of these threads, the innermost first. Only what has a name. */
export function functionsOf(view: ProcessView, calls: readonly RawCall[]): Map<RawCall, string[]> {
  const code = view.mappings.filter(({ permissions, inode }) => permissions[2] === 'x' && inode !== 0)
  const frames = new Map(calls.map((call) => [call, framesOf(view, call, code)]))
  const byFile = new Map<string, Frame[]>()
  for (const frame of [...frames.values()].flat()) {
    byFile.set(frame.file.path, [...(byFile.get(frame.file.path) ?? []), frame])
  }
  // Its own root: the process may live in a container.
  for (const [path, places] of byFile) nameFunctions(`/proc/${view.pid}/root${path}`, places)
  return new Map([...frames].map(([call, list]) => [call, list.flatMap(({ name }) => name ?? []).map(plainName)]))
}

function framesOf(view: ProcessView, call: RawCall, code: readonly Mapping[]): Frame[] {
  return view.withMemory((read) => {
    const toFrame = (address: number): Frame[] => {
      const file = code.find(({ start, end }) => start <= address && address < end)
      return file === undefined ? [] : [{ file, offset: address - file.start + file.offset }]
    }
    const stack = view.mappingOf(call.stackPointer)
    const size = Math.min(stackBytes, (stack?.end ?? 0) - call.stackPointer)
    const words = size > 0 ? read(call.stackPointer, size) : null
    const found = toFrame(call.programCounter)
    for (let at = 0; words !== null && at + 8 <= words.length && found.length < mostFrames; at += 8) {
      const address = words.readUInt32LE(at) + words.readUInt32LE(at + 4) * 2 ** 32
      // The call lies just before the address it returns to.
      const [frame] = toFrame(address - 1)
      if (frame !== undefined && isAfterCall(read(address - 7, 7))) found.push(frame)
    }
    return found
  })
}

function isAfterCall(before: Buffer | null): boolean {
  if (before === null || before.length < 7) return false
  // x86-64: e8 and four bytes, or ff /2 with up to five bytes of operand.
  if (before[2] === 0xe8) return true
  for (const length of [2, 3, 4, 6, 7]) {
    if (before[7 - length] === 0xff && ((before[8 - length] as number) & 0x38) === 0x10) return true
  }
  // AArch64: bl and blr.
  const word = before.readUInt32LE(3)
  return word >>> 26 === 0x25 || (word & 0xfffffc1f) >>> 0 === 0xd63f0000
}
