import { describe, expect, it } from 'vitest'
import { type Chunks, flow } from '../../../src/flow.ts'
import { bytes, gate, meet, type Peer, pattern, text } from './raw-server.ts'

const put = (length: number, open: () => Promise<Chunks>) =>
  ({ method: 'PUT', body: { length, open } }) as const

async function* pieces(...given: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const piece of given) yield Buffer.from(piece)
}

const created = 'HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n'
const never = () => new Promise<never>(() => {})

describe('a stream that is sent', () => {
  it.each<[what: string, length: number, given: string[]]>([
    ['in pieces, some of them empty', 11, ['', 'hello', '', ' world', '']],
    ['of nothing', 0, []],
    ['of nothing in a piece', 0, ['']],
  ])('%s has its length and its bytes', async (_, length, given) => {
    const seen = gate<{ head: string; body: Buffer }>()
    await using meeting = await meet(async peer => {
      seen.open(await peer.whole())
      await peer.write(created)
    })
    expect((await meeting.ask(put(length, async () => pieces(...given)))).status).toBe(201)
    const { head, body } = await seen.passed
    expect(head).toMatch(new RegExp(`^content-length: ${length}$`, 'm'))
    expect(head).not.toMatch(/transfer-encoding/)
    expect(body.toString()).toBe(given.join(''))
  })

  it('may use the memory of a piece again as soon as it is taken, however slow the server is', async () => {
    const content = pattern(24 * 1024 * 1024)
    const seen = gate<Buffer>()
    await using meeting = await meet(async peer => {
      seen.open((await peer.whole()).body)
      await peer.write(created)
    })
    const memory = Buffer.alloc(100_000)
    const reused = flow(async take => {
      for (let at = 0; at < content.length; at += memory.length) {
        const piece = memory.subarray(0, content.copy(memory, 0, at, at + memory.length))
        const taken = take(piece)
        if (taken !== undefined) await taken
        memory.fill('x')
      }
    })
    expect((await meeting.ask(put(content.length, async () => reused))).status).toBe(201)
    expect((await seen.passed).equals(content)).toBe(true)
  })

  it('holds its source back while the server takes nothing', async () => {
    const go = gate()
    await using meeting = await meet(async peer => {
      await peer.request()
      await go.passed
      await peer.read(64 * 1024 * 1024)
      await peer.write(created)
    })
    let given = 0
    async function* source() {
      for (; given < 64; given += 1) yield Buffer.alloc(1024 * 1024)
    }
    const asking = meeting.ask(put(64 * 1024 * 1024, async () => source()))
    await settled(() => given)
    expect(given).toBeGreaterThan(0)
    expect(given).toBeLessThan(32)
    go.open()
    expect((await asking).status).toBe(201)
    expect(given).toBe(64)
  })

  it('may come in one huge piece, each part of which has its time', async () => {
    const content = pattern(32 * 1024 * 1024)
    const seen: Buffer[] = []
    await using meeting = await meet(
      async peer => {
        await peer.request()
        for (let at = 0; at < 32; at += 1) {
          await new Promise(resolve => setTimeout(resolve, 20))
          seen.push(await peer.read(1024 * 1024))
        }
        await peer.write(created)
      },
      { wire: { timeoutMs: 300 } },
    )
    expect((await meeting.ask(put(content.length, async () => pieces(content)))).status).toBe(201)
    expect(Buffer.concat(seen).equals(content)).toBe(true)
  })
})

describe('a source that', () => {
  const fault = new Error('the disk is gone')

  it.each<[what: string, open: () => Promise<Chunks>, why: string]>([
    ['cannot be opened', () => Promise.reject(fault), 'the disk is gone'],
    [
      'breaks at once',
      async () =>
        flow(async () => {
          throw fault
        }),
      'the disk is gone',
    ],
    [
      'breaks in the middle',
      async () =>
        (async function* () {
          yield Buffer.from('hell')
          throw fault
        })(),
      'the disk is gone',
    ],
    ['is too short', async () => pieces('hell'), 'the body ended after 4 of 5 bytes'],
    ['is empty', async () => pieces(), 'the body ended after 0 of 5 bytes'],
    ['is too long in one piece', async () => pieces('hello!'), 'the body is longer than its 5 bytes'],
    ['is too long in another piece', async () => pieces('hello', '!'), 'the body is longer than its 5 bytes'],
  ])('%s ends the request with its own fault, and never a byte too many', async (_, open, why) => {
    const seen = gate<Buffer>()
    await using meeting = await meet(async peer => {
      const all: Buffer[] = []
      peer.socket.removeAllListeners('data').on('data', piece => all.push(piece))
      peer.socket.on('close', () => seen.open(Buffer.concat(all))).on('end', () => peer.socket.end())
      peer.socket.resume()
    })
    await expect(meeting.ask(put(5, open))).rejects.toThrow(why)
    expect((await seen.passed).toString()).toMatch(/^(?:PUT [\s\S]*\r\n\r\nh?e?l?l?o?)?$/)
  })

  it('stalls is not hurried, but a stall of the server is none of its own', async () => {
    const go = gate()
    await using meeting = await meet(
      async peer => {
        await peer.whole()
        await peer.write(created)
      },
      { wire: { timeoutMs: 30, uploadTimeoutMs: 5000 } },
    )
    async function* slow() {
      yield Buffer.from('he')
      await go.passed
      yield Buffer.from('llo')
    }
    const asking = meeting.ask(put(5, async () => slow()))
    setTimeout(go.open, 120)
    expect((await asking).status).toBe(201)
  })
})

describe('a server that', () => {
  const zeros = async function* () {
    for (;;) yield Buffer.alloc(1024 * 1024)
  }
  const huge = 1024 * 1024 * 1024

  it('stops taking is given up in time', async () => {
    await using meeting = await meet(peer => peer.request(), { wire: { timeoutMs: 100 } })
    await expect(meeting.ask(put(huge, async () => zeros()))).rejects.toMatchObject({
      code: 'TIMEOUT',
      fault: 'timeout',
      message: /the upload stalled/,
    })
    await meeting.server.peers[0]?.closed
  })

  it('takes all and does not answer is given up in the time for uploads', async () => {
    await using meeting = await meet(peer => peer.whole(), { wire: { uploadTimeoutMs: 50 } })
    await expect(meeting.ask(put(5, async () => pieces('hello')))).rejects.toMatchObject({
      message: /no answer came in time/,
    })
  })

  it.each([
    ['resets', (peer: Peer) => peer.socket.resetAndDestroy()],
    ['closes', (peer: Peer) => peer.socket.destroy()],
    ['ends', (peer: Peer) => peer.socket.end()],
  ])('%s in the middle ends the request, and the source with it', async (_, fault) => {
    const left = gate()
    async function* source() {
      try {
        yield* zeros()
      } finally {
        left.open()
      }
    }
    await using meeting = await meet(async peer => {
      await peer.request()
      await peer.read(1_000_000)
      fault(peer)
    })
    await expect(meeting.ask(put(huge, async () => source()))).rejects.toMatchObject({
      code: 'NETWORK',
      fault: 'broken',
    })
    await left.passed
  })

  it.each([401, 413])(
    'answers %i before it has all is heard, and the source is ended at its next piece',
    async status => {
      const go = gate()
      const left = gate()
      async function* source() {
        try {
          yield Buffer.from('half')
          await go.passed
          yield Buffer.from('more')
          await never()
        } finally {
          left.open()
        }
      }
      await using meeting = await meet(async peer => {
        await peer.request()
        await peer.read(4)
        await peer.write(`HTTP/1.1 ${status} No\r\nContent-Length: 3\r\n\r\nwhy`)
      })
      const answer = await meeting.ask(put(huge, async () => source()))
      expect(answer.status).toBe(status)
      expect(await text(answer.body)).toBe('why')
      // What was not sent whole leaves no connection behind, although the server would keep it.
      await meeting.server.peers[0]?.closed
      go.open()
      await left.passed
    },
  )

  it('answers before it has all is heard to the end, though the source breaks meanwhile', async () => {
    const go = gate()
    const broken = gate()
    async function* source() {
      yield Buffer.from('half')
      await go.passed
      broken.open()
      throw new Error('the disk is gone')
    }
    await using meeting = await meet(async peer => {
      await peer.request()
      await peer.write('HTTP/1.1 413 No\r\nContent-Length: 3\r\n\r\nw')
      await broken.passed
      await new Promise(setImmediate)
      await peer.write('hy')
    })
    const answer = await meeting.ask(put(8, async () => source()))
    go.open()
    expect(await text(answer.body)).toBe('why')
  })

  it('answers while it holds the upload back is heard to the end, and may not stall for ever', async () => {
    const reading = gate()
    await using meeting = await meet(
      async peer => {
        await peer.request()
        await peer.write('HTTP/1.1 413 No\r\nContent-Length: 3\r\n\r\nw')
        await reading.passed
        // Now what was under way is taken, which is no sign that the answer goes on.
        peer.socket.removeAllListeners('data').resume()
      },
      { wire: { timeoutMs: 200 } },
    )
    const answer = await meeting.ask(put(huge, async () => zeros()))
    const seen = bytes(answer.body)
    reading.open()
    await expect(seen).rejects.toMatchObject({ message: /the answer stalled/ })
  })

  it('answers a request that was not sent yet is not believed', async () => {
    const asked = gate()
    await using meeting = await meet(async peer => {
      await peer.whole()
      await peer.write(created)
      await asked.passed
      await peer.write(created)
    })
    await (await meeting.ask({ method: 'POST' })).discard()
    const source = async () => {
      asked.open()
      return flow(never)
    }
    await expect(meeting.ask(put(5, source))).rejects.toMatchObject({
      fault: 'broken',
      message: /answers before it is asked/,
    })
  })
})

/** Resolves when a count has stopped growing. */
async function settled(count: () => number): Promise<void> {
  for (let before = -1; before !== count() || before === 0; ) {
    before = count()
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}
