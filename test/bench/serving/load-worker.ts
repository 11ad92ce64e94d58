/** A thread that gives a server work; see `startLoad`. */
import { parentPort, workerData } from 'node:worker_threads'
import { Connection } from './connection.ts'
import type { LoadOptions, LoadResult } from './load.ts'
import { type Load, loads } from './loads.ts'

const { name, port, connections: width } = workerData as LoadOptions
const load: Load = loads[name]()
const connections = await Promise.all(Array.from({ length: width }, () => Connection.open(port)))
const [first] = connections
if (first !== undefined) await load.prepare?.(first)
let number = 0
parentPort?.on('message', async (count: number) => parentPort?.postMessage(await work(count)))
parentPort?.postMessage('ready')

/** Does so many jobs, each connection the next one as soon as it is free. */
async function work(count: number): Promise<LoadResult> {
  const last = number + count
  const before = requests()
  const start = performance.now()
  await Promise.all(
    connections.map(async connection => {
      while (number < last) await load.work(connection, ++number)
    }),
  )
  return { wallMs: performance.now() - start, requests: requests() - before }
}

function requests(): number {
  return connections.reduce((sum, connection) => sum + connection.requests, 0)
}
