// The names of functions in an ELF file: elf(5). 64-bit, little-endian, as all processors that Node runs on.
import { closeSync, openSync, readSync } from 'node:fs'

/** Something to be named: where it lies in the file. Filled in place. */
export interface Place {
  /** In bytes from the file's start. */
  offset: number
  /** The function's name as the compiler has it. */
  name?: string
}

interface Section {
  type: number
  link: number
  offset: number
  size: number
}

const symbolTable = 2 // SHT_SYMTAB: all functions, where the file hasn't been stripped of them
const dynamicSymbols = 11 // SHT_DYNSYM: those that other files may call
const symbolSize = 24
const isFunction = (info: number): boolean => (info & 15) === 2 || (info & 15) === 10 // STT_FUNC, STT_GNU_IFUNC

/** Names what it can. A file that can't be read, or is none of ELF's, names nothing. */
export function nameFunctions(path: string, places: readonly Place[]): void {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch {
    return
  }
  try {
    new ElfFile(fd).name(places)
  } catch {
    // shorter than it says
  } finally {
    closeSync(fd)
  }
}

class ElfFile {
  readonly #fd: number
  readonly #header: Buffer

  constructor(fd: number) {
    this.#fd = fd
    this.#header = this.#read(0, 64)
  }

  name(places: readonly Place[]): void {
    const isElf = this.#header.toString('latin1', 0, 6) === '\x7fELF\x02\x01'
    if (!isElf) return
    const sections = this.#sections()
    const sought = this.#addressed(places)
    for (const type of [symbolTable, dynamicSymbols]) {
      for (const section of sections) {
        if (section.type === type) this.#nameBy(section, sections[section.link], sought)
      }
    }
  }

  /** The places by the addresses that the file is linked for, in order. */
  #addressed(places: readonly Place[]): { address: number; place: Place }[] {
    const segments = this.#table(0x20, 0x36, 0x38).map((row) => ({
      isLoaded: row.readUInt32LE(0) === 1, // PT_LOAD
      offset: wide(row, 8),
      address: wide(row, 16),
      size: wide(row, 32),
    }))
    return places
      .flatMap((place) => {
        const segment = segments.find(
          ({ isLoaded, offset, size }) => isLoaded && offset <= place.offset && place.offset < offset + size,
        )
        return segment === undefined ? [] : [{ address: place.offset - segment.offset + segment.address, place }]
      })
      .sort((a, b) => a.address - b.address)
  }

  #sections(): Section[] {
    return this.#table(0x28, 0x3a, 0x3c).map((row) => ({
      type: row.readUInt32LE(4),
      link: row.readUInt32LE(40),
      offset: wide(row, 24),
      size: wide(row, 32),
    }))
  }

  /** The rows of one of the two header tables: where the header has its offset, row size and row count. */
  #table(offsetAt: number, sizeAt: number, countAt: number): Buffer[] {
    const size = this.#header.readUInt16LE(sizeAt)
    const count = this.#header.readUInt16LE(countAt)
    const rows = this.#read(wide(this.#header, offsetAt), size * count)
    return Array.from({ length: count }, (_, index) => rows.subarray(index * size, (index + 1) * size))
  }

  #nameBy(table: Section, names: Section | undefined, sought: readonly { address: number; place: Place }[]): void {
    if (names === undefined || sought.length === 0) return
    const symbols = this.#read(table.offset, table.size)
    const lowest = sought[0]?.address ?? 0
    const highest = sought.at(-1)?.address ?? 0
    for (let at = 0; at + symbolSize <= symbols.length; at += symbolSize) {
      if (!isFunction(symbols[at + 4] as number)) continue
      const start = wide(symbols, at + 8)
      const end = start + wide(symbols, at + 16)
      if (end <= lowest || start > highest) continue
      for (const { address, place } of sought) {
        if (start <= address && address < end) place.name ??= this.#text(names.offset + symbols.readUInt32LE(at))
      }
    }
  }

  /** A text that ends with a null. */
  #text(offset: number): string {
    const bytes = Buffer.alloc(512)
    const size = readSync(this.#fd, bytes, 0, bytes.length, offset)
    const end = bytes.indexOf(0)
    return bytes.toString('latin1', 0, end < 0 ? size : end)
  }

  #read(offset: number, size: number): Buffer {
    const buffer = Buffer.alloc(size)
    let used = 0
    while (used < size) {
      const count = readSync(this.#fd, buffer, used, size - used, offset + used)
      if (count === 0) throw new RangeError('the file ends early')
      used += count
    }
    return buffer
  }
}

/** An address or a size: 64 bits, of which no more than 53 are in use. */
function wide(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32
}

/** `_ZN2v88internal4Heap3FooEv` as `v8::internal::Heap::Foo`; other names as they are. */
export function plainName(name: string): string {
  const nested = /^_ZN[KVRO]*/.exec(name)
  let at = nested?.[0].length ?? (name.startsWith('_ZL') ? 3 : 2)
  if (!name.startsWith('_Z')) return name.replace(/@.*$/, '')
  const parts: string[] = []
  for (;;) {
    const [prefix, digits] = /^L?(\d+)/.exec(name.slice(at)) ?? [] // L: of one file alone
    if (prefix === undefined) break
    const start = at + prefix.length
    const part = name.slice(start, start + Number(digits))
    parts.push(part.startsWith('_GLOBAL__N') ? '(anonymous)' : part)
    at = start + part.length
  }
  return parts.length === 0 ? name : parts.join('::')
}
