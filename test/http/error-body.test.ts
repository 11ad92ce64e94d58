import { describe, expect, it } from 'vitest'
import { describeBody, type ErrorDescription } from '../../src/http/error-body.ts'
import { type HttpResponse, headersFrom } from '../../src/http/message.ts'

const esc = '\u001b'

describe('the body of an error is told in one line', () => {
  it.each<[shape: string, body: unknown, expected: ErrorDescription]>([
    [
      'one error',
      errors({ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }),
      { code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' },
    ],
    [
      'an error with a detail that is text',
      errors({ code: 'DENIED', message: 'denied', detail: 'ask your admin' }),
      { code: 'DENIED', message: 'denied (ask your admin)' },
    ],
    [
      'an error with a detail that is none',
      errors({ code: 'DENIED', message: 'denied', detail: { Tag: 'v1' } }),
      { code: 'DENIED', message: 'denied' },
    ],
    [
      'an error with a detail that says the same',
      errors({ code: 'DENIED', message: 'denied', detail: 'denied' }),
      { code: 'DENIED', message: 'denied' },
    ],
    [
      'an error with a detail that is long',
      errors({ code: 'DENIED', message: 'denied', detail: 'x'.repeat(200) }),
      { code: 'DENIED', message: 'denied' },
    ],
    [
      'an error with a code alone',
      errors({ code: 'TOO_MANY_REQUESTS' }),
      { code: 'TOO_MANY_REQUESTS', message: 'too many requests' },
    ],
    [
      'an error with an empty message',
      errors({ code: 'NAME_UNKNOWN', message: '' }),
      { code: 'NAME_UNKNOWN', message: 'name unknown' },
    ],
    [
      'several errors',
      errors({ code: 'A', message: 'one' }, { code: 'B', message: 'two' }, { code: 'C', message: 'one' }),
      { code: 'A', message: 'one; two' },
    ],
    ['no errors', errors(), { message: 'bad gateway' }],
    ['errors that say nothing', errors({}, null), { message: 'bad gateway' }],
    [
      'Docker Hub',
      { details: 'incorrect username or password' },
      { message: 'incorrect username or password' },
    ],
    ['a detail', { detail: 'not allowed' }, { message: 'not allowed' }],
    ['an error that is text', { error: 'invalid token' }, { message: 'invalid token' }],
    [
      'OAuth2',
      { error: 'invalid_grant', error_description: 'the token has expired' },
      { message: 'the token has expired' },
    ],
    [
      'an error that is an object',
      { error: { code: 403, message: 'no access', status: 'PERMISSION_DENIED' } },
      { message: 'no access' },
    ],
    [
      'a status and a message',
      { status: 404, message: 'no such repository' },
      { message: 'no such repository' },
    ],
    [
      'a code and a message',
      { code: 'unavailable', message: 'try later' },
      { code: 'unavailable', message: 'try later' },
    ],
    ['Artifactory', errors({ status: 400, message: 'bad manifest' }), { message: 'bad manifest' }],
    ['other JSON', { some: 'thing' }, { message: 'bad gateway' }],
    ['a list', '["no"]', { message: 'bad gateway' }],
    ['what only looks like JSON', '{not JSON', { message: '{not JSON' }],
    ['text', '404 page not found\n', { message: '404 page not found' }],
    ['text of several lines', 'one\r\n\ttwo\n\n three', { message: 'one two three' }],
    [
      'text that a terminal would obey',
      `${esc}[31mred${esc}[0m\u0007\u009b2J`,
      { message: '[31mred [0m 2J' },
    ],
    ['nothing', '', { message: 'bad gateway' }],
    ['white space', ' \n\t', { message: 'bad gateway' }],
    [
      'nginx',
      '<html>\r\n<head><title>429 Too Many Requests</title></head>\r\n<body>\r\n<center><h1>429 Too Many Requests</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>',
      { message: '429 Too Many Requests' },
    ],
    [
      'Tomcat',
      '<!doctype html><html lang="en"><head><title>HTTP Status 404 – Not Found</title><style type="text/css">body {font-family:Tahoma;}</style></head><body><h1>HTTP Status 404 – Not Found</h1><hr class="line" /><p><b>Type</b> Status Report</p></body></html>',
      { message: 'HTTP Status 404 – Not Found' },
    ],
    [
      'HTML with an empty title',
      '<html><title></title><h1 class="big">Blocked</h1></html>',
      { message: 'Blocked' },
    ],
    ['HTML without a title', '<p>go <b>away</b></p>', { message: 'go away' }],
    [
      'Azure',
      '\uFEFF<?xml version="1.0" encoding="utf-8"?><Error><Code>InvalidAuthenticationInfo</Code><Message>Authentication information is not given in the correct format.\nRequestId:1</Message></Error>',
      {
        code: 'InvalidAuthenticationInfo',
        message: 'Authentication information is not given in the correct format. RequestId:1',
      },
    ],
    [
      'S3',
      '<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>',
      { code: 'AccessDenied', message: 'Access Denied' },
    ],
  ])('of %s', async (_, body, expected) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const described = await describeBody(answer([text]))
    expect({ code: undefined, ...described }).toEqual({ code: undefined, ...expected })
  })

  it('of no more than 400 characters', async () => {
    const { message } = await describeBody(answer(['x'.repeat(1_000)]))
    expect(message).toBe(`${'x'.repeat(399)}…`)
  })

  it('from no more than its first 64 KiB', async () => {
    let given = 0
    let closed = false
    async function* endless() {
      try {
        for (;;) {
          given += 1024
          yield Buffer.alloc(1024, 'x')
        }
      } finally {
        closed = true
      }
    }
    const { message } = await describeBody({ ...answer([]), body: endless() })
    expect(message).toMatch(/^x+…$/)
    expect({ given, closed }).toEqual({ given: 64 * 1024, closed: true })
  })

  it('from what came before the body broke', async () => {
    async function* broken() {
      yield Buffer.from('half a sent')
      throw new Error('cut')
    }
    expect(await describeBody({ ...answer([]), body: broken() })).toMatchObject({ message: 'half a sent' })
  })

  it('with the number of a status that has no name', async () => {
    expect(await describeBody({ ...answer([]), status: 599 })).toMatchObject({ message: 'status 599' })
  })

  it.each(['<', '<a', '<Code>', '<title>', '< >'])('in little time, for 64 KiB of %s', async piece => {
    const body = piece.repeat((64 * 1024) / piece.length)
    const start = performance.now()
    await describeBody(answer([body]))
    expect(performance.now() - start).toBeLessThan(500)
  })
})

function errors(...list: unknown[]): unknown {
  return { errors: list }
}

function answer(pieces: string[]): HttpResponse {
  return {
    status: 502,
    headers: headersFrom({}),
    url: new URL('https://h/'),
    body: (async function* () {
      for (const piece of pieces) yield Buffer.from(piece)
    })(),
    discard: async () => {},
  }
}
