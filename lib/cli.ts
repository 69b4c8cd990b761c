#!/usr/bin/env node
// `truefork doctor`: what this machine, a process or a command looks like to fork.
import { EndedEarly, withCommand } from './doctor/command'
import { describeMachine } from './doctor/machine'
import { formatReport, type Report, wantsColour } from './doctor/print'
import { describeOwnProcess, describeProcess, type ProcessReport } from './doctor/process'
import { PosixError } from './errors'

const help = `Usage: truefork doctor [--json] [pid | -- command [argument...]]

Shows what this machine lets fork do, and one process: its threads and what they wait for, its descriptors,
what a fork would meet there and what it would cost.

  truefork doctor                 this machine, and a plain Node process
  truefork doctor 4711            the process 4711
  truefork doctor -- node app.js  starts a command, looks once it has settled, and ends it:
                                  when no thread of it has run for half a second, or after 10 seconds

  --json   the same as one JSON object: { machine, process }; docs/doctor.md has its shape
  --help   this text

The command reads nothing, and writes to standard error. Colours go to a terminal alone; NO_COLOR and
FORCE_COLOR are heeded.

Exit codes: 0 looked; 1 could not look, standard error says why; 2 wrong arguments.
`

interface Request {
  json: boolean
  /** Undefined: this process. */
  pid?: number
  command?: [string, ...string[]]
}

class UsageError extends Error {}

function toRequest(args: readonly string[]): Request | 'help' {
  const end = args.indexOf('--')
  const own = end < 0 ? args : args.slice(0, end)
  if (own.includes('--help') || own.includes('-h')) return 'help'
  const [name, ...rest] = own
  if (name === undefined) throw new UsageError('what to do is missing: doctor')
  if (name !== 'doctor') throw new UsageError(`unknown argument: ${name}`)
  const unknown = rest.find((each) => each !== '--json' && !/^\d+$/.test(each))
  if (unknown !== undefined) throw new UsageError(`unknown argument: ${unknown}`)
  const pids = rest.filter((each) => each !== '--json').map(Number)
  const command = end < 0 ? [] : args.slice(end + 1)
  if (end >= 0 && command.length === 0) throw new UsageError('no command after --')
  if (pids.length + Math.sign(command.length) > 1) throw new UsageError('one pid, or a command after --')
  const [pid] = pids
  if (pid !== undefined && (pid < 1 || pid > 2 ** 31 - 1)) throw new UsageError(`no pid: ${pid}`)
  const json = rest.includes('--json')
  return { json, ...(pid === undefined ? {} : { pid }), ...(isCommand(command) ? { command } : {}) }
}

function isCommand(words: readonly string[]): words is [string, ...string[]] {
  return words.length > 0
}

async function toReport({ pid, command }: Request): Promise<Report> {
  const machine = describeMachine()
  try {
    return { machine, process: await look(pid, command) }
  } catch (error) {
    if (error instanceof PosixError && error.code === 'ENOSYS') return { machine, process: null }
    throw error
  }
}

async function look(pid?: number, command?: [string, ...string[]]): Promise<ProcessReport> {
  if (command !== undefined) return withCommand(command, describeProcess)
  return pid === undefined ? describeOwnProcess() : describeProcess(pid)
}

async function main(args: readonly string[]): Promise<number> {
  try {
    const request = toRequest(args)
    if (request === 'help') {
      process.stdout.write(help)
      return 0
    }
    const report = await toReport(request)
    const text = request.json
      ? `${JSON.stringify(report, null, 2)}\n`
      : formatReport(report, wantsColour(process.stdout.isTTY, process.env))
    process.stdout.write(text)
    return 0
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`truefork: ${error.message}\nTry: truefork --help\n`)
      return 2
    }
    if (!(error instanceof PosixError || error instanceof EndedEarly)) throw error
    process.stderr.write(`truefork: ${error.message}\n`)
    return 1
  }
}

// Not when another module loads this one.
if (require.main === module) {
  main(process.argv.slice(2)).then((code) => {
    process.exitCode = code
  })
}
