import { DrayError } from '../errors.ts'
import { RecentMap } from '../recent-map.ts'
import { type HttpResponse, isStreamBody, type Middleware } from './message.ts'
import { aborted } from './network-error.ts'
import { type Clock, parseRetryAfter } from './retry.ts'

/** The limits of a registry that are known beforehand. */
export interface PaceLimits {
  /** How many requests go out in a second, evenly spaced; may be a fraction. */
  readonly requestsPerSecond?: number | undefined
  /** How many requests may wait for an answer at a time. An upload that streams its body is not counted. */
  readonly maxRequestsUnderWay?: number | undefined
}

export interface PaceOptions {
  readonly clock: Clock
  /** The registry's own. */
  readonly origin: string
  /** For the registry's own origin alone. */
  readonly limits?: PaceLimits | undefined
  /** The longest `Retry-After` that is waited for. */
  readonly maxRetryAfterMs: number
}

/**
 * Keeps the pace that a registry asks for: an answer 429, or 503 with `Retry-After`, holds back all that has not gone
 * out yet, and then lets it go one by one. Whoever only waits here uses up no try. It stands next to the wire, so that
 * redirects, questions for tokens and uploads pass it too. Each origin has a pace of its own: a token service or a
 * store of blobs has limits of its own, and a registry that is busy is no reason not to ask them.
 * @throws DrayError `USAGE` for limits that let nothing pass
 */
export function pace(options: PaceOptions): Middleware {
  const { clock, origin: registry, limits, maxRetryAfterMs } = options
  const paces = new RecentMap<string, Pace>().set(registry, new Pace(clock, limits))

  return next => async request => {
    const { origin } = request.url
    const own = paces.get(origin) ?? new Pace(clock)
    paces.set(origin, own)
    const waiting = own.turn(request.signal)
    if (waiting !== undefined) await waiting
    // Its body may come from another request to this registry, for which a place must be left.
    const keepsPlace = !isStreamBody(request.body)
    if (!keepsPlace) own.leave()
    const { era } = own
    try {
      const response = await next(request)
      const pauseMs = pauseAfter(response)
      if (pauseMs !== undefined) own.slowDown(pauseMs, era)
      else if (response.status < 500) own.wentWell(era)
      return response
    } finally {
      if (keepsPlace) own.leave()
    }
  }

  /** A pause that is too long ends the attempts of who is told to make it; others would only wait for the same end. */
  function pauseAfter({ status, headers }: HttpResponse): number | undefined {
    if (status !== 429 && status !== 503) return undefined
    const pauseMs = parseRetryAfter(headers.get('retry-after'), clock.now())
    if (pauseMs === undefined) return status === 429 ? 0 : undefined
    return pauseMs > maxRetryAfterMs ? 0 : pauseMs
  }
}

/** After the first 429: ten requests a second are within the known limits of most registries. */
const firstGapMs = 100
/** Each new 429 doubles the gap, so that even a registry that takes one request a second is obeyed after five of them. */
const slower = 2
/** No more than this, so that what was only a bad minute is over soon. */
const longestGapMs = 5000
/**
 * Each good answer takes 3 % off, so that 23 of them make up for one 429, whatever a registry's limit is. Simulated
 * ones that take 1 to 50 requests a second then refuse 3 to 10 %, and no request runs out of tries, where without a
 * pace a third did. A lone 429 is forgotten after a hundred answers, which take three seconds.
 */
const faster = 0.97
/** Below this a gap is given up: it would be 200 requests a second. */
const shortestGapMs = 5
/** How much of the time that timers come late is made up for. */
const latenessMs = 100
/** Timers of Node cannot wait for more than 24 days. */
const longestSleepMs = 3_600_000

interface Waiting {
  readonly signal: AbortSignal | undefined
  readonly go: () => void
  readonly fail: (error: unknown) => void
}

/** The order in which requests to one origin go out, and when. */
class Pace {
  readonly #clock: Clock
  readonly #spacingMs: number
  readonly #maxUnderWay: number
  /** First come, first served. */
  readonly #waiting = new Set<Waiting>()
  #isServing = false
  #underWay = 0
  #nextAt = Number.NEGATIVE_INFINITY
  #gapMs = 0
  #era = 0

  constructor(clock: Clock, limits: PaceLimits = {}) {
    const { requestsPerSecond, maxRequestsUnderWay = Number.POSITIVE_INFINITY } = limits
    if (requestsPerSecond !== undefined && !(requestsPerSecond > 0)) {
      throw new DrayError('USAGE', `requestsPerSecond must be more than 0, not ${requestsPerSecond}`)
    }
    if (!(maxRequestsUnderWay >= 1)) {
      throw new DrayError('USAGE', `maxRequestsUnderWay must be 1 or more, not ${maxRequestsUnderWay}`)
    }
    this.#clock = clock
    this.#spacingMs = requestsPerSecond === undefined ? 0 : 1000 / requestsPerSecond
    this.#maxUnderWay = maxRequestsUnderWay
  }

  /** Changes when the pace is slowed down: answers to what went out before say nothing about the new pace. */
  get era(): number {
    return this.#era
  }

  /** Takes a place among those under way; undefined when that was possible at once. */
  turn(signal: AbortSignal | undefined): Promise<void> | undefined {
    if (this.#waiting.size === 0 && this.#hasPlace && this.#nextAt <= this.#clock.now()) {
      this.#start(0)
      return undefined
    }
    return this.#queue(signal)
  }

  /** Gives the place back. */
  leave(): void {
    this.#underWay -= 1
    if (this.#waiting.size > 0) this.#serve()
  }

  /** Nobody goes out for `pauseMs`, and then with a gap. Many answers of one era are one event. */
  slowDown(pauseMs: number, era: number): void {
    if (era === this.#era) {
      this.#era += 1
      this.#gapMs = Math.min(Math.max(this.#gapMs * slower, firstGapMs), longestGapMs)
    }
    this.#nextAt = Math.max(this.#nextAt, this.#clock.now() + Math.max(pauseMs, this.#gapMs))
  }

  /** An answer came as it should. */
  wentWell(era: number): void {
    if (era !== this.#era) return
    this.#gapMs = this.#gapMs * faster < shortestGapMs ? 0 : this.#gapMs * faster
  }

  get #hasPlace(): boolean {
    return this.#underWay < this.#maxUnderWay
  }

  #start(overdueMs: number): void {
    const from = Math.max(this.#nextAt, this.#clock.now() - overdueMs)
    this.#nextAt = from + Math.max(this.#gapMs, this.#spacingMs)
    this.#underWay += 1
  }

  #queue(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(aborted(signal))
      const settle = (how: () => void) => {
        signal?.removeEventListener('abort', abort)
        if (this.#waiting.delete(waiting)) how()
      }
      const waiting: Waiting = {
        signal,
        go: () => settle(resolve),
        fail: error => settle(() => reject(error)),
      }
      const abort = () => signal !== undefined && waiting.fail(aborted(signal))
      signal?.addEventListener('abort', abort)
      this.#waiting.add(waiting)
      this.#serve()
    })
  }

  /** Lets them go one after another. It is the first who sleeps, so that nobody waits on behalf of one who has left. */
  async #serve(): Promise<void> {
    if (this.#isServing) return
    this.#isServing = true
    for (let [first] = this.#waiting; first !== undefined && this.#hasPlace; [first] = this.#waiting) {
      const waitMs = this.#nextAt - this.#clock.now()
      if (waitMs > 0) {
        await this.#clock.sleep(Math.min(waitMs, longestSleepMs), first.signal).catch(first.fail)
      } else {
        this.#start(latenessMs)
        first.go()
      }
    }
    this.#isServing = false
  }
}
