// A debugger: a client of the inspector's protocol over a WebSocket, RFC 6455. Node has one of its own since 22 only.
import { randomBytes } from 'node:crypto'
import { get } from 'node:http'
import type { Socket } from 'node:net'

// biome-ignore lint/suspicious/noExplicitAny: the protocol's own shapes, as the tests use them
type Fields = Record<string, any>

interface Message {
  id?: number
  method?: string
  params?: Fields
  result?: Fields
  error?: { message: string }
}

export class Debugger {
  /** Resolves with how the connection ended: by a closing frame, or without one. */
  readonly ended: Promise<'closed' | 'cut off'>
  readonly #socket: Socket
  readonly #pending = new Map<number, (message: Message) => void>()
  #events: Message[] = []
  #wake = (): void => {}
  #open = true

  /** Connects to the address that `Debugger listening on` tells. */
  static connect(url: string): Promise<Debugger> {
    const headers = {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    }
    return new Promise((resolve, reject) => {
      get(url.replace(/^ws:/, 'http:'), { headers }, ({ statusCode }) => reject(new Error(`refused by ${statusCode}`)))
        .on('upgrade', (_response, socket, head) => resolve(new Debugger(socket, head)))
        .on('error', reject)
    })
  }

  private constructor(socket: Socket, head: Buffer) {
    this.#socket = socket
    let closing = false
    let received = head
    const read = (data: Buffer): void => {
      received = Buffer.concat([received, data])
      for (let frame = firstFrame(received); frame !== undefined; frame = firstFrame(received)) {
        received = received.subarray(frame.size)
        if (frame.opcode === 8) closing = true
        else this.#take(JSON.parse(frame.payload.toString()) as Message)
      }
    }
    this.ended = new Promise((resolve) => {
      socket.on('close', () => {
        resolve(closing ? 'closed' : 'cut off')
        this.#open = false
        for (const answer of this.#pending.values()) answer({ error: { message: 'the connection has ended' } })
        this.#wake()
      })
    })
    socket.on('data', read).on('error', () => {})
    read(Buffer.alloc(0))
  }

  /** Calls a method of the protocol, and returns its result. */
  send(method: string, params: Fields = {}): Promise<Fields> {
    return this.begin(method, params)()
  }

  /** Writes one half of a call. What is returned writes the other. */
  begin(method: string, params: Fields = {}): () => Promise<Fields> {
    const id = this.#pending.size + 1
    const answer = new Promise<Fields>((resolve, reject) => {
      this.#pending.set(id, ({ result, error }) => (error ? reject(new Error(error.message)) : resolve(result ?? {})))
    })
    const frame = toFrame(1, Buffer.from(JSON.stringify({ id, method, params })))
    this.#socket.write(frame.subarray(0, frame.length / 2))
    return () => {
      this.#socket.write(frame.subarray(frame.length / 2))
      return answer
    }
  }

  /** The value of an expression in the debugged process, as JSON has it. */
  async evaluate(expression: string): Promise<unknown> {
    const answer = await this.send('Runtime.evaluate', { expression, returnByValue: true })
    if (answer['exceptionDetails']) throw new Error(JSON.stringify(answer['exceptionDetails']))
    return answer['result'].value
  }

  /** The first event of this name that hasn't been asked for yet. */
  async event(method: string): Promise<Fields> {
    for (;;) {
      const index = this.#events.findIndex((event) => event.method === method)
      if (index >= 0) return this.#events.splice(index, 1)[0]?.params ?? {}
      if (!this.#open) throw new Error(`the connection has ended without ${method}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Leaves, as a debugger does that is closed. */
  close(): void {
    this.#socket.write(toFrame(8, Buffer.alloc(0)))
    this.#socket.end()
  }

  #take(message: Message): void {
    if (message.id === undefined) {
      this.#events = [...this.#events, message]
      this.#wake()
    } else {
      this.#pending.get(message.id)?.(message)
    }
  }
}

/** A client masks what it sends; a mask of zeros changes nothing. */
function toFrame(opcode: number, payload: Buffer): Buffer {
  const [first = 0, ...rest] =
    payload.length < 126 ? [payload.length] : [126, payload.length >> 8, payload.length & 255]
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | first, ...rest, 0, 0, 0, 0]), payload])
}

/** The inspector sends each message as one frame. Undefined: not all of it has come. */
function firstFrame(data: Buffer): { opcode: number; payload: Buffer; size: number } | undefined {
  if (data.length < 2) return undefined
  const short = data.readUInt8(1)
  const header = short < 126 ? 2 : short === 126 ? 4 : 10
  if (data.length < header) return undefined
  const length = short < 126 ? short : short === 126 ? data.readUInt16BE(2) : Number(data.readBigUInt64BE(2))
  if (data.length < header + length) return undefined
  return { opcode: data.readUInt8(0) & 15, payload: data.subarray(header, header + length), size: header + length }
}
