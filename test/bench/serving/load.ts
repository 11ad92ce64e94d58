import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { LoadName } from './loads.ts'

export interface LoadOptions {
  readonly name: LoadName
  /** Of the server, on 127.0.0.1. */
  readonly port: number
  readonly connections: number
}

/** Work that takes longer has gone wrong. */
const longestMs = 120_000

/** What some jobs took. */
export interface LoadResult {
  readonly wallMs: number
  readonly requests: number
}

/** A thread of its own that gives a server work. */
export interface RunningLoad extends AsyncDisposable {
  /** Does so many jobs. @throws Error when the server answers otherwise than it should */
  work(count: number, signal: AbortSignal): Promise<LoadResult>
}

/** Prepares a server for work. @throws Error when the server answers otherwise than it should */
export async function startLoad(options: LoadOptions, signal: AbortSignal): Promise<RunningLoad> {
  const worker = new Worker(new URL('load-worker.ts', import.meta.url), { workerData: options })
  const dispose = async () => {
    await worker.terminate()
  }
  const ended = once(worker, 'exit').then(() => {
    throw new Error('the load has ended')
  })
  ended.catch(() => undefined) // which is no fault where nobody waits for a message
  const nextMessage = async (interruption: AbortSignal): Promise<unknown> => {
    const signal = AbortSignal.any([interruption, AbortSignal.timeout(longestMs)])
    const [message] = await Promise.race([once(worker, 'message', { signal }), ended])
    return message
  }
  try {
    await nextMessage(signal)
  } catch (error) {
    await dispose()
    throw error
  }
  return {
    async work(count, signal) {
      const answered = nextMessage(signal)
      worker.postMessage(count)
      return (await answered) as LoadResult
    },
    [Symbol.asyncDispose]: dispose,
  }
}
