import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { redact } from '../../src/cli/redact.ts'

const jwt = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJib2IifQ.c2lnbmF0dXJl-_x'

describe('redact', () => {
  it.each([
    ['a header', 'Authorization: Basic Ym9iOnNlY3JldA==', 'Authorization: Basic ***'],
    ['a header in a trace', '> authorization: Bearer s3cr3t', '> authorization: Bearer ***'],
    ['a header object', `{ authorization: 'Bearer s3cr3t' }`, `{ authorization: '***' }`],
    ['a header with an odd scheme', 'Proxy-Authorization: Custom a b c', 'Proxy-Authorization: ***'],
    ['a registry header of docker', 'X-Registry-Auth: eyJ1c2VyIjoiYm9i', 'X-Registry-Auth: ***'],
    ['cookies', 'Set-Cookie: session=abc; Path=/', 'Set-Cookie: ***'],
    ['a private header', 'a: b\nX-JFrog-Art-Api: AKCp5abc\nc: d', 'a: b\nX-JFrog-Art-Api: ***\nc: d'],
    ['a digest header', 'authorization: Digest username="bob", response="abc"', 'authorization: ***'],
    ['a private header of two words', 'X-Api-Token: two words ', 'X-Api-Token: ***'],
    ['a private token', 'PRIVATE-TOKEN: abc', 'PRIVATE-TOKEN: ***'],
    ['a bearer token in a sentence', 'sent Bearer abc.def-123 to r', 'sent Bearer *** to r'],
    ['basic credentials in a sentence', 'sent basic Ym9iOng= to r', 'sent basic *** to r'],
    ['a JWT', `got ${jwt}, expired`, 'got ***, expired'],
    ['the beginning of a JWT', `got ${jwt.slice(0, 17)}`, 'got ***'],
    ['a token of GitHub', 'x ghp_0123456789abcdefABCDEF y', 'x *** y'],
    ['a token of Docker Hub', 'dckr_pat_0123456789-abcdef', '***'],
    ['a token reply', '{"token": "a\\"b", "expires_in": 300}', '{"token": "***", "expires_in": 300}'],
    [
      'a refresh token',
      '{"refresh_token":"abc","access_token":"def"}',
      '{"refresh_token":"***","access_token":"***"}',
    ],
    ['an auth file', '{"auths":{"r":{"auth":"Ym9iOng="}}}', '{"auths":{"r":{"auth":"***"}}}'],
    ['a reply of a helper', '{"Username":"bob","Secret":"abc"}', '{"Username":"bob","Secret":"***"}'],
    ['JSON within JSON', '"{\\"token\\":\\"abc\\",\\"n\\":1}"', '"{\\"token\\":\\"***\\",\\"n\\":1}"'],
    ['JSON that was cut', '{"identitytoken":"abc', '{"identitytoken":"***"'],
    ['an inspected object', `{ password: 'it\\'s', n: 1 }`, `{ password: '***', n: 1 }`],
    [
      'a form',
      'grant_type=password&username=bob&password=p%40ss&scope=x',
      'grant_type=password&username=bob&password=***&scope=x',
    ],
    ['an environment variable', 'DRAY_PASSWORD=hunter2 dray', 'DRAY_PASSWORD=*** dray'],
    ['a quoted password', 'password="two words" x', 'password="***" x'],
    ['userinfo', 'http://bob:p@ss@proxy:3128/x', 'http://***@proxy:3128/x'],
    ['a token as userinfo', 'https://abc@host', 'https://***@host'],
    ['userinfo without a scheme', 'invalid "bob:p:ss@host/x"', 'invalid "bob:***@host/x"'],
    [
      'an Amazon signature',
      'https://b.s3/x?X-Amz-Credential=AK%2F1&X-Amz-Date=1&X-Amz-Signature=fe',
      'https://b.s3/x?X-Amz-Credential=***&X-Amz-Date=1&X-Amz-Signature=***',
    ],
    [
      'an Azure signature',
      'https://a.blob/x?sv=2023&sig=a%2Bb&se=1',
      'https://a.blob/x?sv=2023&sig=***&se=1',
    ],
    [
      'a CloudFront signature',
      'https://c/x?Expires=1&Signature=a~b&Key-Pair-Id=K',
      'https://c/x?Expires=1&Signature=***&Key-Pair-Id=***',
    ],
    ['a Cloudflare signature', 'https://c/x?verify=1-abc', 'https://c/x?verify=***'],
    [
      'a Google signature',
      'https://g/x?X-Goog-Signature=ab&X-Goog-Date=1',
      'https://g/x?X-Goog-Signature=***&X-Goog-Date=1',
    ],
    ['a token in a query', 'https://c/x?token=abc#y', 'https://c/x?token=***'],
  ])('masks %s', (_, text, wanted) => {
    expect(redact(text)).toBe(wanted)
  })

  it.each([
    ['a challenge', 'Bearer realm="https://auth.docker.io/token",service="r",scope="repository:a:pull"'],
    ['talk of authentication', 'r wants basic authentication, not a bearer token; Basic or Bearer'],
    ['a reference with a digest', `docker://alpine@sha256:${'a'.repeat(64)}`],
    ['a tag and a digest', `"alpine:3.20@sha256:${'a'.repeat(64)}"`],
    ['a digest', `sha256:${'0123456789abcdef'.repeat(4)}`],
    ['the reason why there is no token', 'could not get a token: 401 Unauthorized'],
    ['flags', 'use --password-stdin instead of --password'],
    ['a mail address', 'ask admin@example.com'],
    ['harmless parameters', 'https://r/v2/a/tags/list?n=100&last=v1'],
    ['harmless JSON', '{"errors":[{"code":"DENIED","message":"no","detail":null}]}'],
    ['empty text', ''],
  ])('leaves %s alone', (_, text) => {
    expect(redact(text)).toBe(text)
  })

  it.each([
    'a',
    'a-',
    'a:',
    'a:(',
    'eyJ',
    'a=',
    '"',
    '\\"',
    '://',
    'password',
    'Bearer ',
    'auth: ',
    "token:'\\",
    ' ',
  ])('takes time in proportion to a text of %j over and over', piece => {
    const text = piece.repeat(400_000 / piece.length)
    const started = performance.now()
    redact(text)
    expect(performance.now() - started).toBeLessThan(1000)
  })

  it('masks a secret wherever it stands in JSON, and leaves JSON behind', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (password, other) => {
        const json = JSON.stringify({
          other: { name: other.replaceAll(/[^a-z ]/g, '') },
          password: `<${password}>`,
        })
        const masked = JSON.parse(redact(json))
        expect(masked.password).toBe('***')
      }),
    )
  })
})
