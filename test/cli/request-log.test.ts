import { describe, expect, it } from 'vitest'
import { logLine, warningLine } from '../../src/cli/request-log.ts'
import { DrayError } from '../../src/errors.ts'
import type { RequestEvent } from '../../src/server/server.ts'

const time = new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 6))
const event: RequestEvent = {
  id: '3c1f8a52-0000-4000-8000-000000000000',
  method: 'PUT',
  path: '/v2/team/app/manifests/v1',
  status: 201,
  ms: 12.6,
  received: 1000,
  sent: 234,
  user: 'ann',
  remoteAddress: '192.0.2.7',
  userAgent: 'docker/27.0 (linux)',
}
const nameless = { ...event, user: undefined, remoteAddress: undefined, userAgent: undefined }
const text = (changed: Partial<RequestEvent> = {}) => logLine('text', { ...event, ...changed }, time)
const json = (changed: Partial<RequestEvent> = {}) => logLine('json', { ...event, ...changed }, time)

describe('the request log', () => {
  it('is one line of text for each request', () => {
    const start = '2026-01-02T03:04:05.006Z'
    expect(text()).toBe(
      `${start} 192.0.2.7 ann PUT /v2/team/app/manifests/v1 201 1234 B 13 ms "docker/27.0 (linux)"\n`,
    )
    expect(logLine('text', nameless, time)).toBe(
      `${start} - - PUT /v2/team/app/manifests/v1 201 1234 B 13 ms -\n`,
    )
  })

  it('is one JSON document for each request', () => {
    const start = '{"time":"2026-01-02T03:04:05.006Z","method":"PUT","path":"/v2/team/app/manifests/v1"'
    expect(json()).toBe(
      `${start},"status":201,"bytes":1234,"ms":13,"user":"ann","remoteAddress":"192.0.2.7",` +
        '"userAgent":"docker/27.0 (linux)"}\n',
    )
    expect(logLine('json', nameless, time)).toBe(`${start},"status":201,"bytes":1234,"ms":13}\n`)
  })

  it('says what failed, under the name that the client was told', () => {
    const error = new DrayError('IO', '/data/x: no space is left on the disk')
    const failed = { status: 500, error, userAgent: undefined }
    expect(text(failed)).toMatch(
      / 500 1234 B 13 ms - 3c1f8a52-\S+: \/data\/x: no space is left on the disk\n$/,
    )
    expect(JSON.parse(json(failed) ?? '')).toMatchObject({ requestId: event.id, error: error.message })
    const bug = new TypeError('x is undefined')
    expect(JSON.parse(json({ error: bug }) ?? '').error).toMatch(/^TypeError: x is undefined\n +at /)
    expect(text({ error: bug })).toMatch(/^[^\n]*TypeError: x is undefined\\n +at [^\n]*\n$/)
  })

  it('escapes what could repaint a terminal or forge a line', () => {
    const evil = { userAgent: 'a"\r\n\u001b[2J\u202e', path: '/v2/\u001b]0;x\u0007', user: 'ann x\nroot' }
    const line = text(evil) ?? ''
    expect(line).toMatch(/^[^\p{Cc}\u202e]*\n$/u)
    expect(line).toContain(' "ann x\\nroot" PUT /v2/\\u{1b}]0;x\\u{7} 201 ')
    expect(line).toContain('"a\\"\\r\\n\\u001b[2J\\u{202e}"')
    expect(json(evil)).toMatch(/^[^\p{Cc}\u202e]*\n$/u)
    expect(JSON.parse(json(evil) ?? '')).toMatchObject(evil)
  })

  it('cuts what is long', () => {
    const long = 'x'.repeat(10_000)
    expect(text({ userAgent: long, path: long, method: long })?.length).toBeLessThan(1000)
    expect(json({ userAgent: long, path: long, method: long })?.length).toBeLessThan(1000)
  })

  it('has warnings in the form of its requests', () => {
    const message = 'users: \u001b[2Jgone\n'
    expect(warningLine('text', message, time)).toBe('warning: users: \\u{1b}[2Jgone\\n\n')
    expect(warningLine('none', message, time)).toBe('warning: users: \\u{1b}[2Jgone\\n\n')
    const line = warningLine('json', message, time)
    expect(line).toMatch(/^[^\p{Cc}]*\n$/u)
    expect(JSON.parse(line)).toEqual({ time: '2026-01-02T03:04:05.006Z', warning: message })
  })

  it('is silent where it is to be', () => expect(logLine('none', event, time)).toBeUndefined())
})
