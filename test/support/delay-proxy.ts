import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { start } from './run.ts'

export interface DelayProxyOptions {
  /** `HOST:PORT`, to which each connection is passed on. */
  readonly target: string
  /** How much later the bytes arrive, each way; half of what a round trip takes more. */
  readonly delayMs: number
}

/** Stands in front of a server and brings everything later: bytes and the end, but not the connecting itself. */
export interface DelayProxy extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string
}

/** How much may be on its way; more than a fast connection sends in the delay, so that only time is lost. */
const mostOnTheWay = 64 * 1024 * 1024

/** Starts a proxy in this process, on a free port of 127.0.0.1. */
export async function startDelayProxy({ target, delayMs }: DelayProxyOptions): Promise<DelayProxy> {
  const open = new Set<Socket>()
  const [host = '', port = ''] = target.split(':')
  const server = createServer({ allowHalfOpen: true, noDelay: true }, near => {
    const far = connect({ host, port: Number(port), allowHalfOpen: true, noDelay: true })
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from)
      from.on('close', () => open.delete(from))
      passLater(from, to, delayMs)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      for (const socket of open) socket.destroy()
      await closed
    },
  }
}

/** The same in a process of its own, which takes no time from the caller's. */
export async function spawnDelayProxy({ target, delayMs }: DelayProxyOptions): Promise<DelayProxy> {
  const running = await start(process.execPath, [import.meta.filename, target, String(delayMs)])
  const [, host = ''] = await running.printed(/delays (127\.0\.0\.1:\d+)/)
  return { host, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() }
}

function passLater(from: Socket, to: Socket, delayMs: number): void {
  let onTheWay = 0
  const later = (arrive: () => void) => setTimeout(() => to.destroyed || arrive(), delayMs)
  from.on('data', chunk => {
    onTheWay += chunk.length
    if (onTheWay > mostOnTheWay) from.pause()
    later(() =>
      to.write(chunk, () => {
        onTheWay -= chunk.length
        if (onTheWay <= mostOnTheWay) from.resume()
      }),
    )
  })
  from.on('end', () => later(() => to.end()))
  // A broken connection breaks the other one too; 'close' says so to both.
  from.on('error', () => undefined)
  from.on('close', broken => later(() => broken && to.destroy()))
}

if (import.meta.main) {
  const [target = '', delayMs] = process.argv.slice(2)
  const proxy = await startDelayProxy({ target, delayMs: Number(delayMs) })
  console.log(`delays ${proxy.host}`)
}
