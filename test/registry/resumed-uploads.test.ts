import { describe, expect, it } from 'vitest'
import { chunksOf } from '../support/sample-image.ts'
import { type Front, type FrontOptions, startFront } from './front.ts'
import {
  answer,
  blob,
  first,
  type KeepingRegistry,
  keepsUploads,
  query,
  refuse,
  start,
} from './upload-script.ts'

const whole = blob.bytes.toString()
/** What is asked of a session that broke at byte 6, and then goes on there. */
const resumed = [
  start,
  `PUT /upload/1?held=0&${query}`,
  'GET /upload/1?held=0',
  'PATCH /upload/1?held=6',
  `PUT /upload/1?held=12&${query}`,
]

interface Upload {
  readonly front: Front
  /** From which byte the source was opened each time. */
  readonly opened: number[]
  readonly outcome: unknown
  methods(): string
}

/** Uploads the blob of twelve bytes. */
async function upload(registry: KeepingRegistry, options?: FrontOptions): Promise<Upload> {
  const opened: number[] = []
  const front = await startFront(registry.handler, options)
  const openAt = async (from = 0) => {
    opened.push(from)
    return chunksOf(...whole.slice(from))
  }
  const outcome = await front.repository.putBlob(blob.descriptor, openAt).catch((error: unknown) => error)
  await front[Symbol.asyncDispose]()
  return { front, opened, outcome, methods: () => front.seen.map(({ method }) => method).join(' ') }
}

describe('an upload that was cut', () => {
  it('goes on at the byte that the registry names', async () => {
    const registry = keepsUploads([6])
    const { front, opened, outcome } = await upload(registry)
    expect(outcome).toBe('copied')
    expect(registry.blobs).toEqual([whole])
    expect(front.lines).toEqual(resumed)
    expect(front.seen[3]?.headers).toMatchObject({
      'content-range': '6-11',
      'content-length': '6',
      'content-type': 'application/octet-stream',
    })
    expect(opened).toEqual([0, 6])
    expect(front.events).toMatchObject([{ type: 'retry', delayMs: 375 }])
  })

  it.each([
    // Some say `0-0` of nothing, so that it does not say that the first byte is there.
    { cut: 0, methods: 'POST PUT GET DELETE POST PUT', opened: [0, 0] },
    { cut: 1, methods: 'POST PUT GET DELETE POST PUT', opened: [0, 0] },
    { cut: 2, methods: 'POST PUT GET PATCH PUT', opened: [0, 2] },
    { cut: 11, methods: 'POST PUT GET PATCH PUT', opened: [0, 11] },
    { cut: 12, methods: 'POST PUT GET PUT', opened: [0, 12] },
  ])('after $cut of 12 bytes arrives whole', async ({ cut, ...expected }) => {
    const registry = keepsUploads([cut])
    const { opened, outcome, methods } = await upload(registry)
    expect({ outcome, blobs: registry.blobs }).toEqual({ outcome: 'copied', blobs: [whole] })
    expect({ methods: methods(), opened }).toEqual(expected)
  })

  it.each(['bytes=0-5', '0-5'])('goes on for the Range %s', async range => {
    const registry = keepsUploads([6], { GET: () => answer(204, undefined, { range }) })
    const { opened } = await upload(registry)
    expect({ opened, blobs: registry.blobs }).toEqual({ opened: [0, 6], blobs: [whole] })
  })

  it.each(['0-0', '0--1', 'bytes=0--1', '0-12', '0-999999999999', '5', '3-5', '0-5,7-8', 'bytes 0-5/12', ''])(
    'is begun anew for the Range "%s"',
    async range => {
      const registry = keepsUploads([6], { GET: () => answer(204, undefined, { range }) })
      const { methods, opened } = await upload(registry)
      expect({ opened, blobs: registry.blobs }).toEqual({ opened: [0, 0], blobs: [whole] })
      expect(methods()).toBe('POST PUT GET DELETE POST PUT')
    },
  )

  // distribution 2.x knows a session no more whose location is out of date: 404, after a 416 or 400 that ended it.
  it.each([200, 202, 400, 401, 403, 404, 405, 410, 416, 501])(
    'is begun anew where the question how far it came is answered with %i',
    async status => {
      const registry = keepsUploads([6], {
        GET: () => answer(status, '/upload/1', { range: '0-5' }),
        DELETE: () => answer(404),
      })
      const { opened, outcome } = await upload(registry)
      expect({ outcome, opened, blobs: registry.blobs }).toEqual({
        outcome: 'copied',
        opened: [0, 0],
        blobs: [whole],
      })
    },
  )

  it.each([
    ['none', undefined, '/upload/1?held=0'],
    ['one relative to the session', '1?moved', '/upload/1?moved'],
    ['another', '/elsewhere/7', '/elsewhere/7'],
  ])('goes on where the answer says, which names as its location: %s', async (_, location, expected) => {
    const registry = keepsUploads([6], { GET: () => answer(204, location, { range: '0-5' }) })
    const { front } = await upload(registry)
    expect(front.lines[3]).toBe(`PATCH ${expected}`)
    expect(registry.blobs).toEqual([whole])
  })

  it.each(['', 'http://['])('is begun anew where the answer names "%s" as its location', async location => {
    const registry = keepsUploads([6], { GET: () => answer(204, location, { range: '0-5' }) })
    const { methods } = await upload(registry)
    expect({ methods: methods(), blobs: registry.blobs }).toEqual({
      methods: 'POST PUT GET DELETE POST PUT',
      blobs: [whole],
    })
  })

  it.each([500, 502, 503, 504, 408, 429])('by a %i goes on too, when the registry wishes', async status => {
    const registry = keepsUploads([], {
      PUT: usual => first(answer(status, undefined, { 'retry-after': '9' }), usual),
      GET: () => answer(204, undefined, { range: '0-5' }),
      PATCH: () => answer(202, '/upload/1'),
    })
    const { front, methods } = await upload(registry)
    expect(methods()).toBe('POST PUT GET PATCH PUT')
    expect(front.seen[3]?.headers['content-range']).toBe('6-11')
    expect(front.clock.sleeps[0]).toBe(9_000)
  })
})

describe('the tries of an upload', () => {
  it('are counted anew with each byte more that the registry holds', async () => {
    const registry = keepsUploads([2, 2, 2, 2, 2])
    const { outcome, opened } = await upload(registry, { retryPolicy: { retries: 1 } })
    expect({ outcome, opened, blobs: registry.blobs }).toEqual({
      outcome: 'copied',
      opened: [0, 2, 4, 6, 8, 10],
      blobs: [whole],
    })
  })

  it('come to an end where none gets further, and each session is cancelled', async () => {
    const registry = keepsUploads([6, 0, 0, 0, 0])
    const { outcome, methods } = await upload(registry, { retryPolicy: { retries: 2 } })
    expect(outcome).toMatchObject({ name: 'DrayError', code: 'NETWORK' })
    expect(methods()).toBe('POST PUT GET PATCH GET DELETE POST PUT GET DELETE POST PUT DELETE')
  })

  it('come to an end where the registry forgets each session that it was to go on with', async () => {
    const found = answer(204, undefined, { range: '0-5' })
    const registry = keepsUploads(Array(99).fill(6), {
      PATCH: () => seen => seen.message.destroy(),
      GET: () => {
        let asked = 0
        return (seen, response) => {
          asked += 1
          return (asked % 2 === 1 ? found : answer(404))(seen, response)
        }
      },
      DELETE: () => answer(405),
    })
    const { outcome, front } = await upload(registry, { retryPolicy: { retries: 3 } })
    expect(outcome).toMatchObject({ code: 'NETWORK' })
    expect(front.lines.filter(line => /^(PUT|PATCH)/.test(line))).toHaveLength(5)
  })

  it('begin anew after a PATCH that stalled, since something else may hold the session', async () => {
    const registry = keepsUploads([6], { PATCH: usual => first(() => undefined, usual) })
    const { outcome, methods, front } = await upload(registry, { transport: { timeoutMs: 300 } })
    expect({ outcome, blobs: registry.blobs }).toEqual({ outcome: 'copied', blobs: [whole] })
    expect(methods()).toBe('POST PUT GET PATCH GET DELETE POST PUT')
    expect(front.events.map(event => 'reason' in event && event.reason)[1]).toMatch(/no answer came in time/)
  })
})

describe('a session that is refused where it went on', () => {
  it.each([400, 404, 405, 409, 416, 501])('with %i is given up, and the blob is sent whole', async status => {
    const registry = keepsUploads([6], { PATCH: () => answer(status) })
    const { outcome, methods, opened } = await upload(registry)
    expect({ outcome, blobs: registry.blobs }).toEqual({ outcome: 'copied', blobs: [whole] })
    expect(methods()).toBe('POST PUT GET PATCH DELETE POST PUT')
    expect(opened).toEqual([0, 6, 0])
  })

  it.each<[what: string, status: number, headers: Record<string, string>]>([
    ['holds less than it was sent', 202, { location: '/upload/1', range: '0-5' }],
    ['names no place for the rest', 202, {}],
    ['answers with a status that means nothing', 299, {}],
  ])('because the registry %s is given up too', async (_, status, headers) => {
    const registry = keepsUploads([6], { PATCH: () => answer(status, undefined, headers) })
    const { outcome, methods } = await upload(registry)
    expect({ outcome, blobs: registry.blobs }).toEqual({ outcome: 'copied', blobs: [whole] })
    expect(methods()).toBe('POST PUT GET PATCH DELETE POST PUT')
  })

  it('with 500, though it holds what it held, is given up', async () => {
    const registry = keepsUploads([6], { PATCH: () => answer(500) })
    const { outcome, methods } = await upload(registry, { retryPolicy: { retries: 1 } })
    expect({ outcome, blobs: registry.blobs }).toEqual({ outcome: 'copied', blobs: [whole] })
    expect(methods()).toBe('POST PUT GET PATCH GET DELETE POST PUT')
  })

  it('does not go on a second time: what breaks then begins anew', async () => {
    const registry = keepsUploads([6, 7], { PATCH: () => answer(416) })
    const { outcome, methods } = await upload(registry)
    expect({ outcome, blobs: registry.blobs }).toEqual({ outcome: 'copied', blobs: [whole] })
    expect(methods()).toBe('POST PUT GET PATCH DELETE POST PUT DELETE POST PUT')
  })

  it.each([401, 403])('with %i ends the upload, and is cancelled', async status => {
    const registry = keepsUploads([6], { PATCH: () => answer(status) })
    const { outcome, front } = await upload(registry)
    expect(outcome).toMatchObject({ code: 'UNAUTHORIZED', status })
    expect(front.lines.at(-1)).toBe('DELETE /upload/1?held=6')
    expect(registry.blobs).toEqual([])
  })

  it('at its end, because the bytes from before were wrong, is given up', async () => {
    const registry = keepsUploads([6], {
      PUT: usual => (seen, response) =>
        (seen.headers['content-length'] === '0' ? refuse(400, 'DIGEST_INVALID') : usual)(seen, response),
    })
    const { outcome, methods } = await upload(registry)
    expect({ outcome, blobs: registry.blobs }).toEqual({ outcome: 'copied', blobs: [whole] })
    expect(methods()).toBe('POST PUT GET PATCH PUT DELETE POST PUT')
  })

  it('and is refused again when it is sent whole tells what is wrong with it', async () => {
    const registry = keepsUploads([6], {
      PUT: usual => first(usual, refuse(400, 'DIGEST_INVALID')),
    })
    const { outcome, methods } = await upload(registry)
    expect(outcome).toMatchObject({ code: 'INTEGRITY', registryCode: 'DIGEST_INVALID' })
    expect(methods()).toBe('POST PUT GET PATCH PUT DELETE POST PUT DELETE')
  })
})

describe('an upload in pieces that was cut', () => {
  it('goes on within its session, at the place that was named last', async () => {
    const registry = keepsUploads([6], { PUT: usual => first(answer(413), usual) })
    const { front, opened, outcome } = await upload(registry)
    expect({ outcome, blobs: registry.blobs }).toEqual({ outcome: 'copied', blobs: [whole] })
    expect(front.lines.slice(3)).toEqual([
      start,
      'PATCH /upload/2?held=0',
      'GET /upload/2?held=0',
      'PATCH /upload/2?held=6',
      `PUT /upload/2?held=12&${query}`,
    ])
    expect(opened).toEqual([0, 0, 6])
  })

  it('is asked, and cancelled, where the last piece that arrived has said', async () => {
    let patches = 0
    const registry = keepsUploads([6], {
      PUT: usual => first(answer(413), usual),
      PATCH: usual => (seen, response) => {
        patches += 1
        return (patches === 2 ? refuse(403, 'DENIED') : usual)(seen, response)
      },
    })
    const { front, outcome } = await upload(registry)
    expect(outcome).toMatchObject({ code: 'UNAUTHORIZED' })
    expect(front.lines.at(-1)).toBe('DELETE /upload/2?held=6')
  })

  it('is begun anew, in pieces, where the registry does not say how far it came', async () => {
    const registry = keepsUploads([6], { PUT: usual => first(answer(413), usual), GET: () => answer(404) })
    const { methods, outcome } = await upload(registry)
    expect({ outcome, blobs: registry.blobs }).toEqual({ outcome: 'copied', blobs: [whole] })
    expect(methods()).toBe('POST PUT DELETE POST PATCH GET DELETE POST PATCH PUT')
  })
})
