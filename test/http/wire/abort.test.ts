import { getEventListeners, once, setMaxListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { DrayError } from '../../../src/errors.ts'
import { type Chunks, flow, pour } from '../../../src/flow.ts'
import type { HttpRequest, HttpResponse } from '../../../src/http/message.ts'
import { gate, meet, type Peer } from './raw-server.ts'

const reason = new DrayError('PARTIAL', 'another part failed')
const never = () => new Promise<never>(() => {})
const put = (open: () => Promise<Chunks>) => ({ method: 'PUT', body: { length: 2 ** 30, open } }) as const

async function* zeros() {
  for (;;) yield Buffer.alloc(1024 * 1024)
}

type Phase = [
  what: string,
  request: Partial<HttpRequest>,
  script: (peer: Peer, abort: () => void) => unknown,
  read?: (answer: HttpResponse, abort: () => void) => Promise<unknown>,
]

const half = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello'

describe('an abort', () => {
  it.each<Phase>([
    [
      'while the answer is waited for',
      {},
      async (peer, abort) => {
        await peer.request()
        abort()
      },
    ],
    [
      'in the middle of a head',
      {},
      async (peer, abort) => {
        await peer.request()
        await peer.write('HTTP/1.1 200')
        abort()
      },
    ],
    [
      'before a body is read',
      {},
      peer => peer.write(half),
      async (answer, abort) => {
        abort()
        await pour(answer.body, () => undefined)
      },
    ],
    [
      'while a body stalls',
      {},
      peer => peer.write(half),
      (answer, abort) =>
        pour(answer.body, () => {
          setImmediate(abort)
          return undefined
        }),
    ],
    [
      'by the taker of a body',
      {},
      peer => peer.write(half),
      (answer, abort) =>
        pour(answer.body, () => {
          abort()
          return undefined
        }),
    ],
    [
      'while the taker of a body is busy',
      {},
      peer => peer.write(half),
      (answer, abort) =>
        pour(answer.body, () => {
          setImmediate(abort)
          return never()
        }),
    ],
    [
      'while a body is thrown away',
      {},
      peer => peer.write(half),
      async (answer, abort) => {
        setImmediate(abort)
        await answer.discard()
        await pour(
          flow(() => Promise.reject(reason)),
          () => undefined,
        )
      },
    ],
    [
      'while the server holds an upload back',
      put(async () => zeros()),
      async (peer, abort) => {
        await peer.request()
        setTimeout(abort, 50)
      },
    ],
  ])('%s ends it with the reason that was given, and its connection', async (_, request, script, read) => {
    const controller = new AbortController()
    const { signal } = controller
    const abort = () => controller.abort(reason)
    await using meeting = await meet(async peer => {
      if (read !== undefined) await peer.request()
      await script(peer, abort)
    })
    const outcome = meeting.ask({ ...request, signal }).then(answer => read?.(answer, abort))
    await expect(outcome).rejects.toBe(reason)
    await meeting.server.peers[0]?.closed
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('that came before sends nothing and takes no kept connection', async () => {
    await using meeting = await meet(async peer => {
      for (;;) {
        await peer.request()
        await peer.write('HTTP/1.1 204 x\r\n\r\n')
      }
    })
    const ask = (signal?: AbortSignal) => meeting.ask({ signal })
    await expect(ask(AbortSignal.abort(reason))).rejects.toBe(reason)
    expect(meeting.server.peers.length).toBe(0)
    await ask()
    await expect(ask(AbortSignal.abort())).rejects.toMatchObject({ code: 'ABORTED' })
    await ask()
    expect(meeting.server.peers.length).toBe(1)
  })

  it('while it connects leaves no connection', async () => {
    // A server that takes connections and says nothing never ends a TLS handshake.
    const came = gate<Peer>()
    await using meeting = await meet(peer => came.open(peer))
    const controller = new AbortController()
    const url = new URL(meeting.server.url.replace('http:', 'https:'))
    const asking = meeting.wire.send({ method: 'GET', url, signal: controller.signal })
    const peer = await came.passed
    controller.abort()
    await expect(asking).rejects.toMatchObject({ code: 'ABORTED' })
    await peer.closed
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })

  it('ends a source that stalls as soon as it goes on', async () => {
    const controller = new AbortController()
    const go = gate()
    const left = gate()
    let given = 0
    async function* source() {
      try {
        for (;;) {
          given += 1
          yield Buffer.from('x')
          if (given === 1) await go.passed
        }
      } finally {
        left.open()
      }
    }
    await using meeting = await meet(async peer => {
      await peer.request()
      controller.abort(reason)
    })
    await expect(meeting.ask({ ...put(async () => source()), signal: controller.signal })).rejects.toBe(
      reason,
    )
    await meeting.server.peers[0]?.closed
    go.open()
    await left.passed
    expect(given).toBe(2)
  })

  it('gives a taker that was busy nothing more, so that who reads again gets nothing twice', async () => {
    const controller = new AbortController()
    const go = gate()
    const busy = gate()
    await using meeting = await meet(async peer => {
      await peer.request()
      await peer.write(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n',
      )
    })
    const answer = await meeting.ask({ signal: controller.signal })
    const taken: string[] = []
    const pouring = pour(answer.body, piece => {
      taken.push(Buffer.from(piece).toString())
      busy.open()
      return go.passed
    })
    await busy.passed
    controller.abort(reason)
    await expect(pouring).rejects.toBe(reason)
    go.open()
    await new Promise(setImmediate)
    expect(taken).toEqual(['a'])
  })

  it('of one signal may end many requests, and leaves no listener and no warning', async () => {
    const warnings: Error[] = []
    const warn = (warning: Error) => warnings.push(warning)
    process.on('warning', warn)
    await using meeting = await meet(async peer => {
      await peer.request()
      await peer.write(half)
    })
    const controller = new AbortController()
    const { signal } = controller
    // Who makes a signal for many says so; Node 20 warns otherwise.
    setMaxListeners(0, signal)
    const answers = await Promise.all(Array.from({ length: 40 }, () => meeting.ask({ signal })))
    const outcomes = answers.map(({ body }) => pour(body, () => undefined).catch((error: unknown) => error))
    controller.abort(reason)
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set([reason]))
    expect(getEventListeners(signal, 'abort')).toEqual([])
    await Promise.all(meeting.server.peers.map(peer => peer.closed))
    await new Promise(setImmediate)
    process.off('warning', warn)
    expect(warnings).toEqual([])
  })

  it('by the signal of the wire ends what has none of its own', async () => {
    const controller = new AbortController()
    await using meeting = await meet(
      async peer => {
        await peer.request()
        controller.abort(reason)
      },
      { wire: { signal: controller.signal } },
    )
    await expect(meeting.ask()).rejects.toBe(reason)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })
})

describe('a request that is over', () => {
  it('leaves no listener at its signal and no timer', async () => {
    const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
    await using meeting = await meet(async peer => {
      for (;;) {
        await peer.whole()
        await peer.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello')
      }
    })
    const { signal } = new AbortController()
    const before = timers()
    for (let at = 0; at < 20; at += 1) {
      const body = { length: 1, open: async () => [Buffer.from('x')] as unknown as Chunks }
      await (await meeting.ask({ signal })).discard()
      await (await meeting.ask({ signal, method: 'PUT', body })).discard()
    }
    expect(getEventListeners(signal, 'abort')).toEqual([])
    expect(timers()).toBeLessThanOrEqual(before + 1)
    expect(meeting.server.peers.length).toBe(1)
    const [peer] = meeting.server.peers
    meeting.wire.close()
    if (peer !== undefined && !peer.socket.readableEnded)
      await Promise.race([once(peer.socket, 'end'), peer.closed])
  })
})
