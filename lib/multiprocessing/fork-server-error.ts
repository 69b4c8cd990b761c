// What can go wrong with a fork server, beside a wrong argument and a failing system call.

/** What went wrong: the server was closed, or it has ended; a module to preload failed; a worker didn't begin. */
export type ForkServerErrorCode =
  | 'ERR_FORK_SERVER_CLOSED'
  | 'ERR_FORK_SERVER_DIED'
  | 'ERR_FORK_SERVER_PRELOAD'
  | 'ERR_FORK_SERVER_WORKER'

/** A fork server that can't do what it was asked for. `cause` is the error of the other process, where it sent one. */
export class ForkServerError extends Error {
  override readonly name = 'ForkServerError'
  readonly code: ForkServerErrorCode

  constructor(code: ForkServerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
