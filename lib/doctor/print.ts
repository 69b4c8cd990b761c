// The report for people: tables, with colour where it is wanted.
import type { ForkCost } from './fork-cost'
import type { Machine } from './machine'
import type { ProcessReport } from './process'

export interface Report {
  machine: Machine
  /** Null: this platform doesn't tell what a process does. */
  process: ProcessReport | null
}

type Colour = 'bold' | 'dim' | 'red' | 'green' | 'yellow'
type Paint = (colour: Colour, text: string) => string

const codes: Readonly<Record<Colour, number>> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 }

/** Whether a stream gets colours: by FORCE_COLOR and NO_COLOR (no-color.org), else if it is a terminal. */
export function wantsColour(isTerminal: boolean | undefined, env: NodeJS.ProcessEnv): boolean {
  const { FORCE_COLOR: forced, NO_COLOR: none, TERM: terminal } = env
  if (forced !== undefined) return forced !== '0' && forced !== 'false'
  return isTerminal === true && !none && terminal !== 'dumb'
}

export function formatReport({ machine, process }: Report, inColour: boolean): string {
  const paint: Paint = (colour, text) => (inColour ? `\x1b[${codes[colour]}m${text}\x1b[0m` : text)
  const parts = [machinePart(machine, paint)]
  parts.push(process === null ? 'This platform does not tell what a process does.' : processPart(process, paint))
  return `${parts.join('\n\n')}\n`
}

function machinePart(machine: Machine, paint: Paint): string {
  const { platform, release, arch, node, glibc, tier, whyNotAllThreads, probes } = machine
  const library = glibc === null ? '' : `, glibc ${glibc}`
  const threads = whyNotAllThreads === null ? paint('green', 'all') : paint('yellow', 'caller')
  const because = whyNotAllThreads === null ? 'the child has every thread' : whyNotAllThreads
  const rows = probes.map(({ name, available, error, use }) => [
    name,
    available ? paint('green', 'yes') : paint('yellow', error ?? 'no'),
    use,
  ])
  return [
    paint('bold', 'This machine'),
    `${platform} ${release} ${arch}${library}, Node ${node}: tier ${tier}`,
    `fork's threads: ${threads}, as ${because}`,
    '',
    table(['tried', 'there', 'for'], rows, paint),
  ].join('\n')
}

function processPart(report: ProcessReport, paint: Paint): string {
  const { pid, command, state, deadlocked, summary, threads, descriptors, hazards, forkCost, fork } = report
  const heading = `${paint('bold', `Process ${pid}`)}: ${deadlocked ? paint('red', state) : state}`
  const born = fork === null ? [] : [`made by fork in ${fork.parent} at ${fork.time}, threads: '${fork.threads}'`]
  return [
    heading,
    ...(command === '' ? [] : [command]),
    ...born,
    summary,
    '',
    paint('bold', `Threads (${threads.length})`),
    table(
      ['tid', 'role', 'name', 'state', 'in', 'what it does'],
      threads.map(({ tid, role, name, state: letter, syscall, detail, deadlocked: isStuck }) => [
        String(tid),
        role,
        name,
        letter,
        syscall?.name ?? '-',
        isStuck ? paint('red', detail) : detail,
      ]),
      paint,
    ),
    '',
    descriptorsPart(descriptors, paint),
    '',
    hazardsPart(hazards, paint),
    '',
    costPart(forkCost, paint),
  ].join('\n')
}

function descriptorsPart(descriptors: ProcessReport['descriptors'], paint: Paint): string {
  if (descriptors === null) return `${paint('bold', 'Descriptors')}: they may not be seen`
  const rows = descriptors.map(({ fd, kind, target }) => [String(fd), kind, target])
  return `${paint('bold', `Descriptors (${descriptors.length})`)}\n${table(['fd', 'kind', 'target'], rows, paint)}`
}

function hazardsPart(hazards: ProcessReport['hazards'], paint: Paint): string {
  const heading = paint('bold', 'Hazards of a fork')
  if (hazards === null) return `${heading}: only a process itself can tell, by forkHazards()`
  if (hazards.length === 0) return `${heading}: ${paint('green', 'none')}`
  const rows = hazards.map(({ id, severity, detail, remedy }) => [
    id,
    severity === 'notice' ? severity : paint(severity === 'fatal' ? 'red' : 'yellow', severity),
    `${detail}. ${remedy}`,
  ])
  return `${heading}\n${table(['id', 'severity', 'what, and what to do'], rows, paint)}`
}

function costPart(cost: ForkCost, paint: Paint): string {
  const megabytes = (cost.anonymousKilobytes / 1024).toFixed(0)
  const how = cost.measured ? 'measured' : 'estimated by its memory'
  return [
    paint('bold', 'What a fork would cost here'),
    `fork ${cost.fork.toFixed(2)} ms (${how}), posix_spawn ${cost.posixSpawn.toFixed(2)} ms (measured)`,
    `${megabytes} MB of memory of its own, ${cost.pageTableKilobytes} kB of page tables`,
  ].join('\n')
}

/** Columns of the width that their widest cell has; the last may be as wide as it likes. */
function table(headings: readonly string[], rows: readonly (readonly string[])[], paint: Paint): string {
  const all = [headings.map((heading) => paint('dim', heading)), ...rows]
  const widths = headings.map((_, column) => Math.max(...all.map((row) => widthOf(row[column] ?? ''))))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column === row.length - 1 ? cell : cell + ' '.repeat((widths[column] as number) - widthOf(cell)),
      )
      .join('  ')
  return all.map((row) => `  ${line(row)}`).join('\n')
}

function widthOf(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are made of them
  return text.replace(/\x1b\[\d+m/g, '').length
}
