import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'

/** Runs as it stands here, so that the package can be bundled in one file. */
const program = `
const { parentPort, workerData } = require('node:worker_threads')
const { compareSync } = require(workerData)
parentPort.on('message', ({ id, password, hash }) => {
  parentPort.postMessage({ id, isRight: compareSync(password, hash) })
})
`

interface Waiting {
  readonly resolve: (isRight: boolean) => void
  readonly reject: (error: unknown) => void
}

/** Checks passwords against bcrypt hashes, one after the other, on a thread of its own: each takes about 50 ms. */
export class BcryptWorker {
  readonly #waiting = new Map<number, Waiting>()
  #worker: Promise<Worker> | undefined
  #count = 0

  /** True when the password is the one that was hashed. @throws what the thread ended with */
  compare(password: string, hash: string): Promise<boolean> {
    this.#count += 1
    const id = this.#count
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#worker ??= this.#start()
      this.#worker.then(
        worker => {
          worker.ref()
          worker.postMessage({ id, password, hash })
        },
        error => this.#fail(error),
      )
    })
  }

  async #start(): Promise<Worker> {
    const { Worker } = await import('node:worker_threads')
    const bcrypt = createRequire(join(import.meta.dirname, 'bcrypt-worker')).resolve('bcryptjs')
    const worker = new Worker(program, { eval: true, workerData: bcrypt })
    worker.on('message', ({ id, isRight }: { id: number; isRight: boolean }) => {
      this.#waiting.get(id)?.resolve(isRight)
      this.#waiting.delete(id)
      // A thread that has nothing to do keeps no process from its end.
      if (this.#waiting.size === 0) worker.unref()
    })
    worker.on('error', error => this.#fail(error))
    return worker
  }

  /** The next password starts a new thread. */
  #fail(error: unknown): void {
    this.#worker = undefined
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}
