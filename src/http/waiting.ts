import type { Socket } from 'node:net'
import { WireFault } from './wire/wire-fault.ts'

/** How long something may take. */
export interface Waiting {
  /** On the clock of `steadyNow`, in milliseconds. */
  readonly endsAt: number
  readonly signal?: AbortSignal | undefined
}

/** A clock that nobody sets, in milliseconds. `performance` has one too, but is loaded only when it is first used. */
export function steadyNow(): number {
  return process.uptime() * 1000
}

/** How a wait ends; only the first call counts. */
export interface Settle<Value> {
  resolve(value: Value): void
  reject(error: unknown): void
}

/**
 * Waits for something to happen on a socket, which is destroyed when it does not.
 * @param listen begins to listen, and gives what ends that
 * @throws what the socket says, `WireFault` when it is closed or takes too long, or the signal's reason
 */
export async function onSocket<Value>(
  socket: Socket,
  { endsAt, signal }: Waiting,
  listen: (settle: Settle<Value>) => () => void,
): Promise<Value> {
  let stop: () => void = () => undefined
  // Whoever gets the socket listens a moment later; of one that is destroyed nobody wants to hear.
  socket.on('error', () => undefined)
  try {
    return await new Promise<Value>((resolve, reject) => {
      const late = () => reject(new WireFault('CONNECT_TIMEOUT'))
      const timer = setTimeout(late, Math.max(0, endsAt - steadyNow()))
      const abort = () => reject(signal?.reason)
      const close = () => reject(new WireFault('CONNECTION_CLOSED'))
      const unlisten = listen({ resolve, reject })
      socket.once('error', reject).once('close', close)
      signal?.addEventListener('abort', abort, { once: true })
      if (signal?.aborted) abort()
      stop = () => {
        unlisten()
        clearTimeout(timer)
        socket.off('error', reject).off('close', close)
        signal?.removeEventListener('abort', abort)
      }
    })
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    stop()
  }
}
