import { DrayError, isDrayError } from '../../errors.ts'

/** So long after a failure nobody waits for the next one, but for one request that finds out. */
const awayMs = 10_000
/** What goes wrong with one upstream is told of once in so long. */
const quietMs = 60_000

export interface HealthOptions {
  /** The upstream's. */
  readonly name: string
  /** Now, in milliseconds. */
  readonly clock: () => number
  readonly onWarning?: ((message: string) => void) | undefined
}

/** Whether an upstream answers, as far as was seen last. */
export class Health {
  readonly #options: HealthOptions
  #away: { readonly error: DrayError; until: number } | undefined
  #warnedAt = Number.NEGATIVE_INFINITY

  constructor(options: HealthOptions) {
    this.#options = options
  }

  /**
   * Says so at once where the upstream did not answer a moment ago. From time to time one is let pass to find out more.
   * @throws DrayError with the code of that failure
   */
  throwIfAway(): void {
    if (this.#away === undefined) return
    const now = this.#options.clock()
    const { error, until } = this.#away
    if (now < until) throw new StillAway(error, Math.ceil((until - now) / 1000))
    this.#away.until = now + awayMs
  }

  answered(): void {
    if (this.#away === undefined) return
    this.#away = undefined
    this.#warnedAt = Number.NEGATIVE_INFINITY
    this.#options.onWarning?.(`${this.#options.name} answers again`)
  }

  /** Takes note of what a request to the upstream ended with. */
  failed(error: unknown): void {
    const isTold = isDrayError(error, 'NOT_FOUND', 'ABORTED') || error instanceof StillAway
    if (isTold) return
    const { clock } = this.#options
    if (isAway(error)) this.#away = { error, until: clock() + awayMs }
    this.warn(error instanceof Error ? error.message : String(error))
  }

  /** Tells of trouble with the upstream, unless that was told of a moment ago. */
  warn(message: string): void {
    const { name, clock, onWarning } = this.#options
    const now = clock()
    if (now - this.#warnedAt < quietMs) return
    this.#warnedAt = now
    onWarning?.(`the mirror of ${name}: ${message}`)
  }
}

/** Nothing was asked. */
class StillAway extends DrayError {
  /** As the header has it. */
  readonly retryAfter: string

  constructor({ code, message, status }: DrayError, seconds: number) {
    super(code, `${message}; it is asked again in ${seconds} s`, { status })
    this.retryAfter = `${seconds}`
  }
}

/** True for what speaks of the upstream as a whole, and not of one repository, login or limit. */
function isAway(error: unknown): error is DrayError {
  if (!isDrayError(error, 'NETWORK', 'TIMEOUT')) return false
  return error.status === undefined || [502, 503, 504].includes(error.status)
}
