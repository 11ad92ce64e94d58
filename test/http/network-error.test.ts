import { describe, expect, it } from 'vitest'
import { DrayError } from '../../src/errors.ts'
import { NetworkError, networkError } from '../../src/http/network-error.ts'
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
    ['ETIMEDOUT', 'timeout', 'the connection timed out', undefined],
    ['UND_ERR_CONNECT_TIMEOUT', 'timeout', 'connecting took too long', /--timeout/],
    ['UND_ERR_HEADERS_TIMEOUT', 'timeout', 'no answer came in time', /--timeout/],
    ['UND_ERR_BODY_TIMEOUT', 'timeout', 'the answer stalled', /--timeout/],
    ['UND_ERR_SOCKET', 'broken', 'the other side closed the connection', undefined],
    ['ECONNRESET', 'broken', 'the connection was reset', undefined],
    ['EPIPE', 'broken', 'the connection broke', undefined],
    ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'broken', 'the answer ended early', undefined],
    ['HPE_INVALID_EOF_STATE', 'broken', 'the answer ended early', undefined],
    ['CERT_HAS_EXPIRED', 'refused-tls', 'its certificate has expired', undefined],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'refused-tls', 'its certificate is for another name', undefined],
    [
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'refused-tls',
      'its certificate is signed by an unknown authority',
      /--ca-file/,
    ],
    [
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'refused-tls',
      'its certificate is signed by an unknown authority',
      /--ca-file/,
    ],
    ['CERT_NOT_YET_VALID', 'refused-tls', 'TLS failed: original', undefined],
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
