// Events that must come exactly once.
import { table } from './table'

export interface Balance {
  begun: number
  lost: number
  doubled: number
}

export interface NamedBalance {
  name: string
  balance: Balance
}

/** True if each event came once. */
export function areEven(balances: readonly NamedBalance[]): boolean {
  return balances.every(({ balance }) => balance.lost === 0 && balance.doubled === 0)
}

export function balanceTable(balances: readonly NamedBalance[]): string {
  return table([
    ['in the parent', 'begun', 'lost', 'doubled'],
    ...balances.map(({ name, balance }) => [name, balance.begun, balance.lost, balance.doubled]),
  ])
}

export class Ledger {
  readonly #open = new Set<number>()
  #begun = 0
  #doubled = 0

  /** A new event, by its number. */
  begin(): number {
    const id = ++this.#begun
    this.#open.add(id)
    return id
  }

  /** It has come. */
  end(id: number): void {
    if (!this.#open.delete(id)) this.#doubled++
  }

  get isSettled(): boolean {
    return this.#open.size === 0
  }

  get balance(): Balance {
    return { begun: this.#begun, lost: this.#open.size, doubled: this.#doubled }
  }
}
