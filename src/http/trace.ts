import type { Middleware } from './message.ts'

/** One request and how it went, without its headers: they hold secrets. */
export interface TraceEvent {
  readonly method: string
  readonly url: URL
  /** The status, or undefined when no answer came. */
  readonly status: number | undefined
  readonly ms: number
  /** Whether the request carried an `Authorization`, and of which scheme. */
  readonly authorization: string | undefined
}

/** Tells of every request that goes over the wire, redirects and retries included, when stacked right on the transport. */
export function trace(
  onTrace: (event: TraceEvent) => void,
  now: () => number = () => performance.now(),
): Middleware {
  return next => async request => {
    const start = now()
    const tell = (status: number | undefined) => {
      const authorization = request.headers?.authorization?.split(' ', 1)[0]
      onTrace({
        method: request.method,
        url: request.url,
        status,
        ms: Math.round(now() - start),
        authorization,
      })
    }
    try {
      const response = await next(request)
      tell(response.status)
      return response
    } catch (error) {
      tell(undefined)
      throw error
    }
  }
}
