import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

/**
 * Starts a server that cannot choose a port by itself: `start` gets one that was free a moment ago, and another when it
 * fails, since somebody else may have been faster.
 */
export async function onFreePort<Started>(start: (port: number) => Promise<Started>): Promise<Started> {
  for (let triesLeft = 3; ; triesLeft -= 1) {
    try {
      return await start(await freePort())
    } catch (error) {
      if (triesLeft === 0) throw error
    }
  }
}

/** A port of 127.0.0.1 at which nobody listens. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
