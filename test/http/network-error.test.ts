import { describe, expect, it } from 'vitest'
import { DrayError } from '../../src/errors.ts'
import { NetworkError, networkError, proxyError, proxyName } from '../../src/http/network-error.ts'
import { isTransientError } from '../../src/http/retry.ts'

const url = new URL('https://reg.example:5000/v2/')

describe('what the transport throws is explained', () => {
  it.each([
    ['ECONNREFUSED', 'unreachable', 'connection refused', /running/],
    ['ENOTFOUND', 'unreachable', 'the host name is not known', /DNS/],
    ['EAI_AGAIN', 'unreachable', 'the name service does not answer', /DNS/],
    ['EHOSTUNREACH', 'unreachable', 'the host cannot be reached', undefined],
    ['ENETUNREACH', 'unreachable', 'the network cannot be reached', undefined],
    ['HPE_INVALID_CONSTANT', 'unreachable', 'it does not answer in HTTP', /registry/],
    ['NOT_HTTP', 'unreachable', 'it does not answer in HTTP', /registry/],
    ['HPE_INVALID_HEADER_TOKEN', 'broken', 'it answers in malformed HTTP: original', undefined],
    ['MALFORMED_ANSWER', 'broken', 'it answers in malformed HTTP: original', undefined],
    ['ETIMEDOUT', 'timeout', 'the connection timed out', undefined],
    ['CONNECT_TIMEOUT', 'timeout', 'connecting took too long', /--timeout/],
    ['UND_ERR_HEADERS_TIMEOUT', 'timeout', 'no answer came in time', /--timeout/],
    ['UND_ERR_BODY_TIMEOUT', 'timeout', 'the answer stalled', /--timeout/],
    ['UND_ERR_SOCKET', 'broken', 'the other side closed the connection', undefined],
    ['ECONNRESET', 'broken', 'the connection was reset', undefined],
    ['EPIPE', 'broken', 'the connection broke', undefined],
    ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'broken', 'the answer ended early', undefined],
    ['HPE_INVALID_EOF_STATE', 'broken', 'the answer ended early', undefined],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'refused-tls', 'TLS failed: original', undefined],
    ['SOMETHING_NEW', 'broken', 'original', undefined],
  ])('%s as %s', (code, fault, why, hint) => {
    const cause = Object.assign(new Error('original'), { code })
    const error = networkError(cause, url)
    expect(error).toBeInstanceOf(NetworkError)
    expect(error).toMatchObject({
      code: fault === 'timeout' ? 'TIMEOUT' : 'NETWORK',
      fault,
      message: `cannot reach reg.example:5000: ${why}`,
      cause,
    })
    if (hint === undefined) expect(error.hint).toBeUndefined()
    else expect(error.hint).toMatch(hint)
  })

  it.each(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED'])('as no fault of the network: %s', code => {
    const error = networkError(Object.assign(new Error('invalid expect header'), { code }), url)
    expect(error).toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(/^cannot send .*expect header$/),
    })
    expect(isTransientError(error)).toBe(false)
  })

  it('by its cause where it has no code of its own', () => {
    const cause = Object.assign(new Error('inner'), { code: 'ECONNRESET' })
    expect(networkError(new Error('outer', { cause }), url)).toMatchObject({
      fault: 'broken',
      message: /reset/,
    })
  })

  it('by the first of several attempts at one name', () => {
    const attempt = Object.assign(new Error('inner'), { code: 'ECONNREFUSED' })
    expect(networkError(new AggregateError([attempt, new Error('other')]), url)).toMatchObject({
      fault: 'unreachable',
    })
  })

  it('as plain HTTP on a port for TLS', () => {
    const cause = Object.assign(new Error('SSL routines: wrong version number'), {
      code: 'ERR_SSL_WRONG_VERSION_NUMBER',
    })
    expect(networkError(cause, url)).toMatchObject({
      fault: 'refused-tls',
      hint: expect.stringContaining('--plain-http'),
    })
  })

  it('as TLS on a port for plain HTTP, by the alert that came', () => {
    const cause = { code: 'NOT_HTTP', data: '\x15\x03\x01\x00\x02\x02' }
    expect(networkError(Object.assign(new Error('it begins otherwise'), cause), url)).toMatchObject({
      fault: 'refused-tls',
      message: 'cannot reach reg.example:5000: it speaks TLS, and was asked in plain HTTP',
      hint: expect.stringContaining('--plain-http'),
    })
  })

  it.each<[alert: number, why: RegExp, hint: RegExp | undefined]>([
    [40, /it broke off the TLS handshake$/, /client certificate.*--cert-file and --key-file/],
    [42, /does not accept the client certificate, or that there is none$/, /--cert-file/],
    [45, /does not accept the client certificate/, /not be expired/],
    [48, /does not accept the client certificate/, /authority/],
    [70, /no version of TLS/, undefined],
    [80, /TLS failed: .*alert number 80/, undefined],
    [112, /it knows no host of that name/, undefined],
    [116, /it wants a client certificate$/, /--cert-file and --key-file/],
  ])('as what TLS alert %i means, which asking again does not change', (alert, why, hint) => {
    const text = `C0DE:error:0A00045C:SSL routines:ssl3_read_bytes:some alert:s.c:1:SSL alert number ${alert}`
    for (const code of ['ERR_SSL_SOMETHING', 'EPROTO']) {
      const error = networkError(Object.assign(new Error(text), { code }), url)
      expect(error).toMatchObject({ code: 'NETWORK', fault: 'refused-tls', message: why })
      if (hint === undefined) expect(error.hint).toBeUndefined()
      else expect(error.hint).toMatch(hint)
      expect(isTransientError(error)).toBe(false)
    }
  })

  it('and an error that is explained already stays as it is', () => {
    const error = new DrayError('ABORTED', 'interrupted')
    expect(networkError(error, url)).toBe(error)
  })

  it('even where it is not an Error', () => {
    expect(networkError('odd', url).message).toBe('cannot reach reg.example:5000: odd')
    expect(networkError(new Error(''), url).message).toBe(
      'cannot reach reg.example:5000: the connection failed',
    )
  })
})

describe('what befalls on the way to a proxy', () => {
  const proxy = {
    url: new URL('http://proxy.corp'),
    variable: 'HTTPS_PROXY',
    authorization: 'Basic aHVzaA==',
  } as const

  it('names the proxy with its port, and the variable', () => {
    const cause = Object.assign(new Error('original'), { code: 'ECONNREFUSED' })
    expect(proxyError(cause, proxy)).toMatchObject({
      code: 'NETWORK',
      fault: 'unreachable',
      message: 'cannot reach the proxy proxy.corp:80 (HTTPS_PROXY): connection refused',
      hint: 'check HTTPS_PROXY; hosts that need no proxy belong in NO_PROXY',
      cause,
    })
    const secure = { ...proxy, url: new URL('https://proxy.corp') }
    expect(proxyName(secure)).toBe('the proxy proxy.corp:443 (HTTPS_PROXY)')
  })

  it('stays as it is where it is explained already', () => {
    const error = new DrayError('USAGE', 'no')
    expect(proxyError(error, proxy)).toBe(error)
  })
})
